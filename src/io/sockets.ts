// Sockets: of the server, opened, bound and closed by the main thread, used by the workers; and connected ones, of whoever asks others.
//
// Those of the server belong to the process, not to a worker: when a worker dies its socket keeps queueing, and the successor goes on
// from there. Every datagram socket and listener has SO_REUSEPORT: the kernel spreads clients over the workers,
// and a second process may bind the same address beside the first (an upgrade without a gap).

import { type IpAddress, parseAddress } from './addresses.ts'
import {
  AF_INET,
  AF_INET6,
  EINVAL,
  IP_MTU_DISCOVER,
  IP_PKTINFO,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_MTU_DISCOVER,
  IPV6_RECVPKTINFO,
  IPV6_V6ONLY,
  MEMINFO_DROPS,
  MEMINFO_WORDS,
  NAME_SIZE,
  namePort,
  PMTUDISC_OMIT,
  SO_MEMINFO,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SO_TIMESTAMPNS,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_SOCKET,
  SOL_UDP,
  UDP_GRO,
  writeName,
} from './layouts.ts'
import {
  bindSocket,
  closeDescriptor,
  connectSocket,
  getOption,
  listenOn,
  mapMemory,
  openSocket,
  raiseEvent,
  SystemError,
  setOption,
  socketName,
  viewMemory,
} from './libc.ts'
import { ListenError } from './listening.ts'

/** Connections the kernel may hold for us before they are accepted. */
const BACKLOG = 1024
/** Ports tried until one is free for both UDP and TCP, when the caller left the choice to the kernel (port 0). */
const PORT_ATTEMPTS = 20
// RFC 863: nobody sends from there, so a socket connected to it hears no one.
const DISCARD_PORT = 9

// Arguments that the kernel wants by address. One page for the main thread, made on first use, never given back.
const SCRATCH_LENGTH = 4096
const VALUE_OFFSET = 0
const LENGTH_OFFSET = 256
const NAME_OFFSET = 512
let scratchAddress = 0
let scratch = new Uint8Array(0)
let scratchWords = new Uint32Array(0)

function useScratch(): void {
  if (scratchAddress !== 0) return
  scratchAddress = mapMemory(SCRATCH_LENGTH)
  const memory = viewMemory(scratchAddress, SCRATCH_LENGTH)
  scratch = new Uint8Array(memory)
  scratchWords = new Uint32Array(memory)
}

/** One address and port, open: a datagram socket for each worker, and a listener. */
export interface BoundAddress {
  readonly address: IpAddress
  readonly port: number
  /** Descriptors, one a worker, in the order of the workers. */
  readonly datagramSockets: readonly number[]
  /** Descriptor of the TCP listener. */
  readonly listener: number
  /** Octets the kernel granted each receive buffer, by its own accounting (it doubles what it is asked for). */
  readonly receiveBufferBytes: number
}

/**
 * Opens and binds the sockets of one address.
 *
 * @param port  0 lets the kernel choose one that is free for both UDP and TCP
 * @param workers  datagram sockets to open
 * @param receiveBufferBytes  asked for each; what the system allows is reported in the result
 * @throws ListenError; nothing stays open
 */
export function bindAddress(text: string, port: number, workers: number, receiveBufferBytes: number): BoundAddress {
  const address = parseAddress(text)
  if (address === undefined) throw new ListenError(text, port, 'EINVAL')
  useScratch()
  for (let attempt = 1; ; attempt++) {
    const opened: number[] = []
    try {
      return bindBoth(address, port, workers, receiveBufferBytes, opened)
    } catch (error) {
      opened.forEach(closeDescriptor)
      if (!(error instanceof SystemError)) throw error
      if (port === 0 && error.code === 'EADDRINUSE' && attempt < PORT_ATTEMPTS) continue
      throw new ListenError(text, port, error.code)
    }
  }
}

function bindBoth(
  address: IpAddress,
  port: number,
  workers: number,
  receiveBufferBytes: number,
  opened: number[],
): BoundAddress {
  const chosen = port === 0 ? freePort(address) : port
  let granted = 0
  for (let worker = 0; worker < workers; worker++) {
    const socket = bindOne(address, chosen, SOCK_DGRAM, opened)
    granted = sizeBuffers(socket, receiveBufferBytes)
  }
  const listener = bindOne(address, chosen, SOCK_STREAM, opened)
  listenOn(listener, BACKLOG)
  return {
    address,
    port: chosen,
    datagramSockets: opened.slice(0, workers),
    listener,
    receiveBufferBytes: granted,
  }
}

// With SO_REUSEPORT the kernel would also choose a port that others share already: a socket without it finds one that nobody has.
function freePort(address: IpAddress): number {
  const socket = openSocket(address.family === 4 ? AF_INET : AF_INET6, SOCK_DGRAM)
  try {
    if (address.family === 6) demand(socket, IPPROTO_IPV6, IPV6_V6ONLY)
    const length = writeName(scratch, NAME_OFFSET, address.octets, 0, address.scope)
    bindSocket(socket, scratchAddress + NAME_OFFSET, length)
    return boundPort(socket)
  } finally {
    closeDescriptor(socket)
  }
}

function bindOne(address: IpAddress, port: number, type: number, opened: number[]): number {
  const socket = openSocket(address.family === 4 ? AF_INET : AF_INET6, type)
  opened.push(socket)
  demand(socket, SOL_SOCKET, SO_REUSEPORT)
  if (type === SOCK_STREAM) demand(socket, SOL_SOCKET, SO_REUSEADDR)
  if (address.family === 6) demand(socket, IPPROTO_IPV6, IPV6_V6ONLY)
  if (type === SOCK_DGRAM) prepareDatagrams(socket, address)
  const length = writeName(scratch, NAME_OFFSET, address.octets, port, address.scope)
  bindSocket(socket, scratchAddress + NAME_OFFSET, length)
  return socket
}

function prepareDatagrams(socket: number, address: IpAddress): void {
  if (address.family === 4) {
    if (address.wildcard) demand(socket, IPPROTO_IP, IP_PKTINFO)
    // Answers are small. Not believing ICMP about the path keeps forged reports from making us fragment them.
    setNumber(socket, IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_OMIT)
  } else {
    if (address.wildcard) demand(socket, IPPROTO_IPV6, IPV6_RECVPKTINFO)
    setNumber(socket, IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_OMIT)
  }
}

function setNumber(socket: number, level: number, name: number, value: number): number {
  scratchWords[VALUE_OFFSET / 4] = value
  return setOption(socket, level, name, scratchAddress + VALUE_OFFSET, 4)
}

function demand(socket: number, level: number, name: number): void {
  const result = setNumber(socket, level, name, 1)
  if (result < 0) throw new SystemError('setsockopt', -result)
}

// The FORCE forms pass the system's limit but need CAP_NET_ADMIN; the plain ones take what the limit leaves.
function sizeBuffers(socket: number, octets: number): number {
  if (setNumber(socket, SOL_SOCKET, SO_RCVBUFFORCE, octets) < 0) setNumber(socket, SOL_SOCKET, SO_RCVBUF, octets)
  if (setNumber(socket, SOL_SOCKET, SO_SNDBUFFORCE, octets) < 0) setNumber(socket, SOL_SOCKET, SO_SNDBUF, octets)
  return readOption(socket, SO_RCVBUF, 1) < 4 ? 0 : scratchWords[VALUE_OFFSET / 4]
}

// Reads words of an option into the scratch page. Returns the octets the kernel wrote, 0 on failure.
function readOption(socket: number, name: number, words: number): number {
  scratchWords[LENGTH_OFFSET / 4] = words * 4
  const result = getOption(socket, SOL_SOCKET, name, scratchAddress + VALUE_OFFSET, scratchAddress + LENGTH_OFFSET)
  return result < 0 ? 0 : Math.min(scratchWords[LENGTH_OFFSET / 4], words * 4)
}

function boundPort(socket: number): number {
  scratchWords[LENGTH_OFFSET / 4] = NAME_SIZE
  socketName(socket, scratchAddress + NAME_OFFSET, scratchAddress + LENGTH_OFFSET)
  return namePort(scratch, NAME_OFFSET)
}

/**
 * Datagrams the kernel dropped at this socket since it was opened, because the receive buffer was full.
 *
 * The counter that SO_RXQ_OVFL reports in control messages, asked for (SO_MEMINFO) instead of carried
 * by every datagram: exact even if nothing arrives after the loss, and free for the hot path.
 *
 * @returns 0..2^32-1; 0 where the kernel has no SO_MEMINFO (before Linux 4.12)
 */
export function receiveQueueDrops(socket: number): number {
  useScratch()
  return readOption(socket, SO_MEMINFO, MEMINFO_WORDS) > MEMINFO_DROPS * 4
    ? scratchWords[VALUE_OFFSET / 4 + MEMINFO_DROPS]
    : 0
}

/**
 * Takes a datagram socket out of its SO_REUSEPORT group: Linux passes over connected sockets when it picks a
 * member, so what arrives from now on goes to the others, another process's included. What is queued stays and can
 * be answered: a destination given with a message goes before the connected one.
 *
 * @returns 0, or a negative errno (no route to the machine itself): the socket then goes on receiving
 */
export function quiesceSocket(socket: number, address: IpAddress): number {
  useScratch()
  const self = address.wildcard ? loopback(address.family) : address.octets
  const length = writeName(scratch, NAME_OFFSET, self, DISCARD_PORT, address.scope)
  return connectSocket(socket, scratchAddress + NAME_OFFSET, length)
}

function loopback(family: 4 | 6): Uint8Array {
  if (family === 4) return Uint8Array.of(127, 0, 0, 1)
  const octets = new Uint8Array(16)
  octets[15] = 1
  return octets
}

/**
 * Opens a datagram socket that is connected to one peer; the system chooses its port.
 *
 * @param from  our own address, '' = the system's choice
 * @returns the descriptor; the caller closes it
 * @throws SystemError
 */
export function connectDatagrams(host: string, port: number, from = ''): number {
  const peer = parseAddress(host)
  const source = from === '' ? undefined : parseAddress(from)
  if (peer === undefined) throw new SystemError('connect', EINVAL)
  useScratch()
  const socket = openSocket(peer.family === 4 ? AF_INET : AF_INET6, SOCK_DGRAM)
  try {
    if (source !== undefined) {
      const length = writeName(scratch, NAME_OFFSET, source.octets, 0, source.scope)
      bindSocket(socket, scratchAddress + NAME_OFFSET, length)
    }
    const length = writeName(scratch, NAME_OFFSET, peer.octets, port, peer.scope)
    const result = connectSocket(socket, scratchAddress + NAME_OFFSET, length)
    if (result < 0) throw new SystemError('connect', -result)
    return socket
  } catch (error) {
    closeDescriptor(socket)
    throw error
  }
}

/**
 * The same for somebody who sends and receives in batches (src/io/datagram-client.ts).
 *
 * @param bufferBytes  asked for in both directions: what the system's limit leaves, or all of it with the right to
 * @param coalesces    takes several datagrams of the peer as one message (UDP_GRO), where the system can
 * @param isStamped    the kernel says when each came (SO_TIMESTAMPNS)
 */
export function openClient(
  host: string,
  port: number,
  bufferBytes: number,
  coalesces: boolean,
  isStamped = false,
): number {
  const socket = connectDatagrams(host, port)
  sizeBuffers(socket, bufferBytes)
  if (coalesces) setNumber(socket, SOL_UDP, UDP_GRO, 1)
  if (isStamped) setNumber(socket, SOL_SOCKET, SO_TIMESTAMPNS, 1)
  return socket
}

/** Wakes who waits for `event`. */
export function wake(event: number): void {
  useScratch()
  scratchWords[VALUE_OFFSET / 4] = 1
  scratchWords[VALUE_OFFSET / 4 + 1] = 0
  raiseEvent(event, scratchAddress + VALUE_OFFSET)
}

/** Closes everything `bindAddress` opened. */
export function closeBound(bound: BoundAddress): void {
  bound.datagramSockets.forEach(closeDescriptor)
  closeDescriptor(bound.listener)
}
