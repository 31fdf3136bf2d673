// Servers in this process that answer every query alike, over each transport: for tests of who asks.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createSecureServer, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo, Server, Socket } from 'node:net'
import { join } from 'node:path'

const TLS = join(import.meta.dirname, '../fixtures/tls')
/** For localhost and 127.0.0.1, of an authority that nobody trusts. */
export const certificate = {
  key: readFileSync(join(TLS, 'server-key.pem')),
  cert: readFileSync(join(TLS, 'server.pem')),
}
const closing: (() => unknown)[] = []

/** Ends them all. */
export async function closeServers(): Promise<void> {
  await Promise.all(closing.splice(0).map((close) => close()))
}

/** A response to a query: REFUSED, with its question. */
export function refused(query: Uint8Array): Uint8Array {
  const response = query.slice()
  response[2] |= 0x80
  response[3] = 5
  return response
}

/** @param answer  null = no answer */
export async function udpServer(answer: (query: Uint8Array, n: number) => Uint8Array | null): Promise<number> {
  const socket = createSocket('udp4')
  let n = 0
  socket.on('message', (query, { port, address }) => {
    const response = answer(query, n++)
    if (response !== null) socket.send(response, port, address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  closing.push(() => socket.close())
  return socket.address().port
}

export function streamListener(answer: (query: Uint8Array) => Uint8Array | null): (socket: Socket) => void {
  return (socket) => {
    socket.on('error', () => {})
    socket.on('data', (octets: Buffer) => {
      const response = answer(octets.subarray(2))
      if (response === null) return void socket.end()
      socket.setNoDelay()
      socket.write(Uint8Array.of(response.length >> 8, response.length))
      // In two pieces, as streams may have it.
      setTimeout(() => socket.write(response), 1)
    })
  }
}

export async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => {})))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return (server.address() as AddressInfo).port
}

export async function httpsServer(
  status: number,
  answer: (query: Uint8Array) => Uint8Array,
  type = 'application/dns-message',
): Promise<number> {
  const server = createSecureServer(certificate)
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    const parts: Buffer[] = []
    stream.on('error', () => {})
    stream.on('data', (part: Buffer) => parts.push(part))
    stream.on('end', () => {
      const isGood = headers[':path'] === '/dns-query' && headers['content-type'] === 'application/dns-message'
      stream.respond({ ':status': isGood ? status : 400, 'content-type': type })
      stream.end(answer(Buffer.concat(parts)))
    })
  })
  return await listen(server as unknown as Server)
}
