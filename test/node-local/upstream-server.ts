// A DNS server that others forward to: says in a TXT record of every name who it is and how it was asked, and remembers the questions.

import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { decode, encode } from 'dns-packet'
import { frame } from '../server/exchange.ts'

const PORT = 53
const TTL = 30

export class UpstreamServer {
  /** `udp NAME`, `tcp NAME`, as they came; questions of `loop` and of health checks are left out. */
  readonly asked: string[] = []
  readonly #says: string
  readonly #udp: UdpSocket
  readonly #tcp: Server
  readonly #connections = new Set<Socket>()

  /** Listens at port 53 of `address`. @param says  who it is */
  static async open(address: string, says: string): Promise<UpstreamServer> {
    const server = new UpstreamServer(says)
    server.#udp.bind(PORT, address)
    server.#tcp.listen(PORT, address)
    await Promise.all([once(server.#udp, 'listening'), once(server.#tcp, 'listening')])
    return server
  }

  private constructor(says: string) {
    this.#says = says
    this.#udp = createSocket('udp4', (message, from) => {
      this.#udp.send(this.#answer('udp', message), from.port, from.address)
    })
    this.#tcp = createServer((connection) => {
      this.#connections.add(connection)
      connection.on('error', () => {})
      connection.on('close', () => this.#connections.delete(connection))
      let rest = Buffer.alloc(0)
      connection.on('data', (octets: Buffer) => {
        rest = Buffer.concat([rest, octets])
        while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
          const end = 2 + rest.readUInt16BE(0)
          connection.write(frame(this.#answer('tcp', rest.subarray(2, end))))
          rest = rest.subarray(end)
        }
      })
    })
  }

  close(): void {
    this.#udp.close()
    this.#tcp.close()
    for (const connection of this.#connections) connection.destroy()
  }

  #answer(protocol: 'udp' | 'tcp', message: Buffer): Buffer {
    const { id, questions = [] } = decode(message)
    const [{ name, type }] = questions
    if (type === 'TXT') this.asked.push(`${protocol} ${name}`)
    const answers = [{ type: 'TXT' as const, name, ttl: TTL, data: `${this.#says} over ${protocol}` }]
    return encode({ type: 'response', id, questions, answers: type === 'TXT' ? answers : [] })
  }
}
