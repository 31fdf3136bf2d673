// Octets as digits: hexadecimal, base64, base32hex. RFC 4648.
// Not here: which field is written how (record-text-fields.ts).

import { RecordTextError } from './record-text-scanner.ts'

/** @throws RecordTextError */
export function hexOctets(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) throw new RecordTextError(`'${text}' is not hexadecimal`)
  return Buffer.from(text, 'hex')
}

/** @throws RecordTextError */
export function base64Octets(text: string): Uint8Array {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) {
    throw new RecordTextError(`'${text}' is not base64`)
  }
  return Buffer.from(text, 'base64')
}

const BASE32 = '0123456789ABCDEFGHIJKLMNOPQRSTUV'

/** base32hex without padding (RFC 4648 §7, RFC 5155 §3.3). @throws RecordTextError; empty text is none */
export function base32Octets(text: string): Uint8Array {
  const octets: number[] = []
  let bits = 0
  let bitCount = 0
  for (const character of text.toUpperCase()) {
    const value = BASE32.indexOf(character)
    if (value < 0) throw new RecordTextError(`'${text}' is not base32`)
    bits = ((bits << 5) | value) & 0xfff
    bitCount += 5
    if (bitCount < 8) continue
    bitCount -= 8
    octets.push((bits >> bitCount) & 255)
  }
  if (octets.length === 0 || bitCount >= 5) throw new RecordTextError(`'${text}' is not base32`)
  return Uint8Array.from(octets)
}

/** base32hex without padding. */
export function base32Text(octets: Uint8Array): string {
  let text = ''
  let bits = 0
  let bitCount = 0
  for (const octet of octets) {
    bits = ((bits << 8) | octet) & 0xfff
    for (bitCount += 8; bitCount >= 5; ) {
      bitCount -= 5
      text += BASE32[(bits >> bitCount) & 31]
    }
  }
  return bitCount === 0 ? text : text + BASE32[(bits << (5 - bitCount)) & 31]
}
