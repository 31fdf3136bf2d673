// Reading an upstream's reply into the ready form (ready-form.ts): is it one, whose question is it, what may be kept of it and how long.
// Runs once a cache miss: nothing is allocated, nothing thrown, whatever the message holds. RFC 1035 §4.1, RFC 2181 §8, RFC 2308, RFC 6891.
// Not here: names (reply-names.ts), RDATA (reply-rdata.ts), and whether a reply that is well-formed is believed.

import { encodeMessage, type Message, MessageError, type MessageQuestion } from '../dns/message.ts'
import { FOLD, LABEL_LENGTH_MAX, NAME_LENGTH_MAX } from '../dns/name.ts'
import { HEADER_LENGTH } from '../dns/question.ts'
import { TYPES } from '../dns/record-types.ts'
import { NOERROR, NOTIMP, NXDOMAIN, SERVFAIL } from '../dns/response.ts'
import { FORM_FLAGS, formOctets, formWords, type ReadyRecords, writeFormHead, writeFormRecord } from './ready-form.ts'
import { NO_NAME, ReplyNames, ROOT } from './reply-names.ts'
import { compressesNames, firstName, nameCount, plainRdataFits, restFits } from './reply-rdata.ts'

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

const { CNAME, SOA, NS, DNAME, RRSIG, OPT, ANY, IXFR, AXFR } = TYPES
const MESSAGE_MAX = 65535
const RECORDS_MAX = 5957 // of 11 octets each
const RECORD_FIXED_LENGTH = 10
const RECORD_LENGTH_MIN = 11
const QR = 0x8000
const OPCODE = 0x7800
const AA = 0x0400
const TC = 0x0200
const RA = 0x0080
const AD = 0x0020
const CD = 0x0010
const RCODE = 0x000f
const ANSWER = 0
const AUTHORITY = 1
const ADDITIONAL = 2
const POINTER_TO_QNAME = 0xc00c
const NO_TTL = 0x7fffffff // and the longest there is
/** Seconds, of a reply without records. */
const TTL_OF_NOTHING = 5
// Bits of a name's mark.
const IN_CHAIN = 1
const ABOVE_CHAIN = 2
const FOLLOWED = 4
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

// Of the message being read, record by record, without OPT.
const names = new ReplyNames()
const owners = new Uint16Array(RECORDS_MAX)
/** Offset in the message of a record's type. */
const fixedOffsets = new Uint16Array(RECORDS_MAX)
/** Of the answer section: 0 = left out. */
const isKept = new Uint8Array(RECORDS_MAX)
/** Names in RDATA in their order, and the offset in the message of what is behind each. */
const rdataNames = new Uint16Array(2 * RECORDS_MAX)
const rdataNameEnds = new Uint16Array(2 * RECORDS_MAX)
/** Of each section, as they came. */
const sectionCounts = [0, 0, 0]

let recordCount = 0
let rdataNameCount = 0
let keptAnswers = 0
/** Records as written, and the octets of all. */
let writtenCount = 0
let writtenLength = 0
/** Is there NS in the authority section? */
let hasReferral = false
let qname = ROOT
let questionLength = 0
let extendedRcode = 0
/** Seconds, of the first SOA in the authority section; -1 without. */
let soaTtl = -1
/** Least TTL of the answer section, and of all; NO_TTL without records. */
let answerTtl = NO_TTL
let leastTtl = NO_TTL
let hasExpiredSignature = false

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
  const flags = uint16(message, at + 2)
  if ((flags & (QR | OPCODE)) !== QR || uint16(message, at + 4) !== 1) return false
  names.begin(message, at, end)
  const isRead = readRecords(message, at, end)
  if (isRead) {
    const loops = followAliases()
    const reached = chooseAnswers(message, at, type)
    const whole = writeForm(into, message, at, flags)
    into.rcode = (extendedRcode << 4) | (flags & RCODE)
    into.truncated = (flags & TC) !== 0 || !whole
    into.kind =
      into.truncated || loops || hasExpiredSignature || type === AXFR || type === IXFR
        ? UNCACHEABLE
        : kindOf(into.rcode, reached)
    into.ttl = ttlOf(into.kind)
  }
  names.finish()
  return isRead
}

/** Question and all records, into the arrays above. */
function readRecords(message: Uint8Array, start: number, end: number): boolean {
  qname = names.read(start + HEADER_LENGTH, end)
  if (qname === NO_NAME || names.behind + 4 > end) return false
  let at = names.behind + 4
  questionLength = at - start - HEADER_LENGTH
  extendedRcode = 0
  hasExpiredSignature = false
  recordCount = 0
  rdataNameCount = 0
  let hasOpt = false
  for (let section = ANSWER; section <= ADDITIONAL; section++) {
    const first = recordCount
    for (let left = uint16(message, start + 6 + 2 * section); left > 0; left--) {
      if (at + RECORD_LENGTH_MIN > end) return false
      let owner = qname
      if (uint16(message, at) === POINTER_TO_QNAME) at += 2
      else {
        owner = names.read(at, end)
        if (owner === NO_NAME) return false
        at = names.behind
      }
      const rdata = at + RECORD_FIXED_LENGTH
      if (rdata > end) return false
      const next = rdata + uint16(message, at + 8)
      if (next > end) return false
      const type = uint16(message, at)
      if (type === OPT) {
        if (hasOpt || section !== ADDITIONAL || owner !== ROOT || !optionsFit(message, rdata, next)) return false
        hasOpt = true
        extendedRcode = message[at + 4]
      } else {
        if (!readRdata(message, start, at, next, type)) return false
        if (type === CNAME && section === ANSWER) names.setAlias(owner, rdataNames[rdataNameCount - 1])
        owners[recordCount] = owner
        fixedOffsets[recordCount++] = at - start
      }
      at = next
    }
    sectionCounts[section] = recordCount - first
  }
  return true
}

/** The RDATA of the record whose type is at message[at], up to `end`. */
function readRdata(message: Uint8Array, start: number, at: number, end: number, type: number): boolean {
  const rdata = at + RECORD_FIXED_LENGTH
  const count = nameCount(type)
  if (count === 0) {
    if (!plainRdataFits(message, rdata, end, type, uint16(message, at + 2))) return false
    if (type === RRSIG && isExpired(message, rdata)) hasExpiredSignature = true
    return true
  }
  let name = firstName(message, rdata, end, type)
  for (let i = 0; i < count; i++) {
    const node = names.read(name, end)
    if (node === NO_NAME) return false
    name = names.behind
    rdataNames[rdataNameCount] = node
    rdataNameEnds[rdataNameCount++] = name - start
  }
  return restFits(type, end - name)
}

/** Marks the names that CNAMEs lead to from QNAME. @returns whether they lead in a circle */
function followAliases(): boolean {
  let node = qname
  while (node !== NO_NAME) {
    if ((names.marked(node) & IN_CHAIN) !== 0) return true
    names.mark(node, IN_CHAIN)
    node = names.alias(node)
  }
  return false
}

/** Marks the names above those that are marked IN_CHAIN. */
function markAbove(): void {
  for (let name = qname; name !== NO_NAME && (names.marked(name) & FOLLOWED) === 0; name = names.alias(name)) {
    names.mark(name, FOLLOWED)
    let node = name
    while (node !== ROOT) {
      node = names.parent(node)
      if ((names.marked(node) & ABOVE_CHAIN) !== 0) break
      names.mark(node, ABOVE_CHAIN)
    }
  }
}

/** Sets `isKept` of the answer's records. @returns whether one that is kept has the type that was asked for */
function chooseAnswers(message: Uint8Array, start: number, qtype: number): boolean {
  let reached = false
  let isAboveMarked = false
  keptAnswers = 0
  for (let i = 0; i < sectionCounts[ANSWER]; i++) {
    const at = start + fixedOffsets[i]
    const type = uint16(message, at)
    let kept = (names.marked(owners[i]) & IN_CHAIN) !== 0
    if (kept) {
      if (type === qtype || qtype === ANY) reached = true
    } else if (type === DNAME || (type === RRSIG && uint16(message, at + RECORD_FIXED_LENGTH) === DNAME)) {
      if (!isAboveMarked) markAbove()
      isAboveMarked = true
      kept = (names.marked(owners[i]) & ABOVE_CHAIN) !== 0
    }
    isKept[i] = kept ? 1 : 0
    if (kept) keptAnswers++
  }
  return reached
}

function kindOf(rcode: number, reached: boolean): ReadyKind {
  if (rcode === SERVFAIL || rcode === NOTIMP) return FAILURE
  const isDenied = soaTtl >= 0
  if (rcode === NXDOMAIN) return isDenied && sectionCounts[ANSWER] === 0 ? DENIAL : UNCACHEABLE
  if (rcode !== NOERROR) return UNCACHEABLE
  if (reached) return SUCCESS
  if (isDenied) return DENIAL
  if (sectionCounts[ANSWER] > 0) return UNCACHEABLE
  if (hasReferral) return SUCCESS
  return recordCount === 0 ? DENIAL : UNCACHEABLE
}

function ttlOf(kind: ReadyKind): number {
  if (kind === DENIAL && soaTtl >= 0) return Math.min(soaTtl, answerTtl)
  return writtenCount === 0 ? TTL_OF_NOTHING : leastTtl
}

/** Writes the records that are kept, and their TTLs' least. @returns false if not all of them fit into a message */
function writeForm(into: ReadyAnswer, message: Uint8Array, start: number, flags: number): boolean {
  let count = keptAnswers + sectionCounts[AUTHORITY] + sectionCounts[ADDITIONAL]
  const written = writeRecords(into, message, start, count)
  const isWhole = written === count
  if (!isWhole) {
    // The octets begin behind the words of the records: fewer records, another place.
    count = written
    writeRecords(into, message, start, count)
  }
  const answers = Math.min(keptAnswers, count)
  const authorities = Math.min(sectionCounts[AUTHORITY], count - answers)
  const bits = (flags & FORM_FLAGS) | (isWhole ? 0 : TC)
  const head = extendedRcode === 0 ? bits : (bits & ~RCODE) | SERVFAIL
  writeFormHead(into.words, 0, head, answers, authorities, count - answers - authorities, writtenLength)
  into.wordCount = formWords(count, writtenLength)
  return isWhole
}

/** Writes the first `count` records that are kept. @returns how many of them fit into a message */
function writeRecords(into: ReadyAnswer, message: Uint8Array, start: number, count: number): number {
  const { words, octets } = into
  const first = formOctets(0, count) << 2
  const shift = first - HEADER_LENGTH - questionLength
  let to = first
  let written = 0
  let nameIndex = 0
  soaTtl = -1
  answerTtl = NO_TTL
  leastTtl = NO_TTL
  hasReferral = false
  names.beginWriting(qname)
  for (let i = 0; written < count; i++) {
    const at = start + fixedOffsets[i]
    const type = uint16(message, at)
    const nameTotal = nameCount(type)
    if (i < sectionCounts[ANSWER] && isKept[i] === 0) {
      nameIndex += nameTotal
      continue
    }
    const fixed = names.write(owners[i], octets, to, shift, true)
    for (let k = 0; k < RECORD_FIXED_LENGTH; k++) octets[fixed + k] = message[at + k]
    const ttl = readTtl(octets, fixed + 4)
    const rdata = at + RECORD_FIXED_LENGTH
    const end = rdata + uint16(message, at + 8)
    let behind = fixed + RECORD_FIXED_LENGTH
    let from = rdata
    if (nameTotal > 0) {
      for (const name = firstName(message, rdata, end, type); from < name; ) octets[behind++] = message[from++]
      const compress = compressesNames(type)
      for (let k = 0; k < nameTotal; k++)
        behind = names.write(rdataNames[nameIndex + k], octets, behind, shift, compress)
      nameIndex += nameTotal
      from = start + rdataNameEnds[nameIndex - 1]
    }
    while (from < end) octets[behind++] = message[from++]
    if (behind - shift > MESSAGE_MAX) break
    const rdataLength = behind - fixed - RECORD_FIXED_LENGTH
    octets[fixed + 8] = rdataLength >> 8
    octets[fixed + 9] = rdataLength
    writeFormRecord(words, 0, written++, fixed + 4 - first, behind - first)
    to = behind
    noteTtl(ttl, type, i)
  }
  writtenCount = written
  writtenLength = to - first
  while ((to & 3) !== 0) octets[to++] = 0
  return written
}

/** Makes a TTL over 2^31-1 zero (RFC 2181 §8). */
function readTtl(octets: Uint8Array, at: number): number {
  if (octets[at] > 127) for (let i = 0; i < 4; i++) octets[at + i] = 0
  return (octets[at] << 24) | (octets[at + 1] << 16) | (octets[at + 2] << 8) | octets[at + 3]
}

function noteTtl(ttl: number, type: number, index: number): void {
  if (ttl < leastTtl) leastTtl = ttl
  if (index < sectionCounts[ANSWER]) {
    if (ttl < answerTtl) answerTtl = ttl
  } else if (index < sectionCounts[ANSWER] + sectionCounts[AUTHORITY]) {
    if (type === SOA && soaTtl < 0) soaTtl = ttl
    if (type === NS) hasReferral = true
  }
}

/** Has the RRSIG with this RDATA expired (RFC 4034 §3.1.5, in serial number arithmetic)? */
function isExpired(message: Uint8Array, rdata: number): boolean {
  const expiration = (uint16(message, rdata + 8) << 16) | uint16(message, rdata + 10)
  return ((expiration - Math.floor(Date.now() / 1000)) | 0) < 0
}

/** Do the octets [at, end) divide into whole options (RFC 6891 §6.1.2)? */
function optionsFit(message: Uint8Array, at: number, end: number): boolean {
  while (at + 4 <= end) at += 4 + uint16(message, at + 2)
  return at === end
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
