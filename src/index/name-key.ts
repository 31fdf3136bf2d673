// The key of a name as octets: an order of names that depends on nothing else. Not for the hot path.

import { nameLength, nameOctets, type Region } from './layout.ts'

/** Octets of a name's key (layout.ts), a copy. */
export function nameKey(region: Region, name: number): Uint8Array {
  const from = nameOctets(name)
  return region.octets.slice(from, from + nameLength(region.words, name))
}
