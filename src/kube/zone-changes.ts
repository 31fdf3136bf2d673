// What changed in a zone, written: of two lists of owners, or of claims, what stands in both stays untouched.
// Not here: which records there are (schema.ts), and how one is written (record-writer.ts).

import { eachPair, sameClaim, sameLabels, sameRecords, takeOut } from './difference.ts'
import type { RecordWriter, WritableZone } from './record-writer.ts'
import type { OwnerRecords, ReverseClaim } from './records.ts'

/** Makes of owners `before` owners `after`. @throws RegionFullError */
export function writeDifference(
  records: RecordWriter,
  zone: WritableZone,
  before: readonly OwnerRecords[],
  after: readonly OwnerRecords[],
): void {
  if (before.length === 0) {
    for (const owner of after) records.set(zone, owner)
    return
  }
  const moved = eachPair(before, after, (old, fresh) => {
    if (!sameLabels(old.owner, fresh.owner)) return false
    if (!sameRecords(old, fresh)) records.set(zone, fresh)
    return true
  })
  const gone = Map.groupBy(moved.before, ({ owner }) => owner[0])
  for (const fresh of moved.after) {
    const old = takeOut(gone.get(fresh.owner[0]), ({ owner }) => sameLabels(owner, fresh.owner))
    if (old === undefined || !sameRecords(old, fresh)) records.set(zone, fresh)
  }
  for (const list of gone.values()) for (const { owner } of list) records.clear(zone, owner)
}

/**
 * Makes of claims `before` claims `after`.
 * @param primary  zone that their targets are in
 * @throws RegionFullError
 */
export function writeClaims(
  records: RecordWriter,
  reverseZones: readonly WritableZone[],
  primary: WritableZone,
  before: readonly ReverseClaim[],
  after: readonly ReverseClaim[],
): void {
  if (before.length === 0) {
    for (const claim of after) records.addClaim(reverseZones, primary, claim)
    return
  }
  const moved = eachPair(before, after, sameClaim)
  const gone = Map.groupBy(moved.before, ({ address }) => address)
  const isNew = (claim: ReverseClaim): boolean =>
    takeOut(gone.get(claim.address), (old) => sameClaim(old, claim)) === undefined
  const added = moved.after.filter(isNew)
  // Old ones first: a claim whose rank or age changed has the same target as the one it replaces.
  for (const list of gone.values()) for (const claim of list) records.removeClaim(reverseZones, primary, claim)
  for (const claim of added) records.addClaim(reverseZones, primary, claim)
}
