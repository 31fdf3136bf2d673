// How lines for the log get from a worker to the main thread: a ring in shared memory, one writer, one reader, nobody waits. What does not
// fit is dropped and counted. Queries are entered as octets and integers (hot); text that a worker made itself goes the same way (cold).
// Not here: how a line looks (src/admin/query-log.ts).
//
//     +0    head       octets ever written, as int32 that wraps                  worker
//     +64   tail       octets ever read, likewise                                main
//     +128  sleeping   1 while the reader waits to be woken                      both
//     +192  dropped    entries, 64-bit float                                     worker
//     +256  entries, one behind the other, each at a multiple of 8 and whole:
//           one that would go over the end is preceded by a gap up to the end
//
// An entry is written first, then head is stored; an entry is read first, then tail is stored. Both are atomic.

/** One query of the log, and what became of it. One object is used again and again. */
export class LogEntry {
  /** Who took it: index of the counter group, 0..65535. */
  group = 0
  /** Index of the list of log rules, 0..65535. */
  rules = 0
  /** 1 over TCP, else 0. */
  stream = 0
  /** 1 if a reply was sent. */
  replied = 0
  /** 1 if the query's OPT has DO. */
  dnssecOk = 0
  /** The query's EDNS size; 512 without OPT. */
  bufsize = 0
  /** Octets of the query. */
  size = 0
  /** RCODE of the reply with its extension, or of what was to be done. */
  rcode = 0
  /** Octets of the reply; 0 if there was none. */
  replySize = 0
  /** Octets of the question (name, type and class), behind the header; 0 if it did not parse. At most QUESTION_LENGTH_MAX. */
  questionLength = 0
  /** From arrival to reply. */
  seconds = 0
  /** 4 or 16 octets. */
  clientLength = 0
  clientPort = 0
  /** 0 (not known), 4 or 16 octets. */
  localLength = 0
}

/** An entry as it was read. Valid during the visit alone: one object is used again and again. */
export class ReadLogEntry extends LogEntry {
  /** The id of the message. */
  id = 0
  /** The header's second word: of the reply if there was one, else of the query. */
  flags = 0
  /** The header's count of records in the answer; 0 without a reply. */
  answerCount = 0
  /** In their first octets. */
  readonly client = new Uint8Array(16)
  readonly local = new Uint8Array(16)
  readonly question = new Uint8Array(QUESTION_LENGTH_MAX)
}

/** A ring that holds what no writer writes. */
export class LogRingError extends Error {
  override readonly name = 'LogRingError'
  readonly code = 'LOG_RING'
}

/** Takes what a ring holds. */
export interface LogVisitor {
  query(entry: ReadLogEntry): void
  /** @param kind  as given to pushText() */
  text(kind: number, text: string): void
}

/** Octets of the longest question: a name of 255, type and class. */
export const QUESTION_LENGTH_MAX = 259
/** Octets of a ring if nothing else is said: a tenth of a second of 100,000 queries a second. */
export const LOG_RING_BYTES = 1 << 20

// Classes of the log, as bits.
/** NOERROR with data. */
export const LOG_SUCCESS = 1
/** NXDOMAIN or NODATA. */
export const LOG_DENIAL = 2
/** All other RCODEs. */
export const LOG_ERROR = 4

// Octets of the header.
const HEAD = 0
const TAIL = 64
const SLEEPING = 128
const DROPPED = 192
const DATA = 256

// Words of an entry. The first holds its length in octets, and its kind in the topmost octet.
const KIND_SHIFT = 24
const LENGTH_MASK = 0xff_ffff
const GAP = 0
const QUERY = 1
const TEXT = 2

//      31             16 15              0
//     +-----------------+-----------------+
//  +1 |      rules      |      group      |
//  +2 |      flags      |        id       |
//  +3 |     bufsize     |       size      |
//  +4 |   client port   |      rcode      |
//  +5 |   answer count  |    reply size   |
//  +6 |                                   |  seconds, 64-bit float
//  +7 |                                   |
//  +8 | DO, TCP, replied| question length |
//  +9 |   local length  |  client length  |
//     +-----------------+-----------------+
//  +10  client (16 octets), local (16 octets), question
const ENTRY_OCTETS = 40
const ADDRESS_OCTETS = 16
const REPLIED_BIT = 0x1_0000
const STREAM_BIT = 0x2_0000
const DNSSEC_OK_BIT = 0x4_0000

//  +1   length of the text in octets
//  +2   kind of text
//  +3   not used; the text follows
const TEXT_OCTETS = 16

/** Memory for a ring; zeroed, that is empty. @param capacity  octets of entries, a power of two, 4096..2^23 */
export function createLogRing(capacity = LOG_RING_BYTES): SharedArrayBuffer {
  return new SharedArrayBuffer(DATA + capacity)
}

/** The class of a reply. @param answerCount  records in its answer section */
export function logClass(rcode: number, answerCount: number): number {
  if (rcode === 0) return answerCount > 0 ? LOG_SUCCESS : LOG_DENIAL
  return rcode === 3 ? LOG_DENIAL : LOG_ERROR
}

/** The worker's side. A successor may take over where its predecessor was ended: what that had not finished was never there. */
export class LogRingWriter {
  private readonly control: Int32Array
  private readonly dropped: Float64Array
  private readonly cells: Int32Array
  private readonly seconds: Float64Array
  private readonly octets: Uint8Array
  private readonly capacity: number
  private readonly encoder = new TextEncoder()
  private head: number

  /** @param memory  of createLogRing() */
  constructor(memory: SharedArrayBuffer) {
    this.control = new Int32Array(memory, 0, DATA / 4)
    this.dropped = new Float64Array(memory, DROPPED, 1)
    this.cells = new Int32Array(memory, DATA)
    this.seconds = new Float64Array(memory, DATA)
    this.octets = new Uint8Array(memory, DATA)
    this.capacity = memory.byteLength - DATA
    this.head = Atomics.load(this.control, HEAD >> 2)
  }

  /**
   * Enters a query. Hot: nothing is allocated.
   * @param client  memory with the client's address at `clientAt`; `local` likewise
   * @param packet  the reply, beginning at `start`, or the query if there was no reply: its header and question are copied
   * @returns false if there was no room: it is counted as dropped
   */
  push(
    entry: LogEntry,
    client: Uint8Array,
    clientAt: number,
    local: Uint8Array,
    localAt: number,
    packet: Uint8Array,
    start: number,
  ): boolean {
    const { questionLength } = entry
    const length = (ENTRY_OCTETS + 2 * ADDRESS_OCTETS + questionLength + 7) & ~7
    const at = this.reserve(length)
    if (at < 0) return false
    const { cells, octets } = this
    const { replied } = entry
    let cell = at >> 2
    cells[cell++] = (QUERY << KIND_SHIFT) | length
    cells[cell++] = (entry.rules << 16) | entry.group
    cells[cell++] = (word(packet, start + 2) << 16) | word(packet, start)
    cells[cell++] = (entry.bufsize << 16) | entry.size
    cells[cell++] = (entry.clientPort << 16) | entry.rcode
    cells[cell++] = ((replied === 0 ? 0 : word(packet, start + 6)) << 16) | entry.replySize
    this.seconds[cell >> 1] = entry.seconds
    cell += 2
    const bits = replied * REPLIED_BIT + entry.stream * STREAM_BIT + entry.dnssecOk * DNSSEC_OK_BIT
    cells[cell++] = bits | questionLength
    cells[cell++] = (entry.localLength << 16) | entry.clientLength
    let to = at + ENTRY_OCTETS
    for (let i = 0; i < entry.clientLength; i++) octets[to + i] = client[clientAt + i]
    to += ADDRESS_OCTETS
    for (let i = 0; i < entry.localLength; i++) octets[to + i] = local[localAt + i]
    to += ADDRESS_OCTETS
    const question = start + 12
    for (let i = 0; i < questionLength; i++) octets[to + i] = packet[question + i]
    this.publish(length)
    return true
  }

  /**
   * Enters text. Cold.
   * @param kind  0..255, what the reader is to make of it
   * @returns false if there was no room, or if it is longer than a quarter of the ring: it is counted as dropped
   */
  pushText(kind: number, text: string): boolean {
    const content = this.encoder.encode(text)
    const length = (TEXT_OCTETS + content.length + 7) & ~7
    const at = length > this.capacity / 4 ? -1 : this.reserve(length)
    if (at < 0) {
      if (length > this.capacity / 4) this.dropped[0] += 1
      return false
    }
    let cell = at >> 2
    this.cells[cell++] = (TEXT << KIND_SHIFT) | length
    this.cells[cell++] = content.length
    this.cells[cell++] = kind
    this.octets.set(content, at + TEXT_OCTETS)
    this.publish(length)
    return true
  }

  /** Finds `length` octets in one piece. @returns where they begin, or -1: counted as dropped */
  private reserve(length: number): number {
    const { capacity } = this
    let at = this.head & (capacity - 1)
    const behind = capacity - at
    const gap = behind < length ? behind : 0
    const used = (this.head - Atomics.load(this.control, TAIL >> 2)) | 0
    if (used + gap + length > capacity) {
      this.dropped[0] += 1
      return -1
    }
    if (gap > 0) {
      this.cells[at >> 2] = (GAP << KIND_SHIFT) | gap
      this.head = (this.head + gap) | 0
      at = 0
    }
    return at
  }

  /** Last of all: a reader that sees the new head must find every octet written. */
  private publish(length: number): void {
    this.head = (this.head + length) | 0
    Atomics.store(this.control, HEAD >> 2, this.head)
    if (Atomics.load(this.control, SLEEPING >> 2) === 1) this.wake()
  }

  private wake(): void {
    Atomics.store(this.control, SLEEPING >> 2, 0)
    Atomics.notify(this.control, SLEEPING >> 2)
  }
}

/** The main thread's side. */
export class LogRingReader {
  readonly #control: Int32Array<SharedArrayBuffer>
  readonly #dropped: Float64Array
  readonly #cells: Int32Array
  readonly #seconds: Float64Array
  readonly #octets: Uint8Array
  readonly #capacity: number
  readonly #entry = new ReadLogEntry()
  readonly #decoder = new TextDecoder()

  /** @param memory  of createLogRing() */
  constructor(memory: SharedArrayBuffer) {
    this.#control = new Int32Array(memory, 0, DATA / 4)
    this.#dropped = new Float64Array(memory, DROPPED, 1)
    this.#cells = new Int32Array(memory, DATA)
    this.#seconds = new Float64Array(memory, DATA)
    this.#octets = new Uint8Array(memory, DATA)
    this.#capacity = memory.byteLength - DATA
  }

  /** Entries that found no room, ever. */
  get dropped(): number {
    return this.#dropped[0]
  }

  /**
   * Takes out entries in their order, at most `max`.
   * @returns how many there were
   * @throws what a visit throws: that entry is gone then; or LogRingError, all entries are gone then
   */
  drain(visitor: LogVisitor, max = Number.POSITIVE_INFINITY): number {
    const control = this.#control
    const head = Atomics.load(control, HEAD >> 2)
    let tail = Atomics.load(control, TAIL >> 2)
    let count = 0
    try {
      while (tail !== head && count < max) {
        const at = tail & (this.#capacity - 1)
        const first = this.#cells[at >> 2]
        const length = first & LENGTH_MASK
        if (length < 8 || length > ((head - tail) | 0)) {
          tail = head
          throw new LogRingError(`the ring of log lines is damaged: an entry of ${length} octets`)
        }
        // Before the visit: an entry whose visit throws is not met again.
        tail = (tail + length) | 0
        const kind = first >>> KIND_SHIFT
        if (kind === GAP) continue
        count++
        if (kind === QUERY) visitor.query(this.#readEntry(at))
        else visitor.text(this.#cells[(at >> 2) + 2], this.#readText(at))
      }
    } finally {
      Atomics.store(control, TAIL >> 2, tail)
    }
    return count
  }

  /** Settles when there is something to take out, at once if there is already. It does not keep the event loop alive. */
  async filled(): Promise<void> {
    const control = this.#control
    Atomics.store(control, SLEEPING >> 2, 1)
    if (Atomics.load(control, HEAD >> 2) !== Atomics.load(control, TAIL >> 2)) {
      Atomics.store(control, SLEEPING >> 2, 0)
      return
    }
    const waiting = Atomics.waitAsync(control, SLEEPING >> 2, 1)
    await waiting.value
  }

  /** Lets a pending filled() settle. */
  wake(): void {
    Atomics.store(this.#control, SLEEPING >> 2, 0)
    Atomics.notify(this.#control, SLEEPING >> 2)
  }

  #readEntry(at: number): ReadLogEntry {
    const cells = this.#cells
    const octets = this.#octets
    const entry = this.#entry
    let cell = (at >> 2) + 1
    entry.group = cells[cell] & 0xffff
    entry.rules = cells[cell++] >>> 16
    entry.id = cells[cell] & 0xffff
    entry.flags = cells[cell++] >>> 16
    entry.size = cells[cell] & 0xffff
    entry.bufsize = cells[cell++] >>> 16
    entry.rcode = cells[cell] & 0xffff
    entry.clientPort = cells[cell++] >>> 16
    entry.replySize = cells[cell] & 0xffff
    entry.answerCount = cells[cell++] >>> 16
    entry.seconds = this.#seconds[cell >> 1]
    cell += 2
    const bits = cells[cell++]
    entry.questionLength = bits & 0xffff
    entry.replied = (bits & REPLIED_BIT) === 0 ? 0 : 1
    entry.stream = (bits & STREAM_BIT) === 0 ? 0 : 1
    entry.dnssecOk = (bits & DNSSEC_OK_BIT) === 0 ? 0 : 1
    entry.clientLength = cells[cell] & 0xffff
    entry.localLength = cells[cell++] >>> 16
    let from = at + ENTRY_OCTETS
    for (let i = 0; i < entry.clientLength; i++) entry.client[i] = octets[from + i]
    from += ADDRESS_OCTETS
    for (let i = 0; i < entry.localLength; i++) entry.local[i] = octets[from + i]
    from += ADDRESS_OCTETS
    for (let i = 0; i < entry.questionLength; i++) entry.question[i] = octets[from + i]
    return entry
  }

  #readText(at: number): string {
    const length = this.#cells[(at >> 2) + 1]
    const from = at + TEXT_OCTETS
    // A copy: text is not decoded out of shared memory.
    return this.#decoder.decode(this.#octets.slice(from, from + length))
  }
}

function word(packet: Uint8Array, at: number): number {
  return (packet[at] << 8) | packet[at + 1]
}
