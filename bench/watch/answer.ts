// Whether an answer is the right one, as cheaply as a load test needs it. Queries have no EDNS, so that answers end with their last
// record.

import type { Expected } from './names.ts'

const HEADER_LENGTH = 12

/** An IPv4 address as the number that its four octets are. */
export function addressNumber(text: string): number {
  return text.split('.').reduce((number, octet) => number * 256 + Number(octet), 0)
}

/** @param length  octets of the answer, which may lie in a larger buffer */
export function isRight(message: Uint8Array, length: number, { rcode, count, address }: Expected): boolean {
  if (length < HEADER_LENGTH || (message[2] & 0x80) === 0) return false
  if ((message[3] & 15) !== rcode || message[6] * 256 + message[7] !== count) return false
  return address === 0 || lastAddress(message, length) === address
}

/** The last four octets: the address, where one A record ends the message. */
function lastAddress(message: Uint8Array, length: number): number {
  const [a, b, c, d] = message.subarray(length - 4, length)
  return ((a * 256 + b) * 256 + c) * 256 + d
}
