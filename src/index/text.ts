// Names of the index as text, for messages and tests. Not for the hot path.

import { textOfWire } from '../dns/name.ts'
import { nameOctets, nameParent, type Region } from './layout.ts'

/** Presentation format of a name, with a final dot. */
export function nameText(region: Region, name: number): string {
  const wire: number[] = []
  for (let part = name; part !== 0; part = nameParent(region.words, part)) {
    const at = nameOctets(part)
    for (let i = 1; i <= region.octets[at]; i++) wire.push(region.octets[at + i])
  }
  return textOfWire(Uint8Array.from(wire))
}
