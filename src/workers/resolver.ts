// The resolver worker: what must wait, on Node's event loop, as one endless Piscina task. Takes queries out of the workers' tables and out of the
// channel, gets their answers from upstreams, and is the only writer of the caches.

import { getPriority, setPriority } from 'node:os'
import { threadId } from 'node:worker_threads'
import { Query, readQuery } from '../dns/question.ts'
import { beginResponse, endResponse, Response, SERVFAIL } from '../dns/response.ts'
import { monotonicMs } from '../forward/clock.ts'
import { asleep, MISS_REFRESH, MissReader, ring, watching } from '../forward/miss-table.ts'
import { reactorPorts } from '../forward/udp-port.ts'
import type { Outbox } from '../io/outbox.ts'
import type { Reactor } from '../io/reactor.ts'
import type { AnswerSource, WaitingPlace } from './answerer.ts'
import { BUSY, ControlBlock, STOPPED, WAITING } from './control.ts'
import { collectGarbage, LET_GO, letGo } from './garbage.ts'
import type { Assigned, Later } from './pool.ts'
import { ResolverStand, SharedForwarders } from './resolver-stand.ts'
import type { ResolverPlace } from './transport.ts'
import {
  CallWaiting,
  type ChannelMessage,
  Posted,
  type ResolverHello,
  SlotWaiting,
  type Waiting,
  type WaitingAnswer,
} from './waiting.ts'

/** What the resolver worker is handed. */
export interface ResolverTask {
  /** Its block of `control`, and its number as a reader. */
  readonly worker: number
  readonly control: SharedArrayBuffer
  readonly waiting: WaitingPlace
  /** null where the transport cannot send from another thread. */
  readonly place: ResolverPlace | null
}

/** What it is to do now. */
export interface ResolverAssignment {
  readonly source: AnswerSource
}

/** Sources before that generation are not in use any more. */
interface Retire {
  readonly retire: number
}

/** Queries taken before upstreams have their turn. */
const TURN_MAX = 256
/** A query that has waited so long already has been given up by its client. */
const GIVEN_UP_MS = 5000
/** At the end, what waits is waited for so long. */
const DRAIN_MAX_MS = 5500
const DRAIN_POLL_MS = 20
/** Not a hung thread: it shows that so often, as long as upstreams may have something to say. */
const BEAT_MS = 100
const BEATS_AFTER_MS = 6000
/** What workers have handed over by an earlier source has arrived by then. */
const RETIRE_MS = 200
/** So long, at most, Node's loop has no turn while datagrams are waited for. */
const WATCH_MS = 2
/** A table that is full by that part has those make room that have waited for so long. */
const CROWDED = 0.75
const PATIENCE_MS = 200
/** Behind the query workers where they share a core: names that are known do not wait for those that are not. */
const NICENESS = 5
const BUFSIZE = 1232

const query = new Query()
const response = new Response()

/** Loads what the task will need. */
export async function prepare(): Promise<void> {}

/** Resolves until told to stop; then until nothing waits any more. */
export default async function resolveQueries(task: ResolverTask & Assigned<ResolverAssignment>): Promise<void> {
  const { port, assignment } = task
  const control = new ControlBlock(task.control, task.worker)
  control.threadId = threadId
  beNice()
  const resolver = new Resolver(task, control, await nativeOf(task))
  resolver.assign(assignment.source)
  collectGarbage()
  resolver.begin()
  control.generation = assignment.generation
  control.state = WAITING
  let changing = Promise.resolve()
  port.on('message', (next: Later<ResolverAssignment> | Retire) => {
    changing = changing.then(async () => {
      if (next === LET_GO) return letGo()
      if ('retire' in next) return resolver.retire(next.retire)
      resolver.assign(next.source)
      control.generation = next.generation
    })
  })
  await resolver.run()
  await changing
  await resolver.close()
  port.close()
  control.state = STOPPED
}

/** On Linux a thread has a priority of its own. Where it is the process's, it is left alone. */
function beNice(): void {
  if (process.platform !== 'linux') return
  try {
    setPriority(0, Math.max(getPriority(0), NICENESS))
  } catch {
    // Not allowed here: as it was.
  }
}

/** What needs the gate to the C library, which is loaded only where it can be used. */
interface Native {
  readonly reactor: Reactor
  readonly outbox: Outbox
}

async function nativeOf({ place, waiting }: ResolverTask): Promise<Native | null> {
  if (place === null) return null
  const { Reactor } = await import('../io/reactor.ts')
  const { Outbox } = await import('../io/outbox.ts')
  return { reactor: new Reactor(place.inbox, waiting.event, place.open), outbox: new Outbox(place.outbox) }
}

class Resolver {
  readonly #task: ResolverTask
  readonly #control: ControlBlock
  readonly #tables: readonly MissReader[]
  readonly #posted: Posted | null
  readonly #bell: Int32Array<SharedArrayBuffer>
  /** Tells this one from those before it. */
  readonly #life = monotonicMs()
  #channel!: BroadcastChannel
  readonly #forwarders: SharedForwarders
  /** By generation: the newest, and those that somebody still waits for. */
  readonly #stands = new Map<number, ResolverStand>()
  /** null: datagrams to upstreams go through Node's loop. */
  readonly #reactor: Reactor | null
  #isFlushing = false
  #beating: NodeJS.Timeout | undefined
  #beatsUntilMs = 0

  constructor(task: ResolverTask, control: ControlBlock, native: Native | null) {
    this.#reactor = native === null ? null : native.reactor
    this.#forwarders = new SharedForwarders(native === null ? undefined : reactorPorts(native.reactor))
    this.#task = task
    this.#control = control
    const { tables, bell } = task.waiting
    this.#tables = tables.map((table) => new MissReader(table))
    this.#posted = native === null ? null : new Posted(native.outbox)
    this.#bell = new Int32Array(bell)
    // What comes from Node's loop, a query over TCP or a health check, finds this thread asleep.
    if (native !== null) native.reactor.onAwaited = () => ring(this.#bell, () => {})
  }

  /** Takes up a source. What came by an earlier one is finished by that one. */
  assign(source: AnswerSource): void {
    // May take its time.
    this.#control.state = WAITING
    const stand = new ResolverStand(source, this.#task.worker, this.#forwarders, () => this.#flushSoon())
    this.#stands.set(stand.generation, stand)
  }

  /** Nobody asks by sources before `generation` any more: they go when nobody waits for them. */
  retire(generation: number): void {
    setTimeout(() => this.#retire(generation), RETIRE_MS).unref()
  }

  #retire(generation: number): void {
    while (this.#turn() > 0);
    for (const stand of this.#stands.values()) {
      if (stand.generation >= generation) continue
      stand.retire(() => {
        this.#stands.delete(stand.generation)
        this.#forwarders.keep([...this.#stands.values()].map(({ source }) => source))
      })
    }
  }

  /** Takes what an earlier resolver has left. */
  begin(): void {
    for (const table of this.#tables) {
      for (const slot of table.takeLeft()) {
        if (table.kind(slot) === MISS_REFRESH) table.giveBack(slot)
        else this.#take(new SlotWaiting(table, slot, this.#posted!), table.generation(slot), table.deaths(slot))
      }
    }
    this.#posted?.flush()
    this.#channel = new BroadcastChannel(this.#task.waiting.channel)
    this.#channel.onmessage = ({ data }) => this.#hear(data)
    ;(this.#channel as unknown as { unref(): void }).unref()
    this.#greet()
  }

  #greet(): void {
    this.#channel.postMessage({ resolver: this.#life } satisfies ResolverHello)
  }

  async run(): Promise<void> {
    const control = this.#control
    void control.stopped().then(() => Atomics.notify(this.#bell, 0))
    const isIdle = (): boolean => this.#isIdle() && !control.stopping
    while (!control.stopping) {
      const taken = this.#turn()
      const reactor = this.#reactor
      if (reactor !== null && reactor.awaited > 0) this.#watch(reactor, taken === 0)
      else if (taken === 0) {
        await asleep(this.#bell, isIdle)
        continue
      }
      // Node's loop has streams to upstreams, timers and messages.
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** Waits for datagrams of upstreams, and for who rings. */
  #watch(reactor: Reactor, mayWait: boolean): void {
    watching(
      this.#bell,
      () => mayWait && this.#isIdle(),
      (isIdle) => reactor.turn(isIdle ? WATCH_MS : 0),
    )
    this.#posted?.flush()
  }

  /** Waits for what is being asked, then lets go of everything. */
  async close(): Promise<void> {
    const deadline = performance.now() + DRAIN_MAX_MS
    while ((this.#turn() > 0 || this.#waits()) && performance.now() < deadline) {
      this.#reactor?.turn(0)
      this.#posted?.flush()
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS))
    }
    this.#forwarders.close()
    this.#posted?.flush()
    this.#channel.close()
    clearInterval(this.#beating)
  }

  #isIdle(): boolean {
    return this.#tables.every(({ isEmpty }) => isEmpty)
  }

  #waits(): boolean {
    return [...this.#stands.values()].some(({ waiting }) => waiting > 0)
  }

  /** @returns how many were taken */
  #turn(): number {
    const control = this.#control
    let taken = 0
    control.state = BUSY
    control.beat()
    for (const table of this.#tables) {
      for (let i = 0; i < TURN_MAX; i++) {
        const slot = table.take()
        if (slot < 0) break
        taken++
        this.#take(new SlotWaiting(table, slot, this.#posted!), table.generation(slot), 0)
      }
      if (table.taken > table.slots * CROWDED) this.#makeRoom(table)
    }
    this.#posted?.flush()
    if (this.#beating === undefined) control.state = WAITING
    return taken
  }

  /**
   * The table fills with queries for what does not answer: those that have waited longest make room, so that names which can be had are had.
   * (Unbound's jostle list does the same.)
   */
  #makeRoom(table: MissReader): void {
    const before = monotonicMs() - PATIENCE_MS
    let left = table.taken - table.slots * CROWDED
    for (const waiting of this.#posted!.waiting) {
      if (left <= 0 || waiting.beganMs > before) return
      if (waiting.table !== table) continue
      this.#stands.get(waiting.generation)?.abandon(waiting, 'too many queries are waiting')
      left--
    }
  }

  /** @param deaths  resolvers that died with it in hand: one may have been by chance */
  #take(waiting: Waiting, generation: number, deaths: number): void {
    this.#beat()
    const stand = this.#stands.get(generation)
    const isLate = monotonicMs() - waiting.beganMs > GIVEN_UP_MS
    if (stand === undefined) this.#refuse(waiting)
    else if (deaths > 1) stand.refuse(waiting, 'the resolver thread has died over it')
    else if (isLate) stand.refuse(waiting, 'it has waited too long')
    else stand.take(waiting)
  }

  /** SERVFAIL, by nobody's configuration. */
  #refuse(waiting: Waiting): void {
    const { packet, start, length, capacity } = waiting.open()
    readQuery(query, packet, start, length)
    beginResponse(response, query, start, capacity)
    waiting.close(waiting.kind === MISS_REFRESH ? 0 : endResponse(response, query, packet, SERVFAIL, false, BUFSIZE))
  }

  /** From now on, until upstreams have had their time, whoever watches expects beats: whatever comes of a query must not hold up the others for good. */
  #beat(): void {
    const control = this.#control
    control.beat()
    control.state = BUSY
    this.#beatsUntilMs = monotonicMs() + BEATS_AFTER_MS
    this.#beating ??= setInterval(() => {
      control.beat()
      control.state = BUSY
      if (monotonicMs() < this.#beatsUntilMs) return
      clearInterval(this.#beating)
      this.#beating = undefined
      control.state = WAITING
    }, BEAT_MS).unref()
  }

  #hear(message: ChannelMessage): void {
    if ('sought' in message) this.#greet()
    // Who has not heard of this one yet asks again when he does.
    if (!('ask' in message) || message.to !== this.#life) return
    const answer = (said: WaitingAnswer): void => this.#channel.postMessage(said)
    this.#take(new CallWaiting(message, answer), message.generation, message.deaths)
  }

  /** Answers that come in one turn of the event loop leave together. */
  #flushSoon(): void {
    if (this.#isFlushing || this.#posted === null) return
    this.#isFlushing = true
    setImmediate(() => {
      this.#isFlushing = false
      this.#posted!.flush()
    })
  }
}
