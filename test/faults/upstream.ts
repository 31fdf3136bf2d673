// An upstream that can be killed and started again, and remembers what it was asked. The first label of a name says how it is answered: `wait-300-…`
// after so many milliseconds, `never-…` not at all, `nx-…` NXDOMAIN, `fail-…` SERVFAIL, `cut-…` truncated over UDP; anything else at once with the
// address that addressOf() gives.

import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { type Answer, decode, encode, RECURSION_AVAILABLE, TRUNCATED_RESPONSE } from 'dns-packet'
import { freePort } from '../corefile/corefile-server.ts'
import { frame } from '../server/exchange.ts'

const TTL = 300
const RCODES = { nx: 3, fail: 2 } as const
const NXDOMAIN = 3

/** The address of a name, of its own as far as 2^22 go. */
export function addressOf(name: string): string {
  let hash = 2_166_136_261
  for (const character of name.toLowerCase()) hash = Math.imul(hash ^ character.charCodeAt(0), 16_777_619) >>> 0
  return `10.${(hash >>> 16) & 0x3f}.${(hash >>> 8) & 255}.${hash & 255}`
}

export class Upstream {
  readonly port: number
  readonly address: string
  /** Queries that came, by `NAME TYPE` in lower case. */
  readonly asked = new Map<string, number>()
  received = 0
  /** Domains in which there are no names. */
  empty: readonly string[] = []
  /** Answers sent, by RCODE. */
  readonly answered = new Map<number, number>()
  #udp: UdpSocket | undefined
  #tcp: Server | undefined
  readonly #connections = new Set<Socket>()
  readonly #timers = new Set<NodeJS.Timeout>()

  static async open(address = '127.0.0.1', port?: number): Promise<Upstream> {
    const upstream = new Upstream(address, port ?? (await freePort()))
    await upstream.start()
    return upstream
  }

  private constructor(address: string, port: number) {
    this.address = address
    this.port = port
  }

  /** As `forward` takes it. */
  get to(): string {
    return `${this.address}:${this.port}`
  }

  async start(): Promise<void> {
    const udp = createSocket('udp4', (message, from) => {
      this.#take(message, false, (answer) => {
        if (this.#udp === udp) udp.send(answer, from.port, from.address)
      })
    })
    const tcp = createServer((connection) => this.#serve(connection))
    this.#udp = udp
    this.#tcp = tcp
    udp.bind(this.port, this.address)
    tcp.listen(this.port, this.address)
    await Promise.all([once(udp, 'listening'), once(tcp, 'listening')])
  }

  /** As a process that is killed: its sockets are closed, connections reset, nothing more is answered. */
  async kill(): Promise<void> {
    const [udp, tcp] = [this.#udp, this.#tcp]
    if (udp === undefined || tcp === undefined) return
    this.#udp = undefined
    this.#tcp = undefined
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
    for (const connection of this.#connections) connection.resetAndDestroy()
    const closed = [once(udp, 'close'), once(tcp, 'close')]
    udp.close()
    tcp.close()
    await Promise.all(closed)
  }

  #serve(connection: Socket): void {
    this.#connections.add(connection)
    connection.on('error', () => {})
    connection.on('close', () => this.#connections.delete(connection))
    let rest = Buffer.alloc(0)
    connection.on('data', (octets: Buffer) => {
      rest = Buffer.concat([rest, octets])
      while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
        const end = 2 + rest.readUInt16BE(0)
        this.#take(rest.subarray(2, end), true, (answer) => {
          if (!connection.destroyed) connection.write(frame(answer))
        })
        rest = rest.subarray(end)
      }
    })
  }

  #take(message: Buffer, stream: boolean, send: (answer: Buffer) => void): void {
    const { id, questions = [] } = decode(message)
    const [{ name, type }] = questions
    this.received++
    const key = `${name} ${type}`.toLowerCase()
    this.asked.set(key, (this.asked.get(key) ?? 0) + 1)
    const [, how, milliseconds] = /^(wait|never|nx|fail|cut)(?:-(\d+))?-/i.exec(name) ?? []
    if (how === 'never') return
    const isEmpty = this.empty.some((domain) => name.toLowerCase().endsWith(domain))
    const rcode: number = isEmpty ? NXDOMAIN : (RCODES[how as keyof typeof RCODES] ?? 0)
    const isCut = how === 'cut' && !stream
    const answers: Answer[] =
      type === 'A' && rcode === 0 && !isCut ? [{ type: 'A', name, ttl: TTL, data: addressOf(name) }] : []
    const soa = { mname: 'ns.example', rname: 'root.example', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: TTL }
    const authorities: Answer[] =
      rcode === NXDOMAIN || (rcode === 0 && answers.length === 0)
        ? [{ type: 'SOA', name: 'example', ttl: TTL, data: soa }]
        : []
    const flags = RECURSION_AVAILABLE | rcode | (isCut ? TRUNCATED_RESPONSE : 0)
    const answer = encode({ type: 'response', id, flags, questions, answers, authorities })
    const give = (): void => {
      this.answered.set(rcode, (this.answered.get(rcode) ?? 0) + 1)
      send(answer)
    }
    if (how !== 'wait') {
      give()
      return
    }
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      give()
    }, Number(milliseconds))
    this.#timers.add(timer)
  }
}
