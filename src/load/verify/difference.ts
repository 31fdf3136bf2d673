// Whether an answer says what it should, and if not, what differs.
//
// Two right answers may differ: in the order of an RRset, in TTLs that a cache counts down, in letter case, in compression, in
// the serial of an SOA, in what a datagram had no room for (TC), and in the sections that a client can do without. Compared are
// the RCODE, the records of the answer with their CNAME chain, and of a negative answer whose SOA it has (RFC 2308 §2).

import { type Message, type ResourceRecord, rdataNames } from '../../dns/message.ts'
import { rcodeName } from '../../dns/rcodes.ts'
import { CLASSES, className, TYPES, typeName } from '../../dns/record-types.ts'
import { NOERROR, NXDOMAIN } from '../../dns/response.ts'
import { answerLines, briefRecord, decodedOrWhy } from './answer-text.ts'
import { recordIdentity } from './record-identity.ts'

/** What counts as a difference. */
export interface ComparisonRules {
  /** AA, and all of authority and additional, too; they may be left out otherwise (minimal responses). */
  readonly strict?: boolean
  /** A TTL over that of the expected record is one: for a truth that has no cache before it. A lower one never is. */
  readonly limitsTtls?: boolean
  /** Whose records are compared, by owner in lower case with a final dot: others may be there or not. Default: all. */
  readonly covers?: (owner: string) => boolean
}

/** What differs. */
export interface Difference {
  /** In words, on one line. */
  readonly text: string
  /** Lines as dig prints them. */
  readonly got: readonly string[]
  readonly expected: readonly string[]
}

/** Records that are named in words; what is more is counted. */
const NAMED_MAX = 3

/** A section, ready to be compared with: by recordIdentity(). */
type RecordCounts = ReadonlyMap<
  string,
  { readonly record: ResourceRecord; readonly count: number; readonly ttl: number }
>

/** A part of an answer that has been cut off does not count as missing. */
type Cut = 'neither' | 'got' | 'expected' | 'both'

/**
 * Compares two answers to one question; their IDs do not matter.
 *
 * @param got       any octets
 * @param expected  the answer of whoever is right
 * @returns null if `got` is as right
 */
export function compareAnswers(got: Uint8Array, expected: Uint8Array, rules: ComparisonRules = {}): Difference | null {
  const text = new ExpectedAnswer(expected, rules).differenceFrom(got)
  return text === null ? null : { text, got: answerLines(got), expected: answerLines(expected) }
}

/** An answer that many are compared with. */
export class ExpectedAnswer {
  readonly octets: Uint8Array
  readonly #rules: ComparisonRules
  /** What cannot be read is in words. */
  readonly #message: Message | string
  readonly #answer: RecordCounts
  readonly #hasChainInOrder: boolean

  /** @param octets  a whole message, kept */
  constructor(octets: Uint8Array, rules: ComparisonRules = {}) {
    this.octets = octets
    this.#rules = rules
    this.#message = decodedOrWhy(octets)
    this.#answer = counted(typeof this.#message === 'string' ? [] : this.#covered(this.#message.answer))
    this.#hasChainInOrder = typeof this.#message !== 'string' && hasChainInOrder(this.#message)
  }

  /** @returns in words what is wrong with `octets`, null if nothing is */
  differenceFrom(octets: Uint8Array): string | null {
    const got = decodedOrWhy(octets)
    if (typeof got === 'string') return `the answer cannot be read: ${got}`
    const expected = this.#message
    if (typeof expected === 'string') return `the answer to compare with cannot be read: ${expected}`
    const found = headDifference(got, expected) ?? this.#contentDifferences(got, expected)
    return found.length === 0 ? null : found.join('; ')
  }

  #contentDifferences(got: Message, expected: Message): string[] {
    const cut = cutOf(got, expected)
    const answers = this.#sectionDifferences(counted(this.#covered(got.answer)), this.#answer, cut, '')
    const isOutOfOrder = answers.length === 0 && cut === 'neither' && this.#hasChainInOrder && !hasChainInOrder(got)
    if (isOutOfOrder) answers.push('a record comes before the CNAME that leads to it')
    if (this.#rules.strict === true) return [...answers, ...this.#strictDifferences(got, expected, cut)]
    // An answer that has what it should not have, or lacks it, is of another kind: its SOA says nothing new.
    const comparesSource = answers.length === 0 && cut === 'neither'
    return comparesSource ? this.#sourceDifferences(got, expected) : answers
  }

  #strictDifferences(got: Message, expected: Message, cut: Cut): string[] {
    const differences: string[] = []
    if (got.authoritative !== expected.authoritative) {
      differences.push(got.authoritative ? 'AA is set and should not be' : 'AA is not set and should be')
    }
    if (cut !== 'neither') return differences
    for (const section of ['authority', 'additional'] as const) {
      const [ours, theirs] = [got[section], expected[section]].map((records) => counted(this.#covered(records)))
      differences.push(...this.#sectionDifferences(ours, theirs, cut, ` in ${section}`))
    }
    return differences
  }

  /** Where a negative answer or a referral is from: the owner of the SOA (RFC 2308 §2), or the NS records. */
  #sourceDifferences(got: Message, expected: Message): string[] {
    const soa = expected.authority.find(({ type }) => type === TYPES.SOA)
    if (expected.rcode !== NOERROR && expected.rcode !== NXDOMAIN) return []
    if (soa !== undefined) return this.#soaDifferences(got, soa)
    if (expected.answer.length > 0) return []
    const [ours, theirs] = [got, expected].map(({ authority }) =>
      this.#covered(authority.filter(({ type }) => type === TYPES.NS)),
    )
    return theirs.length === 0
      ? []
      : this.#sectionDifferences(counted(ours), counted(theirs), 'neither', ' in authority')
  }

  #soaDifferences(got: Message, expected: ResourceRecord): string[] {
    const soa = got.authority.find(({ type }) => type === TYPES.SOA)
    if (soa === undefined) return [`no SOA of ${expected.owner} in authority`]
    if (soa.owner.toLowerCase() !== expected.owner.toLowerCase()) {
      return [`the SOA in authority is that of ${soa.owner}, not of ${expected.owner}`]
    }
    const isTooLong = this.#rules.limitsTtls === true && soa.ttl > expected.ttl
    return isTooLong ? [ttlText(soa, soa.ttl, expected.ttl)] : []
  }

  #sectionDifferences(got: RecordCounts, expected: RecordCounts, cut: Cut, where: string): string[] {
    const missing = cut === 'neither' || cut === 'expected' ? surplus(expected, got) : []
    const unexpected = cut === 'neither' || cut === 'got' ? surplus(got, expected) : []
    const differences: string[] = []
    if (missing.length > 0) differences.push(`missing${where}: ${named(missing)}`)
    if (unexpected.length > 0) differences.push(`unexpected${where}: ${named(unexpected)}`)
    if (this.#rules.limitsTtls === true) differences.push(...ttlDifferences(got, expected))
    return differences
  }

  #covered(records: readonly ResourceRecord[]): readonly ResourceRecord[] {
    const { covers } = this.#rules
    return covers === undefined ? records : records.filter(({ owner }) => covers(owner.toLowerCase()))
  }
}

/**
 * What answers have in common that are wrong in the same way: everything but ID, TTLs, order, compression and letter case.
 * @param octets  any octets
 */
export function answerIdentity(octets: Uint8Array): string {
  const message = decodedOrWhy(octets)
  if (typeof message === 'string') return `? ${Buffer.from(octets.subarray(2)).toString('latin1')}`
  const { rcode, response, truncated, authoritative, question } = message
  const name = question === null ? '' : `${question.name.toLowerCase()} ${question.class} ${question.type}`
  const sections = [message.answer, message.authority, message.additional].map((records) =>
    records.map(recordIdentity).sort(),
  )
  return JSON.stringify([rcode, response, truncated, authoritative, name, ...sections])
}

/** What makes it useless to look at the records; null if nothing does. */
function headDifference(got: Message, expected: Message): string[] | null {
  if (!got.response) return ['it is no response (QR is not set)']
  if (got.opcode !== expected.opcode) return [`opcode ${got.opcode}, not ${expected.opcode}`]
  const question = questionDifference(got, expected)
  if (question !== null) return [question]
  if (got.rcode !== expected.rcode) return [`${rcodeName(got.rcode)}, not ${rcodeName(expected.rcode)}`]
  return null
}

/** A server that could not read the question, or did not want to, may leave it out. */
function questionDifference(got: Message, expected: Message): string | null {
  if (got.question === null) {
    const mayLackIt = got.rcode !== NOERROR && got.rcode !== NXDOMAIN
    return mayLackIt || expected.question === null ? null : 'it has no question'
  }
  if (expected.question === null) return null
  const [ours, theirs] = [got.question, expected.question]
  const isSame =
    ours.name.toLowerCase() === theirs.name.toLowerCase() && ours.type === theirs.type && ours.class === theirs.class
  if (isSame) return null
  const text = (question: typeof ours): string =>
    `${question.name} ${question.class === CLASSES.IN ? '' : `${className(question.class)} `}${typeName(question.type)}`
  return `it answers ${text(ours)}, not ${text(theirs)}`
}

function cutOf(got: Message, expected: Message): Cut {
  if (got.truncated) return expected.truncated ? 'both' : 'got'
  return expected.truncated ? 'expected' : 'neither'
}

function counted(records: readonly ResourceRecord[]): RecordCounts {
  const counts = new Map<string, { record: ResourceRecord; count: number; ttl: number }>()
  for (const record of records) {
    const identity = recordIdentity(record)
    const known = counts.get(identity)
    if (known === undefined) counts.set(identity, { record, count: 1, ttl: record.ttl })
    else {
      known.count++
      known.ttl = Math.max(known.ttl, record.ttl)
    }
  }
  return counts
}

/** Records that `some` has more often than `others`. */
function surplus(some: RecordCounts, others: RecordCounts): ResourceRecord[] {
  const more: ResourceRecord[] = []
  for (const [identity, { record, count }] of some) {
    for (let i = others.get(identity)?.count ?? 0; i < count; i++) more.push(record)
  }
  return more
}

/** The first record that may be kept for too long, and how many more. */
function ttlDifferences(got: RecordCounts, expected: RecordCounts): string[] {
  const tooLong = [...got].filter(([identity, { ttl }]) => ttl > (expected.get(identity)?.ttl ?? ttl))
  if (tooLong.length === 0) return []
  const [identity, { record, ttl }] = tooLong[0]
  const others = tooLong.length === 1 ? '' : `, and ${tooLong.length - 1} more`
  return [`${ttlText(record, ttl, expected.get(identity)?.ttl ?? 0)}${others}`]
}

function ttlText({ owner, type }: ResourceRecord, ttl: number, ttlMax: number): string {
  return `TTL ${ttl} of ${owner} ${typeName(type)} is over ${ttlMax}`
}

function named(records: readonly ResourceRecord[]): string {
  const texts = records.slice(0, NAMED_MAX).map(briefRecord)
  if (records.length > NAMED_MAX) texts.push(`${records.length - NAMED_MAX} more`)
  return texts.join(', ')
}

/**
 * Does every record of the answer come behind the CNAMEs that lead to its owner? Stub resolvers follow a chain in one go (RFC 1034
 * §4.3.2 step 3a adds it in this order). DNAMEs and signatures stand where they like.
 */
function hasChainInOrder({ question, answer }: Message): boolean {
  if (question === null) return true
  const reached = new Set([question.name.toLowerCase()])
  for (const record of answer) {
    if (record.type === TYPES.DNAME || record.type === TYPES.RRSIG) continue
    if (!reached.has(record.owner.toLowerCase())) return false
    if (record.type === TYPES.CNAME) for (const target of rdataNames(record)) reached.add(target.toLowerCase())
  }
  return true
}

/** Seconds that a cache may keep an answer: the least TTL of the answer, or of authority (RFC 2308 §5). 0 of what cannot be read. @param octets  any octets */
export function secondsKept(octets: Uint8Array): number {
  const message = decodedOrWhy(octets)
  if (typeof message === 'string') return 0
  const records = message.answer.length > 0 ? message.answer : message.authority
  return records.reduce((least, { ttl }) => Math.min(least, ttl), records[0]?.ttl ?? 0)
}
