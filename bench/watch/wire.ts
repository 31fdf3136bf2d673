// Queries as they go on the wire, and whether an answer is the right one: both as cheap as a load test needs them.

import type { Expected } from './names.ts'

const HEADER_LENGTH = 12
const FLAGS = 0x0100 // RD, as a stub resolver has it
const TYPE_A = 1
const CLASS_IN = 1

/** A query for the A records of a name without its trailing dot; no EDNS, so that answers end with their last record. */
export function encodeQuestion(qname: string, id: number): Buffer {
  const packet = Buffer.alloc(HEADER_LENGTH + qname.length + 2 + 4)
  packet.writeUInt16BE(id, 0)
  packet.writeUInt16BE(FLAGS, 2)
  packet.writeUInt16BE(1, 4)
  let at = HEADER_LENGTH
  for (const label of qname.split('.')) {
    at = packet.writeUInt8(label.length, at)
    at += packet.write(label, at, 'latin1')
  }
  at = packet.writeUInt16BE(TYPE_A, at + 1)
  packet.writeUInt16BE(CLASS_IN, at)
  return packet
}

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
