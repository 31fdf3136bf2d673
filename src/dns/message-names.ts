// Names of messages as a whole: out of a packet, and into one with compression. Letter case is kept. RFC 1035 §3.1, §4.1.4.
// Not here: the in-place reader of the query path (question.ts).

import { LABEL_LENGTH_MAX, labelsOfText, NAME_LENGTH_MAX, NameError, wireLength } from './name.ts'

/** A message that breaks off, points astray, or cannot be written. */
export class MessageError extends Error {
  readonly code = 'BAD_MESSAGE'
}

const HEADER_LENGTH = 12
const POINTER = 0xc0
const POINTER_TARGET_MAX = 0x3fff

/**
 * Copies the name at packet[at], uncompressed, into `wire`, which has room for 255 octets.
 *
 * Pointers must lead strictly backwards and not into the header, so that no chain of them is endless.
 * @param start  of the message: what pointers count from
 * @param end    first octet that is not the message's
 * @returns the first octet behind the name in the packet
 * @throws MessageError
 */
export function expandName(packet: Uint8Array, start: number, at: number, end: number, wire: Uint8Array): number {
  let behind = 0
  let bound = at
  let length = 0
  for (;;) {
    if (at >= end) throw new MessageError('a name breaks off')
    const octet = packet[at]
    if (octet <= LABEL_LENGTH_MAX) {
      const next = at + octet + 1
      if (next > end) throw new MessageError('a name breaks off')
      if (octet > 0 && length + octet + 2 > NAME_LENGTH_MAX) {
        throw new MessageError(`a name is over ${NAME_LENGTH_MAX} octets`)
      }
      while (at < next) wire[length++] = packet[at++]
      if (octet === 0) return behind === 0 ? at : behind
      continue
    }
    if (octet < POINTER) throw new MessageError(`a label is of type ${octet >> 6}`)
    if (at + 2 > end) throw new MessageError('a name breaks off')
    if (behind === 0) behind = at + 2
    const target = start + ((octet & 0x3f) << 8) + packet[at + 1]
    if (target >= bound || target < start + HEADER_LENGTH) throw new MessageError('a compression pointer leads astray')
    bound = target
    at = target
  }
}

/**
 * Wire form of a name in presentation format, letter case as it is, root octet included. A missing final dot is taken as written.
 * @throws NameError
 */
export function wireOfName(name: string): Uint8Array {
  const labels = labelsOfText(name)
  const wire = new Uint8Array(wireLength(labels))
  let at = 0
  for (const label of labels) {
    wire[at++] = label.length
    for (let i = 0; i < label.length; i++) {
      const octet = label.charCodeAt(i)
      if (octet > 255) throw new NameError(`name '${name}' has a character that is no octet`)
      wire[at++] = octet
    }
  }
  return wire
}

/** Writes names into one message and remembers where their ends lie, so that later ones point there. */
export class NameCompressor {
  readonly #target: Uint8Array
  readonly #start: number
  /** Wire form of an end of a name, an octet a character -> its offset from the start of the message. Case counts: a name comes back as it was. */
  readonly #offsets = new Map<string, number>()

  constructor(target: Uint8Array, start: number) {
    this.#target = target
    this.#start = start
  }

  /**
   * Writes the uncompressed name source[sourceAt, …) at target[at].
   * @param end  first octet of the target that must not be written
   * @returns the first octet behind it, or -1 if there is no room: no name may be written after that, as parts of this one are remembered
   */
  write(source: Uint8Array, sourceAt: number, at: number, end: number): number {
    const target = this.#target
    const whole = Buffer.from(source.buffer, source.byteOffset, source.byteLength)
    let last = sourceAt
    while (source[last] !== 0) last += source[last] + 1
    for (;;) {
      const length = source[sourceAt]
      if (length === 0) {
        if (at >= end) return -1
        target[at] = 0
        return at + 1
      }
      const key = whole.toString('latin1', sourceAt, last)
      const known = this.#offsets.get(key)
      if (known !== undefined) {
        if (at + 2 > end) return -1
        target[at] = POINTER | (known >> 8)
        target[at + 1] = known & 0xff
        return at + 2
      }
      if (at + length + 1 > end) return -1
      if (at - this.#start <= POINTER_TARGET_MAX) this.#offsets.set(key, at - this.#start)
      for (const next = sourceAt + length + 1; sourceAt < next; ) target[at++] = source[sourceAt++]
    }
  }
}
