// LOC: a place on earth. RFC 1876.

import type { Field } from './record-text-fields.ts'
import { RecordTextError } from './record-text-scanner.ts'
import type { TokenReader } from './record-text-tokens.ts'

const EQUATOR = 2 ** 31
const DEGREE_MS = 3_600_000
/** Centimeters that altitudes are written above: 100 km below the WGS 84 spheroid. */
const ALTITUDE_BASE_CM = 10_000_000
const DEFAULTS_CM = { size: 100, horizontal: 1_000_000, vertical: 1000 }

/** The whole RDATA of LOC: `52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m`. */
export const LOCATION: Field = {
  parse(tokens, rdata) {
    const latitude = angle(tokens, 90, 'N', 'S')
    const longitude = angle(tokens, 180, 'E', 'W')
    const altitude = centimeters(tokens.next('altitude')) + ALTITUDE_BASE_CM
    if (altitude < 0 || altitude >= 2 ** 32) throw new RecordTextError('an altitude out of range')
    const sizes = [DEFAULTS_CM.size, DEFAULTS_CM.horizontal, DEFAULTS_CM.vertical].map((usual) =>
      power(tokens.more() ? centimeters(tokens.next('size')) : usual),
    )
    rdata.uint8(0)
    for (const size of sizes) rdata.uint8(size)
    for (const value of [latitude, longitude, altitude]) rdata.uint32(value)
  },
  print(rdata, tokens) {
    if (rdata.uint8() !== 0) throw new RecordTextError('not version 0 of LOC')
    const sizes = [rdata.uint8(), rdata.uint8(), rdata.uint8()].map(sizeText)
    tokens.push(...angleText(rdata.uint32(), 90, 'N', 'S'), ...angleText(rdata.uint32(), 180, 'E', 'W'))
    tokens.push(meters(rdata.uint32() - ALTITUDE_BASE_CM), ...sizes)
  },
}

/** Degrees, perhaps minutes, perhaps seconds, and which side: thousandths of an arc second, 2^31 being the middle. */
function angle(tokens: TokenReader, degreesMax: number, positive: string, negative: string): number {
  const parts: string[] = []
  for (;;) {
    const token = tokens.next('angle')
    const side = token.toUpperCase()
    if (side === positive || side === negative) {
      const [degrees, minutes, seconds] = [0, 1, 2].map((i) => Number(parts[i] ?? 0))
      const value = degrees * DEGREE_MS + minutes * 60_000 + Math.round(seconds * 1000)
      if (parts.length === 0 || minutes > 59 || seconds >= 60 || value > degreesMax * DEGREE_MS) {
        throw new RecordTextError(`an angle over ${degreesMax} degrees, or none`)
      }
      return side === positive ? EQUATOR + value : EQUATOR - value
    }
    if (parts.length === 3 || !(parts.length < 2 ? /^\d{1,3}$/ : /^\d{1,2}(?:\.\d{0,3})?$/).test(token)) {
      throw new RecordTextError(`'${token}' is no angle, nor ${positive} or ${negative}`)
    }
    parts.push(token)
  }
}

function angleText(value: number, degreesMax: number, positive: string, negative: string): string[] {
  const size = Math.abs(value - EQUATOR)
  if (size > degreesMax * DEGREE_MS) throw new RecordTextError('an angle out of range')
  const degrees = Math.floor(size / DEGREE_MS)
  const minutes = Math.floor((size % DEGREE_MS) / 60_000)
  const seconds = ((size % 60_000) / 1000).toFixed(3)
  return [String(degrees), String(minutes), seconds, value >= EQUATOR ? positive : negative]
}

function centimeters(token: string): number {
  const parts = /^(-?)(\d{1,8})(?:\.(\d{0,2}))?m?$/i.exec(token)
  if (parts === null) throw new RecordTextError(`'${token}' is no length in meters`)
  const value = Number(parts[2]) * 100 + Number((parts[3] ?? '').padEnd(2, '0'))
  return parts[1] === '-' ? -value : value
}

function meters(value: number): string {
  return `${(value / 100).toFixed(2)}m`
}

/** A length as one digit and a power of ten, 4 bits each. */
function power(value: number): number {
  if (value < 0) throw new RecordTextError('a size below 0')
  let exponent = 0
  while (value >= 10) {
    value = Math.floor(value / 10)
    exponent++
  }
  return value * 16 + exponent
}

function sizeText(octet: number): string {
  const text = meters((octet >> 4) * 10 ** (octet & 15))
  if ((octet & 15) > 9 || octet >> 4 > 9 || power((octet >> 4) * 10 ** (octet & 15)) !== octet) {
    throw new RecordTextError('a size that is no digit and power of ten')
  }
  return text
}
