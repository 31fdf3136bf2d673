// Where the entries of a cache lie: a log in segments. New entries go behind the last one; a segment whose entries have mostly gone
// is cleaned, the rest of it moved to the end of the log, and used again as a whole once every reader has passed. So entries of
// all sizes fit without gaps to be joined, and memory is retired by segments, not by entries. Writer only, its own memory beside the
// region: a successor starts afresh. Not here: which entries are alive, and how they are moved (cache-writer.ts).

import {
  allHavePassed,
  type CacheRegion,
  nextEpoch,
  SEGMENT_WORDS,
  segmentsTouched,
  writeSegmentsTouched,
} from './cache-region.ts'

const SEGMENT_LOG2 = Math.log2(SEGMENT_WORDS)
/** A segment is worth cleaning if an eighth of it is gained. */
const WORTH_CLEANING_WORDS = SEGMENT_WORDS - SEGMENT_WORDS / 8
/** Segments that may be written to before others are cleaned in their place. */
const TOUCHED_MIN = 4
const NO_SEGMENT = -1

const FREE = 0
const OPEN = 1
const CLOSED = 2
/** No entry of it can be found any more; readers may still look at it. */
const RETIRED = 3

export class Segments {
  /** Words that entries may take, gaps at the ends of segments included: with more, cleaning would gain too little. */
  readonly wordsMax: number
  /** Words that entries take, and those gaps. */
  words = 0
  readonly #region: CacheRegion
  readonly #state: Uint8Array
  /** Words in use from the beginning on. */
  readonly #used: Int32Array
  /** Words of entries, and the gap at the end. */
  readonly #live: Int32Array
  readonly #gap: Int32Array
  /** Of retired segments: what allHavePassed() is to be asked for. */
  readonly #epoch: Int32Array
  #touched: number
  #free = 0
  #retired = 0
  #open = NO_SEGMENT
  /** Free segments, or such that were never written to, that are there for moving to. */
  readonly #reserve: number

  /** Begins empty; nothing that a predecessor wrote is reused before every reader has passed. The buckets must be cleared already. */
  constructor(region: CacheRegion) {
    const { words, segmentCount } = region
    this.#region = region
    this.#state = new Uint8Array(segmentCount)
    this.#used = new Int32Array(segmentCount)
    this.#live = new Int32Array(segmentCount)
    this.#gap = new Int32Array(segmentCount)
    this.#epoch = new Int32Array(segmentCount)
    this.#touched = segmentsTouched(words)
    this.#reserve = Math.max(2, segmentCount >> 4)
    this.wordsMax = Math.floor(((segmentCount - 1 - this.#reserve) * SEGMENT_WORDS * 3) / 4)
    const epoch = nextEpoch(words)
    for (let segment = 0; segment < this.#touched; segment++) {
      this.#state[segment] = RETIRED
      this.#epoch[segment] = epoch
    }
    this.#retired = this.#touched
  }

  /** First word of a segment. */
  start(segment: number): number {
    return this.#region.segments + segment * SEGMENT_WORDS
  }

  /** First word behind its last entry. */
  end(segment: number): number {
    return this.start(segment) + this.#used[segment]
  }

  /** Takes `size` words of the segment that is open. @returns 0 if it has no room */
  take(size: number): number {
    const open = this.#open
    if (open === NO_SEGMENT || this.#used[open] + size > SEGMENT_WORDS) return 0
    const at = this.start(open) + this.#used[open]
    this.#used[open] += size
    this.#live[open] += size
    this.words += size
    return at
  }

  /** Gives back words that can no longer be found. */
  giveBack(at: number, size: number): void {
    const segment = (at - this.#region.segments) >> SEGMENT_LOG2
    this.#live[segment] -= size
    this.words -= size
    if (this.#state[segment] === CLOSED && this.#live[segment] === this.#gap[segment]) this.#retire(segment)
  }

  /** Does the open segment have room for an entry that is to be moved, or is there another to open for it? */
  openForMove(size: number): boolean {
    if (this.#open !== NO_SEGMENT && this.#used[this.#open] + size <= SEGMENT_WORDS) return true
    return this.#openFree() || this.#openUntouched()
  }

  /** Opens a segment for new entries, leaving one for moving to. @returns false if one must be cleaned first, or if there is none */
  openForNew(): boolean {
    this.reclaim()
    return this.#free + this.#untouched() > 1 && (this.#openFree() || this.#openUntouched())
  }

  /** Are there too few free segments for a burst of new entries, or none but untouched ones while half of the others lies idle? */
  needsCleaning(): boolean {
    return this.#free + this.#untouched() < this.#reserve || (this.#free === 0 && this.#isSlack())
  }

  /** Is there memory that readers keep from being reused? */
  get isWaiting(): boolean {
    return this.#retired > 0
  }

  /** The segment with the fewest words in it, -1 if none is worth cleaning. */
  emptiest(): number {
    let least = WORTH_CLEANING_WORDS
    let found = NO_SEGMENT
    for (let segment = 0; segment < this.#touched; segment++) {
      if (this.#state[segment] !== CLOSED || this.#live[segment] >= least) continue
      least = this.#live[segment]
      found = segment
    }
    return found
  }

  /** Frees the retired segments that every reader has passed. */
  reclaim(): void {
    if (this.#retired === 0) return
    const { words, readerCount } = this.#region
    for (let segment = 0; segment < this.#touched; segment++) {
      if (this.#state[segment] !== RETIRED || !allHavePassed(words, readerCount, this.#epoch[segment])) continue
      this.#state[segment] = FREE
      this.#retired--
      this.#free++
    }
  }

  #untouched(): number {
    return this.#region.segmentCount - this.#touched
  }

  /** Is half of what has been written to without entries? */
  #isSlack(): boolean {
    return this.#touched >= TOUCHED_MIN && this.words * 2 < this.#touched * SEGMENT_WORDS
  }

  #openFree(): boolean {
    if (this.#free === 0) return false
    this.#free--
    this.#openSegment(this.#state.indexOf(FREE))
    return true
  }

  #openUntouched(): boolean {
    if (this.#untouched() === 0) return false
    writeSegmentsTouched(this.#region.words, this.#touched + 1)
    this.#openSegment(this.#touched++)
    return true
  }

  #openSegment(segment: number): void {
    this.#close()
    this.#open = segment
    this.#state[segment] = OPEN
    this.#used[segment] = 0
    this.#live[segment] = 0
    this.#gap[segment] = 0
  }

  #close(): void {
    const segment = this.#open
    if (segment === NO_SEGMENT) return
    const gap = SEGMENT_WORDS - this.#used[segment]
    this.#state[segment] = CLOSED
    this.#gap[segment] = gap
    this.#live[segment] += gap
    this.words += gap
    if (this.#live[segment] === gap) this.#retire(segment)
  }

  #retire(segment: number): void {
    this.words -= this.#gap[segment]
    this.#state[segment] = RETIRED
    this.#epoch[segment] = nextEpoch(this.#region.words)
    this.#retired++
  }
}
