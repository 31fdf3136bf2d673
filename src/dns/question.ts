// Reading a query in place: header, question and OPT, in one walk, and then the key of its name. Hot: nothing is allocated,
// nothing thrown. RFC 1035 §4.1, RFC 6891 §6.1 for OPT, RFC 4343 for case.

import { foldWord, KEY_WORDS, keyHash, keyHashEnd, keyHashStart, keyHashStep, keyMeta, lastWordMask } from './key.ts'
import { LABEL_COUNT_MAX, NAME_LENGTH_MAX } from './name.ts'

// Verdicts of readQuery().
/** A query to look up. */
export const QUERY = 0
/** Not to be answered: a runt, or a response. */
export const DROP = 1
/** To be answered FORMERR with a bare header. */
export const MALFORMED = 2
/** To be answered NOTIMP with a bare header: another opcode than QUERY. */
export const OTHER_OPCODE = 3
/** To be answered REFUSED: another class than IN. */
export const OTHER_CLASS = 4
/** To be answered BADVERS: EDNS version over 0 (RFC 6891 §6.1.3). */
export const OTHER_EDNS = 5

export type Verdict =
  | typeof QUERY
  | typeof DROP
  | typeof MALFORMED
  | typeof OTHER_OPCODE
  | typeof OTHER_CLASS
  | typeof OTHER_EDNS

/** Octets of a message header. */
export const HEADER_LENGTH = 12

const TYPE_OPT = 41
const CLASS_IN = 1
const POINTER = 0xc0
const ADDITIONAL_MAX = 2 // OPT and TSIG
const UDP_SIZE_MIN = 512

/** One query as read. One object is used again and again; the last readQuery() or readName() says what is in it. */
export class Query {
  /** Octets of QNAME in wire form, root octet included. */
  nameLength = 0
  /** Labels without the root; label i, leftmost 0, begins labelStart[i] octets into the name; labelStart[labelCount] is the root. */
  labelCount = 0
  readonly labelStart = new Uint8Array(LABEL_COUNT_MAX + 1)
  /** The part of the name left of its zone, folded, zero behind its end. Filled by readKey(). */
  readonly keyWords = new Int32Array(KEY_WORDS)
  /** The same memory as octets. */
  readonly key = new Uint8Array(this.keyWords.buffer)
  /** Zone and length of the key (key.ts). */
  meta = 0
  hash = 0
  /** What readQuery() said. */
  verdict: Verdict = DROP
  /** Where it is routed to, as a number that its user knows; -1 for nowhere. Set by whoever routes. */
  route = -1
  /** Which of its users has set `zone`, the key and `entry`: -1 for none. */
  stage = -1
  /** Index of the zone it lies in, -1 for none. Set by whoever looks that up. */
  zone = -1
  /** Entry of the index (lookup.ts), 0 for none. Set by whoever looks that up. */
  entry = 0
  /** Is its response kept (response-cache.ts)? Then nothing else here is set but the row and the ticket. */
  isKept = false
  cacheRow = -1
  cacheTicket = 0
  type = 0
  /** First octet behind the question, counted from the start of the message; 0 if the question did not parse. */
  questionEnd = 0
  hasOpt = false
  /** First octet of the options of OPT, and the first behind them, counted from the start of `packet`; both 0 without OPT. */
  optionsOffset = 0
  optionsEnd = 0
  /** Requestor's UDP payload size, 512 at least; 512 without OPT. */
  udpSize = UDP_SIZE_MIN
  dnssecOk = false
}

/**
 * Reads the message at packet[start, start + length) into `query`.
 * Never looks outside of it, whatever it holds. What stands behind the last record is ignored.
 */
export function readQuery(query: Query, packet: Uint8Array, start: number, length: number): Verdict {
  query.questionEnd = 0
  query.hasOpt = false
  query.stage = -1
  query.optionsOffset = 0
  query.optionsEnd = 0
  query.dnssecOk = false
  query.udpSize = UDP_SIZE_MIN
  if (length < HEADER_LENGTH) return DROP
  const flags = packet[start + 2]
  if ((flags & 0x80) !== 0) return DROP
  if ((flags & 0x78) !== 0) return OTHER_OPCODE
  if (count(packet, start + 4) !== 1) return MALFORMED
  const records = count(packet, start + 6) + count(packet, start + 8) + count(packet, start + 10)
  if (count(packet, start + 6) > 1 || count(packet, start + 8) > 1) return MALFORMED
  if (count(packet, start + 10) > ADDITIONAL_MAX) return MALFORMED

  const end = start + length
  let at = readName(query, packet, start + HEADER_LENGTH, end)
  if (at === 0 || at + 4 > end) return MALFORMED
  query.type = count(packet, at)
  const qclass = count(packet, at + 2)
  at += 4
  const questionEnd = at - start

  let version = 0
  if (records > 0) {
    let beforeAdditional = count(packet, start + 6) + count(packet, start + 8)
    for (let i = 0; i < records; i++) {
      const owner = at
      at = skipName(packet, start, at, end)
      if (at === 0 || at + 10 > end) return MALFORMED
      const rdata = at + 10
      const next = rdata + count(packet, at + 8)
      if (next > end) return MALFORMED
      if (count(packet, at) === TYPE_OPT) {
        if (beforeAdditional > 0 || query.hasOpt || packet[owner] !== 0) return MALFORMED
        if (!optionsParse(packet, rdata, next)) return MALFORMED
        query.hasOpt = true
        query.optionsOffset = rdata
        query.optionsEnd = next
        query.udpSize = Math.max(count(packet, at + 2), UDP_SIZE_MIN)
        version = packet[at + 5]
        query.dnssecOk = (packet[at + 6] & 0x80) !== 0
      }
      if (beforeAdditional > 0) beforeAdditional--
      at = next
    }
  }
  query.questionEnd = questionEnd
  if (qclass !== CLASS_IN) return OTHER_CLASS
  return version > 0 ? OTHER_EDNS : QUERY
}

/**
 * Finds the labels of the uncompressed name at packet[at, end).
 * A pointer is malformed here: nothing that a question may point to comes before it.
 * @returns the first octet behind the name, or 0 if there is no well-formed name
 */
export function readName(query: Query, packet: Uint8Array, at: number, end: number): number {
  const { labelStart } = query
  let offset = 0
  let labels = 0
  for (;;) {
    if (at + offset >= end) return 0
    const length = packet[at + offset]
    if (length === 0) break
    if (length >= 64) return 0
    labelStart[labels++] = offset
    offset += length + 1
    if (offset >= NAME_LENGTH_MAX) return 0
  }
  labelStart[labels] = offset
  query.labelCount = labels
  query.nameLength = offset + 1
  return at + offset + 1
}

/**
 * Makes the key of the name that readName() has read, folding and hashing four octets at a time.
 * @param words   memory of the packet as words; up to 3 octets behind the key are read, none of them used
 * @param word    index of the word that the name begins with
 * @param length  octets of the name that lie left of the zone, 0..254
 */
export function readKey(query: Query, words: Int32Array, word: number, zone: number, length: number): void {
  const { keyWords } = query
  const meta = keyMeta(zone, length)
  const last = (length - 1) >> 2
  let hash = keyHashStart(meta)
  for (let i = 0; i < last; i++) {
    const folded = foldWord(words[word + i])
    keyWords[i] = folded
    hash = keyHashStep(hash, folded)
  }
  if (length > 0) {
    const folded = foldWord(words[word + last]) & lastWordMask(length)
    keyWords[last] = folded
    hash = keyHashStep(hash, folded)
  }
  query.meta = meta
  query.hash = keyHashEnd(hash)
}

/** Sets meta and hash for a key whose octets key[0, length) have been written one by one, folded. */
export function sealKey(query: Query, zone: number, length: number): void {
  if (length > 0) query.keyWords[(length - 1) >> 2] &= lastWordMask(length)
  query.meta = keyMeta(zone, length)
  query.hash = keyHash(query.keyWords, 0, query.meta)
}

/**
 * Writes the query that readQuery() has read, and nothing else, to into[at..]: header (id, RD, AD, CD), question, OPT without options if there was
 * one. What stands behind the question of the original may have been overwritten; the original's place will do too.
 * @returns octets: up to COPY_LENGTH_MAX
 */
export function copyQuery(query: Query, packet: Uint8Array, start: number, into: Uint8Array, at: number): number {
  const { questionEnd, hasOpt, udpSize } = query
  if (packet !== into || start !== at) for (let i = 0; i < questionEnd; i++) into[at + i] = packet[start + i]
  into[at + 2] &= 0x01
  into[at + 3] &= 0x30
  for (let i = 4; i < HEADER_LENGTH; i++) into[at + i] = 0
  into[at + 5] = 1
  if (!hasOpt) return questionEnd
  into[at + 11] = 1
  const opt = at + questionEnd
  for (let i = 0; i < 11; i++) into[opt + i] = 0
  into[opt + 2] = TYPE_OPT
  into[opt + 3] = udpSize >> 8
  into[opt + 4] = udpSize
  if (query.dnssecOk) into[opt + 7] = 0x80
  return questionEnd + 11
}

/** Octets of the longest message that copyQuery() writes. */
export const COPY_LENGTH_MAX: number = HEADER_LENGTH + NAME_LENGTH_MAX + 4 + 11

/** Steps over a name that may be compressed; pointers must lead strictly backwards. 0 if it is malformed. */
function skipName(packet: Uint8Array, start: number, at: number, end: number): number {
  let behind = 0
  let bound = at
  let nameLength = 1
  for (;;) {
    if (at >= end) return 0
    const length = packet[at]
    if (length === 0) return behind === 0 ? at + 1 : behind
    if (length < 64) {
      nameLength += length + 1
      if (nameLength > NAME_LENGTH_MAX) return 0
      at += length + 1
      continue
    }
    if (length < POINTER || at + 2 > end) return 0
    if (behind === 0) behind = at + 2
    const target = start + (((length & 0x3f) << 8) | packet[at + 1])
    // Each jump leads before the piece it came from, so a chain of pointers ends.
    if (target >= bound || target < start + HEADER_LENGTH) return 0
    bound = target
    at = target
  }
}

/** Do the octets [at, end) divide into whole options (RFC 6891 §6.1.2)? */
function optionsParse(packet: Uint8Array, at: number, end: number): boolean {
  while (at < end) {
    if (at + 4 > end) return false
    at += 4 + count(packet, at + 2)
  }
  return at === end
}

function count(packet: Uint8Array, at: number): number {
  return (packet[at] << 8) | packet[at + 1]
}
