// Misses, hits and cluster names, over UDP and TCP, at an even pace, with an account of what became of each.

import { setTimeout as sleep } from 'node:timers/promises'
import { TcpClient, UdpClient } from '../server/exchange.ts'
import { encodeQuery, readResponse } from '../server/wire.ts'
import { addressOf } from './upstream.ts'

export const CLUSTER_NAME = 'kube-dns.kube-system.svc.cluster.local'
export const CLUSTER_ADDRESS = '10.96.0.10'
const HIT_NAMES = 16
const TICK_MS = 5
/** More than the longest that forwarding may take. */
const ANSWER_MS = 9000
const UDP_CLIENTS = 4

export type Kind = 'miss' | 'hit' | 'cluster'
export const KINDS: readonly Kind[] = ['miss', 'hit', 'cluster']

/** What became of the questions of one kind. */
export interface Tally {
  sent: number
  right: number
  servfail: number
  /** Neither right nor SERVFAIL. */
  wrong: number
  lost: number
  slowestMs: number
}

export interface MixedLoadOptions {
  readonly port: number
  /** Questions a second of each kind, over UDP (100) and over TCP (20). */
  readonly rate?: number
  readonly tcpRate?: number
  /** In front of each name that misses. */
  readonly prefix?: string
}

let lastLoad = 0

export class MixedLoad {
  /** Since mark(). */
  tallies: Record<Kind, Tally> = fresh()
  readonly all: Record<Kind, Tally> = fresh()
  /** Of what went wrong or got lost, the first few. */
  readonly examples: string[] = []
  readonly #options: MixedLoadOptions
  readonly #udp: readonly UdpClient[]
  readonly #tcp: TcpClient
  readonly #waiting = new Set<Promise<void>>()
  readonly #ended: Promise<void>
  readonly #label = `l${process.pid}x${++lastLoad}`
  #isStopped = false
  #count = 0
  /** Questions sent. */
  overUdp = 0
  overTcp = 0

  constructor(options: MixedLoadOptions) {
    this.#options = options
    const endpoint = { address: '127.0.0.1', port: options.port }
    this.#udp = Array.from({ length: UDP_CLIENTS }, () => new UdpClient(endpoint))
    this.#tcp = new TcpClient(endpoint)
    this.#ended = this.#run()
  }

  /** Counts anew from here on: what has been asked before counts where it was asked. @returns what was counted so far, which goes on changing */
  mark(): Record<Kind, Tally> {
    const before = this.tallies
    this.tallies = fresh()
    return before
  }

  /** Everything that has been asked is answered or lost. */
  async settled(): Promise<void> {
    await Promise.all(this.#waiting)
  }

  /** Asks nothing more, and waits for what has been asked. */
  async stop(): Promise<void> {
    if (this.#isStopped) return
    this.#isStopped = true
    await this.#ended
    await this.settled()
    for (const client of [...this.#udp, this.#tcp]) client.close()
  }

  async #run(): Promise<void> {
    const { rate = 100, tcpRate = 20 } = this.#options
    const began = performance.now()
    for (let udp = 0, tcp = 0; !this.#isStopped; await sleep(TICK_MS)) {
      const seconds = (performance.now() - began) / 1000
      for (; udp < seconds * rate * 3; udp++) this.#ask(KINDS[udp % 3], this.#udp[udp % UDP_CLIENTS])
      for (; tcp < seconds * tcpRate * 3; tcp++) this.#ask(KINDS[tcp % 3], this.#tcp)
    }
  }

  #ask(kind: Kind, client: UdpClient | TcpClient): void {
    const { prefix = '' } = this.#options
    const number = ++this.#count
    const name =
      kind === 'cluster'
        ? CLUSTER_NAME
        : kind === 'hit'
          ? `h${number % HIT_NAMES}.hit.example`
          : `${prefix}${this.#label}m${number}.miss.example`
    const expected = kind === 'cluster' ? CLUSTER_ADDRESS : addressOf(name)
    const tallies = [this.tallies[kind], this.all[kind]]
    const count = (what: keyof Tally): void => {
      for (const tally of tallies) tally[what]++
    }
    count('sent')
    if (client === this.#tcp) this.overTcp++
    else this.overUdp++
    const began = performance.now()
    const waiting = client.exchange(encodeQuery({ name, type: 'A', id: number & 0xffff }), ANSWER_MS).then((octets) => {
      this.#waiting.delete(waiting)
      const by = client === this.#tcp ? 'TCP' : 'UDP'
      if (octets === undefined) {
        count('lost')
        this.#note(`${name} over ${by}: no answer`)
        return
      }
      const { rcode, answer, question } = readResponse(octets)
      for (const tally of tallies) tally.slowestMs = Math.max(tally.slowestMs, performance.now() - began)
      const isSame = question?.name.toLowerCase() === `${name}.`.toLowerCase()
      const found = answer.map(({ data }) => data).join(' ')
      if (isSame && rcode === 'NOERROR' && found === expected) count('right')
      else if (isSame && rcode === 'SERVFAIL' && answer.length === 0) count('servfail')
      else {
        count('wrong')
        this.#note(`${name} over ${by}: ${question?.name} ${rcode} ${found}, not ${expected}`)
      }
    })
    this.#waiting.add(waiting)
  }

  #note(example: string): void {
    if (this.examples.length < 5) this.examples.push(example)
  }
}

function fresh(): Record<Kind, Tally> {
  const tally = (): Tally => ({ sent: 0, right: 0, servfail: 0, wrong: 0, lost: 0, slowestMs: 0 })
  return { miss: tally(), hit: tally(), cluster: tally() }
}
