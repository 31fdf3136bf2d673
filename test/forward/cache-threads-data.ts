// What the threads of the cache's stress test share.

export const QUESTION_COUNT = 3000

// Words of the control memory.
export const STOP = 0
export const VERSION = 1
export const PUTS = 2
export const REFUSED = 3
/** By reader from here on. */
export const HITS = 4
export const CONTROL_OCTETS = 64

export interface StressData {
  readonly region: SharedArrayBuffer
  readonly control: SharedArrayBuffer
  readonly seed: number
  /** Of a reader. */
  readonly number: number
}
