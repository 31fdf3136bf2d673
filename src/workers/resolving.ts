// The resolver thread as the main thread sees it: started when a source forwards for the first time, and kept from then on.

import { createBell, createMissTable, ring } from '../forward/miss-table.ts'
import type { AnswerSource, WaitingPlace } from './answerer.ts'
import { ControlBlock } from './control.ts'
import { WorkerPool } from './pool.ts'
import type { ResolverAssignment, ResolverTask } from './resolver.ts'
import type { EventCalls, ResolverPlace } from './transport.ts'

const MODULE = new URL('./resolver.ts', import.meta.url).href
/** What waits at the end is answered within 5 s. */
const STOP_MS = 6000

/** What resolving needs to know of how is served. */
export interface ResolvingOptions {
  /** Query workers. */
  readonly workers: number
  /** Eventfds, where the transport has them: then a thread can send from the sockets of others, too. */
  readonly events: EventCalls | null
  readonly control: SharedArrayBuffer
  readonly log: (line: string) => void
  /** Gets what the thread posts. */
  readonly take: (message: object) => void
  readonly place: () => ResolverPlace | null
}

/** It comes behind others where cores are short: more patience than with them. */
const HUNG_MS = 1000

let lastChannel = 0

export class Resolving {
  readonly #options: ResolvingOptions
  #place: WaitingPlace | undefined
  #pool: WorkerPool | undefined
  #isStarted = false
  #generation = 0
  #source!: AnswerSource

  constructor(options: ResolvingOptions) {
    this.#options = options
  }

  /** The source, with a number of its own and with where to wait if anything is forwarded. */
  stamp(source: AnswerSource): AnswerSource {
    const generation = ++this.#generation
    const forwards = source.blocks.some(({ forward }) => forward !== undefined && forward !== null)
    if (!forwards && this.#place === undefined) return { ...source, generation }
    this.#place ??= this.#makePlace()
    return { ...source, generation, waiting: this.#place }
  }

  /** Has the thread load what it needs, if a source of stamp() makes use of it. */
  async warm({ waiting }: AnswerSource): Promise<void> {
    if (waiting === undefined || this.#pool !== undefined) return
    this.#pool = new WorkerPool(MODULE, 1, this.#options.log, this.#options.take)
    await this.#pool.warm(undefined)
  }

  /** Has the thread go by a source of stamp(), and by what came before too until retire(). Settles when it does. */
  async change(source: AnswerSource): Promise<void> {
    this.#source = source
    if (source.waiting === undefined) return
    if (this.#isStarted) {
      await this.#pool!.reassign()
      return
    }
    await this.warm(source)
    this.#isStarted = true
    const { workers, control, events, place } = this.#options
    const worker = workers + 1
    const pool = this.#pool!
    const task: ResolverTask = { worker, control, waiting: source.waiting, place: place() }
    const { event } = source.waiting
    const bell = new Int32Array(source.waiting.bell)
    const block = new ControlBlock(control, worker)
    const assign = (): ResolverAssignment => ({ source: this.#source })
    const wake = (): void => ring(bell, () => events?.wake(event))
    pool.start([{ label: 'resolver worker', task, control: block, assign, wake, hungMs: HUNG_MS }])
    await pool.ready()
  }

  /** Nobody asks by an earlier source any more. */
  retire(): void {
    this.#pool?.post({ retire: this.#generation })
  }

  async letGo(): Promise<void> {
    await this.#pool?.letGo()
  }

  /** Answers what waits, then ends. */
  async stop(): Promise<void> {
    await this.#pool?.stop(STOP_MS)
    if (this.#place !== undefined) this.#options.events?.close(this.#place.event)
  }

  get isRunning(): boolean {
    return this.#pool !== undefined
  }
  get crashes(): number {
    return this.#isStarted ? this.#pool!.crashes(0) : 0
  }
  get failures(): number {
    return this.#pool?.failures ?? 0
  }

  #makePlace(): WaitingPlace {
    const { events, workers } = this.#options
    const tables = Array.from({ length: events === null ? 0 : workers }, () => createMissTable())
    const event = events?.open() ?? -1
    return { tables, bell: createBell(), event, channel: `peregrine resolver ${process.pid} ${++lastChannel}` }
  }
}
