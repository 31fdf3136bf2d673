// An upstream's reply in the ready form (ready-form.ts): is it one, whose question is it, what may be kept of it and how long.
// Runs once a cache miss: nothing is allocated, nothing thrown, whatever the message holds. RFC 2308 and corefile.md 5.7 for what is kept.
// Not here: taking it apart (reply-reader.ts), and whether a reply that is well-formed is believed.

import { encodeMessage, type Message, MessageError, type MessageQuestion } from '../dns/message.ts'
import { FOLD, LABEL_LENGTH_MAX, NAME_LENGTH_MAX } from '../dns/name.ts'
import { HEADER_LENGTH } from '../dns/question.ts'
import { TYPES } from '../dns/record-types.ts'
import { NOERROR, NOTIMP, NXDOMAIN, SERVFAIL } from '../dns/response.ts'
import { formWords, type ReadyRecords } from './ready-form.ts'
import { MESSAGE_MAX, RECORDS_MAX, ReplyReader } from './reply-reader.ts'

// Kinds of replies.
/** Records that were asked for. */
export const SUCCESS = 0
/** NXDOMAIN or NODATA with SOA, or nothing at all. */
export const DENIAL = 1
/** SERVFAIL or NOTIMP. */
export const FAILURE = 2
/** Good for one client, not to be kept (corefile.md 5.7). */
export const UNCACHEABLE = 3

export type ReadyKind = typeof SUCCESS | typeof DENIAL | typeof FAILURE | typeof UNCACHEABLE

// What matchesQuestion() says.
/** A reply to that question. */
export const MATCH = 0
/** It would be, but for the case of letters in QNAME. */
export const OTHER_CASE = 1
/** A reply to something else. */
export const OTHER_QUESTION = 2
/** No reply, or not one whole question in it: a bare header too. */
export const MALFORMED = 3

export type QuestionMatch = typeof MATCH | typeof OTHER_CASE | typeof OTHER_QUESTION | typeof MALFORMED

const { IXFR, AXFR } = TYPES
const AA = 0x0400
const TC = 0x0200
const RA = 0x0080
const AD = 0x0020
const CD = 0x0010
const RCODE = 0x000f
/** Seconds, of a reply without records. */
const TTL_OF_NOTHING = 5
// Reading an imported constant in a loop is slower.
const fold = FOLD

/** A reply in the ready form. One object is filled again and again. */
export class ReadyAnswer {
  /** The form begins at word 0. */
  readonly words: Int32Array
  /** The same memory. */
  readonly octets: Uint8Array
  /** Of the form. */
  wordCount = 0
  kind: ReadyKind = UNCACHEABLE
  /** 0..4095, with the upper bits out of OPT. Over 15 the form says SERVFAIL. */
  rcode = 0
  /**
   * Seconds, 0..2^31-1: the smallest TTL of all records but OPT; of a DENIAL, the lesser of the first SOA's own and those of the answer section (CNAMEs);
   * 5 if there are none.
   */
  ttl = 0
  /** TC was set, or the records are over 65,535 octets when written as they should be. */
  truncated = false

  constructor() {
    // The last record may be written as a whole before it turns out not to fit.
    this.words = new Int32Array(formWords(RECORDS_MAX, 2 * (MESSAGE_MAX + 1024)))
    this.octets = new Uint8Array(this.words.buffer)
  }
}

// Made for the first reply: most threads read none.
let reader: ReplyReader | null = null

/**
 * Reads the reply at message[at, at + length), whose question has been compared already, into `into`.
 *
 * Well-formed is: QR, opcode QUERY, one question; all records there that the header counts; names as RFC 1035 has them, with pointers that lead
 * backwards; RDATA with names, and of A and AAAA, as its type asks for; at most one OPT, in the additional section, owned by the root. What
 * stands behind the last record is ignored.
 *
 * Left out are OPT, and records of the answer section whose owner is neither QNAME nor a name that CNAMEs of that section lead to
 * from there: nobody asked for them. DNAME stays if its owner is above such a name; names that it stands for without a CNAME are not followed.
 * An owner that is QNAME is the pointer 0xC00C, but for the root. Names are compressed without regard to case. A TTL over 2^31-1 is 0.
 * @param type  QTYPE
 * @returns false if it is not well-formed: `into` is then as it was
 */
export function readReply(into: ReadyAnswer, message: Uint8Array, at: number, length: number, type: number): boolean {
  const end = at + length
  if (length < HEADER_LENGTH || length > MESSAGE_MAX || end > message.length) return false
  reader ??= new ReplyReader()
  const isRead = reader.read(message, at, end, type)
  if (isRead) {
    const isWhole = reader.write(into.words, into.octets)
    into.wordCount = formWords(reader.writtenCount, reader.writtenLength)
    into.rcode = reader.rcode
    into.truncated = (reader.flags & TC) !== 0 || !isWhole
    into.kind = into.truncated || type === AXFR || type === IXFR ? UNCACHEABLE : kindOf(reader)
    into.ttl = ttlOf(reader, into.kind)
  }
  reader.finish()
  return isRead
}

function kindOf(reply: ReplyReader): ReadyKind {
  const { rcode, counts } = reply
  if (rcode === SERVFAIL || rcode === NOTIMP) return FAILURE
  if (reply.loops || reply.hasExpiredSignature) return UNCACHEABLE
  const hasAnswers = counts[0] > 0
  const hasSoa = reply.soaTtl >= 0
  if (rcode === NXDOMAIN) return hasSoa && !hasAnswers ? DENIAL : UNCACHEABLE
  if (rcode !== NOERROR) return UNCACHEABLE
  if (reply.hasType) return SUCCESS
  if (hasSoa) return DENIAL
  if (hasAnswers) return UNCACHEABLE
  if (reply.hasReferral) return SUCCESS
  return reply.writtenCount === 0 ? DENIAL : UNCACHEABLE
}

function ttlOf(reply: ReplyReader, kind: ReadyKind): number {
  if (reply.writtenCount === 0) return TTL_OF_NOTHING
  return kind === DENIAL ? Math.min(reply.soaTtl, reply.answerTtl) : reply.leastTtl
}

/**
 * Compares the question of the message at message[at, at + length) with `question`: QNAME in wire form, QTYPE, QCLASS.
 * @param exact  letters of QNAME must be in the same case (a query whose case was drawn by lot); otherwise there is no OTHER_CASE
 * @returns MALFORMED also for a query, and for another number of questions than one: a bare header says nothing of a question
 */
export function matchesQuestion(
  message: Uint8Array,
  at: number,
  length: number,
  question: Uint8Array,
  exact: boolean,
): QuestionMatch {
  const end = at + length
  if (length < HEADER_LENGTH || end > message.length) return MALFORMED
  if ((message[at + 2] & 0x80) === 0 || uint16(message, at + 4) !== 1) return MALFORMED
  const first = at + HEADER_LENGTH
  const nameLength = question.length - 4
  if (first + question.length > end) return isQuestion(message, first, end) ? OTHER_QUESTION : MALFORMED
  let verdict: QuestionMatch = MATCH
  for (let i = 0; i < nameLength; i++) {
    const octet = message[first + i]
    if (octet === question[i]) continue
    // Octets of length are under 64, which is before all letters.
    if (fold[octet] !== fold[question[i]]) return isQuestion(message, first, end) ? OTHER_QUESTION : MALFORMED
    if (exact) verdict = OTHER_CASE
  }
  for (let i = nameLength; i < question.length; i++) if (message[first + i] !== question[i]) return OTHER_QUESTION
  return verdict
}

/** Is there a whole, uncompressed question at message[at, end)? */
function isQuestion(message: Uint8Array, at: number, end: number): boolean {
  const first = at
  while (at < end && message[at] !== 0) {
    if (message[at] > LABEL_LENGTH_MAX) return false
    at += message[at] + 1
  }
  return at + 5 <= end && at - first < NAME_LENGTH_MAX
}

/**
 * The other way round of readyRecords(): what a plugin has made of a reply, as a ready form. Cold.
 * @param flags  AA, TC, RA, AD and CD as in a header; other bits are not looked at
 * @param rcode  0..4095
 * @returns false if the records cannot be written behind the question: `into` is then as it was
 */
export function readyOfRecords(
  into: ReadyAnswer,
  flags: number,
  rcode: number,
  records: ReadyRecords,
  question: MessageQuestion,
): boolean {
  const target = new Uint8Array(MESSAGE_MAX)
  const message: Message = {
    id: 0,
    opcode: 0,
    response: true,
    authoritative: (flags & AA) !== 0,
    truncated: (flags & TC) !== 0,
    recursionDesired: false,
    recursionAvailable: (flags & RA) !== 0,
    authenticData: (flags & AD) !== 0,
    checkingDisabled: (flags & CD) !== 0,
    rcode,
    question,
    answer: records.answer,
    authority: records.authority,
    additional: records.additional,
    edns: rcode > RCODE ? { version: 0, udpSize: 512, dnssecOk: false, options: [] } : null,
  }
  try {
    return readReply(into, target, 0, encodeMessage(message, target, 0, MESSAGE_MAX), question.type)
  } catch (error) {
    if (error instanceof MessageError) return false
    throw error
  }
}

function uint16(octets: Uint8Array, at: number): number {
  return (octets[at] << 8) | octets[at + 1]
}
