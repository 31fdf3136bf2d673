// What differs between the records of an object before and after a change.

import type { Labels, OwnerRecords, ReverseClaim } from './records.ts'

/** Shows `match` what stands in the same place of both lists. @returns what it did not take for the same, or had no pair */
export function eachPair<T>(
  before: readonly T[],
  after: readonly T[],
  match: (before: T, after: T) => boolean,
): { before: T[]; after: T[] } {
  const moved: { before: T[]; after: T[] } = { before: [], after: [] }
  for (let i = 0; i < before.length || i < after.length; i++) {
    if (i < before.length && i < after.length && match(before[i], after[i])) continue
    if (i < before.length) moved.before.push(before[i])
    if (i < after.length) moved.after.push(after[i])
  }
  return moved
}

/** The same labels in the same order. */
export function sameLabels(a: Labels, b: Labels): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** The same claim on the same name. */
export function sameClaim(a: ReverseClaim, b: ReverseClaim): boolean {
  return a.address === b.address && a.rank === b.rank && a.createdAt === b.createdAt && sameLabels(a.target, b.target)
}

/** The first element that fits, which is no longer in the list then. */
export function takeOut<T>(list: T[] | undefined, fits: (element: T) => boolean): T | undefined {
  if (list === undefined) return undefined
  const at = list.findIndex(fits)
  return at < 0 ? undefined : list.splice(at, 1)[0]
}

/** Whether a name holds the same; its owner is not looked at. */
export function sameRecords(a: OwnerRecords, b: OwnerRecords): boolean {
  return (
    a.srvWeight === b.srvWeight &&
    a.cname === b.cname &&
    a.wildcard === b.wildcard &&
    a.addressBelow === b.addressBelow &&
    sameValue(a.addresses, b.addresses) &&
    sameValue(a.srv, b.srv) &&
    sameValue(a.txt, b.txt)
  )
}

function sameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((value, i) => sameValue(value, b[i]))
  }
  const keys = Object.keys(a)
  const record = b as Record<string, unknown>
  if (keys.length !== Object.keys(b).length) return false
  return keys.every((key) => sameValue((a as Record<string, unknown>)[key], record[key]))
}
