// Randomness for message ids, ports and letter case: out of node:crypto, fetched in batches because a call costs more than the octets.

import { randomFillSync } from 'node:crypto'

const POOL_LENGTH = 8192
const pool = new Uint8Array(POOL_LENGTH)
let at = POOL_LENGTH

/** 0..255. */
export function randomOctet(): number {
  if (at === POOL_LENGTH) {
    randomFillSync(pool)
    at = 0
  }
  return pool[at++]
}

/** 0..65535. */
export function random16(): number {
  return randomOctet() * 256 + randomOctet()
}

/** 0..bound - 1, each as likely as any other but for one part in 2^16 / bound. @param bound  1..256 */
export function randomBelow(bound: number): number {
  return random16() % bound
}
