// A Forwarder to test: made from a few properties, asked by name, its answers as text, its counters in plain sight.

import type { TestContext } from 'node:test'
import type { ForwardConfig } from '../../src/config/configuration.ts'
import { wireOfName } from '../../src/dns/message-names.ts'
import { rcodeName } from '../../src/dns/rcodes.ts'
import { TYPES } from '../../src/dns/record-types.ts'
import {
  createForwardCounters,
  ForwardCounters,
  planForward,
  readForwardCounters,
} from '../../src/forward/forward-counters.ts'
import { Forwarder } from '../../src/forward/forwarder.ts'
import { readyRecords } from '../../src/forward/ready-form.ts'
import { LyingUpstream } from './lying-upstream.ts'

const DEFAULTS: Omit<ForwardConfig, 'upstreams'> = {
  from: '.',
  to: [],
  nameserverFiles: [],
  except: [],
  forceTcp: false,
  preferUdp: false,
  policy: 'sequential',
  maxFails: 2,
  healthCheck: { intervalMs: 500, recursionDesired: true, domain: '.' },
  expireMs: 10_000,
  maxAgeMs: 0,
  maxIdleConns: 0,
  maxConcurrent: 0,
  readTimeoutMs: 2000,
  maxConnectAttempts: -1,
  tls: null,
  tlsServername: '',
  failover: [],
  next: [],
  nextOnNodata: false,
  failfastAllUnhealthyUpstreams: false,
  sourceAddress: '',
  resolver: [],
  dohMethod: 'POST',
  randomizeCase: false,
}

/** An answer, or why there is none: `NOERROR 192.0.2.1`, `NXDOMAIN`, `NOERROR TC`, `SERVFAIL: read udp …`. */
export type Said = string

export interface Question {
  readonly name?: string
  readonly type?: number
  readonly stream?: boolean
  readonly recursionDesired?: boolean
  readonly checkingDisabled?: boolean
  readonly dnssecOk?: boolean
}

export class Asking {
  readonly forwarder: Forwarder
  readonly log: string[] = []
  readonly #plan
  readonly #memory: SharedArrayBuffer

  /** @param tos  ports of upstreams on 127.0.0.1, or 'host:port' */
  constructor(tos: readonly (number | string)[], config: Partial<ForwardConfig> = {}) {
    const upstreams = tos.map((to) => {
      const [host, port] = typeof to === 'number' ? ['127.0.0.1', to] : to.split(':')
      return { transport: 'dns' as const, host, port: Number(port), serverName: '' }
    })
    const all = config.upstreams ?? upstreams
    this.#plan = planForward(all.map(({ host, port }) => `${host}:${port}`))
    this.#memory = createForwardCounters(this.#plan)
    const counters = new ForwardCounters(this.#plan, this.#memory)
    const log = (level: string, line: string) => this.log.push(`[${level.toUpperCase()}] ${line}`)
    this.forwarder = new Forwarder({ ...DEFAULTS, upstreams, ...config }, { counters, log })
  }

  /** @returns what it says, and who said it */
  async askWho({ name = 'www.example.com.', type = TYPES.A, ...rest }: Question = {}): Promise<[Said, string]> {
    const wire = wireOfName(name)
    const question = Uint8Array.of(...wire, type >> 8, type & 255, 0, 1)
    const query = {
      question,
      type,
      recursionDesired: true,
      checkingDisabled: false,
      dnssecOk: false,
      stream: false,
      ...rest,
    }
    const startedMs = performance.now()
    let hasReturned = false
    return await new Promise((resolve, reject) => {
      let count = 0
      this.forwarder.ask(query, (outcome) => {
        if (!hasReturned) reject(new Error('called before ask() returned'))
        if (++count > 1) reject(new Error('called twice'))
        if (performance.now() - startedMs > 5500) reject(new Error('not within five seconds'))
        if (outcome.kind === 'failure') {
          resolve([`${rcodeName(outcome.rcode)}: ${outcome.error}`, ''])
          return
        }
        const { answer, to } = outcome
        const { answer: records } = readyRecords(answer.words, answer.octets, 0, { name, type, class: 1 })
        const data = records.map((record) => (record.type === TYPES.A ? record.rdata.join('.') : `type${record.type}`))
        resolve([[rcodeName(answer.rcode), ...data, ...(answer.truncated ? ['TC'] : [])].join(' '), to])
      })
      hasReturned = true
    })
  }

  async ask(question: Question = {}): Promise<Said> {
    return (await this.askWho(question))[0]
  }

  /** Values of counters by name and labels, without those that are 0. */
  counters(): Map<string, number> {
    const { counters } = readForwardCounters(this.#plan, this.#memory)
    return new Map(
      [...counters.values()].map(({ name, labels, value }) => [[name, ...Object.values(labels)].join(' '), value]),
    )
  }

  close(): void {
    this.forwarder.close()
  }
}

/** An upstream that is closed with the test. */
export async function openUpstream(
  t: TestContext,
  ...args: Parameters<typeof LyingUpstream.open>
): Promise<LyingUpstream> {
  const upstream = await LyingUpstream.open(...args)
  t.after(() => upstream.close())
  return upstream
}

/** A Forwarder that is closed with the test. */
export function openAsking(t: TestContext, ...args: ConstructorParameters<typeof Asking>): Asking {
  const asking = new Asking(...args)
  t.after(() => asking.close())
  return asking
}

/** Waits for something to become true, at most `limitMs`. */
export async function until(what: () => boolean, limitMs = 10_000): Promise<void> {
  const endMs = performance.now() + limitMs
  while (!what()) {
    if (performance.now() > endMs) throw new Error(`not within ${limitMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
