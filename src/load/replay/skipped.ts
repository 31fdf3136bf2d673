// What a capture holds beside queries, by what it is, and how that is said.

/** What is not replayed: packets by the first reason that holds. */
export interface Skipped {
  /** Over TCP. */
  readonly tcp: number
  /** DNS responses: sent from port 53, or with QR set. */
  readonly answers: number
  /** UDP between other ports. */
  readonly otherPorts: number
  /** DNS with another opcode than QUERY. */
  readonly otherOpcodes: number
  /** Parts of IP datagrams. */
  readonly fragments: number
  /** Of which the capture has only the beginning (snap length), and that may have been queries. */
  readonly cut: number
  /** Queries that are longer than a table takes. */
  readonly tooLong: number
  /** Not what their headers say, or without one question that can be read. */
  readonly malformed: number
  /** Neither UDP nor TCP over IPv4 or IPv6: ARP, ICMP and the like. */
  readonly otherProtocols: number
  /** Of link types that are not read. */
  readonly otherLinks: number
  /** Queries that were captured on another interface before (copies.ts). */
  readonly copies: number
}

export type SkipReason = keyof Skipped

/** For one, and for more. */
const WORDS: Record<SkipReason, readonly [one: string, more: string]> = {
  tcp: ['TCP', 'TCP'],
  answers: ['answer', 'answers'],
  otherPorts: ['UDP between other ports', 'UDP between other ports'],
  otherOpcodes: ['of another opcode', 'of other opcodes'],
  fragments: ['fragment', 'fragments'],
  cut: ['cut by the snap length', 'cut by the snap length'],
  tooLong: ['too long', 'too long'],
  malformed: ['malformed', 'malformed'],
  otherProtocols: ['of another protocol', 'of other protocols'],
  otherLinks: ['of a link type that is not read', 'of link types that are not read'],
  copies: ['copy of a query on another interface', 'copies of queries on other interfaces'],
}

const REASONS = Object.keys(WORDS) as SkipReason[]

export function nothingSkipped(): Record<SkipReason, number> {
  return Object.fromEntries(REASONS.map((reason) => [reason, 0])) as Record<SkipReason, number>
}

/** `1,200 TCP, 34 answers`; '' if nothing was skipped. */
export function skippedInWords(skipped: Skipped): string {
  return REASONS.filter((reason) => skipped[reason] > 0)
    .map((reason) => `${inThousands(skipped[reason])} ${WORDS[reason][skipped[reason] === 1 ? 0 : 1]}`)
    .join(', ')
}

/** `1 query`, `1,234 queries`. */
export function counted(count: number, one: string, more: string): string {
  return `${inThousands(count)} ${count === 1 ? one : more}`
}

/** `1,234`. */
export function inThousands(count: number): string {
  return count.toLocaleString('en-US')
}
