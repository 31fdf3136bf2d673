// The gate to the C library: every system call the server makes by itself, and the only file that names koffi.
//
// Memory safety ends here, so the rules are few and hard. All calls are synchronous. Arguments are integers: numbers, or
// addresses inside memory that was mapped at start and never moves. Every length passed to the kernel is clamped to
// what the caller mapped, every count that comes back is checked before anyone uses it, and whatever blocks has a time
// limit. Functions are defined once, when the module loads, so a thread that finished loading it is ready.
//
// Two ways to fail. Hot calls (one or more a batch) return a negative errno, as the kernel itself does: no exception,
// no allocation. Cold calls (start and stop) throw `SystemError`.

import { getSystemErrorMap } from 'node:util'
import koffi from 'koffi'

const library = koffi.load(null)

type Call = (...args: number[]) => number

function define(name: string, result: string, ...args: string[]): Call {
  return library.func(name, result, args) as unknown as Call
}

function defineIfThere(name: string, result: string, ...args: string[]): Call | undefined {
  try {
    return define(name, result, ...args)
  } catch {
    return undefined
  }
}

// Addresses are declared as integers, not as pointers: koffi then takes plain numbers (Linux keeps user addresses below
// 2^47 unless asked otherwise, so a double holds them exactly) and never allocates a BigInt.
const ADDRESS = 'intptr_t'
const socketCall = define('socket', 'int', 'int', 'int', 'int')
const setsockoptCall = define('setsockopt', 'int', 'int', 'int', 'int', ADDRESS, 'uint')
const getsockoptCall = define('getsockopt', 'int', 'int', 'int', 'int', ADDRESS, ADDRESS)
const bindCall = define('bind', 'int', 'int', ADDRESS, 'uint')
const connectCall = define('connect', 'int', 'int', ADDRESS, 'uint')
const listenCall = define('listen', 'int', 'int', 'int')
const getsocknameCall = define('getsockname', 'int', 'int', ADDRESS, ADDRESS)
const closeCall = define('close', 'int', 'int')
const fcntlCall = define('fcntl', 'int', 'int', 'int', 'int')
const recvmmsgCall = define('recvmmsg', 'int', 'int', ADDRESS, 'uint', 'int', ADDRESS)
const sendmmsgCall = define('sendmmsg', 'int', 'int', ADDRESS, 'uint', 'int')
const sendtoCall = define('sendto', ADDRESS, 'int', ADDRESS, 'size_t', 'int', ADDRESS, 'uint')
const pollCall = define('poll', 'int', ADDRESS, 'ulong', 'int')
const eventfdCall = define('eventfd', 'int', 'uint', 'int')
const readCall = define('read', ADDRESS, 'int', ADDRESS, 'size_t')
const writeCall = define('write', ADDRESS, 'int', ADDRESS, 'size_t')
const mmapCall = define('mmap', ADDRESS, ADDRESS, 'size_t', 'int', 'int', 'int', 'int64_t')
const munmapCall = define('munmap', 'int', ADDRESS, 'size_t')
const affinityCall = define('sched_setaffinity', 'int', 'int', 'size_t', ADDRESS)
const clockCall = define('clock_gettime', 'int', 'int', ADDRESS)
const madviseCall = define('madvise', 'int', ADDRESS, 'size_t', 'int')
// glibc's own: other C libraries have none.
const trimCall = defineIfThere('malloc_trim', 'int', 'size_t')

// The same on x86-64 and arm64, and used for nothing but the arguments of the calls in this file.
const CLOSE_ON_EXEC = 0o2000000
const NON_BLOCKING = 0o4000
const DONT_WAIT = 0x40
const NO_SIGNAL = 0x4000
const PROTECTION_READ_WRITE = 3
const MAP_PRIVATE_ANONYMOUS = 0x22
const F_DUPFD_CLOEXEC = 1030
const EPROTO = 71
const CLOCK_REALTIME = 0

/** Messages one `receiveMessages` or `sendMessages` may name (the kernel's own limit, UIO_MAXIOV). */
export const MESSAGES_MAX = 1024
/** Octets of one `mapMemory` (1 GiB); far more than any slab. */
export const MAPPING_MAX = 2 ** 30
/** Longest time, in milliseconds, that `waitForInput` blocks. */
export const WAIT_MAX_MS = 1000
const ADDRESS_LENGTH_MAX = 128
const DATAGRAM_MAX = 65535
const OPTION_LENGTH_MAX = 256

/** A system call that failed; `code` is the errno by name (`EADDRINUSE`), `errno` the positive number. */
export class SystemError extends Error {
  override readonly name = 'SystemError'
  readonly code: string
  readonly errno: number
  readonly syscall: string

  constructor(syscall: string, errno: number) {
    const [code, description] = getSystemErrorMap().get(-errno) ?? [`E${errno}`, `error ${errno}`]
    super(`${syscall}: ${description} (${code})`)
    this.code = code
    this.errno = errno
    this.syscall = syscall
  }
}

function checked(syscall: string, result: number): number {
  if (result < 0) throw new SystemError(syscall, koffi.errno())
  return result
}

// Written so that NaN comes out as `least`.
function clamp(value: number, least: number, most: number): number {
  return value >= least ? Math.min(value, most) : least
}

/**
 * Opens a non-blocking socket that is closed on exec.
 *
 * @param family  AF_INET or AF_INET6 (see layouts.ts)
 * @param type  SOCK_DGRAM or SOCK_STREAM
 * @returns the descriptor; the caller closes it
 * @throws SystemError
 */
export function openSocket(family: number, type: number): number {
  return checked('socket', socketCall(family, type | CLOSE_ON_EXEC | NON_BLOCKING, 0))
}

/**
 * setsockopt(2) with the value at `valueAddress`.
 *
 * @param length  octets of the value, clamped to 0..256
 * @returns 0, or a negative errno: whether a refusal matters is for the caller to say
 */
export function setOption(socket: number, level: number, name: number, valueAddress: number, length: number): number {
  return setsockoptCall(socket, level, name, valueAddress, clamp(length, 0, OPTION_LENGTH_MAX)) < 0 ? -koffi.errno() : 0
}

/**
 * getsockopt(2) into `valueAddress`; the 32-bit word at `lengthAddress` holds the capacity before and the length after.
 *
 * @returns 0, or a negative errno
 */
export function getOption(
  socket: number,
  level: number,
  name: number,
  valueAddress: number,
  lengthAddress: number,
): number {
  return getsockoptCall(socket, level, name, valueAddress, lengthAddress) < 0 ? -koffi.errno() : 0
}

/** bind(2) to the sockaddr at `nameAddress`. @throws SystemError */
export function bindSocket(socket: number, nameAddress: number, nameLength: number): void {
  checked('bind', bindCall(socket, nameAddress, clamp(nameLength, 0, ADDRESS_LENGTH_MAX)))
}

/** connect(2) to the sockaddr at `nameAddress`; at once for a datagram socket. @returns 0, or a negative errno */
export function connectSocket(socket: number, nameAddress: number, nameLength: number): number {
  return connectCall(socket, nameAddress, clamp(nameLength, 0, ADDRESS_LENGTH_MAX)) < 0 ? -koffi.errno() : 0
}

/** listen(2); the kernel caps `backlog` at net.core.somaxconn. @throws SystemError */
export function listenOn(socket: number, backlog: number): void {
  checked('listen', listenCall(socket, backlog))
}

/**
 * getsockname(2) into `nameAddress`; the 32-bit word at `lengthAddress` holds the capacity before and the length after.
 *
 * @throws SystemError
 */
export function socketName(socket: number, nameAddress: number, lengthAddress: number): void {
  checked('getsockname', getsocknameCall(socket, nameAddress, lengthAddress))
}

/** Another descriptor of the same open socket, closed on exec; the caller closes it. @throws SystemError */
export function duplicate(descriptor: number): number {
  return checked('fcntl', fcntlCall(descriptor, F_DUPFD_CLOEXEC, 0))
}

/** close(2). Errors are of no use to anyone: on Linux the descriptor is gone either way. */
export function closeDescriptor(descriptor: number): void {
  closeCall(descriptor)
}

/**
 * recvmmsg(2), never waiting.
 *
 * @param headersAddress  first of at least `slots` mmsghdr
 * @param slots  clamped to 0..1024
 * @returns messages received (0..slots), or a negative errno; -EPROTO when the kernel claims more than it was given
 */
export function receiveMessages(socket: number, headersAddress: number, slots: number): number {
  const limit = clamp(slots, 0, MESSAGES_MAX)
  const count = recvmmsgCall(socket, headersAddress, limit, DONT_WAIT, 0)
  return count < 0 ? -koffi.errno() : count <= limit ? count : -EPROTO
}

/**
 * sendmmsg(2), never waiting.
 *
 * @param headersAddress  first of at least `slots` mmsghdr
 * @param slots  clamped to 0..1024
 * @returns messages sent (0..slots: the kernel stops at the first that fails), or a negative errno of the first;
 *   -EPROTO when the kernel claims more than it was given
 */
export function sendMessages(socket: number, headersAddress: number, slots: number): number {
  const limit = clamp(slots, 0, MESSAGES_MAX)
  const count = sendmmsgCall(socket, headersAddress, limit, DONT_WAIT | NO_SIGNAL)
  return count < 0 ? -koffi.errno() : count <= limit ? count : -EPROTO
}

/** sendto(2) of one datagram, never waiting. @returns octets sent, or a negative errno */
export function sendDatagram(
  socket: number,
  address: number,
  length: number,
  nameAddress: number,
  nameLength: number,
): number {
  const limit = clamp(length, 0, DATAGRAM_MAX)
  const nameLimit = clamp(nameLength, 0, ADDRESS_LENGTH_MAX)
  const sent = sendtoCall(socket, address, limit, DONT_WAIT | NO_SIGNAL, nameAddress, nameLimit)
  return sent < 0 ? -koffi.errno() : sent <= limit ? sent : -EPROTO
}

/**
 * poll(2): blocks until something is ready or the time is over.
 *
 * Not epoll: a socket in an epoll set pays for being watched with every datagram it sends, also while nobody waits
 * (the kernel wakes the set each time the send buffer has room again), 7 to 9 % of all CPU time at saturation.
 *
 * @param watchesAddress  `watches` pollfd structures
 * @param watches  clamped to 1..1024
 * @param timeoutMs  clamped to 0..WAIT_MAX_MS
 * @returns ready descriptors (0..watches), or a negative errno (-EINTR now and then); -EPROTO for an impossible count
 */
export function waitForInput(watchesAddress: number, watches: number, timeoutMs: number): number {
  const limit = clamp(watches, 1, MESSAGES_MAX)
  const count = pollCall(watchesAddress, limit, clamp(timeoutMs, 0, WAIT_MAX_MS))
  return count < 0 ? -koffi.errno() : count <= limit ? count : -EPROTO
}

/** A non-blocking eventfd with counter 0; the caller closes it. @throws SystemError */
export function openEvent(): number {
  return checked('eventfd', eventfdCall(0, CLOSE_ON_EXEC | NON_BLOCKING))
}

/** Adds the 64-bit number at `valueAddress` to an eventfd: wakes who waits. @returns 8, or a negative errno */
export function raiseEvent(event: number, valueAddress: number): number {
  const written = writeCall(event, valueAddress, 8)
  return written < 0 ? -koffi.errno() : written
}

/** Reads an eventfd into the 8 octets at `valueAddress` and so resets it. @returns 8, or a negative errno */
export function clearEvent(event: number, valueAddress: number): number {
  const got = readCall(event, valueAddress, 8)
  return got < 0 ? -koffi.errno() : got
}

/**
 * Maps zeroed private memory, page-aligned. The address means the same in every thread of the process, and the memory
 * outlives the thread that asked for it.
 *
 * @param length  octets, 1..MAPPING_MAX
 * @throws SystemError (EINVAL for a length out of range, ENOMEM)
 */
export function mapMemory(length: number): number {
  if (!(length >= 1 && length <= MAPPING_MAX)) throw new SystemError('mmap', koffi.os.errno.EINVAL)
  return checked('mmap', mmapCall(0, length, PROTECTION_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0))
}

/** Gives memory back. No view made over it (`viewMemory`) may be touched afterwards, in any thread. */
export function unmapMemory(address: number, length: number): void {
  munmapCall(address, length)
}

/** Address of the first octet of memory that never moves: a SharedArrayBuffer's. */
export function addressOfShared(buffer: SharedArrayBuffer): number {
  return Number(koffi.address(new Uint8Array(buffer)))
}

/** madvise(2) on whole pages; advice is advice. @returns 0, or a negative errno */
export function adviseMemory(address: number, length: number, advice: number): number {
  return madviseCall(address, length, advice) < 0 ? -koffi.errno() : 0
}

/**
 * The mapped octets as an ArrayBuffer, without a copy; any thread may ask for its own.
 *
 * @param address  what `mapMemory` returned, or within it
 * @param length  octets; must stay inside the mapping, which must outlive every use of the view
 */
export function viewMemory(address: number, length: number): ArrayBuffer {
  return koffi.view(BigInt(address), clamp(length, 0, MAPPING_MAX))
}

/** clock_gettime(2): the time of day into the timespec of 16 octets at that address. */
export function readTimeOfDay(timespecAddress: number): void {
  clockCall(CLOCK_REALTIME, timespecAddress)
}

/** sched_setaffinity(2) of the calling thread, by the mask of `length` octets at `maskAddress`. @throws SystemError */
export function setAffinity(maskAddress: number, length: number): void {
  checked('sched_setaffinity', affinityCall(0, clamp(length, 0, ADDRESS_LENGTH_MAX), maskAddress))
}

/** malloc_trim(3): gives the free pages of the C heap back to the kernel, where the C library can. */
export function trimHeap(): void {
  trimCall?.(0)
}
