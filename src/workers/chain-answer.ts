// Answering a query by the plugins that work on whole messages: the message is read, goes down its block's chain, and what comes back is written
// where the query stood. Cold next to answer.ts, which sends here only what needs it. Views choose the block here.

import { parentPort } from 'node:worker_threads'
import { decodeMessage, encodeMessage, type Message, MessageError } from '../dns/message.ts'
import { Query, readQuery } from '../dns/question.ts'
import { bareHeader, FORMERR, REFUSED, SERVFAIL } from '../dns/response.ts'
import { collectMetadata, type Describers } from '../plugins/metadata.ts'
import type { Failure, Outcome, Question, Request, Serve, Transfer, Wait, Walk } from '../plugins/plugin.ts'
import { WAIT } from '../plugins/stage.ts'
import { type AnswerSource, LATER, type PendingTransfer } from './answerer.ts'
import { chainOf, isReply, loadPlugins, type Makers } from './chain.ts'
import { type Asked, ChainRequest, type RunEvent } from './chain-request.ts'
import { logClass } from './log-ring.ts'
import { peerOf } from './peers.ts'
import type { FailureMessage } from './pool.ts'
import { QUERY_TEXT, type QueryAccount } from './query-account.ts'
import type { Listener, Route, Router } from './router.ts'

const UDP_LENGTH_MIN = 512
const DEFAULT_BUFSIZE = 1232
const ASK_DEPTH_MAX = 8
const SCRATCH_LENGTH = 512
const OTHER = 'other'

type View = (request: Request) => boolean

/** Loads the plugins that the source's blocks use. @returns what makes the answerer of a reader */
export async function prepareChain(source: AnswerSource): Promise<(router: Router) => ChainAnswerer> {
  const makers = await loadPlugins(source)
  const hasViews = source.blocks.some(({ plugins }) => plugins.view !== undefined)
  const compileView = hasViews ? (await import('../plugins/view.ts')).compileView : null
  return (router) => {
    const views = router.blocks.map(({ plugins: { view } }) => (view === undefined ? null : compileView!(view)))
    return new ChainAnswerer(source, router, makers, views)
  }
}

/** A query on its way down its chain. */
export interface ChainRun {
  readonly asked: Asked
  /** null: no block takes it. */
  readonly route: Route | null
  readonly request: ChainRequest
  readonly walk: Walk
  /** What it counts, once it is over: a run that another thread begins anew has counted nothing. */
  readonly events: RunEvent[]
  /** Set when it is over. */
  outcome: Outcome | null
}

/** One worker's chains. */
export class ChainAnswerer {
  readonly #source: AnswerSource
  readonly #chains: readonly Serve[]
  readonly #views: readonly (View | null)[]
  readonly #describers: readonly Describers[]
  #account!: QueryAccount
  /** By group and counter: the index of its event. */
  readonly #events = new Map<string, number>()
  readonly #scratch = new Uint8Array(SCRATCH_LENGTH)
  #transfer: PendingTransfer | null = null

  /** Has an entry of a block's cache refreshed, for a route of the block. */
  refresh: (route: number, query: Query, packet: Uint8Array) => void = () => {}

  constructor(source: AnswerSource, router: Router, makers: Makers, views: readonly (View | null)[]) {
    this.#source = source
    const refresh = (block: number, query: Query, packet: Uint8Array): void => {
      const route = router.routes.find((each) => each.block.index === block)!
      this.refresh(route.number, query, packet)
    }
    this.#chains = router.blocks.map((block) => chainOf(block, makers, refresh))
    this.#describers = router.blocks.map(({ stages }) => stages)
    this.#views = views
    source.counters?.plan.groups.forEach(({ events }, group) => {
      for (const [event, { name, labels }] of events.entries()) this.#events.set(eventKey(group, name, labels), event)
    })
  }

  /** Where queries are counted and logged. */
  setAccount(account: QueryAccount): void {
    this.#account = account
  }

  /**
   * As Answerer.answer(), for a query that readQuery() has read.
   * @returns WAIT if it has to wait: the message is untouched then. Without `mayWait` such a query fails
   */
  answer(
    listener: Listener,
    query: Query,
    packet: Uint8Array,
    start: number,
    length: number,
    capacity: number,
    stream: boolean,
    mayWait: boolean,
  ): number {
    const run = this.begin(listener, query, packet, start, length, stream)
    if (run === null) return bareHeader(packet, start, FORMERR)
    if (this.advance(run) !== null) {
      if (mayWait) return WAIT
      run.outcome = NO_UPSTREAM
    }
    return this.finish(run, query, packet, start, length, capacity)
  }

  /** Reads the message and chooses its chain. @returns null if it cannot be read */
  begin(
    listener: Listener,
    query: Query,
    packet: Uint8Array,
    start: number,
    length: number,
    stream: boolean,
    size = length,
  ): ChainRun | null {
    let message: Message
    try {
      message = decodeMessage(packet, start, length)
    } catch (error) {
      if (error instanceof MessageError) return null
      throw error
    }
    const peers = this.#account.readPeers()
    const client = peerOf(peers.client, peers.clientLength, peers.clientPort)
    const local = peerOf(peers.local, peers.localLength, peers.localPort)
    const events: RunEvent[] = []
    const asked: Asked = { listener, message, size, stream, client, local, events }
    const { name, type, class: qclass } = message.question!
    const question = { name: name.toLowerCase(), type, class: qclass }
    const candidates = listener.candidates(query, packet, start)
    try {
      const { route, request } = this.#choose(candidates, asked, question, question, 0)
      const walk = route === null ? nobody() : this.#chains[route.block.index](request)
      return { asked, route, request, walk, events, outcome: null }
    } catch (error) {
      reportException(listener, question, error)
      const request = new ChainRequest(this, asked, null, question, question, 0)
      return { asked, route: null, request, walk: nobody(), events, outcome: EXCEPTION }
    }
  }

  /**
   * Goes on with a run. @param value  what it waited for, if it did
   * @returns what it waits for now, null when it is over
   */
  advance(run: ChainRun, value?: Outcome): Wait | null {
    if (run.outcome !== null) return null
    try {
      const step = run.walk.next(value!)
      if (!step.done) return step.value
      run.outcome = step.value
    } catch (error) {
      // A plugin's mistake costs this query, not the worker.
      reportException(run.asked.listener, run.request.asked, error)
      run.outcome = EXCEPTION
    }
    return null
  }

  /** As Answerer.takeTransfer(). */
  takeTransfer(): PendingTransfer | null {
    const transfer = this.#transfer
    this.#transfer = null
    return transfer
  }

  /** The first of `candidates` whose view holds, and the request as its block sees it. */
  #choose(
    candidates: readonly Route[],
    asked: Asked,
    question: Question,
    original: Question,
    depth: number,
  ): { route: Route | null; request: ChainRequest } {
    for (const route of candidates) {
      const request = new ChainRequest(this, asked, route, question, original, depth)
      const view = this.#views[route.block.index]
      if (view === null) return { route, request }
      // A view may ask for labels before its block is chosen.
      const { metadata } = route.block.plugins
      if (metadata !== undefined) collectMetadata(metadata, this.#describers[route.block.index], request)
      if (view(request)) return { route, request }
    }
    return { route: null, request: new ChainRequest(this, asked, null, question, original, depth) }
  }

  /** Asks the server itself. */
  *ask(asked: Asked, question: Question, original: Question, depth: number): Walk {
    if (depth > ASK_DEPTH_MAX)
      return { kind: 'failure', rcode: SERVFAIL, error: 'questions of the server to itself go round', plugin: '' }
    const { message } = asked
    const scratch = this.#scratch
    const length = encodeMessage(
      { ...message, question, answer: [], authority: [], additional: [], edns: null },
      scratch,
      0,
      SCRATCH_LENGTH,
    )
    readQuery(ASKED, scratch, 0, length)
    const candidates = asked.listener.candidates(ASKED, scratch, 0)
    const { route, request } = this.#choose(candidates, asked, question, original, depth)
    if (route === null) return NOBODY
    return yield* this.#chains[route.block.index](request)
  }

  /** Counts an event of a plugin. */
  #countEvent({ route, name, labels }: RunEvent): void {
    const group = route?.group ?? -1
    // Types without a counter of their own are counted together.
    const event =
      this.#events.get(eventKey(group, name, labels)) ??
      this.#events.get(eventKey(group, name, { ...labels, type: OTHER }))
    if (event !== undefined) this.#account.event(group, event)
  }

  /** Writes the reply of a run that is over where the query stands, counts and logs. @returns as Answerer.answer() */
  finish(run: ChainRun, query: Query, packet: Uint8Array, start: number, length: number, capacity: number): number {
    const { asked, route, request, events } = run
    const outcome = run.outcome!
    const { stream } = asked
    for (const event of events) this.#countEvent(event)
    const bufsize = route?.block.bufsize ?? DEFAULT_BUFSIZE
    if (outcome.kind === 'transfer') {
      // A copy: a Buffer's own slice() shares its memory, and other messages come into it.
      const kept = Uint8Array.from(packet.subarray(start, start + length))
      this.#transfer = this.#pendingTransfer(outcome, route!, request, asked, kept)
      return LATER
    }
    const replyLength =
      outcome.kind === 'silence'
        ? 0
        : this.#encode(outcome, asked, packet, start, limitOf(query, bufsize, capacity, stream), bufsize)
    const rcode = outcome.kind === 'silence' ? 0 : outcome.rcode
    const account = this.#account
    if (outcome.kind === 'failure' && outcome.error !== '' && route?.block.reportsErrors) {
      const { name, type } = request.asked
      account.error({ block: route.block.index, rcode, name, type, error: outcome.error })
    }
    const plugin = isReply(outcome) ? outcome.plugin : ''
    this.#count(route, asked, query, plugin, rcode, replyLength)
    const answerCount = isReply(outcome) ? outcome.answer.length : 0
    if (route !== null && (route.block.logMask & logClass(rcode, answerCount)) !== 0) {
      this.#log(route, request, query, packet, start, length, replyLength, stream, rcode)
    }
    return replyLength
  }

  /** A reply that cannot be put on the wire (a name of over 255 octets, say) is SERVFAIL. */
  #encode(
    outcome: Exclude<Outcome, { kind: 'silence' | 'transfer' }>,
    { message, listener }: Asked,
    packet: Uint8Array,
    start: number,
    limit: number,
    bufsize: number,
  ): number {
    try {
      return encodeOutcome(outcome, message, packet, start, limit, bufsize)
    } catch (error) {
      if (!(error instanceof MessageError)) throw error
      const { name, type, class: qclass } = message.question!
      reportException(listener, { name, type, class: qclass }, error)
      return encodeOutcome(EXCEPTION, message, packet, start, limit, bufsize)
    }
  }

  #count(
    route: Route | null,
    { listener, stream, size }: Asked,
    { type, dnssecOk }: Query,
    plugin: string,
    rcode: number,
    replyLength: number,
  ): void {
    const group = route === null ? listener.source.droppedGroup : route.group
    if (group < 0) return
    const writer = plugin === '' ? 0 : Math.max(0, this.#source.blocks[route!.block.index].writers.indexOf(plugin))
    this.#account.count(group, stream ? 1 : 0, type, size, dnssecOk ? 1 : 0, rcode, writer, replyLength)
  }

  /** What the main thread needs to know, and how the query is counted and logged in the end. @param packet  the query */
  #pendingTransfer(
    { zone, serial, plugin }: Transfer,
    route: Route,
    request: ChainRequest,
    asked: Asked,
    packet: Uint8Array,
  ): PendingTransfer {
    const { id, recursionDesired, checkingDisabled, question, edns } = asked.message
    const opt = edns === null ? null : { udpSize: route.block.bufsize, dnssecOk: edns.dnssecOk }
    const arrival = this.#account.arrival()
    const account = (rcode: number, octets: number): void => {
      const query = new Query()
      readQuery(query, packet, 0, packet.length)
      // What is logged of a reply's header; of how many records there were, only that there were some.
      packet[2] |= rcode === 0 ? 0x84 : 0x80
      packet[3] = (packet[3] & 0x10) | rcode
      packet[7] = rcode === 0 ? 1 : 0
      this.#account.writeLate(arrival, () => {
        this.#count(route, asked, query, rcode === 0 ? plugin : '', rcode, octets)
        if ((route.block.logMask & logClass(rcode, packet[7])) === 0) return
        this.#log(route, request, query, packet, 0, packet.length, octets, true, rcode)
      })
    }
    const query = { id, recursionDesired, checkingDisabled, question: question!, edns: opt }
    const configuration = this.#source.configuration ?? 0
    const client = asked.client.address
    return { request: { configuration, block: route.block.index, zone, serial, query, client }, account }
  }

  #log(
    route: Route,
    request: ChainRequest,
    query: Query,
    packet: Uint8Array,
    start: number,
    length: number,
    replyLength: number,
    stream: boolean,
    rcode: number,
  ): void {
    if (request.metadata === null) {
      this.#account.log(route, query, packet, start, length, replyLength, stream, rcode)
      return
    }
    const { client, local, asked } = request
    const metadata = Object.fromEntries([...request.metadata].map(([label, value]) => [label, value()]))
    const octets = Buffer.from(packet.subarray(start, start + 12))
    const text = {
      rules: route.block.index,
      client,
      local,
      id: request.id,
      opcode: request.opcode,
      name: asked.name,
      type: asked.type,
      class: asked.class,
      stream: stream ? 1 : 0,
      size: length,
      dnssecOk: query.dnssecOk ? 1 : 0,
      bufsize: stream ? 65535 : query.udpSize,
      replied: replyLength > 0 ? 1 : 0,
      flags: octets.readUint16BE(2),
      rcode,
      answerCount: replyLength > 0 ? octets.readUint16BE(6) : 0,
      replySize: replyLength,
      seconds: this.#account.elapsed(),
      metadata,
    }
    this.#account.text(QUERY_TEXT, JSON.stringify(text))
  }
}

/** Nobody can be asked. */
const NO_UPSTREAM: Outcome = { kind: 'failure', rcode: REFUSED, error: '', plugin: '' }

// biome-ignore lint/correctness/useYield: a chain without a plugin.
function* nobody(): Walk {
  return NOBODY
}

/** No block takes it. */
const NOBODY: Outcome = { kind: 'failure', rcode: REFUSED, error: '', plugin: '' }
const EXCEPTION: Failure = { kind: 'failure', rcode: SERVFAIL, error: '', plugin: '' }

/** Tells the main thread, which counts it and writes a line. */
function reportException({ source: { server } }: Listener, { name, type }: Question, error: unknown): void {
  const reason =
    error instanceof Error ? (error.stack ?? error.message).split('\n').slice(0, 2).join(' ') : String(error)
  const message: FailureMessage = { failure: `Recovered from panic in server: "${server}" ${name} ${type}: ${reason}` }
  parentPort?.postMessage(message)
}

// Of questions of the server to itself.
const ASKED = new Query()

function encodeOutcome(
  outcome: Exclude<Outcome, { kind: 'silence' | 'transfer' }>,
  query: Message,
  packet: Uint8Array,
  start: number,
  limit: number,
  bufsize: number,
): number {
  const { id, opcode, recursionDesired, checkingDisabled, question } = query
  const header = { id, opcode, response: true, recursionDesired, checkingDisabled, rcode: outcome.rcode, question }
  const options = isReply(outcome) ? outcome.options : []
  const edns = query.edns === null ? null : { version: 0, udpSize: bufsize, dnssecOk: query.edns.dnssecOk, options }
  if (isReply(outcome)) {
    const { authoritative, recursionAvailable, authenticData, truncated, answer, authority, additional } = outcome
    const flags = {
      authoritative,
      recursionAvailable,
      authenticData,
      truncated,
      recursionDesired: outcome.recursionDesired ?? recursionDesired,
    }
    return encodeMessage({ ...header, ...flags, answer, authority, additional, edns }, packet, start, limit)
  }
  const flags = { authoritative: false, recursionAvailable: false, authenticData: false, truncated: false }
  return encodeMessage({ ...header, ...flags, answer: [], authority: [], additional: [], edns }, packet, start, limit)
}

function limitOf({ hasOpt, udpSize }: Query, bufsize: number, capacity: number, stream: boolean): number {
  return stream ? capacity : Math.min(hasOpt ? udpSize : UDP_LENGTH_MIN, bufsize, capacity)
}

function eventKey(group: number, name: string, labels: Readonly<Record<string, string>>): string {
  return JSON.stringify([group, name, ...Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))])
}
