// A DNS server of a few lines on one port, UDP and TCP: says what a function says, and how often it was asked what.

import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, type Server, type Socket } from 'node:net'
import type { Target } from '../../../src/load/run.ts'
import { questionText } from '../../../src/load/verify/answer-text.ts'
import { withId } from './answers.ts'

type Way = 'udp' | 'tcp'

/** null: says nothing. The ID of what it returns is set to that of the query. @param times  how often this question has come that way, from 1 on */
export type Answering = (question: string, way: Way, times: number, query: Uint8Array) => Uint8Array | null

const PORT_TRIES = 20

export class SmallServer {
  /** What it was asked, in order: `web.shop.svc.cluster.local. A udp`. */
  readonly asked: string[] = []
  answering: Answering
  readonly #udp: UdpSocket
  readonly #tcp: Server
  readonly #connections = new Set<Socket>()

  /** On a free port of 127.0.0.1. */
  static async start(answering: Answering): Promise<SmallServer> {
    for (let tries = PORT_TRIES; ; tries--) {
      const udp = createSocket('udp4')
      udp.bind(0, '127.0.0.1')
      await once(udp, 'listening')
      const tcp = createServer()
      tcp.listen(udp.address().port, '127.0.0.1')
      try {
        await once(tcp, 'listening')
        return new SmallServer(udp, tcp, answering)
      } catch (error) {
        udp.close()
        if (tries === 0) throw error
      }
    }
  }

  constructor(udp: UdpSocket, tcp: Server, answering: Answering) {
    this.#udp = udp
    this.#tcp = tcp
    this.answering = answering
    udp.on('message', (query, from) => {
      const response = this.#answer(query, 'udp')
      if (response !== null) udp.send(response, from.port, from.address)
    })
    tcp.on('connection', (socket) => this.#serve(socket))
  }

  /** As a server under test, or a reference. */
  target(transport: Target['transport'] = 'udp'): Target {
    const { port } = this.#udp.address() as AddressInfo
    const label = `127.0.0.1:${port}`
    return { label, address: '127.0.0.1', port, transport, serverName: '', path: '', verifiesCertificate: true }
  }

  /** How often a question came. */
  times(question: string): number {
    return this.asked.filter((each) => each.toLowerCase().startsWith(question.toLowerCase())).length
  }

  close(): void {
    this.#udp.close()
    this.#tcp.close()
    for (const socket of this.#connections) socket.destroy()
  }

  #answer(query: Uint8Array, way: Way): Uint8Array | null {
    const question = questionText(query)
    this.asked.push(`${question} ${way}`)
    const response = this.answering(question, way, this.times(`${question} ${way}`), query)
    return response === null ? null : withId(response, query[0] * 256 + query[1])
  }

  #serve(socket: Socket): void {
    this.#connections.add(socket)
    let received = Buffer.alloc(0)
    socket.on('error', () => {})
    socket.on('data', (octets: Buffer) => {
      received = Buffer.concat([received, octets])
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const end = 2 + received.readUInt16BE(0)
        const response = this.#answer(received.subarray(2, end), 'tcp')
        received = received.subarray(end)
        if (response !== null) socket.write(Buffer.concat([Buffer.of(response.length >> 8, response.length), response]))
      }
    })
  }
}
