// One source as the resolver thread has it: takes what waits, has it resolved, and writes the answers. Several stand side by side after a reload,
// until nobody waits for the older ones any more. The forwarders and caches that they have in common are here too.

import { parentPort } from 'node:worker_threads'
import type { ForwardConfig } from '../config/configuration.ts'
import { textOfWire } from '../dns/name.ts'
import { HEADER_LENGTH, QUERY, Query, readQuery } from '../dns/question.ts'
import { bareHeader, beginResponse, endResponse, FORMERR, Response, SERVFAIL } from '../dns/response.ts'
import { CacheWriter } from '../forward/cache-writer.ts'
import { monotonicMs } from '../forward/clock.ts'
import { createForwardCounters, ForwardCounters, planForward } from '../forward/forward-counters.ts'
import { type CacheSource, shownFlags } from '../forward/forward-stage.ts'
import { Forwarder } from '../forward/forwarder.ts'
import { MISS_CHAIN, MISS_REFRESH } from '../forward/miss-table.ts'
import { appendReady, FORM_FLAGS, readyRecords } from '../forward/ready-form.ts'
import { BlockResolution, Resolved } from '../forward/resolution.ts'
import type { OpenUdpPort } from '../forward/udp-port.ts'
import type { LoopPass } from '../plugins/loop.ts'
import { type Outcome, type Question, type Request, replyOf, type Wait } from '../plugins/plugin.ts'
import { Shuffle } from '../plugins/shuffle.ts'
import type { AnswerSource } from './answerer.ts'
import { CACHE_DROP, CACHE_SERVED_STALE, cacheEvents } from './cache-events.ts'
import type { ChainAnswerer, ChainRun } from './chain-answer.ts'
import { logClass } from './log-ring.ts'
import { peerOf } from './peers.ts'
import type { FailureMessage } from './pool.ts'
import { QueryAccount } from './query-account.ts'
import { writeRequest } from './request-message.ts'
import { type Block, type Route, Router } from './router.ts'
import type { Opened, Waiting } from './waiting.ts'

const UDP_LENGTH_MIN = 512
const FLAG_AA = 0x400
const FLAG_TC = 0x200
const FLAG_RA = 0x80
const FLAG_AD = 0x20
const SCRATCH_LENGTH = 65_535
const BUFSIZE = 1232

/** Forwarders and caches, which outlive a source when the next one has the same. */
export class SharedForwarders {
  readonly counters: ForwardCounters
  readonly #openPort: OpenUdpPort | undefined
  #forwarders = new Map<string, Forwarder>()
  readonly #writers = new Map<number, CacheWriter>()

  /** @param openPort  how datagram sockets to upstreams are opened */
  constructor(openPort?: OpenUdpPort) {
    this.#openPort = openPort
    const plan = planForward([])
    this.counters = new ForwardCounters(plan, createForwardCounters(plan))
  }

  forwarder(config: ForwardConfig, log: (level: string, line: string) => void): Forwarder {
    const key = JSON.stringify(config)
    const known = this.#forwarders.get(key)
    if (known !== undefined) return known
    const made = new Forwarder(config, { counters: this.counters, log, openPort: this.#openPort })
    this.#forwarders.set(key, made)
    return made
  }

  writer({ id, region }: CacheSource): CacheWriter {
    const known = this.#writers.get(id)
    if (known !== undefined) return known
    const made = new CacheWriter(region)
    this.#writers.set(id, made)
    return made
  }

  /** Closes what none of `sources` has. */
  keep(sources: readonly AnswerSource[]): void {
    const blocks = sources.flatMap((source) => source.blocks.flatMap(({ forward }) => forward ?? []))
    const keys = new Set(blocks.flatMap(({ forwards }) => forwards.map((config) => JSON.stringify(config))))
    const caches = new Set(blocks.map(({ cache }) => cache?.id))
    for (const [key, forwarder] of this.#forwarders) {
      if (keys.has(key)) continue
      forwarder.close()
      this.#forwarders.delete(key)
    }
    for (const id of this.#writers.keys()) if (!caches.has(id)) this.#writers.delete(id)
  }

  close(): void {
    for (const forwarder of this.#forwarders.values()) forwarder.close()
  }
}

export class ResolverStand {
  readonly generation: number
  readonly source: AnswerSource
  /** Queries that are not answered yet. */
  waiting = 0
  readonly #router: Router
  readonly #account: QueryAccount
  /** null: no query has needed it yet, and it takes memory. */
  #chain: ChainAnswerer | null = null
  readonly #resolutions: readonly (BlockResolution | null)[]
  readonly #flush: () => void
  readonly #query = new Query()
  readonly #response = new Response()
  readonly #shuffle = new Shuffle()
  readonly #scratch = new Uint8Array(SCRATCH_LENGTH)
  #retired: (() => void) | null = null

  /** @param reader  number of the resolver thread among those who read   @param flush  is called when answers have been posted */
  constructor(source: AnswerSource, reader: number, shared: SharedForwarders, flush: () => void) {
    this.source = source
    this.generation = source.generation ?? 0
    this.#flush = flush
    if (source.forwarding !== undefined) shared.counters.countInto(source.forwarding.plan, source.forwarding.memory)
    this.#router = new Router(source, reader)
    this.#account = new QueryAccount(source, reader)
    const log = (level: string, line: string): void => {
      parentPort?.postMessage({ forwardLog: `${level === 'info' ? '' : `${level}: `}${line}` })
    }
    this.#resolutions = this.#router.blocks.map(({ forward }) => {
      if (forward === null) return null
      const { source: own } = forward
      const writer = own.cache === null ? null : shared.writer(own.cache)
      const forwarders = own.forwards.map((config) => shared.forwarder(config, log))
      return new BlockResolution(own, forward, writer, forwarders, () => shared.counters)
    })
  }

  /** Takes a query. It is answered when there is an answer, which may be before this returns. */
  take(waiting: Waiting): void {
    this.waiting++
    this.#guarded(waiting, () => this.#take(waiting))
  }

  /** Answers SERVFAIL in place of taking it, and says why. */
  refuse(waiting: Waiting, error: string): void {
    this.waiting++
    this.abandon(waiting, error)
  }

  /** The same for one that was taken before: nothing is asked for it any more. */
  abandon(waiting: Waiting, error: string): void {
    waiting.leave?.()
    const route = waiting.route < 0 ? null : this.#router.routes[waiting.route]
    this.#guarded(waiting, () => {
      if (waiting.kind === MISS_REFRESH) this.#close(waiting, 0)
      else if (route !== null) this.#answer(waiting, route, failed(error))
      else {
        const opened = waiting.open()
        readQuery(this.#query, opened.packet, opened.start, opened.length)
        this.#close(waiting, this.#writeFailure(opened, BUFSIZE, waiting.stream, SERVFAIL))
      }
    })
  }

  #take(waiting: Waiting): void {
    const { packet, start, length } = waiting.open()
    const query = this.#query
    const verdict = readQuery(query, packet, start, length)
    const route = waiting.route < 0 ? null : this.#router.routes[waiting.route]
    if (waiting.kind === MISS_REFRESH) {
      if (route !== null && verdict === QUERY) this.#resolutionOf(route)?.refresh(query, packet, start)
      this.#close(waiting, 0)
      return
    }
    if (waiting.kind === MISS_CHAIN) {
      if (route === null || !this.#takeLoop(waiting, route, packet, start)) void this.#takeChain(waiting)
      return
    }
    const resolution = route === null ? null : this.#resolutionOf(route)
    if (route === null || resolution === null) {
      this.#close(waiting, this.#writeFailure(waiting.open(), BUFSIZE, waiting.stream, SERVFAIL))
      return
    }
    const done = (resolved: Resolved): void => this.#guarded(waiting, () => this.#answer(waiting, route, resolved))
    const pending = resolution.resolve(query, packet, start, waiting.stream, false, done)
    if (pending !== null) waiting.leave = () => resolution.leave(pending, done)
  }

  /** When nobody waits here any more, `done` is called. */
  retire(done: () => void): void {
    this.#retired = done
    if (this.waiting === 0) done()
  }

  #resolutionOf({ block }: Route): BlockResolution | null {
    return this.#resolutions[block.index]
  }

  #close(waiting: Waiting, length: number): void {
    if (!waiting.close(length)) return
    this.#flush()
    this.waiting--
    if (this.waiting === 0) this.#retired?.()
  }

  #answer(waiting: Waiting, route: Route, resolved: Resolved): void {
    const opened = waiting.open()
    const { packet, start, length } = opened
    const { block } = route
    const query = this.#query
    readQuery(query, packet, start, length)
    const account = this.#account
    account.resume(localMs(waiting.beganMs), waiting.ipv6, waiting)
    let octets = 0
    let answers = 0
    let writer = 0
    if (resolved.words === null) {
      account.fail(block, query, packet, start, resolved.rcode, resolved.error)
      octets = this.#writeFailure(opened, block.bufsize, waiting.stream, resolved.rcode)
    } else {
      octets = this.#write(opened, block, waiting.stream, resolved)
      answers = this.#response.answerCount
      writer = resolved.isCached ? block.cacheWriter : block.forwardWriter
    }
    // A reply to another question: upstreams' only way to FORMERR without a message.
    if (resolved.words === null && resolved.rcode === FORMERR && block.plugins.cache !== undefined)
      account.event(route.group, CACHE_DROP)
    if (resolved.isStale) account.event(route.group, CACHE_SERVED_STALE)
    const rcode = packet[start + 3] & 0x0f
    const stream = waiting.stream ? 1 : 0
    if (route.group >= 0)
      account.count(route.group, stream, query.type, waiting.size, query.dnssecOk ? 1 : 0, rcode, writer, octets)
    if ((block.logMask & logClass(rcode, answers)) !== 0)
      account.log(route, query, packet, start, waiting.size, octets, waiting.stream, rcode)
    account.end()
    this.#close(waiting, octets)
  }

  /** Writes an answer where the query stands that has been read. @returns its octets */
  #write({ packet, start, capacity }: Opened, block: Block, stream: boolean, resolved: Resolved): number {
    const query = this.#query
    const response = this.#response
    const { bufsize } = block
    beginResponse(response, query, start, sizeLimit(query, bufsize, capacity, stream))
    const { words, octets, ref, ttl, isCached } = resolved
    const result = appendReady(response, packet, words!, octets, ref, ttl)
    response.flags = shownFlags(result, query, packet, start)
    block.polish(response, query, packet, result & 0x0f, this.#shuffle)
    const authoritative = isCached || (result & FLAG_AA) !== 0
    return endResponse(response, query, packet, result & 0x0f, authoritative, bufsize)
  }

  #writeFailure({ packet, start, capacity }: Opened, bufsize: number, stream: boolean, rcode: number): number {
    const query = this.#query
    if (query.questionEnd === 0) return bareHeader(packet, start, rcode)
    beginResponse(this.#response, query, start, sizeLimit(query, bufsize, capacity, stream))
    return endResponse(this.#response, query, packet, rcode, false, bufsize)
  }

  /** The question that the server asks itself (plugins/loop.ts), where nothing but upstreams could answer it. @returns whether it is that */
  #takeLoop(waiting: Waiting, route: Route, packet: Uint8Array, start: number): boolean {
    const { block } = route
    const { loopName } = block.source
    const query = this.#query
    if (loopName === undefined || loopName === null || block.mayNeedChain || !block.mayBeLoop(query)) return false
    if (textOfWire(packet, start + HEADER_LENGTH).toLowerCase() !== loopName) return false
    const peers = this.#account.peers
    waiting.readPeers(peers)
    const client = peerOf(peers.client, peers.clientLength, peers.clientPort)
    const { server } = this.#router.listeners[waiting.listener].source
    parentPort?.postMessage({ loop: loopName, client, server } satisfies LoopPass)
    this.#resolutionOf(route)!.resolve(query, packet, start, waiting.stream, true, (resolved) =>
      this.#guarded(waiting, () => this.#answer(waiting, route, resolved)),
    )
    return true
  }

  async #takeChain(waiting: Waiting): Promise<void> {
    try {
      if (this.#chain === null) {
        const { prepareChain } = await import('./chain-answer.ts')
        const makeChain = await prepareChain(this.source)
        // Others may have waited for the same.
        this.#chain ??= this.#makeChain(makeChain)
      }
      if (!waiting.isClosed) this.#beginChain(this.#chain, waiting)
    } catch (error) {
      this.#giveUp(waiting, error)
    }
  }

  #makeChain(make: (router: Router) => ChainAnswerer): ChainAnswerer {
    const chain = make(this.#router)
    chain.setAccount(this.#account)
    chain.refresh = (route, query, packet) => {
      this.#resolutionOf(this.#router.routes[route])?.refresh(query, packet, 0)
    }
    return chain
  }

  #beginChain(chain: ChainAnswerer, waiting: Waiting): void {
    const { packet, start, length } = waiting.open()
    readQuery(this.#query, packet, start, length)
    const listener = this.#router.listeners[waiting.listener]
    this.#account.resume(localMs(waiting.beganMs), waiting.ipv6, waiting)
    const run = this.#inVersion(() => {
      return chain.begin(listener, this.#query, packet, start, length, waiting.stream, waiting.size)
    })
    if (run === null) {
      this.#close(waiting, bareHeader(packet, start, FORMERR))
      return
    }
    this.#advance(chain, waiting, run)
  }

  #advance(chain: ChainAnswerer, waiting: Waiting, run: ChainRun, value?: Outcome): void {
    const wait = this.#inVersion(() => chain.advance(run, value))
    if (wait !== null) {
      this.#ask(waiting, wait, (outcome) => this.#advance(chain, waiting, run, outcome))
      return
    }
    const opened = waiting.open()
    const { packet, start, length, capacity } = opened
    readQuery(this.#query, packet, start, length)
    this.#account.resume(localMs(waiting.beganMs), waiting.ipv6, waiting)
    const octets = chain.finish(run, this.#query, packet, start, waiting.size, capacity)
    this.#account.end()
    // A transfer never waits for upstreams: it has been begun elsewhere.
    this.#close(waiting, Math.max(0, octets))
  }

  /** Asks what a chain waits for. The chain goes on in a turn of its own: others get the same answer before. */
  #ask(waiting: Waiting, { block, request, isAlone }: Wait, goOn: (outcome: Outcome) => void): void {
    const resolution = this.#resolutions[block]
    const scratch = this.#scratch
    const length = writeRequest(request, scratch)
    const query = this.#query
    readQuery(query, scratch, 0, length)
    const { question } = request
    const soon = (outcome: Outcome): void => queueMicrotask(() => this.#guarded(waiting, () => goOn(outcome)))
    if (resolution === null) {
      soon({ kind: 'failure', rcode: SERVFAIL, error: 'no upstream', plugin: 'forward' })
      return
    }
    const understandsAd = query.dnssecOk || request.authenticData
    const done = (resolved: Resolved): void => {
      waiting.leave = null
      this.#countCache(block, request, resolved)
      soon(outcomeOf(resolved, question, understandsAd))
    }
    const pending = resolution.resolve(query, scratch, 0, waiting.stream, isAlone, done)
    if (pending !== null) waiting.leave = () => resolution.leave(pending, done)
  }

  /** What only asking has shown; the rest has been counted where the cache was looked into. */
  #countCache(block: number, request: Request, { words, rcode, isStale }: Resolved): void {
    const { cache } = this.#router.blocks[block].plugins
    const event = words === null && rcode === FORMERR ? CACHE_DROP : isStale ? CACHE_SERVED_STALE : -1
    if (cache === undefined || event < 0) return
    const { name, labels } = cacheEvents(cache)[event]
    request.count(name, labels)
  }

  /** Nothing that a plugin does may leave a client without an answer. */
  #guarded(waiting: Waiting, work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#giveUp(waiting, error)
    }
  }

  #giveUp(waiting: Waiting, error: unknown): void {
    const failure = error instanceof Error ? (error.stack ?? error.message) : String(error)
    parentPort?.postMessage({ failure: failure.split('\n').slice(0, 2).join(' ') } satisfies FailureMessage)
    const opened = waiting.open()
    readQuery(this.#query, opened.packet, opened.start, opened.length)
    this.#close(waiting, this.#writeFailure(opened, BUFSIZE, waiting.stream, SERVFAIL))
  }

  /** Every look into an index is into one version of it. */
  #inVersion<T>(work: () => T): T {
    const { regions, stages, forwards } = this.#router
    for (const region of regions) region.hold()
    for (const stage of stages) stage.beginBatch()
    try {
      return work()
    } finally {
      for (const region of regions) region.release()
      for (const forward of forwards) forward.endBatch()
    }
  }
}

function failed(error: string): Resolved {
  const resolved = new Resolved()
  resolved.rcode = SERVFAIL
  resolved.error = error
  return resolved
}

/** The same moment on this thread's clock; never one to come: sums of durations must not go back. */
function localMs(beganMs: number): number {
  return performance.now() - Math.max(0, monotonicMs() - beganMs)
}

function sizeLimit({ hasOpt, udpSize }: Query, bufsize: number, capacity: number, stream: boolean): number {
  return stream ? capacity : Math.min(hasOpt ? udpSize : UDP_LENGTH_MIN, bufsize, capacity)
}

/** @param understandsAd  whoever asked wants to know of AD (RFC 6840 §5.7) */
function outcomeOf(resolved: Resolved, question: Question, understandsAd: boolean): Outcome {
  const { words, octets, ref, ttl, isCached, rcode, error } = resolved
  if (words === null) return { kind: 'failure', rcode, error, plugin: 'forward' }
  const sections = readyRecords(words, octets, ref, question)
  const flags = words[ref] & FORM_FLAGS
  if (ttl >= 0) {
    for (const record of [...sections.answer, ...sections.authority, ...sections.additional]) record.ttl = ttl
  }
  return {
    ...replyOf(isCached ? 'cache' : 'forward', flags & 0x0f),
    ...sections,
    authoritative: isCached || (flags & FLAG_AA) !== 0,
    recursionAvailable: (flags & FLAG_RA) !== 0,
    authenticData: understandsAd && (flags & FLAG_AD) !== 0,
    truncated: (flags & FLAG_TC) !== 0,
  }
}
