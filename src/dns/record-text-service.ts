// Parameters of SVCB and HTTPS as text. RFC 9460 §2.1, Appendix A; RFC 9461 §5 for dohpath, RFC 9540 for ohttp.
// Not here: priority and target, which are plain fields (record-text-fields.ts).

import { addressText, ipv4Value, ipv6Octets } from './record-text-address.ts'
import { base64Octets } from './record-text-encodings.ts'
import type { Field } from './record-text-fields.ts'
import { RecordTextError, unescaped } from './record-text-scanner.ts'
import { quotedText } from './record-text-tokens.ts'

/** How the value of one parameter is written. Values as text have one character an octet. */
interface Parameter {
  readonly name: string
  octets(value: string): Uint8Array
  /** Throws RecordTextError if octets() would not give `octets` back. */
  text(octets: Uint8Array): string
}

const MANDATORY: Parameter = {
  name: 'mandatory',
  octets(value) {
    const keys = value.split(',').map(keyNumber)
    if (new Set(keys).size < keys.length) throw new RecordTextError('mandatory names a key twice')
    return Uint8Array.from(keys.sort((a, b) => a - b).flatMap((key) => [key >> 8, key & 255]))
  },
  text(octets) {
    const keys = pairs(octets)
    if (keys.some((key, i) => i > 0 && key <= keys[i - 1])) throw new RecordTextError('mandatory is not in order')
    return keys.map(keyName).join(',')
  },
}
const ALPN: Parameter = {
  name: 'alpn',
  octets(value) {
    const ids = ['']
    for (let i = 0; i < value.length; i++) {
      if (value[i] === ',') ids.push('')
      else ids[ids.length - 1] += value[i] === '\\' ? (value[++i] ?? '') : value[i]
    }
    if (ids.some((id) => id === '' || id.length > 255)) throw new RecordTextError(`'${value}' is no list of alpn`)
    return Buffer.from(ids.map((id) => String.fromCharCode(id.length) + id).join(''), 'latin1')
  },
  text(octets) {
    const ids: string[] = []
    for (let at = 0; at < octets.length; at += octets[at] + 1) {
      const id = Buffer.from(octets.subarray(at + 1, at + 1 + octets[at])).toString('latin1')
      if (id.length === 0 || id.length < octets[at]) throw new RecordTextError('alpn breaks off')
      ids.push(id.replace(/[\\,]/g, '\\$&'))
    }
    if (ids.length === 0) throw new RecordTextError('alpn is empty')
    return ids.join(',')
  },
}
const NO_DEFAULT_ALPN: Parameter = {
  name: 'no-default-alpn',
  octets(value) {
    if (value !== '') throw new RecordTextError('no-default-alpn has a value')
    return new Uint8Array(0)
  },
  text(octets) {
    if (octets.length > 0) throw new RecordTextError('no-default-alpn has a value')
    return ''
  },
}
const PORT: Parameter = {
  name: 'port',
  octets(value) {
    const port = /^\d{1,5}$/.test(value) ? Number(value) : -1
    if (port < 0 || port > 65535) throw new RecordTextError(`'${value}' is no port`)
    return Uint8Array.of(port >> 8, port & 255)
  },
  text(octets) {
    if (octets.length !== 2) throw new RecordTextError('port is not of 2 octets')
    return String(pairs(octets)[0])
  },
}
const ECH: Parameter = {
  name: 'ech',
  octets: base64Octets,
  text: (octets) => Buffer.from(octets).toString('base64'),
}
const OPAQUE = { octets: (value: string) => Buffer.from(value, 'latin1'), text: (octets: Uint8Array) => latin1(octets) }

const PARAMETERS: readonly Parameter[] = [
  MANDATORY,
  ALPN,
  NO_DEFAULT_ALPN,
  PORT,
  hint('ipv4hint', 4, (text) => {
    const value = ipv4Value(text)
    return value < 0 ? null : Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)
  }),
  ECH,
  hint('ipv6hint', 16, ipv6Octets),
  { name: 'dohpath', ...OPAQUE },
  { name: 'ohttp', octets: NO_DEFAULT_ALPN.octets, text: NO_DEFAULT_ALPN.text },
]

/** All parameters, to the end of the record: `key=value`, sorted by key in RDATA. */
export const SERVICE_PARAMETERS: Field = {
  parse(tokens, rdata) {
    const values = new Map<number, Uint8Array>()
    while (tokens.more()) {
      const [, name, raw] = /^([^=]*)=?([\s\S]*)$/.exec(tokens.next('parameter')) as RegExpExecArray
      const key = keyNumber(name)
      if (values.has(key)) throw new RecordTextError(`parameter '${name}' twice`)
      const value = unescaped(/^"[\s\S]*"$/.test(raw) ? raw.slice(1, -1) : raw)
      const named = PARAMETERS[key]
      values.set(key, named?.name === name.toLowerCase() ? named.octets(value) : OPAQUE.octets(value))
    }
    for (const [key, value] of [...values].sort(([a], [b]) => a - b)) {
      rdata.uint16(key)
      rdata.uint16(value.length)
      rdata.octets(value)
    }
  },
  print(rdata, tokens) {
    for (let before = -1; rdata.left() > 0; ) {
      const key = rdata.uint16()
      if (key <= before) throw new RecordTextError('parameters are not in order')
      before = key
      const octets = rdata.octets(rdata.uint16())
      const value = (PARAMETERS[key] ?? OPAQUE).text(octets)
      tokens.push(value === '' ? keyName(key) : `${keyName(key)}=${quotedText(Buffer.from(value, 'latin1'))}`)
    }
  },
}

function hint(name: string, length: number, octetsOf: (text: string) => Uint8Array | null): Parameter {
  return {
    name,
    octets(value) {
      const addresses = value.split(',').map(octetsOf)
      if (addresses.includes(null)) throw new RecordTextError(`'${value}' is no list for ${name}`)
      return Buffer.concat(addresses as Uint8Array[])
    },
    text(octets) {
      if (octets.length === 0 || octets.length % length !== 0) throw new RecordTextError(`${name} breaks off`)
      const starts = Array.from({ length: octets.length / length }, (_, i) => i * length)
      return starts.map((start) => addressText(octets.subarray(start, start + length))).join(',')
    },
  }
}

function keyName(key: number): string {
  return PARAMETERS[key]?.name ?? `key${key}`
}

function keyNumber(name: string): number {
  const lower = name.toLowerCase()
  const known = PARAMETERS.findIndex((parameter) => parameter.name === lower)
  if (known >= 0) return known
  const number = /^key(0|[1-9]\d{0,4})$/.exec(lower)
  if (number === null || Number(number[1]) > 65535) throw new RecordTextError(`'${name}' is no parameter`)
  return Number(number[1])
}

function pairs(octets: Uint8Array): number[] {
  if (octets.length === 0 || octets.length % 2 !== 0) throw new RecordTextError('a list of numbers breaks off')
  return Array.from({ length: octets.length / 2 }, (_, i) => octets[2 * i] * 256 + octets[2 * i + 1])
}

function latin1(octets: Uint8Array): string {
  return Buffer.from(octets).toString('latin1')
}
