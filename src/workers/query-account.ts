// What is written down of each query: counters and lines for the log, in shared memory. Hot where it counts, nothing where nobody wants it.

import type { LogClass, LogRule, Plugins } from '../config/configuration.ts'
import { textOfWire } from '../dns/name.ts'
import type { Query } from '../dns/question.ts'
import { type AnswerSource, MessagePeers, type PeerReader } from './answerer.ts'
import { CACHE_SERVED_STALE } from './cache-events.ts'
import { QueryCounters } from './counters.ts'
import { LOG_DENIAL, LOG_ERROR, LOG_SUCCESS, LogEntry, LogRingWriter } from './log-ring.ts'
import type { Block, Route } from './router.ts'

/** Kinds of text in a ring. */
export const ERROR_TEXT = 1
export const QUERY_TEXT = 2

/** What a worker says of an error that a plugin returned: JSON of it is the text. */
export interface ErrorText {
  readonly block: number
  readonly rcode: number
  readonly name: string
  readonly type: number
  readonly error: string
}

const MASKS = { all: LOG_SUCCESS | LOG_DENIAL | LOG_ERROR, success: LOG_SUCCESS, denial: LOG_DENIAL, error: LOG_ERROR }
const QNAME = 12
const QUESTION_TAIL = 4
const STREAM_SIZE = 65535

/** Bits (log-ring.ts) of some classes. */
export function classMaskOf(classes: readonly LogClass[]): number {
  return classes.reduce((mask, name) => mask | MASKS[name], 0)
}

/** Bits (log-ring.ts) of the classes that some rule of a block names: what nobody wants is not handed over. */
export function logMaskOf(rules: readonly LogRule[] | undefined): number {
  return (rules ?? []).reduce((mask, { classes }) => mask | classMaskOf(classes), 0)
}

/** Does some rule want metadata, which only plugins on whole messages have? */
export function logsMetadata({ log }: Plugins): boolean {
  return (log ?? []).some(({ format }) => format.includes('{/'))
}

/** When a query came, and from whom. */
export interface Arrival {
  readonly beganMs: number
  readonly ipv6: number
  readonly peers: MessagePeers
}

/** The account of one worker. */
export class QueryAccount {
  /** Nobody counts, nobody logs. */
  readonly isIdle: boolean
  private readonly counters: QueryCounters | null
  private readonly ring: LogRingWriter | null
  private readonly entry = new LogEntry()
  /** Of the message being answered, once somebody asked. */
  readonly peers = new MessagePeers()
  private reader: PeerReader | null = null
  private ipv6 = 0
  private beganMs = 0
  /** Queries of this batch, by group; and the groups that have some. */
  private readonly pending: Int32Array
  private readonly touched: Int32Array
  private touchedCount = 0

  constructor({ counters, logs }: AnswerSource, reader: number) {
    this.counters = counters === null ? null : new QueryCounters(counters.plan, counters.memory, reader)
    this.ring = logs.length > reader ? new LogRingWriter(logs[reader]) : null
    const groups = counters?.plan.groups.length ?? 0
    this.pending = new Int32Array(groups)
    this.touched = new Int32Array(groups)
    this.isIdle = this.counters === null && this.ring === null
  }

  setPeers(reader: PeerReader): void {
    this.reader = reader
  }

  /** A batch has come. `messages`: how many, 0 if they did not come at once. */
  begin(ipv6: number, messages: number): void {
    this.ipv6 = ipv6
    if (messages > 0) this.counters?.batch(messages)
    if (!this.isIdle) this.beganMs = performance.now()
  }

  /** Its answers are sent. */
  end(): void {
    const { touchedCount, counters } = this
    if (touchedCount === 0 || counters === null) return
    const seconds = (performance.now() - this.beganMs) / 1000
    for (let i = 0; i < touchedCount; i++) {
      const group = this.touched[i]
      counters.duration(group, seconds, this.pending[group])
      this.pending[group] = 0
    }
    this.touchedCount = 0
  }

  /** Counts a query and its reply, in a group of 0 or more. `replyLength` 0: none was sent. */
  count(
    group: number,
    stream: number,
    type: number,
    length: number,
    dnssecOk: number,
    rcode: number,
    writer: number,
    replyLength: number,
  ): void {
    const counters = this.counters!
    counters.query(group, stream, this.ipv6, type, length, dnssecOk)
    if (replyLength > 0) counters.reply(group, stream, rcode, writer, replyLength)
    if (this.pending[group]++ === 0) this.touched[this.touchedCount++] = group
  }

  /** Counts an event of a plugin. */
  event(group: number, event: number): void {
    if (group >= 0) this.counters?.event(group, event)
  }

  /** Counts what a cache had (forward/forward-stage.ts, but NOT_LOOKED), in a group of 0 or more. */
  found(group: number, found: number, isStale: boolean): void {
    const { counters } = this
    if (counters === null) return
    counters.event(group, found)
    if (isStale) counters.event(group, CACHE_SERVED_STALE)
  }

  /** Fills `peers` for the message being answered. */
  readPeers(): MessagePeers {
    this.reader?.readPeers(this.peers)
    return this.peers
  }

  /** Hands a line of the query log over. The message at `start` is the reply by now, or still the query if there is none. */
  log(
    route: Route,
    query: Query,
    packet: Uint8Array,
    start: number,
    length: number,
    replyLength: number,
    stream: boolean,
    rcode: number,
  ): void {
    const { entry } = this
    entry.dnssecOk = query.dnssecOk ? 1 : 0
    entry.bufsize = stream ? STREAM_SIZE : query.udpSize
    entry.questionLength = query.questionEnd - QNAME
    this.push(route, packet, start, length, replyLength, stream, rcode)
  }

  /** The same for a message that was answered from memory, unread. */
  logKept(
    route: Route,
    packet: Uint8Array,
    start: number,
    length: number,
    replyLength: number,
    dnssecOk: number,
    udpSize: number,
  ): void {
    const { entry } = this
    let at = start + QNAME
    while (packet[at] !== 0) at += packet[at] + 1
    entry.dnssecOk = dnssecOk
    entry.bufsize = udpSize
    entry.questionLength = at + 1 + QUESTION_TAIL - start - QNAME
    this.push(route, packet, start, length, replyLength, false, packet[start + 3] & 0x0f)
  }

  private push(
    route: Route,
    packet: Uint8Array,
    start: number,
    length: number,
    replyLength: number,
    stream: boolean,
    rcode: number,
  ): void {
    const { entry, ring } = this
    if (ring === null) return
    const peers = this.readPeers()
    entry.group = Math.max(0, route.group)
    entry.rules = route.block.index
    entry.stream = stream ? 1 : 0
    entry.replied = replyLength > 0 ? 1 : 0
    entry.size = length
    entry.rcode = rcode
    entry.replySize = replyLength
    entry.seconds = (performance.now() - this.beganMs) / 1000
    entry.clientLength = peers.clientLength
    entry.clientPort = peers.clientPort
    entry.localLength = peers.localLength
    ring.push(entry, peers.client, 0, peers.local, 0, packet, start)
  }

  /** Seconds since the batch came. Cold. */
  elapsed(): number {
    return (performance.now() - this.beganMs) / 1000
  }

  /** Of the message being answered, for writeLate(). Cold. */
  arrival(): Arrival {
    const peers = new MessagePeers()
    this.reader?.readPeers(peers)
    return { beganMs: this.beganMs, ipv6: this.ipv6, peers }
  }

  /** Has `write` count and log a query whose answer is only over now. Between batches. Cold. */
  writeLate({ beganMs, ipv6, peers }: Arrival, write: () => void): void {
    const { reader } = this
    this.reader = { readPeers: (into) => into.set(peers) }
    this.ipv6 = ipv6
    this.beganMs = beganMs
    write()
    this.end()
    this.reader = reader
  }

  /** What follows, up to end(), is of a query that came at `beganMs` on this thread's clock and whose peers `reader` knows. Between batches. */
  resume(beganMs: number, ipv6: number, reader: PeerReader): void {
    this.reader = reader
    this.ipv6 = ipv6
    this.beganMs = beganMs
  }

  /** Hands over what `errors` is to say. Cold. */
  fail(block: Block, query: Query, packet: Uint8Array, start: number, rcode: number, error: string): void {
    if (!block.reportsErrors || error === '') return
    const name = textOfWire(packet, start + QNAME).toLowerCase()
    this.error({ block: block.index, rcode, name, type: query.type, error })
  }

  error(text: ErrorText): void {
    this.ring?.pushText(ERROR_TEXT, JSON.stringify(text))
  }

  /** Hands any other text over. Cold. */
  text(kind: number, text: string): void {
    this.ring?.pushText(kind, text)
  }
}
