// C structures of the Linux socket calls, 64-bit little-endian (x86-64 and arm64), and the constants that go with them.
//
// The only file that knows an offset inside a C structure; a test compares all of them with what the C compiler says.
// Structures are read and written through a Uint32Array over the mapped memory. `header`, `vector`, `control`, `event`
// and `name` are indexes of 32-bit words in it, from its start; addresses are the kernel's.

/** Whether this file is right for the platform at hand. */
export const SUPPORTED = process.platform === 'linux' && (process.arch === 'x64' || process.arch === 'arm64')

/** Octets of `struct mmsghdr`. */
export const HEADER_SIZE = 64
/** Octets of `struct iovec`. */
export const VECTOR_SIZE = 16
/** Octets of the longer of `struct sockaddr_in` (16) and `sockaddr_in6` (28), rounded up to a multiple of 8. */
export const NAME_SIZE = 32
/** Octets of one control message that holds a `struct in6_pktinfo` (40) or `in_pktinfo` (32): CMSG_SPACE. */
export const CONTROL_SIZE = 40
/** Octets of the control messages that a client may be given: a stamp (SO_TIMESTAMPNS) and a length (UDP_GRO). */
export const RECEIVE_CONTROL_SIZE = 56

// struct pollfd: int fd, short events, short revents.
const WATCH_WORDS = 2
/** Octets of `struct pollfd`. */
export const WATCH_SIZE = WATCH_WORDS * 4

/** Constants of the socket calls: the same numbers on x86-64 and arm64. */
export const SOCK_STREAM = 1
export const SOCK_DGRAM = 2
export const AF_INET = 2
export const AF_INET6 = 10
export const SOL_SOCKET = 1
export const SO_REUSEADDR = 2
export const SO_SNDBUF = 7
export const SO_RCVBUF = 8
export const SO_REUSEPORT = 15
export const SO_SNDBUFFORCE = 32
export const SO_RCVBUFFORCE = 33
export const SO_MEMINFO = 55
export const IPPROTO_IP = 0
export const IP_PKTINFO = 8
export const IP_MTU_DISCOVER = 10
export const IPPROTO_IPV6 = 41
export const IPV6_MTU_DISCOVER = 23
export const IPV6_V6ONLY = 26
export const IPV6_RECVPKTINFO = 49
export const IPV6_PKTINFO = 50
export const PMTUDISC_OMIT = 5
export const SOL_UDP = 17
export const UDP_SEGMENT = 103
export const UDP_GRO = 104
/** Also the type of the control message. */
export const SO_TIMESTAMPNS = 35
export const MSG_CTRUNC = 0x08
export const MSG_TRUNC = 0x20
const POLLIN = 1
export const MADV_DONTNEED = 4
export const MADV_HUGEPAGE = 14
/** Index of the dropped-packets counter in the array of 32-bit words that SO_MEMINFO returns. */
export const MEMINFO_DROPS = 8
/** Words of that array. */
export const MEMINFO_WORDS = 9

/** errno values that a loop tells apart (asm-generic: x86-64 and arm64 agree). */
export const EPERM = 1
export const EINTR = 4
export const EAGAIN = 11
export const EINVAL = 22
export const EMFILE = 24
export const EMSGSIZE = 90
export const ENOBUFS = 105
export const ECONNREFUSED = 111

//              struct mmsghdr, as 16 words
//  +0  msg_name (address)     +2  msg_namelen   +3  padding
//  +4  msg_iov (address)      +6  msg_iovlen (64 bits)
//  +8  msg_control (address)  +10 msg_controllen (64 bits)
//  +12 msg_flags              +13 padding
//  +14 msg_len                +15 padding
const MSG_NAME = 0
const MSG_NAMELEN = 2
const MSG_IOV = 4
const MSG_IOVLEN = 6
const MSG_CONTROL = 8
const MSG_CONTROLLEN = 10
const MSG_FLAGS = 12
const MSG_LEN = 14
//              struct iovec, as 4 words: +0 iov_base (address), +2 iov_len (64 bits)
const IOV_BASE = 0
const IOV_LEN = 2
//              struct cmsghdr, as 4 words: +0 cmsg_len (64 bits), +2 cmsg_level, +3 cmsg_type; the data follow
const CMSG_LEN = 0
const CMSG_LEVEL = 2
const CMSG_TYPE = 3
const CMSG_DATA = 4
//              struct in_pktinfo: +0 ipi_ifindex, +1 ipi_spec_dst, +2 ipi_addr
//              struct in6_pktinfo: +0 ipi6_addr (4 words), +4 ipi6_ifindex
const PKTINFO_SIZE = 12
const PKTINFO_IFINDEX = 0
const PKTINFO_ADDR = 2
const PKTINFO6_SIZE = 20
const PKTINFO6_IFINDEX = 4
const CMSG_HEADER_SIZE = 16
// CMSG_SPACE of the 16-bit number that goes with UDP_SEGMENT.
const SEGMENT_CONTROL_SIZE = 24
//              struct timespec, as 4 words: +0 tv_sec (64 bits), +2 tv_nsec (64 bits)
/** Octets of `struct timespec`. */
export const TIMESPEC_SIZE = 16
const TV_NSEC = 2
//              struct sockaddr_in and sockaddr_in6 in octets: +0 family (16 bits), +2 port (big-endian);
//              IPv4: +4 address, 16 in all; IPv6: +4 flow, +8 address, +24 scope, 28 in all
const SIN_PORT = 2
const SIN_ADDR = 4
const SIN_SIZE = 16
const SIN6_ADDR = 8
const SIN6_SCOPE = 24
const SIN6_SIZE = 28

const TWO_TO_32 = 2 ** 32

function writeAddress(words: Uint32Array, at: number, address: number): void {
  words[at] = address >>> 0
  words[at + 1] = Math.floor(address / TWO_TO_32)
}

/**
 * Writes a whole mmsghdr with one iovec.
 *
 * @param controlAddress  room for control messages, or 0 for none
 * @param controlLength  octets at `controlAddress`
 */
export function writeHeader(
  words: Uint32Array,
  header: number,
  nameAddress: number,
  nameLength: number,
  vectorAddress: number,
  controlAddress: number,
  controlLength: number,
): void {
  words.fill(0, header, header + HEADER_SIZE / 4)
  writeAddress(words, header + MSG_NAME, nameAddress)
  words[header + MSG_NAMELEN] = nameLength
  writeAddress(words, header + MSG_IOV, vectorAddress)
  words[header + MSG_IOVLEN] = 1
  writeAddress(words, header + MSG_CONTROL, controlAddress)
  words[header + MSG_CONTROLLEN] = controlLength
}

/** Writes a whole iovec. */
export function writeVector(words: Uint32Array, vector: number, baseAddress: number, length: number): void {
  writeAddress(words, vector + IOV_BASE, baseAddress)
  setVectorLength(words, vector, length)
}

/** iov_len: octets the kernel may write (receiving) or is to send. Below 2^32: the upper word is never touched. */
export function setVectorLength(words: Uint32Array, vector: number, length: number): void {
  words[vector + IOV_LEN] = length
}

/** iov_len as last set. */
export function vectorLength(words: Uint32Array, vector: number): number {
  return words[vector + IOV_LEN]
}

/** msg_len: octets of the datagram received, as the kernel claims (check it against the buffer). */
export function messageLength(words: Uint32Array, header: number): number {
  return words[header + MSG_LEN]
}

/** msg_flags of a message received: MSG_TRUNC, MSG_CTRUNC. */
export function messageFlags(words: Uint32Array, header: number): number {
  return words[header + MSG_FLAGS]
}

/** msg_namelen: octets of the peer's address, as the kernel claims. */
export function nameLength(words: Uint32Array, header: number): number {
  return words[header + MSG_NAMELEN]
}

/** Sets msg_namelen: the room for a peer's address before receiving. */
export function setNameLength(words: Uint32Array, header: number, length: number): void {
  words[header + MSG_NAMELEN] = length
}

/** msg_controllen: octets of control messages, as the kernel claims. */
export function controlLength(words: Uint32Array, header: number): number {
  return words[header + MSG_CONTROLLEN]
}

/** Sets msg_controllen: the room for control messages before receiving, or the octets to send. */
export function setControlLength(words: Uint32Array, header: number, length: number): void {
  words[header + MSG_CONTROLLEN] = length
}

/**
 * Makes a received IP_PKTINFO or IPV6_PKTINFO message fit for sending: the answer leaves from the address that was
 * asked, by whatever interface the routes say (a link-local address keeps its interface: it has no meaning without).
 *
 * @param control  word index of the control buffer, CONTROL_SIZE octets
 * @param length  msg_controllen as received
 * @returns octets of control messages to send: 0 when the first message is not packet information of the right size
 * @see ip(7) and ipv6(7), RFC 3542 §6.2
 */
export function replyControl(words: Uint32Array, control: number, length: number): number {
  if (length < CMSG_HEADER_SIZE + PKTINFO_SIZE || length > CONTROL_SIZE) return 0
  const level = words[control + CMSG_LEVEL]
  const type = words[control + CMSG_TYPE]
  const size = words[control + CMSG_LEN] - CMSG_HEADER_SIZE
  const data = control + CMSG_DATA
  if (level === IPPROTO_IP && type === IP_PKTINFO && size === PKTINFO_SIZE) {
    words[data + PKTINFO_IFINDEX] = 0
    return length
  }
  if (level === IPPROTO_IPV6 && type === IPV6_PKTINFO && size === PKTINFO6_SIZE && length === CONTROL_SIZE) {
    // fe80::/10, read as a little-endian word.
    if ((words[data] & 0xc0ff) !== 0x80fe) words[data + PKTINFO6_IFINDEX] = 0
    return length
  }
  return 0
}

/**
 * Makes a message of several vectors that the kernel cuts into datagrams: writes its control message (UDP_SEGMENT).
 *
 * @param control  word index of room for CONTROL_SIZE octets, that the header names
 * @param vectors  iovecs of the message, adjacent from the one its header names on
 * @param segmentLength  octets of each datagram but the last, which may be shorter
 */
export function writeSegments(
  words: Uint32Array,
  header: number,
  control: number,
  vectors: number,
  segmentLength: number,
): void {
  words[control + CMSG_LEN] = CMSG_HEADER_SIZE + 2
  words[control + CMSG_LEN + 1] = 0
  words[control + CMSG_LEVEL] = SOL_UDP
  words[control + CMSG_TYPE] = UDP_SEGMENT
  words[control + CMSG_DATA] = segmentLength
  words[header + MSG_IOVLEN] = vectors
  words[header + MSG_CONTROLLEN] = SEGMENT_CONTROL_SIZE
}

/** Octets of each datagram, but the last, that were received as one message (UDP_GRO); 0 if it is a single one. */
export function receivedSegment(words: Uint32Array, header: number, control: number): number {
  const data = findControl(words, header, control, SOL_UDP, UDP_GRO, 4)
  return data < 0 ? 0 : words[data]
}

/** Word index of a received message's stamp (SO_TIMESTAMPNS), a struct timespec by the time of day. Negative if it has none. */
export function receivedStamp(words: Uint32Array, header: number, control: number): number {
  return findControl(words, header, control, SOL_SOCKET, SO_TIMESTAMPNS, TIMESPEC_SIZE)
}

/** Seconds of the struct timespec at a word index, the lower 32 bits. */
export function timeSeconds(words: Uint32Array, time: number): number {
  return words[time]
}

/** Nanoseconds of the struct timespec at a word index, 0..999,999,999. */
export function timeNanoseconds(words: Uint32Array, time: number): number {
  return words[time + TV_NSEC]
}

/** @returns word index of the data of a control message that was received, with at least so many octets; negative: there is none */
function findControl(
  words: Uint32Array,
  header: number,
  control: number,
  level: number,
  type: number,
  octets: number,
): number {
  const end = control + Math.min(words[header + MSG_CONTROLLEN], RECEIVE_CONTROL_SIZE) / 4
  for (let at = control; at + CMSG_DATA < end; ) {
    const length = words[at + CMSG_LEN]
    if (length < CMSG_HEADER_SIZE || length > (end - at) * 4) break
    if (words[at + CMSG_LEVEL] === level && words[at + CMSG_TYPE] === type)
      return length >= CMSG_HEADER_SIZE + octets ? at + CMSG_DATA : -1
    at += ((length + 7) >>> 3) * 2
  }
  return -1
}

/** Writes the `index`-th pollfd of an array that starts at word `watches`: `descriptor` is watched for input. */
export function writeWatch(words: Uint32Array, watches: number, index: number, descriptor: number): void {
  words[watches + index * WATCH_WORDS] = descriptor
  words[watches + index * WATCH_WORDS + 1] = POLLIN
}

/** Does the `index`-th pollfd say that there is something, be it an error? */
export function isReady(words: Uint32Array, watches: number, index: number): boolean {
  return words[watches + index * WATCH_WORDS + 1] >>> 16 !== 0
}

/**
 * Writes a sockaddr_in (4 octets of address) or sockaddr_in6 (16 octets).
 *
 * @param at  octet offset in `bytes`, with room for NAME_SIZE
 * @param port  0..65535
 * @param scope  interface index of a link-local IPv6 address, else 0
 * @returns octets of the structure
 */
export function writeName(bytes: Uint8Array, at: number, octets: Uint8Array, port: number, scope: number): number {
  const ipv4 = octets.length === 4
  const length = ipv4 ? SIN_SIZE : SIN6_SIZE
  bytes.fill(0, at, at + NAME_SIZE)
  bytes[at] = ipv4 ? AF_INET : AF_INET6
  bytes[at + SIN_PORT] = port >>> 8
  bytes[at + SIN_PORT + 1] = port & 0xff
  bytes.set(octets, at + (ipv4 ? SIN_ADDR : SIN6_ADDR))
  if (!ipv4) new DataView(bytes.buffer, bytes.byteOffset + at).setUint32(SIN6_SCOPE, scope, true)
  return length
}

/** The port of a sockaddr_in or sockaddr_in6 at octet offset `at`. */
export function namePort(bytes: Uint8Array, at: number): number {
  return (bytes[at + SIN_PORT] << 8) | bytes[at + SIN_PORT + 1]
}

/** Copies the address out of the sockaddr at `bytes[at]`. @returns its octets, 4 or 16; 0 for another family */
export function readNameAddress(bytes: Uint8Array, at: number, into: Uint8Array): number {
  const family = bytes[at] | (bytes[at + 1] << 8)
  const length = family === AF_INET ? 4 : family === AF_INET6 ? 16 : 0
  const from = at + (length === 4 ? SIN_ADDR : SIN6_ADDR)
  for (let i = 0; i < length; i++) into[i] = bytes[from + i]
  return length
}

/** Copies the address that a datagram was sent to out of the control message at `bytes[at]`. @returns its octets, 0 if it is not there */
export function readControlAddress(bytes: Uint8Array, words: Uint32Array, control: number, into: Uint8Array): number {
  const level = words[control + CMSG_LEVEL]
  const type = words[control + CMSG_TYPE]
  const isIpv4 = level === IPPROTO_IP && type === IP_PKTINFO
  if (!isIpv4 && !(level === IPPROTO_IPV6 && type === IPV6_PKTINFO)) return 0
  const length = isIpv4 ? 4 : 16
  const from = (control + CMSG_DATA + (isIpv4 ? PKTINFO_ADDR : 0)) * 4
  for (let i = 0; i < length; i++) into[i] = bytes[from + i]
  return length
}

/**
 * Every size, offset and constant above, by its C expression: what the test asks the C compiler about.
 */
export const PROBES: readonly (readonly [expression: string, value: number])[] = [
  ['sizeof(struct mmsghdr)', HEADER_SIZE],
  ['offsetof(struct mmsghdr, msg_hdr.msg_name)', MSG_NAME * 4],
  ['offsetof(struct mmsghdr, msg_hdr.msg_namelen)', MSG_NAMELEN * 4],
  ['offsetof(struct mmsghdr, msg_hdr.msg_iov)', MSG_IOV * 4],
  ['offsetof(struct mmsghdr, msg_hdr.msg_iovlen)', MSG_IOVLEN * 4],
  ['offsetof(struct mmsghdr, msg_hdr.msg_control)', MSG_CONTROL * 4],
  ['offsetof(struct mmsghdr, msg_hdr.msg_controllen)', MSG_CONTROLLEN * 4],
  ['offsetof(struct mmsghdr, msg_hdr.msg_flags)', MSG_FLAGS * 4],
  ['offsetof(struct mmsghdr, msg_len)', MSG_LEN * 4],
  ['sizeof(struct iovec)', VECTOR_SIZE],
  ['offsetof(struct iovec, iov_base)', IOV_BASE * 4],
  ['offsetof(struct iovec, iov_len)', IOV_LEN * 4],
  ['sizeof(struct cmsghdr)', CMSG_HEADER_SIZE],
  ['offsetof(struct cmsghdr, cmsg_len)', CMSG_LEN * 4],
  ['offsetof(struct cmsghdr, cmsg_level)', CMSG_LEVEL * 4],
  ['offsetof(struct cmsghdr, cmsg_type)', CMSG_TYPE * 4],
  ['CMSG_LEN(0)', CMSG_DATA * 4],
  ['CMSG_SPACE(sizeof(struct in6_pktinfo))', CONTROL_SIZE],
  ['sizeof(struct in_pktinfo)', PKTINFO_SIZE],
  ['offsetof(struct in_pktinfo, ipi_ifindex)', PKTINFO_IFINDEX * 4],
  ['sizeof(struct in6_pktinfo)', PKTINFO6_SIZE],
  ['offsetof(struct in6_pktinfo, ipi6_ifindex)', PKTINFO6_IFINDEX * 4],
  ['sizeof(struct sockaddr_in)', SIN_SIZE],
  ['offsetof(struct sockaddr_in, sin_port)', SIN_PORT],
  ['offsetof(struct sockaddr_in, sin_addr)', SIN_ADDR],
  ['sizeof(struct sockaddr_in6)', SIN6_SIZE],
  ['offsetof(struct sockaddr_in6, sin6_port)', SIN_PORT],
  ['offsetof(struct sockaddr_in6, sin6_addr)', SIN6_ADDR],
  ['offsetof(struct sockaddr_in6, sin6_scope_id)', SIN6_SCOPE],
  ['sizeof(struct pollfd)', WATCH_SIZE],
  ['offsetof(struct pollfd, events)', 4],
  ['offsetof(struct pollfd, revents)', 6],
  ['SOCK_STREAM', SOCK_STREAM],
  ['SOCK_DGRAM', SOCK_DGRAM],
  ['AF_INET', AF_INET],
  ['AF_INET6', AF_INET6],
  ['SOL_SOCKET', SOL_SOCKET],
  ['SO_REUSEADDR', SO_REUSEADDR],
  ['SO_SNDBUF', SO_SNDBUF],
  ['SO_SNDBUFFORCE', SO_SNDBUFFORCE],
  ['SO_RCVBUF', SO_RCVBUF],
  ['SO_REUSEPORT', SO_REUSEPORT],
  ['SO_RCVBUFFORCE', SO_RCVBUFFORCE],
  ['SO_MEMINFO', SO_MEMINFO],
  ['SK_MEMINFO_DROPS', MEMINFO_DROPS],
  ['SK_MEMINFO_VARS', MEMINFO_WORDS],
  ['IPPROTO_IP', IPPROTO_IP],
  ['IP_PKTINFO', IP_PKTINFO],
  ['IP_MTU_DISCOVER', IP_MTU_DISCOVER],
  ['IPPROTO_IPV6', IPPROTO_IPV6],
  ['IPV6_MTU_DISCOVER', IPV6_MTU_DISCOVER],
  ['IPV6_V6ONLY', IPV6_V6ONLY],
  ['IPV6_RECVPKTINFO', IPV6_RECVPKTINFO],
  ['IPV6_PKTINFO', IPV6_PKTINFO],
  ['IP_PMTUDISC_OMIT', PMTUDISC_OMIT],
  ['SOL_UDP', SOL_UDP],
  ['UDP_SEGMENT', UDP_SEGMENT],
  ['UDP_GRO', UDP_GRO],
  ['SO_TIMESTAMPNS', SO_TIMESTAMPNS],
  ['SCM_TIMESTAMPNS', SO_TIMESTAMPNS],
  ['sizeof(struct timespec)', TIMESPEC_SIZE],
  ['offsetof(struct timespec, tv_nsec)', TV_NSEC * 4],
  ['sizeof((struct timespec){0}.tv_nsec)', 8],
  ['CMSG_SPACE(sizeof(struct timespec)) + CMSG_SPACE(sizeof(int))', RECEIVE_CONTROL_SIZE],
  ['CMSG_LEN(sizeof(uint16_t))', CMSG_HEADER_SIZE + 2],
  ['CMSG_SPACE(sizeof(uint16_t))', SEGMENT_CONTROL_SIZE],
  ['MSG_CTRUNC', MSG_CTRUNC],
  ['MSG_TRUNC', MSG_TRUNC],
  ['POLLIN', POLLIN],
  ['MADV_DONTNEED', MADV_DONTNEED],
  ['EPERM', EPERM],
  ['EINTR', EINTR],
  ['EAGAIN', EAGAIN],
  ['EINVAL', EINVAL],
  ['EMFILE', EMFILE],
  ['EMSGSIZE', EMSGSIZE],
  ['ENOBUFS', ENOBUFS],
  ['ECONNREFUSED', ECONNREFUSED],
]
