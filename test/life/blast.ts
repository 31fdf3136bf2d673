// A load of a good part of what a server can do, over UDP, of which every answer is compared octet for octet, serials apart, with the one that
// the same question got before. A thread of its own does it (blast-thread.ts); the questions must have one answer whatever is loaded.

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { UdpClient } from '../server/exchange.ts'
import { encodeQuery, readResponse } from '../server/wire.ts'
import {
  ANSWERED,
  type BlastTask,
  type Exchange,
  LOST,
  RATE,
  SENT,
  SLOWEST_MS,
  STRAY,
  UNDER_WAY,
  WORDS,
  WRONG,
} from './blast-thread.ts'
import type { Asked } from './load.ts'

const SOCKETS = 8
const SLOTS = 4096
const DRAIN_MS = 10_000
const SOA_NUMBERS = 20

/** Since the start. */
export interface BlastReport {
  readonly sent: number
  readonly answered: number
  readonly lost: number
  readonly wrong: number
  readonly stray: number
}

export class Blast {
  readonly #values: Float64Array
  readonly #worker: Worker
  readonly #ended: Promise<unknown>

  /** Asks each question once, checks the answers, and is ready then. */
  static async make(port: number, questions: readonly Asked[]): Promise<Blast> {
    const client = new UdpClient({ address: '127.0.0.1', port })
    const exchanges: Exchange[] = []
    for (const { query, check } of questions) {
      const octets = encodeQuery({ ...query, id: 0 })
      const answer = await client.exchange(octets)
      assert(answer !== undefined, `no answer to ${query.name}`)
      const response = readResponse(answer)
      assert.equal(check(response), '', String(query.name))
      // The last record there is: its last five fields are numbers of four octets.
      const serialOffset = response.authority.at(-1)?.type === 'SOA' ? answer.length - SOA_NUMBERS : -1
      exchanges.push({ query: new Uint8Array(octets), answer: new Uint8Array(answer), serialOffset })
    }
    client.close()
    return new Blast(port, exchanges)
  }

  private constructor(port: number, exchanges: readonly Exchange[]) {
    const shared = new SharedArrayBuffer(WORDS * 8)
    this.#values = new Float64Array(shared)
    const workerData: BlastTask = { port, exchanges, sockets: SOCKETS, slots: SLOTS, shared }
    this.#worker = new Worker(new URL('./blast-thread.ts', import.meta.url), { workerData })
    this.#ended = new Promise((resolve, reject) => {
      this.#worker.once('exit', resolve)
      this.#worker.once('error', reject)
    })
    this.#ended.catch(() => {})
  }

  get report(): BlastReport {
    const values = this.#values
    const [sent, answered, lost, wrong, stray] = [SENT, ANSWERED, LOST, WRONG, STRAY].map((word) => values[word])
    return { sent, answered, lost, wrong, stray }
  }

  /** Queries a second from now on. */
  set rate(rate: number) {
    this.#values[RATE] = rate
  }

  /** The longest time of an answer since this was read, milliseconds. */
  takeSlowestMs(): number {
    const slowest = this.#values[SLOWEST_MS]
    this.#values[SLOWEST_MS] = 0
    return slowest
  }

  /** What the server answers in a second when it is asked as fast as it answers. */
  async capacity(milliseconds: number): Promise<number> {
    this.rate = Number.POSITIVE_INFINITY
    await sleep(milliseconds / 4)
    const before = this.report.answered
    const began = performance.now()
    await sleep(milliseconds)
    const perSecond = ((this.report.answered - before) / (performance.now() - began)) * 1000
    this.rate = 0
    return perSecond
  }

  /** Asks nothing more, and waits for what is under way. */
  async stop(): Promise<BlastReport> {
    this.rate = 0
    for (let waited = 0; this.#values[UNDER_WAY] > 0 && waited < DRAIN_MS; waited += 20) await sleep(20)
    this.rate = -1
    await this.#ended
    return this.report
  }
}
