// Takes one reply apart and writes it as a ready form (ready-form.ts): which records there are, which of them were asked for, and their TTLs.
// Runs once a cache miss: nothing is allocated, nothing thrown, whatever the message holds. RFC 1035 §4.1, RFC 2181 §8, RFC 6891.
// Not here: names (reply-names.ts), RDATA (reply-rdata.ts), and what may be kept of a reply (ready-answer.ts).

import { HEADER_LENGTH } from '../dns/question.ts'
import { TYPES } from '../dns/record-types.ts'
import { SERVFAIL } from '../dns/response.ts'
import { FORM_FLAGS, formOctets, writeFormHead, writeFormRecord } from './ready-form.ts'
import { NO_NAME, ReplyNames, ROOT } from './reply-names.ts'
import { compressesNames, firstName, nameCount, plainRdataFits, restFits } from './reply-rdata.ts'

/** Longest message. */
export const MESSAGE_MAX = 65535
/** More records than a message can have, of 11 octets each. */
export const RECORDS_MAX = 5957
/** What a TTL is when there is none: the longest. */
export const NO_TTL = 0x7fffffff

const { CNAME, SOA, NS, DNAME, RRSIG, OPT, ANY } = TYPES
const RECORD_FIXED_LENGTH = 10
const RECORD_LENGTH_MIN = 11
const QR = 0x8000
const OPCODE = 0x7800
const TC = 0x0200
const RCODE = 0x000f
const ANSWER = 0
const AUTHORITY = 1
const ADDITIONAL = 2
const POINTER_TO_QNAME = 0xc00c
// Bits of a name's mark.
const IN_CHAIN = 1
const ABOVE_CHAIN = 2
const CLIMBED = 4
const NO_MESSAGE: Uint8Array = new Uint8Array(0)

/** One object is filled again and again: read(), and then write(). What it says of the reply holds until the next. */
export class ReplyReader {
  private message = NO_MESSAGE
  private start = 0
  /** Octets of the question. */
  private questionLength = 0
  private qname = ROOT
  private readonly names = new ReplyNames()

  // Record by record, as they came, without OPT.
  private readonly owners = new Uint16Array(RECORDS_MAX)
  /** Offset in the message of a record's type. */
  private readonly fixedOffsets = new Uint16Array(RECORDS_MAX)
  /** Of the answer section: 0 = left out. */
  private readonly isKept = new Uint8Array(RECORDS_MAX)
  /** Names in RDATA in their order, and the offset in the message of what is behind each. */
  private readonly rdataNames = new Uint16Array(2 * RECORDS_MAX)
  private readonly rdataNameEnds = new Uint16Array(2 * RECORDS_MAX)
  private rdataNameCount = 0
  /** Records of each section. */
  readonly counts: Uint16Array = new Uint16Array(3)
  private keptAnswers = 0

  /** Of the header: all 16 bits. */
  flags = 0
  /** 0..4095, with the upper bits out of OPT. */
  rcode = 0
  /** Do CNAMEs lead in a circle from QNAME? */
  loops = false
  /** Has a record of the answer that was asked for the type that was? */
  hasType = false
  /** Is there an RRSIG that has expired? */
  hasExpiredSignature = false

  // Of the records as written.
  /** Seconds, of the first SOA in the authority section; -1 without. */
  soaTtl = -1
  /** Least TTL of the answer section, and of all; NO_TTL without records. */
  answerTtl = NO_TTL
  leastTtl = NO_TTL
  /** Is there NS in the authority section? */
  hasReferral = false
  writtenCount = 0
  /** Octets. */
  writtenLength = 0

  /**
   * Reads the reply at message[start, end), at most 65,535 octets.
   * @param qtype  what was asked for
   * @returns false if it is not well-formed, as readReply() of ready-answer.ts says
   */
  read(message: Uint8Array, start: number, end: number, qtype: number): boolean {
    this.flags = uint16(message, start + 2)
    if ((this.flags & (QR | OPCODE)) !== QR || uint16(message, start + 4) !== 1) return false
    this.message = message
    this.start = start
    this.names.begin(message, start, end)
    if (!this.readRecords(end)) return false
    this.loops = this.followAliases()
    this.chooseAnswers(qtype)
    return true
  }

  /** Lets go of the message's memory. */
  finish(): void {
    this.message = NO_MESSAGE
    this.names.finish()
  }

  /** Question and all records. */
  private readRecords(end: number): boolean {
    const { message, start, names, counts, owners, fixedOffsets } = this
    const qname = names.read(start + HEADER_LENGTH, end)
    if (qname === NO_NAME || names.behind + 4 > end) return false
    let at = names.behind + 4
    this.qname = qname
    this.questionLength = at - start - HEADER_LENGTH
    this.rcode = this.flags & RCODE
    this.hasExpiredSignature = false
    this.rdataNameCount = 0
    let count = 0
    let hasOpt = false
    for (let section = ANSWER; section <= ADDITIONAL; section++) {
      const first = count
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
          this.rcode |= message[at + 4] << 4
        } else {
          if (!this.readRdata(at, next, type)) return false
          if (type === CNAME && section === ANSWER) names.setAlias(owner, this.rdataNames[this.rdataNameCount - 1])
          owners[count] = owner
          fixedOffsets[count++] = at - start
        }
        at = next
      }
      counts[section] = count - first
    }
    return true
  }

  /** The RDATA of the record whose type is at message[at], up to `end`. */
  private readRdata(at: number, end: number, type: number): boolean {
    const { message, names } = this
    const rdata = at + RECORD_FIXED_LENGTH
    const nameTotal = nameCount(type)
    if (nameTotal === 0) {
      if (!plainRdataFits(message, rdata, end, type, uint16(message, at + 2))) return false
      if (type === RRSIG && isExpired(message, rdata)) this.hasExpiredSignature = true
      return true
    }
    let name = firstName(message, rdata, end, type)
    for (let i = 0; i < nameTotal; i++) {
      const node = names.read(name, end)
      if (node === NO_NAME) return false
      name = names.behind
      this.rdataNames[this.rdataNameCount] = node
      this.rdataNameEnds[this.rdataNameCount++] = name - this.start
    }
    return restFits(type, end - name)
  }

  /** Marks the names that CNAMEs lead to from QNAME. @returns whether they lead in a circle */
  private followAliases(): boolean {
    const { names } = this
    for (let node = this.qname; node !== NO_NAME; node = names.alias(node)) {
      if ((names.marks(node) & IN_CHAIN) !== 0) return true
      names.mark(node, IN_CHAIN)
    }
    return false
  }

  /** Marks the names above those of the chain. */
  private climbChain(): void {
    const { names } = this
    let name = this.qname
    while (name !== NO_NAME && (names.marks(name) & CLIMBED) === 0) {
      names.mark(name, CLIMBED)
      for (let node = name; node !== ROOT; ) {
        node = names.parent(node)
        if ((names.marks(node) & ABOVE_CHAIN) !== 0) break
        names.mark(node, ABOVE_CHAIN)
      }
      name = names.alias(name)
    }
  }

  /** Decides which records of the answer are kept. */
  private chooseAnswers(qtype: number): void {
    const { names, message, owners, isKept } = this
    const count = this.counts[ANSWER]
    let kept = 0
    this.hasType = false
    for (let i = 0; i < count; i++) {
      isKept[i] = 0
      if ((names.marks(owners[i]) & IN_CHAIN) !== 0) {
        const type = uint16(message, this.start + this.fixedOffsets[i])
        if (type === qtype || qtype === ANY) this.hasType = true
      } else if (!this.isAboveChain(i)) continue
      isKept[i] = 1
      kept++
    }
    this.keptAnswers = kept
  }

  /** Is this record of the answer a DNAME above some name of the chain, or a signature over one? */
  private isAboveChain(index: number): boolean {
    const { names, message } = this
    const at = this.start + this.fixedOffsets[index]
    const type = uint16(message, at)
    if (type !== DNAME && (type !== RRSIG || uint16(message, at + RECORD_FIXED_LENGTH) !== DNAME)) return false
    if ((names.marks(this.qname) & CLIMBED) === 0) this.climbChain()
    return (names.marks(this.owners[index]) & ABOVE_CHAIN) !== 0
  }

  /**
   * Writes the records that are kept as a form from word 0 on, and finds their TTLs.
   * @param octets  the same memory as `words`, with room for twice as many octets as a message may have
   * @returns false if they are over 65,535 octets, as names that must not be compressed are written in full: the form has those before and TC
   */
  write(words: Int32Array, octets: Uint8Array): boolean {
    const { counts } = this
    let count = this.keptAnswers + counts[AUTHORITY] + counts[ADDITIONAL]
    this.writeRecords(words, octets, count)
    const isWhole = this.writtenCount === count
    if (!isWhole) {
      // The octets begin behind the words of the records: fewer records, another place.
      count = this.writtenCount
      this.writeRecords(words, octets, count)
    }
    const answers = Math.min(this.keptAnswers, count)
    const authorities = Math.min(counts[AUTHORITY], count - answers)
    const bits = (this.flags & FORM_FLAGS) | (isWhole ? 0 : TC)
    const head = this.rcode <= RCODE ? bits : (bits & ~RCODE) | SERVFAIL
    writeFormHead(words, 0, head, answers, authorities, count - answers - authorities, this.writtenLength)
    return isWhole
  }

  /** Writes the first `count` of the records that are kept, or as many as fit into a message. */
  private writeRecords(words: Int32Array, octets: Uint8Array, count: number): void {
    const { message, start, names, owners, fixedOffsets, rdataNames } = this
    const answers = this.counts[ANSWER]
    const first = formOctets(0, count) << 2
    const shift = first - HEADER_LENGTH - this.questionLength
    let to = first
    let written = 0
    let nameIndex = 0
    this.soaTtl = -1
    this.answerTtl = NO_TTL
    this.leastTtl = NO_TTL
    this.hasReferral = false
    names.beginWriting(this.qname)
    for (let i = 0; written < count; i++) {
      let from = start + fixedOffsets[i]
      const type = uint16(message, from)
      const nameTotal = nameCount(type)
      nameIndex += nameTotal
      if (i < answers && this.isKept[i] === 0) continue
      const fixed = names.write(owners[i], octets, to, shift, true)
      const end = from + RECORD_FIXED_LENGTH + uint16(message, from + 8)
      let behind = fixed
      if (nameTotal > 0) {
        const name = firstName(message, from + RECORD_FIXED_LENGTH, end, type)
        while (from < name) octets[behind++] = message[from++]
        const compress = compressesNames(type)
        for (let k = nameIndex - nameTotal; k < nameIndex; k++) {
          behind = names.write(rdataNames[k], octets, behind, shift, compress)
        }
        from = start + this.rdataNameEnds[nameIndex - 1]
      }
      while (from < end) octets[behind++] = message[from++]
      if (behind - shift > MESSAGE_MAX) break
      const rdataLength = behind - fixed - RECORD_FIXED_LENGTH
      octets[fixed + 8] = rdataLength >> 8
      octets[fixed + 9] = rdataLength
      this.noteTtl(ttlAt(octets, fixed + 4), type, i)
      writeFormRecord(words, 0, written++, fixed + 4 - first, behind - first)
      to = behind
    }
    this.writtenCount = written
    this.writtenLength = to - first
    while ((to & 3) !== 0) octets[to++] = 0
  }

  private noteTtl(ttl: number, type: number, index: number): void {
    const { counts } = this
    if (ttl < this.leastTtl) this.leastTtl = ttl
    if (index < counts[ANSWER]) {
      if (ttl < this.answerTtl) this.answerTtl = ttl
    } else if (index < counts[ANSWER] + counts[AUTHORITY]) {
      if (type === SOA && this.soaTtl < 0) this.soaTtl = ttl
      if (type === NS) this.hasReferral = true
    }
  }
}

/** The TTL at octets[at], where one over 2^31-1 becomes zero (RFC 2181 §8). */
function ttlAt(octets: Uint8Array, at: number): number {
  if (octets[at] > 0x7f) for (let i = 0; i < 4; i++) octets[at + i] = 0
  return (uint16(octets, at) << 16) | uint16(octets, at + 2)
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

function uint16(octets: Uint8Array, at: number): number {
  return (octets[at] << 8) | octets[at + 1]
}
