// What the writer and the readers of the stress test agree on: pairs of names that hold the same number in every version.

import type { Content, Place } from './oracle.ts'

export const PAIRS = 64
/** Index of the word of `control` that ends readers. */
export const STOP = 0
/** Size of `control`. */
export const CONTROL_OCTETS = 64
/** Index of the word of `control` in which a reader counts the versions it has seen. */
export function versionsWord(reader: number): number {
  return 1 + reader
}

export interface StressData {
  readonly buffer: SharedArrayBuffer
  readonly control: SharedArrayBuffer
  readonly reader: number
}

/** The two names of a pair, far from each other in the trie. */
export function namesOf(pair: number): [Place, Place] {
  return [
    { zone: 0, labels: [`left-${pair}`, 'shop', 'svc'] },
    { zone: 1, labels: ['x', `right-${pair}`] },
  ]
}

/**
 * What the two names hold after `change`, which is spelled out in the first record of each. Sizes vary, so that memory goes
 * from one name to others.
 */
export function contentsAt(pair: number, change: number): [Content[], Content[]] {
  const values = Array<number>(1 + (change % 7) * (pair % 3)).fill(1 + ((pair * 7 + change * 13) % 251))
  const targets = Array.from({ length: 1 + (change % 3) }, (_, i) => namesOf((pair + i) % PAIRS)[0])
  const label: Content = { kind: 'raw', texts: [`${change}`] }
  return [
    [label, { kind: 'addresses', ipv6: false, values }],
    [label, { kind: 'srv', targets, ports: targets.map((_, i) => (change + i) & 0xffff), additional: values }],
  ]
}
