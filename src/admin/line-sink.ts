// Where all lines of the log go out: one file descriptor, one write at a time, in large pieces. Nobody waits for it: while a pipe is full, lines
// gather up to a bound, and then those of queries are dropped and counted. All lines go this way, so none is cut by another.

import { constants, fstatSync, openSync, write as writeFile, writeSync } from 'node:fs'

/** Octets of one write: what a pipe takes. */
const PIECE_OCTETS = 1 << 16
/** Characters that may wait. Lines of queries stop at half of it: what the server itself says still has room. */
const WAITING_MAX = 1 << 21
const RETRY_MS = 10
/** How long to wait for the reader of a full pipe when the process ends. */
const CLOSE_MS = 1000
const LINE_FEED = 10

/** Takes lines. */
export interface LineSink {
  /** @param lines  whole lines, each with its break */
  write(lines: string): void
  /** The same for lines that may be dropped. @param count  how many lines these are @returns false if they were dropped */
  offer(lines: string, count: number): boolean
  /** Lines that were dropped, ever. */
  readonly dropped: number
  /** Settles when all is written, or after CLOSE_MS. */
  flush(): Promise<void>
}

/** What writes for a sink; a stand-in in tests. Calls back with an error, or the octets written. */
export type WriteOctets = (
  octets: Uint8Array,
  done: (error: NodeJS.ErrnoException | null, written: number) => void,
) => void

/** A sink on a file descriptor, which stays open. */
export function createLineSink(fd: number, write?: WriteOctets): LineSink {
  if (write !== undefined) return new DescriptorSink(write)
  const own = withoutBlocking(fd)
  return new DescriptorSink((octets, done) => writeFile(own, octets, done))
}

/**
 * A descriptor of the same pipe whose writes do not wait. A write that waits holds one of Node's helper threads, and a process cannot end
 * before it: with a reader that is stuck, never. The flag is set on a new open file, since others may share the one behind `fd`.
 */
function withoutBlocking(fd: number): number {
  try {
    if (!fstatSync(fd).isFIFO()) return fd
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK)
  } catch {
    return fd // another system, or somebody else's pipe: then writes may wait
  }
}

/** Writes at once, whatever waits: for the last words of a process that is about to end. */
export function writeNow(fd: number, lines: string): void {
  try {
    writeSync(fd, lines)
  } catch {
    // Nobody reads them.
  }
}

class DescriptorSink implements LineSink {
  readonly #write: WriteOctets
  #waiting: string[] = []
  #waitingLength = 0
  #piece: Uint8Array | null = null
  #isClosed = false
  #idle: (() => void)[] = []
  dropped = 0

  constructor(write: WriteOctets) {
    this.#write = write
  }

  write(lines: string): void {
    if (this.#isClosed || this.#waitingLength + lines.length > WAITING_MAX) this.dropped++
    else this.#push(lines)
  }

  offer(lines: string, count: number): boolean {
    if (this.#isClosed || this.#waitingLength + lines.length > WAITING_MAX / 2) {
      this.dropped += count
      return false
    }
    this.#push(lines)
    return true
  }

  async flush(): Promise<void> {
    if (this.#piece === null) return
    let limit: NodeJS.Timeout | undefined
    await new Promise<void>((resolve) => {
      this.#idle.push(resolve)
      limit = setTimeout(resolve, CLOSE_MS)
    })
    clearTimeout(limit)
  }

  #push(lines: string): void {
    this.#waiting.push(lines)
    this.#waitingLength += lines.length
    if (this.#piece === null) this.#next()
  }

  #next(): void {
    if (this.#waiting.length === 0) {
      this.#piece = null
      for (const resolve of this.#idle.splice(0)) resolve()
      return
    }
    let taken = 0
    let length = 0
    while (taken < this.#waiting.length && (length === 0 || length + this.#waiting[taken].length <= PIECE_OCTETS)) {
      length += this.#waiting[taken++].length
    }
    this.#waitingLength -= length
    this.#send(Buffer.from(this.#waiting.splice(0, taken).join('')))
  }

  #send(piece: Uint8Array): void {
    this.#piece = piece
    this.#write(piece, (error, written) => {
      if (error === null) {
        if (written < piece.length) this.#send(piece.subarray(written))
        else this.#next()
      } else if (error.code === 'EAGAIN' || error.code === 'EINTR') {
        setTimeout(() => this.#send(piece), RETRY_MS)
      } else {
        // The reader has gone (EPIPE), or the disk is full: DNS goes on without a log.
        if (error.code === 'EPIPE' || error.code === 'EBADF') this.#isClosed = true
        this.dropped += linesOf(piece)
        if (this.#isClosed) this.#discard()
        this.#next()
      }
    })
  }

  #discard(): void {
    for (const lines of this.#waiting) this.dropped += linesOf(Buffer.from(lines))
    this.#waiting = []
    this.#waitingLength = 0
  }
}

/** The rest of a line that was cut counts, too. */
function linesOf(octets: Uint8Array): number {
  let count = 0
  for (let at = octets.indexOf(LINE_FEED); at >= 0; at = octets.indexOf(LINE_FEED, at + 1)) count++
  return count
}
