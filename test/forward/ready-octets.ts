// Replies put together octet by octet. Not here: generated ones (ready-messages.ts).

import { wireOfName } from '../../src/dns/message-names.ts'

/** A reply about the name `w.example. A`, put together by hand. `records`: octets and names, behind the question. */
export function reply(counts: readonly number[], ...records: (string | readonly number[])[]): Uint8Array {
  const parts = records.map((part) => (typeof part === 'string' ? wireOfName(part) : Uint8Array.from(part)))
  const header = Uint8Array.of(0, 1, 0x81, 0x80, 0, 1, 0, counts[0], 0, counts[1], 0, counts[2])
  return new Uint8Array(Buffer.concat([header, wireOfName('w.example.'), Uint8Array.of(0, 1, 0, 1), ...parts]))
}

/** Owner of a record: the name of the question. */
export const W = [0xc0, 12]
/** The fixed part of a record, TTL 60. */
export const rr = (type: number, length: number, recordClass = 1): number[] =>
  [type, recordClass, 0, 60, length].flatMap((value) => [value >> 8, value & 255])
/** First octet behind that question. */
export const BEHIND = 12 + 11 + 4
