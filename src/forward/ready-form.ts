// The ready form of an upstream's reply: what stands behind the question, so that it can be copied behind any spelling of that question.
// Here: its layout, writing it into a response (hot), and as whole records for plugins (cold). Not here: making it (ready-answer.ts).
// RFC 1035 §4.1, RFC 2181 §8 (TTL) and §9 (TC).
//
// Words and octets of the same memory, from a word on that whoever keeps the form chooses:
//
//      31              16 15               0
//     +------------------+------------------+
//  +0 | count of records |  flags and RCODE |  bits AA, TC, RA, AD, CD and RCODE as in the header, the others 0
//  +1 | authority count  |   answer count   |
//  +2 | length of octets | additional count |  without OPT
//     +------------------+------------------+
//  +3 |  end of record   |   offset of TTL  |  a word a record, in their order; both counted from the end of the question
//     +------------------+------------------+
//     | octets: the records of all sections |  padded with zeros to whole words
//     +-------------------------------------+
//
// Compressed names in it count from the start of a message whose QNAME is at 12, as it is in every message. They lead to the question
// or backwards, so that records may be left off from the end.

import { decodeMessage, type MessageQuestion, type ResourceRecord } from '../dns/message.ts'
import { wireOfName } from '../dns/message-names.ts'
import { HEADER_LENGTH } from '../dns/question.ts'
import type { Response } from '../dns/response.ts'

/** Bits of a header that a form keeps. */
export const FORM_FLAGS = 0x06bf

const SECTIONS = 1
const TAIL = 2
const RECORDS = 3
const LOW = 0xffff
const TC = 0x0200
const QR = 0x8000
const QUESTION_FIXED_LENGTH = 4
// Octets are copied in the order of the memory, whatever that is.
const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1

/** The records of a form, by section. */
export interface ReadyRecords {
  readonly answer: ResourceRecord[]
  readonly authority: ResourceRecord[]
  readonly additional: ResourceRecord[]
}

/** Words of a form of so many records and octets. */
export function formWords(records: number, length: number): number {
  return RECORDS + records + ((length + 3) >> 2)
}

/** Index of the word that the octets of the form at `ref` begin with. */
export function formOctets(ref: number, records: number): number {
  return ref + RECORDS + records
}

/** Writes all of the form's words but those of its records. `length` in octets, 0..65535. */
export function writeFormHead(
  words: Int32Array,
  ref: number,
  flags: number,
  answers: number,
  authorities: number,
  additionals: number,
  length: number,
): void {
  words[ref] = flags | ((answers + authorities + additionals) << 16)
  words[ref + SECTIONS] = answers | (authorities << 16)
  words[ref + TAIL] = additionals | (length << 16)
}

/** Writes the word of the `index`-th record: offset of its TTL, and of its end, both from the end of the question. */
export function writeFormRecord(words: Int32Array, ref: number, index: number, ttlOffset: number, end: number): void {
  words[ref + RECORDS + index] = ttlOffset | (end << 16)
}

/**
 * Writes the form at words[ref] behind the question of a response that has just been begun, and sets its counts. As many whole records go
 * in as fit; `truncated` is set if that is not all, or if the form has TC.
 *
 * Up to three octets behind the records may be overwritten, none from `limit` on.
 * @param octets  the same memory as `words`
 * @param ttl     0..2^31-1: what every record gets, in seconds; -1: as stored
 * @returns flags and RCODE of the form: AA, TC, RA, AD, CD as in a header
 */
export function appendReady(
  response: Response,
  packet: Uint8Array,
  words: Int32Array,
  octets: Uint8Array,
  ref: number,
  ttl: number,
): number {
  const head = words[ref]
  const { at, limit } = response
  const view = response.view(packet)
  const records = ref + RECORDS
  const from = records + (head >>> 16)
  let end = from
  let length = words[ref + TAIL] >>> 16
  if (at + length <= limit) {
    const sections = words[ref + SECTIONS]
    response.answerCount = sections & LOW
    response.authorityCount = sections >>> 16
    response.additionalCount = words[ref + TAIL] & LOW
    response.truncated = (head & TC) !== 0
  } else {
    end = records + countFitting(words, records, from, limit - at)
    length = end === records ? 0 : words[end - 1] >>> 16
    countSections(response, words[ref + SECTIONS], end - records)
    response.truncated = true
  }
  response.at = at + length
  let whole = (length + 3) >> 2
  if (at + (whole << 2) > limit) {
    whole = length >> 2
    for (let i = whole << 2; i < length; i++) packet[at + i] = octets[(from << 2) + i]
  }
  for (let i = 0; i < whole; i++) view.setInt32(at + (i << 2), words[from + i], LITTLE_ENDIAN)
  if (ttl >= 0) for (let i = records; i < end; i++) view.setInt32(at + (words[i] & LOW), ttl)
  return head & LOW
}

/** How many of the records described by words[first, end) end at `room` or before. */
function countFitting(words: Int32Array, first: number, end: number, room: number): number {
  let count = 0
  while (first + count < end && words[first + count] >>> 16 <= room) count++
  return count
}

/** Counts of a response that has the first `count` records of a form. */
function countSections(response: Response, sections: number, count: number): void {
  response.answerCount = Math.min(sections & LOW, count)
  response.authorityCount = Math.min(sections >>> 16, count - response.answerCount)
  response.additionalCount = count - response.answerCount - response.authorityCount
}

/**
 * The form at words[ref] as records, with the TTLs as stored and names uncompressed, in memory of their own. What was in the question's
 * spelling takes that of `question`. Cold.
 * @throws NameError, MessageError if the name is not the one the form was made for, which need not be noticed
 */
export function readyRecords(
  words: Int32Array,
  octets: Uint8Array,
  ref: number,
  question: MessageQuestion,
): ReadyRecords {
  const name = wireOfName(question.name)
  const questionEnd = HEADER_LENGTH + name.length + QUESTION_FIXED_LENGTH
  const length = words[ref + TAIL] >>> 16
  const from = formOctets(ref, words[ref] >>> 16) << 2
  const packet = new Uint8Array(questionEnd + length)
  const view = new DataView(packet.buffer)
  view.setUint16(2, QR)
  view.setUint16(4, 1)
  view.setUint16(6, words[ref + SECTIONS] & LOW)
  view.setUint16(8, words[ref + SECTIONS] >>> 16)
  view.setUint16(10, words[ref + TAIL] & LOW)
  packet.set(name, HEADER_LENGTH)
  view.setUint16(questionEnd - 4, question.type)
  view.setUint16(questionEnd - 2, question.class)
  packet.set(octets.subarray(from, from + length), questionEnd)
  const { answer, authority, additional } = decodeMessage(packet, 0, packet.length)
  return { answer, authority, additional }
}
