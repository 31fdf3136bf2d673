// From a query to its answer, in place: what every transport calls. Hot: nothing is allocated, no strings.
// Routes a message to its block, lets the plugins that answer out of an index write the records (plugins/stage.ts), finishes the response, counts it.
// A query that needs plugins on whole messages goes another way (chain-answer.ts).

import {
  copyQuery,
  DROP,
  HEADER_LENGTH,
  MALFORMED,
  OTHER_CLASS,
  OTHER_EDNS,
  OTHER_OPCODE,
  QUERY,
  Query,
  readQuery,
} from '../dns/question.ts'
import {
  BADVERS,
  bareHeader,
  beginResponse,
  endResponse,
  FORMERR,
  NOTIMP,
  NXDOMAIN,
  REFUSED,
  Response,
  SERVFAIL,
} from '../dns/response.ts'
import { NO_ROW, ResponseCache } from '../dns/response-cache.ts'
import { NOT_LOOKED } from '../forward/forward-stage.ts'
import { MISS_CHAIN, MISS_QUESTION, MISS_REFRESH } from '../forward/miss-table.ts'
import { FIND_ALL_MAX } from '../index/lookup.ts'
import { Shuffle } from '../plugins/shuffle.ts'
import { AUTHORITATIVE, CHASE, FAIL, PASS, WAIT } from '../plugins/stage.ts'
import {
  type Answerer,
  type AnswerSource,
  LATER,
  type MissSink,
  type PeerReader,
  type PendingTransfer,
} from './answerer.ts'
import { CACHE_PREFETCH } from './cache-events.ts'
import type { ChainAnswerer } from './chain-answer.ts'
import { logClass } from './log-ring.ts'
import { QueryAccount } from './query-account.ts'
import { type Listener, mayNeedChain, type Route, Router } from './router.ts'

export type { Answerer, AnswerSource } from './answerer.ts'

/** Makes answerers of one source; one for each life of a worker. @throws LayoutError if a region of the source is no index */
export type AnswererFactory = (reader: number) => Answerer

/** Loads what the source's blocks need, and nothing else: most need no plugin on whole messages. */
export async function prepareAnswerer(source: AnswerSource): Promise<AnswererFactory> {
  const needsChain = source.blocks.some(({ plugins }) => mayNeedChain(plugins)) || asksItself(source)
  if (!needsChain) return (reader) => createAnswerer(source, reader)
  const { prepareChain } = await import('./chain-answer.ts')
  const makeChain = await prepareChain(source)
  return (reader) => new ServerAnswerer(source, reader, makeChain)
}

/** For a source whose blocks have nothing but plugins that answer in place. @throws LayoutError if a region of it is no index */
export function createAnswerer(source: AnswerSource, reader: number): Answerer {
  return new ServerAnswerer(source, reader, null)
}

/** Aliases may lead from one block to another, and there is no resolver thread to follow them. */
function asksItself({ blocks, waiting }: AnswerSource): boolean {
  if (waiting !== undefined || blocks.length < 2) return false
  return blocks.some(({ cluster, files }) => cluster !== null || files.length > 0)
}

const TYPE_IXFR = 251
const TYPE_AXFR = 252
const UDP_LENGTH_MIN = 512
/** UDP responses that belong to no block. */
const BUFSIZE = 1232

class ServerAnswerer implements Answerer {
  private readonly router: Router
  private readonly chain: ChainAnswerer | null
  private readonly account: QueryAccount
  private readonly generation: number
  private misses: MissSink | null = null
  private listener: Listener
  private listenerIndex = 0
  /** The query being answered: one of `prepared`, or `unprepared`. */
  private query = new Query()
  private readonly unprepared = this.query
  private readonly prepared = Array.from({ length: FIND_ALL_MAX }, () => new Query())
  /** Where in its packet each of `prepared` begins. */
  private readonly preparedStart = new Int32Array(FIND_ALL_MAX)
  /** The memory that all of `prepared` are in. */
  private preparedPacket: Uint8Array
  private preparedCount = 0
  private preparedNext = 0
  private readonly response = new Response()
  private readonly shuffle = new Shuffle()
  /** The memory that messages usually come in. */
  private home: Uint8Array
  private cache: ResponseCache | undefined
  /** What each stage said at the beginning of the last batch; all of it together is a version. */
  private readonly stageVersions: Int32Array
  private version = 1
  private bufsize = BUFSIZE
  /** Who wrote the response, as a place in the block's writers. */
  private writer = 0
  /** The response has TTLs that count down. */
  private isAging = false

  constructor(
    source: AnswerSource,
    reader: number,
    makeChain: ((router: Router, reader: number) => ChainAnswerer) | null,
  ) {
    this.router = new Router(source, reader)
    this.account = new QueryAccount(source, reader)
    this.generation = source.generation ?? 0
    this.chain = makeChain === null ? null : makeChain(this.router, reader)
    this.chain?.setAccount(this.account)
    this.listener = this.router.listeners[0]
    this.stageVersions = new Int32Array(this.router.stages.length)
    this.home = new Uint8Array(0)
    this.preparedPacket = this.home
  }

  setHome(packet: Uint8Array): void {
    this.router.setHome(packet)
    if (packet.byteOffset % 4 !== 0) return
    this.home = packet
    this.cache = new ResponseCache(packet, new Int32Array(packet.buffer, packet.byteOffset, packet.byteLength >> 2))
  }

  setPeers(peers: PeerReader): void {
    this.account.setPeers(peers)
  }

  setMisses(sink: MissSink): void {
    this.misses = sink
    const { chain, generation } = this
    if (chain === null) return
    chain.refresh = (route, query, packet) => {
      sink.push(MISS_REFRESH, this.listenerIndex, route, generation, query, packet, 0, query.questionEnd)
    }
  }

  beginBatch(listener = 0, ipv6 = 0, messages = 0): void {
    this.preparedCount = 0
    this.preparedNext = 0
    this.listenerIndex = listener
    this.listener = this.router.listeners[listener]
    const { regions, stages } = this.router
    for (let i = 0; i < regions.length; i++) regions[i].hold()
    for (let i = 0; i < stages.length; i++) {
      const version = stages[i].beginBatch()
      if (version === this.stageVersions[i]) continue
      this.stageVersions[i] = version
      this.version = (this.version + 1) & 0x3fffffff || 1
    }
    this.account.begin(ipv6, messages)
  }

  endBatch(): void {
    const { regions, forwards } = this.router
    for (let i = 0; i < regions.length; i++) regions[i].release()
    for (let i = 0; i < forwards.length; i++) forwards[i].endBatch()
  }

  sent(): void {
    this.account.end()
  }

  prepare(packet: Uint8Array, start: number, length: number): void {
    if (this.preparedCount === 0) this.preparedPacket = packet
    else if (this.preparedCount === FIND_ALL_MAX || packet !== this.preparedPacket) return
    const query = this.prepared[this.preparedCount]
    if (!this.isKept(query, packet, start, length)) this.read(query, packet, start, length)
    this.preparedStart[this.preparedCount++] = start
  }

  findPrepared(): void {
    const { clusters } = this.router
    for (let i = 0; i < clusters.length; i++) clusters[i].findAll(this.prepared, this.preparedCount)
  }

  answer(packet: Uint8Array, start: number, length: number, capacity: number, stream: boolean): number {
    let query = this.unprepared
    const isPrepared = this.isNextPrepared(packet, start)
    if (isPrepared) query = this.prepared[this.preparedNext++]
    this.query = query
    // Kept responses are those of datagrams, and of any size that a datagram allows.
    const mayKeep = !stream && capacity >= UDP_LENGTH_MIN
    if (mayKeep && (isPrepared ? query.isKept : this.isKept(query, packet, start, length))) {
      const kept = this.takeKept(query, packet, start, length)
      if (kept !== 0) return kept
      query.cacheRow = NO_ROW
    }
    if (!isPrepared || query.isKept) {
      this.read(query, packet, start, length)
      if (query.route >= 0) this.router.routes[query.route].block.cluster?.findOne(query)
    }
    if (query.verdict !== QUERY) return this.reject(query.verdict, packet, start, length, capacity, stream)
    const route = query.route < 0 ? null : this.router.routes[query.route]
    if (this.misses !== null && route?.block.mayBeLoop(query))
      return this.wait(MISS_CHAIN, route.number, packet, start, length)
    if (this.listener.hasViews || (route?.block.mayNeedChain && route.block.needsChain(query, packet, start))) {
      return this.answerByChain(query, packet, start, length, capacity, stream)
    }
    const responseLength =
      route === null
        ? this.refuse(packet, start, capacity)
        : this.answerRoute(route, packet, start, length, capacity, stream)
    if (responseLength === LATER) return LATER
    const group = route === null ? this.listener.source.droppedGroup : route.group
    const { account } = this
    const rcode = packet[start + 3] & 0x0f
    if (group >= 0)
      account.count(
        group,
        stream ? 1 : 0,
        query.type,
        length,
        query.dnssecOk ? 1 : 0,
        rcode,
        this.writer,
        responseLength,
      )
    if (route !== null && (route.block.logMask & logClass(rcode, this.response.answerCount)) !== 0) {
      account.log(route, query, packet, start, length, responseLength, stream, rcode)
    }
    // One record: several addresses begin with another one each time.
    if (mayKeep && query.cacheRow !== NO_ROW && route !== null && this.response.answerCount <= 1 && !this.isAging) {
      const detail = query.type | (rcode << 16) | (this.writer << 20) | (query.dnssecOk ? 1 << 28 : 0)
      this.cache!.keep(
        query.cacheRow,
        query.cacheTicket,
        start,
        responseLength,
        detail,
        (query.udpSize << 16) | route.number,
      )
    }
    return responseLength
  }

  /** Answers `query`, which has been read and looked up, by the plugins of its block. */
  private answerRoute(
    route: Route,
    packet: Uint8Array,
    start: number,
    length: number,
    capacity: number,
    stream: boolean,
  ): number {
    const { response, query } = this
    const { block } = route
    this.bufsize = block.bufsize
    this.writer = 0
    this.isAging = false
    beginResponse(response, query, start, this.sizeLimit(capacity, stream))
    if (query.type === TYPE_AXFR || query.type === TYPE_IXFR) return this.end(packet, REFUSED, false)
    const { stages } = block
    for (let i = 0; i < stages.length; i++) {
      const result = stages[i].answer(query, packet, start, response)
      if (result === PASS) continue
      if (block.hasAutopath && (result === FAIL || result === WAIT || (result & 0x0f) === NXDOMAIN)) {
        const copied = copyQuery(query, packet, start, packet, start)
        return this.answerByChain(query, packet, start, copied, capacity, stream)
      }
      if (result === FAIL) return this.fail(packet, start, capacity, SERVFAIL)
      if (stages[i] === block.forward) return this.answerCached(route, packet, start, length, capacity, result)
      if ((result & CHASE) !== 0 && (this.misses !== null || this.chain !== null)) {
        return this.answerElsewhere(route, packet, start, length, capacity, stream)
      }
      this.writer = block.stageWriters[i]
      if (block.capsStage[i]) block.cap!.apply(query, packet, start, response, result & 0x0f)
      return this.finish(route, packet, result)
    }
    if (block.refuses) return this.fail(packet, start, capacity, REFUSED)
    this.account.fail(block, query, packet, start, SERVFAIL, block.noNextPlugin)
    return this.fail(packet, start, capacity, block.stages.length === 0 ? REFUSED : SERVFAIL)
  }

  /** What the cache said of a name that upstreams know. */
  private answerCached(
    route: Route,
    packet: Uint8Array,
    start: number,
    length: number,
    capacity: number,
    result: number,
  ): number {
    const { block } = route
    const forward = block.forward!
    const { account, query } = this
    if (forward.found !== NOT_LOOKED && route.group >= 0) account.found(route.group, forward.found, forward.isStale)
    if (result === WAIT) {
      if (this.handOver(MISS_QUESTION, route.number, packet, start, length)) return LATER
      account.fail(block, query, packet, start, SERVFAIL, 'too many queries are waiting')
      return this.fail(packet, start, capacity, SERVFAIL)
    }
    // Before the response is finished: header and question still stand.
    if (forward.wantsRefresh && this.handOver(MISS_REFRESH, route.number, packet, start, length)) {
      if (!forward.isStale) account.event(route.group, CACHE_PREFETCH)
    }
    this.writer = block.cacheWriter
    this.isAging = true
    return this.finish(route, packet, result)
  }

  /** An alias that leads elsewhere: by the resolver thread, or by the plugins on whole messages if there is none. */
  private answerElsewhere(
    route: Route,
    packet: Uint8Array,
    start: number,
    length: number,
    capacity: number,
    stream: boolean,
  ): number {
    const { query } = this
    if (this.misses !== null) {
      if (this.handOver(MISS_CHAIN, route.number, packet, start, length)) return LATER
      return this.fail(packet, start, capacity, SERVFAIL)
    }
    const copied = copyQuery(query, packet, start, packet, start)
    return this.answerByChain(query, packet, start, copied, capacity, stream)
  }

  /** By the plugins on whole messages; those that have to wait do so in the resolver thread. */
  private answerByChain(
    query: Query,
    packet: Uint8Array,
    start: number,
    length: number,
    capacity: number,
    stream: boolean,
  ): number {
    const { listener, chain, misses } = this
    const result = chain!.answer(listener, query, packet, start, length, capacity, stream, misses !== null)
    return result === WAIT ? this.wait(MISS_CHAIN, query.route, packet, start, length) : result
  }

  /** Hands the whole message over, which is untouched; SERVFAIL if it cannot be. */
  private wait(kind: number, route: number, packet: Uint8Array, start: number, length: number): number {
    const { misses, listenerIndex, generation } = this
    if (misses?.push(kind, listenerIndex, route, generation, null, packet, start, length)) return LATER
    this.bufsize = BUFSIZE
    return this.fail(packet, start, length, SERVFAIL)
  }

  /** Hands over what has been read of the message, whatever has become of it since. */
  private handOver(kind: number, route: number, packet: Uint8Array, start: number, length: number): boolean {
    const { listenerIndex, generation, query } = this
    return this.misses?.push(kind, listenerIndex, route, generation, query, packet, start, length) ?? false
  }

  private finish(route: Route, packet: Uint8Array, result: number): number {
    const { response, query } = this
    const { block } = route
    const rcode = result & 0x0f
    block.polish(response, query, packet, rcode, this.shuffle)
    return this.end(packet, rcode, (result & AUTHORITATIVE) !== 0)
  }

  takeTransfer(): PendingTransfer | null {
    return this.chain?.takeTransfer() ?? null
  }

  malformed(packet: Uint8Array, start: number, length: number): number {
    return length < HEADER_LENGTH || (packet[start + 2] & 0x80) !== 0 ? 0 : bareHeader(packet, start, FORMERR)
  }

  servfail(packet: Uint8Array, start: number, length: number): number {
    // The dead worker may have begun to write the header; the question is never written to.
    packet[start + 2] &= 0x01
    packet[start + 4] = 0
    packet[start + 5] = 1
    for (let i = 6; i < HEADER_LENGTH; i++) packet[start + i] = 0
    this.query = this.unprepared
    const verdict = readQuery(this.query, packet, start, length)
    if (this.query.questionEnd === 0) return verdict === DROP ? 0 : bareHeader(packet, start, SERVFAIL)
    this.bufsize = BUFSIZE
    return this.fail(packet, start, length, SERVFAIL)
  }

  private isNextPrepared(packet: Uint8Array, start: number): boolean {
    const { preparedNext } = this
    if (preparedNext === this.preparedCount || packet !== this.preparedPacket) return false
    return this.preparedStart[preparedNext] === start
  }

  private reject(
    verdict: number,
    packet: Uint8Array,
    start: number,
    length: number,
    capacity: number,
    stream: boolean,
  ): number {
    if (verdict === DROP) return 0
    if (verdict === OTHER_OPCODE) return bareHeader(packet, start, NOTIMP)
    if (verdict === MALFORMED) return bareHeader(packet, start, FORMERR)
    const { listener, query } = this
    if (verdict === OTHER_CLASS && listener.takesAnyClass) {
      if (this.chain !== null) return this.answerByChain(query, packet, start, length, capacity, stream)
      if (this.misses !== null) return this.wait(MISS_CHAIN, -1, packet, start, length)
    }
    const rcode = verdict === OTHER_EDNS ? BADVERS : verdict === OTHER_CLASS ? REFUSED : SERVFAIL
    this.bufsize = BUFSIZE
    const responseLength = this.fail(packet, start, capacity, rcode)
    const group = listener.source.droppedGroup
    if (group >= 0)
      this.account.count(group, stream ? 1 : 0, query.type, length, query.dnssecOk ? 1 : 0, rcode, 0, responseLength)
    return responseLength
  }

  private refuse(packet: Uint8Array, start: number, capacity: number): number {
    this.bufsize = BUFSIZE
    this.writer = 0
    return this.fail(packet, start, capacity, REFUSED)
  }

  /** The question with an RCODE and nothing else. */
  private fail(packet: Uint8Array, start: number, capacity: number, rcode: number): number {
    beginResponse(this.response, this.query, start, capacity)
    return this.end(packet, rcode, false)
  }

  private sizeLimit(capacity: number, stream: boolean): number {
    if (stream) return capacity
    const { query } = this
    const asked = query.hasOpt ? query.udpSize : UDP_LENGTH_MIN
    const allowed = Math.min(asked, this.bufsize)
    return Math.min(allowed, capacity)
  }

  private end(packet: Uint8Array, rcode: number, authoritative: boolean): number {
    return endResponse(this.response, this.query, packet, rcode, authoritative, this.bufsize)
  }

  /** Is the response to this very message kept? */
  private isKept(query: Query, packet: Uint8Array, start: number, length: number): boolean {
    query.isKept = false
    query.cacheRow = NO_ROW
    const { cache } = this
    if (cache === undefined || packet !== this.home || (start & 3) !== 0) return false
    query.isKept = cache.look(start, length, this.version, this.listenerIndex)
    query.cacheRow = cache.row
    query.cacheTicket = cache.ticket
    if (query.isKept) query.stage = -1 // nothing to find
    return query.isKept
  }

  private takeKept(query: Query, packet: Uint8Array, start: number, length: number): number {
    const cache = this.cache!
    const kept = cache.take(query.cacheRow, query.cacheTicket, start)
    if (kept === 0) return 0
    const { account } = this
    if (account.isIdle) return kept
    const { detail, origin } = cache
    const route = this.router.routes[origin & 0xffff]
    const rcode = (detail >> 16) & 0x0f
    const dnssecOk = (detail >> 28) & 1
    if (route.group >= 0)
      account.count(route.group, 0, detail & 0xffff, length, dnssecOk, rcode, (detail >> 20) & 0xff, kept)
    const answerCount = (packet[start + 6] << 8) | packet[start + 7]
    if ((route.block.logMask & logClass(rcode, answerCount)) !== 0)
      account.logKept(route, packet, start, length, kept, dnssecOk, origin >>> 16)
    return kept
  }

  /** Reads the message: verdict, question, route, and where the cluster's index is to be searched. */
  private read(query: Query, packet: Uint8Array, start: number, length: number): void {
    query.route = -1
    query.zone = -1
    query.verdict = readQuery(query, packet, start, length)
    if (query.verdict !== QUERY || this.listener.hasViews) return
    const route = this.listener.route(query, packet, start)
    if (route === null) return
    query.route = route.number
    route.block.cluster?.prepare(query, packet, start)
  }
}
