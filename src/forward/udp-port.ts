// A datagram socket connected to one upstream, in two ways: node:dgram, which works everywhere, and the thread's reactor (io/reactor.ts), which takes
// half the CPU time and a fraction of the memory. Not here: what is sent and who is answered (udp-socket.ts).

import { createSocket } from 'node:dgram'
import { addressAndPort } from '../io/addresses.ts'
import type { Reactor } from '../io/reactor.ts'

/** Where an upstream is, and how it is reached. */
export interface Peer {
  readonly host: string
  readonly port: number
  readonly family: 4 | 6
  /** Our own address; '' = the system's choice. */
  readonly sourceAddress: string
}

/** What a port tells its owner; never before the function that opens it, or send(), has returned. */
export interface UdpPortEvents {
  /** What was not open yet is. */
  opened(): void
  /** `message` is good during the call. Of one that was too long only the first octets are there, and TC is set. */
  received(message: Uint8Array, at: number, length: number): void
  failed(error: Error): void
}

export interface UdpPort {
  /** false: opened() follows, nothing can be sent before. */
  readonly isOpen: boolean
  send(message: Uint8Array): void
  /** Whether answers are waited for. */
  await(isAwaited: boolean): void
  /** Its own address and port, as text. */
  own(): string
  close(): void
}

/** Opens a port. @throws what is wrong, if that shows at once */
export type OpenUdpPort = (peer: Peer, events: UdpPortEvents) => UdpPort

const COUNTS_END = 12

/** By node:dgram. */
export const openNodePort: OpenUdpPort = (peer, events) => {
  const { host, port, family, sourceAddress } = peer
  const socket = createSocket({
    type: family === 4 ? 'udp4' : 'udp6',
    // An address is its own; the default would ask the system in another thread.
    lookup: (name, _options, found) => found(null, name, family),
  })
  socket.on('error', (error) => events.failed(error))
  socket.on('message', (message) => events.received(message, 0, message.length))
  socket.on('connect', () => events.opened())
  if (sourceAddress === '') socket.connect(port, host)
  else socket.bind({ address: sourceAddress, port: 0, exclusive: true }, () => socket.connect(port, host))
  const afterSend = (error: Error | null): void => {
    if (error !== null) events.failed(error)
  }
  return {
    isOpen: false,
    send: (message) => socket.send(message, afterSend),
    await: () => {},
    own: () => {
      try {
        const { address, port: own } = socket.address()
        return addressAndPort(address, own)
      } catch {
        return addressAndPort(family === 4 ? '0.0.0.0' : '::', 0)
      }
    },
    close: () => socket.close(),
  }
}

/** By a reactor, while it has room. */
export function reactorPorts(reactor: Reactor): OpenUdpPort {
  return (peer, events) => {
    if (reactor.isFull) return openNodePort(peer, events)
    const { host, port, sourceAddress } = peer
    const socket = reactor.connect(host, port, sourceAddress, {
      received: (bytes, at, length, isCut) => {
        if (isCut) cut(bytes, at)
        events.received(bytes, at, length)
      },
      failed: (error) => events.failed(error),
    })
    return {
      isOpen: true,
      send: (message) => {
        const error = socket.send(message)
        if (error !== null) queueMicrotask(() => events.failed(error))
      },
      await: (isAwaited) => socket.await(isAwaited),
      own: () => ownOf(socket.name()),
      close: () => socket.close(),
    }
  }
}

/** A message that did not fit becomes one without records, and TC (Corefile reference 5.6). */
function cut(bytes: Uint8Array, at: number): void {
  bytes[at + 2] |= 0x02
  for (let i = 6; i < COUNTS_END; i++) bytes[at + i] = 0
}

function ownOf({ octets, port }: { readonly octets: Uint8Array; readonly port: number }): string {
  if (octets.length === 4) return addressAndPort(octets.join('.'), port)
  const groups = Array.from({ length: 8 }, (_, i) => ((octets[2 * i] << 8) | octets[2 * i + 1]).toString(16))
  return addressAndPort(new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1), port)
}
