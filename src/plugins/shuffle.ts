// Plugin loadbalance, for answers that were made in place: the addresses of the answer section in random order. Hot: nothing is allocated.
// Not here: weights and preferred networks (loadbalance.ts).

import { randomBytes } from 'node:crypto'

const TYPE_A = 1
const TYPE_AAAA = 28
const RECORD_A_LENGTH = 16
const RECORD_AAAA_LENGTH = 28

/** Puts records in random order; each has a source of its own. */
export class Shuffle {
  private state = randomBytes(4).readInt32LE() | 1

  /**
   * Shuffles the run of address records that the answer section ends with, if it has a fixed length each (owners are pointers).
   *
   * @param view   of the packet   @param from  first octet of the answer section   @param count  records in it
   */
  shuffle(view: DataView, from: number, count: number): void {
    let at = from
    let first = from
    let run = 0
    let length = 0
    for (let record = 0; record < count; record++) {
      // What is not a pointer was not made in place.
      if (view.getUint8(at) < 0xc0) return
      const type = view.getUint16(at + 2)
      const size = 12 + view.getUint16(at + 10)
      const fits = (type === TYPE_A && size === RECORD_A_LENGTH) || (type === TYPE_AAAA && size === RECORD_AAAA_LENGTH)
      if (fits && size === length) run++
      else {
        first = at
        length = fits ? size : 0
        run = fits ? 1 : 0
      }
      at += size
    }
    for (let left = run; left > 1; left--) {
      const other = this.below(left)
      if (other !== left - 1) swap(view, first + (left - 1) * length, first + other * length, length)
    }
  }

  /** A number of 0..bound-1. Marsaglia's xorshift, 32 bits: far from secret, evenly spread. */
  private below(bound: number): number {
    let state = this.state
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    this.state = state
    return Math.imul(state >>> 16, bound) >>> 16
  }
}

function swap(view: DataView, a: number, b: number, length: number): void {
  for (let i = 0; i < length; i += 4) {
    const word = view.getInt32(a + i)
    view.setInt32(a + i, view.getInt32(b + i))
    view.setInt32(b + i, word)
  }
}
