// Which entry of a full cache makes room: S3-FIFO (Yang et al., SOSP 2023). New entries go into a small queue, a tenth of
// all; those that were used more than once by the time they reach its end move to the main queue, the others go, and only their
// hashes are remembered for a while: who comes back by then begins in the main queue. There, what was used gets another turn for each
// use, three at most. So names that are asked once, a scan or an attack, pass through the small queue and drive out nothing.
// The writer's own memory, in slots 1..capacity. Not here: what a slot stands for (cache-writer.ts).
//
// Expiry is no reason to go: a name that is asked all the time expires all the time, and loses its place for it. Letting expired
// entries go first cost 0.3 to 1.8 % of all hits at TTLs of 30 s. Letting one use suffice gains up to 1.6 % when names are scanned that are asked once,
// and loses 7 to 10 % when each is asked twice in a row.

const SMALL_SHARE = 10
/** Uses that move an entry on to the main queue. */
const USES_TO_STAY = 2
/** Turns that one call gives, so that its time is bounded when everything is in use. */
const TURNS_MAX = 256
const GHOSTS_PER_ENTRY = 2

const NOWHERE = 0
const SMALL = 1
const MAIN = 2

/** What the queues ask about their entries. */
export interface Residents {
  /** How often it was used since it came, or since that was set to something else; 0..3. */
  uses(slot: number): number
  setUses(slot: number, uses: number): void
}

export class Eviction {
  readonly capacity: number
  /** By slot. The ends of the queues are links of slots of their own, behind all others. */
  readonly #next: Int32Array
  readonly #previous: Int32Array
  readonly #queue: Uint8Array
  readonly #hash: Int32Array
  readonly #size: Int32Array
  readonly #smallEnds: number
  readonly #mainEnds: number
  /** By queue. */
  readonly #counts = new Int32Array(3)
  readonly #sizes = new Int32Array(3)
  readonly #ghosts: Ghosts

  /** @param capacity  slots, 10 or more */
  constructor(capacity: number) {
    this.capacity = capacity
    this.#smallEnds = capacity + 1
    this.#mainEnds = capacity + 2
    this.#next = new Int32Array(capacity + 3)
    this.#previous = new Int32Array(capacity + 3)
    this.#queue = new Uint8Array(capacity + 3)
    this.#hash = new Int32Array(capacity + 3)
    this.#size = new Int32Array(capacity + 3)
    for (const ends of [this.#smallEnds, this.#mainEnds]) {
      this.#next[ends] = ends
      this.#previous[ends] = ends
    }
    this.#ghosts = new Ghosts(capacity)
  }

  /** An entry with this hash and of this size is in the slot from now on. */
  add(slot: number, hash: number, size: number): void {
    this.#hash[slot] = hash
    this.#size[slot] = size
    this.#append(slot, this.#ghosts.take(hash) ? MAIN : SMALL)
  }

  /** The entry in the slot has another size from now on. */
  resize(slot: number, size: number): void {
    this.#sizes[this.#queue[slot]] += size - this.#size[slot]
    this.#size[slot] = size
  }

  /** The slot is empty from now on. */
  remove(slot: number): void {
    this.#unlink(slot)
    this.#queue[slot] = NOWHERE
  }

  /**
   * Takes out the entry that is to go.
   * @param isBySize  room for sizes is wanted: the share of the small queue is one of all sizes then, else of all entries. A few long
   *   entries that nobody asks for again would otherwise drive out many short ones
   * @returns its slot; 0 if there is none
   */
  evict(residents: Residents, isBySize: boolean): number {
    for (let turn = 0; ; turn++) {
      const amounts = isBySize ? this.#sizes : this.#counts
      const isSmall = amounts[SMALL] * (SMALL_SHARE - 1) > amounts[MAIN]
      const slot = this.#next[isSmall ? this.#smallEnds : this.#mainEnds]
      if (slot > this.capacity) return 0
      const uses = residents.uses(slot)
      const stays = turn < TURNS_MAX && uses >= (isSmall ? USES_TO_STAY : 1)
      this.#unlink(slot)
      if (stays) {
        residents.setUses(slot, isSmall ? 0 : uses - 1)
        this.#append(slot, MAIN)
        continue
      }
      if (isSmall) this.#ghosts.add(this.#hash[slot])
      this.#queue[slot] = NOWHERE
      return slot
    }
  }

  /** At the end that is reached last. */
  #append(slot: number, queue: number): void {
    const ends = queue === SMALL ? this.#smallEnds : this.#mainEnds
    const last = this.#previous[ends]
    this.#next[last] = slot
    this.#previous[slot] = last
    this.#next[slot] = ends
    this.#previous[ends] = slot
    this.#queue[slot] = queue
    this.#counts[queue]++
    this.#sizes[queue] += this.#size[slot]
  }

  #unlink(slot: number): void {
    const next = this.#next[slot]
    const previous = this.#previous[slot]
    this.#next[previous] = next
    this.#previous[next] = previous
    const queue = this.#queue[slot]
    this.#counts[queue]--
    this.#sizes[queue] -= this.#size[slot]
  }
}

/** Hashes of what was dropped lately: about as many as there are entries. Some are forgotten early, for another in their place. */
class Ghosts {
  readonly #hashes: Int32Array
  /** When each was added, counted in additions; 0 for never. */
  readonly #added: Int32Array
  readonly #mask: number
  readonly #capacity: number
  #count = 0

  constructor(capacity: number) {
    const size = 2 ** Math.ceil(Math.log2(capacity * GHOSTS_PER_ENTRY))
    this.#hashes = new Int32Array(size)
    this.#added = new Int32Array(size)
    this.#mask = size - 1
    this.#capacity = capacity
  }

  add(hash: number): void {
    const at = hash & this.#mask
    this.#count = (this.#count + 1) | 0 || 1
    this.#hashes[at] = hash
    this.#added[at] = this.#count
  }

  /** Was it added lately? It is forgotten then. */
  take(hash: number): boolean {
    const at = hash & this.#mask
    const added = this.#added[at]
    if (added === 0 || this.#hashes[at] !== hash) return false
    this.#added[at] = 0
    return ((this.#count - added) | 0) < this.#capacity
  }
}
