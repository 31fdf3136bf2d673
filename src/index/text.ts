// Names of the index as text, for messages and tests. Not for the hot path.

import { NO_ZONE } from '../dns/key.ts'
import { textOfWire } from '../dns/name.ts'
import type { ZoneTable } from '../dns/zone-table.ts'
import { nameLength, nameOctets, nameZone, type Region } from './layout.ts'

/** Presentation format of a name, with a final dot. */
export function nameText(region: Region, name: number, zones: ZoneTable): string {
  const { words, octets } = region
  const from = nameOctets(name)
  const key = octets.slice(from, from + nameLength(words, name))
  const zone = nameZone(words, name)
  return textOfWire(Buffer.concat(zone === NO_ZONE ? [key] : [key, zones.wire(zone)]))
}

/** Octets of a name's key: an order of names that depends on nothing else. */
export function nameKey(region: Region, name: number): Uint8Array {
  const from = nameOctets(name)
  return region.octets.slice(from, from + nameLength(region.words, name))
}
