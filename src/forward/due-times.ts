// One timer for all that waits: items with a time, in slots of 8 ms, as a ring of lists. Not exact: an item is called up to a slot late.
// A timer of Node's for each query would cost more than the query.

import { monotonicMs } from './clock.ts'

const SLOT_MS = 8
/** The ring then spans 8.2 s. What is due later is looked at again when it has come around. */
const SLOTS = 1024
const NOWHERE = -1

/** What can wait. One item waits for one time. */
export abstract class Timed {
  /** Milliseconds of monotonicMs(); of meaning while it waits. */
  dueMs = 0
  /** Of DueTimes: slot, and neighbors in the slot's list. */
  slot = NOWHERE
  before: Timed | null = null
  after: Timed | null = null

  /** Its time has come; it waits no longer. */
  abstract due(nowMs: number): void
}

export class DueTimes {
  readonly #slots: (Timed | null)[]
  #count = 0
  /** Slots up to this one, counted from time 0, have been called. */
  #calledSlot = 0
  #timer: NodeJS.Timeout | null = null
  #timerMs = Number.POSITIVE_INFINITY
  #isClosed = false
  readonly #tick = (): void => this.#call()

  /** @param slots  a power of two, two at least */
  constructor(slots = SLOTS) {
    this.#slots = new Array(slots).fill(null)
  }

  /** Items that wait. */
  get count(): number {
    return this.#count
  }

  /** Has `item` called at `dueMs`, in place of the time that it waits for. */
  set(item: Timed, dueMs: number): void {
    this.clear(item)
    if (this.#isClosed) return
    if (this.#count === 0) this.#calledSlot = Math.floor(monotonicMs() / SLOT_MS)
    item.dueMs = dueMs
    this.#insert(item)
    if (dueMs < this.#timerMs) this.#arm(dueMs)
  }

  /** It waits for nothing any more. */
  clear(item: Timed): void {
    if (item.slot === NOWHERE) return
    if (item.before === null) this.#slots[item.slot] = item.after
    else item.before.after = item.after
    if (item.after !== null) item.after.before = item.before
    item.slot = NOWHERE
    item.before = null
    item.after = null
    this.#count--
  }

  /** Lets go of all items: none is called any more. */
  close(): void {
    this.#isClosed = true
    for (const first of this.#slots) {
      for (let item = first; item !== null; ) {
        const next: Timed | null = item.after
        this.clear(item)
        item = next
      }
    }
    this.#disarm()
  }

  #insert(item: Timed): void {
    // Rounded up: never before its time. At least one slot ahead, and at most once around.
    const wanted = Math.ceil(item.dueMs / SLOT_MS)
    const { length } = this.#slots
    const slot = Math.min(Math.max(wanted, this.#calledSlot + 1), this.#calledSlot + length - 1) & (length - 1)
    const first = this.#slots[slot]
    item.slot = slot
    item.after = first
    if (first !== null) first.before = item
    this.#slots[slot] = item
    this.#count++
  }

  #call(): void {
    this.#disarm()
    const nowMs = monotonicMs()
    const nowSlot = Math.floor(nowMs / SLOT_MS)
    const { length } = this.#slots
    const last = Math.min(nowSlot, this.#calledSlot + length - 1)
    while (this.#calledSlot < last && this.#count > 0) {
      // First of all: what is set anew meanwhile goes into a later slot, so that this ends.
      this.#calledSlot++
      const slot = this.#calledSlot & (length - 1)
      for (let item = this.#slots[slot]; item !== null; item = this.#slots[slot]) {
        this.clear(item)
        if (item.dueMs > nowMs) this.#insert(item)
        else item.due(nowMs)
      }
    }
    this.#calledSlot = Math.max(this.#calledSlot, last)
    this.#armNext()
  }

  #armNext(): void {
    if (this.#count === 0 || this.#isClosed) return
    const { length } = this.#slots
    for (let slot = this.#calledSlot + 1; slot < this.#calledSlot + length; slot++) {
      if (this.#slots[slot & (length - 1)] !== null) {
        if (slot * SLOT_MS < this.#timerMs) this.#arm(slot * SLOT_MS)
        return
      }
    }
  }

  #arm(atMs: number): void {
    this.#disarm()
    this.#timerMs = atMs
    this.#timer = setTimeout(this.#tick, Math.min(Math.max(1, atMs - monotonicMs() + 1), this.#slots.length * SLOT_MS))
  }

  #disarm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#timerMs = Number.POSITIVE_INFINITY
  }
}
