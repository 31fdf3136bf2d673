// A TCP relay in front of a server, for what only the network does: it cuts at any octet, falls silent with its sockets open
// (a half-open connection), and delays. It does not look at what it carries.

import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { reset } from './reset.ts'

interface Pair {
  readonly client: Socket
  readonly server: Socket
}

/** Listens on a free port of loopback and carries to `targetPort`. */
export async function startRelay(targetPort: number, port = 0): Promise<Relay> {
  const relay = new Relay(targetPort)
  await relay.listen(port)
  return relay
}

export class Relay {
  readonly #pairs = new Set<Pair>()
  readonly #server: Server
  #frozen = false
  /** Octets from the server, over all connections, until they are cut. */
  #octetsLeft = Infinity
  #how: 'fin' | 'rst' = 'rst'
  #delayMs = 0
  #refusing = false
  /** Where new connections go. */
  targetPort: number
  port = 0
  /** Octets that came from the server. */
  octets = 0
  connectionCount = 0

  constructor(targetPort: number) {
    this.targetPort = targetPort
    this.#server = createServer({ pauseOnConnect: false, noDelay: true }, (client) => this.#carry(client))
  }

  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve))
    this.port = (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`
  }

  /** Connections that are open. */
  get pairCount(): number {
    return this.#pairs.size
  }

  /** Ends all connections. */
  cut(how: 'fin' | 'rst' = 'rst'): void {
    this.#octetsLeft = Infinity
    for (const { client, server } of this.#pairs) {
      server.destroy()
      if (how === 'rst') reset(client)
      else client.destroy()
    }
    this.#pairs.clear()
  }

  /** Ends all connections after that many more octets from the server; the octets before are carried. */
  cutAfter(octets: number, how: 'fin' | 'rst' = 'rst'): void {
    this.#octetsLeft = octets
    this.#how = how
  }

  /** Nothing is carried any more, in either direction; connections are taken but stay silent. */
  freeze(): void {
    this.#frozen = true
    for (const { client, server } of this.#pairs) {
      client.pause()
      server.pause()
    }
  }

  /** What came in meanwhile is carried now. */
  thaw(): void {
    this.#frozen = false
    for (const pair of this.#pairs) {
      const { client, server } = pair
      if (client.destroyed || server.destroyed) this.#forget(pair)
      client.resume()
      server.resume()
    }
  }

  /** Milliseconds that each piece from the server waits. */
  delay(ms: number): void {
    this.#delayMs = ms
  }

  /** New connections are reset at once, or are no more. */
  refuse(refusing: boolean): void {
    this.#refusing = refusing
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.cut()
    await closed
  }

  #carry(client: Socket): void {
    this.connectionCount++
    client.on('error', () => {})
    if (this.#refusing) {
      reset(client)
      return
    }
    const server = connect({ port: this.targetPort, host: '127.0.0.1', noDelay: true })
    const pair = { client, server }
    this.#pairs.add(pair)
    server.on('error', () => reset(client))
    client.on('close', () => this.#forget(pair))
    server.on('close', () => this.#forget(pair))
    client.on('data', (octets: Buffer) => this.#forward(client, server, octets))
    server.on('data', (octets: Buffer) => this.#fromServer(pair, octets))
    client.on('end', () => server.end())
    server.on('end', () => setTimeout(() => client.end(), this.#delayMs))
    if (this.#frozen) {
      client.pause()
      server.pause()
    }
  }

  #forget(pair: Pair): void {
    // A side that goes while all is silent is not missed by the other one.
    if (this.#frozen) return
    this.#pairs.delete(pair)
    pair.client.destroy()
    pair.server.destroy()
  }

  #fromServer({ client, server }: Pair, octets: Buffer): void {
    this.octets += octets.length
    if (octets.length >= this.#octetsLeft) {
      const last = octets.subarray(0, this.#octetsLeft)
      this.#octetsLeft = Infinity
      client.write(last, () => this.cut(this.#how))
      return
    }
    this.#octetsLeft -= octets.length
    if (this.#delayMs === 0) this.#forward(server, client, octets)
    else setTimeout(() => client.writable && client.write(octets), this.#delayMs)
  }

  #forward(from: Socket, to: Socket, octets: Buffer): void {
    if (!to.writable || to.write(octets)) return
    from.pause()
    to.once('drain', () => this.#frozen || from.resume())
  }
}
