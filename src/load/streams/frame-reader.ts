// Messages out of a stream of octets: two octets of length before each (RFC 1035 §4.2.2), in whatever pieces they come; and one
// into it. Not here: many at a time, out of the table (query-octets.ts).

const PREFIX = 2
/** Room for a message in pieces, until a longer one comes. */
const PART_CAPACITY = 512

/** Takes pieces, hands out messages. */
export class FrameReader {
  readonly #message: (bytes: Uint8Array, at: number, length: number) => void
  /** A message that is not whole yet, its length before it. */
  #part = new Uint8Array(0)
  #partLength = 0

  /** @param message  called with each message; the octets are its own until it returns */
  constructor(message: (bytes: Uint8Array, at: number, length: number) => void) {
    this.#message = message
  }

  /** Whether a message has begun and not ended. */
  get isWithin(): boolean {
    return this.#partLength > 0
  }

  /** Takes a piece. Messages that are whole in it are handed out where they are. */
  read(piece: Uint8Array): void {
    let at = this.#partLength > 0 ? this.#complete(piece) : 0
    while (at + PREFIX <= piece.length) {
      const length = (piece[at] << 8) | piece[at + 1]
      const end = at + PREFIX + length
      if (end > piece.length) break
      this.#message(piece, at + PREFIX, length)
      at = end
    }
    if (at < piece.length) this.#keep(piece, at, piece.length)
  }

  /** Adds to the message that has begun. @returns octets used */
  #complete(piece: Uint8Array): number {
    let at = 0
    if (this.#partLength < PREFIX) at = this.#keep(piece, 0, Math.min(piece.length, PREFIX - this.#partLength))
    if (this.#partLength < PREFIX) return at
    const length = (this.#part[0] << 8) | this.#part[1]
    at = this.#keep(piece, at, Math.min(piece.length, at + PREFIX + length - this.#partLength))
    if (this.#partLength < PREFIX + length) return at
    this.#partLength = 0
    this.#message(this.#part, PREFIX, length)
    return at
  }

  /** @returns `to` */
  #keep(piece: Uint8Array, from: number, to: number): number {
    const length = this.#partLength + to - from
    if (length > this.#part.length) {
      const longer = new Uint8Array(Math.max(PART_CAPACITY, 2 * length))
      longer.set(this.#part.subarray(0, this.#partLength))
      this.#part = longer
    }
    this.#part.set(piece.subarray(from, to), this.#partLength)
    this.#partLength = length
    return to
  }
}

/** A message as it goes into a stream. */
export function framed(message: Uint8Array): Buffer {
  return Buffer.concat([Uint8Array.of(message.length >>> 8, message.length), message])
}
