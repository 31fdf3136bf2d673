// Clients that ask all the time, at an even pace, over UDP from several sockets and over TCP, and know what the answer must be.
// Nothing that they asked is asked twice: what comes too late counts as lost.

import { setTimeout as sleep } from 'node:timers/promises'
import { TcpClient, UdpClient } from '../server/exchange.ts'
import { encodeQuery, type Query, type Response, readResponse } from '../server/wire.ts'

const UDP_CLIENTS = 8
const TICK_MS = 5
const ANSWER_MS = 10_000
const NAMED_MAX = 5

/** A question, and what its answer must be. */
export interface Asked {
  readonly query: Query
  /** '' if all is well, else what is wrong. */
  readonly check: (response: Response) => string
}

export interface LoadOptions {
  readonly port: number
  readonly address?: string
  /** Asked in turn. */
  readonly questions: readonly Asked[]
  /** Questions a second over UDP (400), and over TCP (40). */
  readonly rate?: number
  readonly tcpRate?: number
}

/** What became of the questions. */
export interface LoadReport {
  readonly sent: number
  readonly answered: number
  readonly lost: number
  readonly wrong: number
  /** Of what went wrong, the first few. */
  readonly examples: readonly string[]
}

/** A load that runs until it is stopped. */
export class Load {
  readonly #options: LoadOptions
  readonly #udp: readonly UdpClient[]
  readonly #tcp: TcpClient
  readonly #waiting = new Set<Promise<void>>()
  readonly #ended: Promise<void>
  readonly #examples: string[] = []
  #stopped: Promise<LoadReport> | undefined
  #sent = 0
  #answered = 0
  #lost = 0
  #wrong = 0

  constructor(options: LoadOptions) {
    const { port, address = '127.0.0.1' } = options
    this.#options = options
    this.#udp = Array.from({ length: UDP_CLIENTS }, () => new UdpClient({ address, port }))
    this.#tcp = new TcpClient({ address, port })
    this.#ended = this.#run()
  }

  get report(): LoadReport {
    const [sent, answered, lost, wrong] = [this.#sent, this.#answered, this.#lost, this.#wrong]
    return { sent, answered, lost, wrong, examples: this.#examples }
  }

  /** Asks nothing more, and waits for what has been asked. */
  stop(): Promise<LoadReport> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<LoadReport> {
    await this.#ended
    await Promise.all(this.#waiting)
    for (const client of [...this.#udp, this.#tcp]) client.close()
    return this.report
  }

  async #run(): Promise<void> {
    const { rate = 400, tcpRate = 40 } = this.#options
    const began = performance.now()
    for (let udp = 0, tcp = 0; this.#stopped === undefined; await sleep(TICK_MS)) {
      const seconds = (performance.now() - began) / 1000
      for (; udp < seconds * rate; udp++) this.#ask(this.#udp[udp % UDP_CLIENTS])
      for (; tcp < seconds * tcpRate; tcp++) this.#ask(this.#tcp)
    }
  }

  #ask(client: UdpClient | TcpClient): void {
    const { questions } = this.#options
    const asked = questions[this.#sent % questions.length]
    const id = ++this.#sent & 0xffff
    const waiting = client.exchange(encodeQuery({ ...asked.query, id }), ANSWER_MS).then((octets) => {
      this.#waiting.delete(waiting)
      const by = client === this.#tcp ? 'TCP' : 'UDP'
      if (octets === undefined) {
        this.#lost++
        this.#note(`${asked.query.name} over ${by}: no answer`)
        return
      }
      this.#answered++
      const complaint = complaintOf(asked, octets)
      if (complaint === '') return
      this.#wrong++
      this.#note(`${asked.query.name} over ${by}: ${complaint}`)
    })
    this.#waiting.add(waiting)
  }

  #note(example: string): void {
    if (this.#examples.length < NAMED_MAX) this.#examples.push(example)
  }
}

function complaintOf({ check }: Asked, octets: Uint8Array): string {
  try {
    return check(readResponse(octets))
  } catch (error) {
    return String(error)
  }
}

/** A question whose answer has one record with these data. */
export function expects(name: string, type: string, data: string): Asked {
  return {
    query: { name, type },
    check: ({ rcode, answer }) => {
      const found = `${rcode} ${answer.map((record) => record.data).join(' ')}`
      return found === `NOERROR ${data}` ? '' : `${found}, not ${data}`
    },
  }
}

/** A question with an empty answer and an RCODE. */
export function expectsNothing(name: string, type: string, expected: string): Asked {
  return {
    query: { name, type },
    check: ({ rcode, answer }) =>
      rcode === expected && answer.length === 0 ? '' : `${rcode} with ${answer.length} records, not ${expected}`,
  }
}
