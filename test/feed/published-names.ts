// Every name and every record that an index serves, as text: two indexes that serve the same compare equal, whatever way each
// came to it. Reads the published version, as a query worker would.

import { claimsOf } from '../../src/index/block.ts'
import {
  blockFlags,
  blockRrsetCount,
  blockSize,
  CLAIMS,
  firstRrset,
  NAMES,
  nameLength,
  nameOctets,
  nameZone,
  nextRrset,
  type Region,
  rootTrie,
  rootWord,
  rrsetCount,
  rrsetData,
  rrsetEncoding,
  rrsetType,
  SRV,
} from '../../src/index/layout.ts'
import { walkTrie } from '../index/trie-walk.ts'

/** What is served: `label.label ZONE` -> its records. */
export function publishedNames(region: Region): Map<string, string> {
  const { words } = region
  const { entries } = walkTrie(words, rootTrie(words, Atomics.load(words, rootWord())))
  const names = new Map<string, string>()
  for (const [name, block] of entries) names.set(nameText(region, name), block === 0 ? '' : blockText(region, block))
  return names
}

/** The first names that are not in both alike; '' if there are none. */
export function differences(served: ReadonlyMap<string, string>, expected: ReadonlyMap<string, string>): string {
  const lines: string[] = []
  for (const [name, records] of expected) {
    const found = served.get(name)
    if (found === undefined) lines.push(`missing: ${name} ${records}`)
    else if (found !== records) lines.push(`different: ${name} ${found}, should be ${records}`)
  }
  for (const [name, records] of served) if (!expected.has(name)) lines.push(`too many: ${name} ${records}`)
  return lines.slice(0, 10).join('\n')
}

function nameText({ words, octets }: Region, name: number): string {
  const labels: string[] = []
  const from = nameOctets(name)
  const end = from + nameLength(words, name)
  for (let at = from; at < end && octets[at] > 0; at += octets[at] + 1) {
    labels.push(Buffer.from(octets.subarray(at + 1, at + 1 + octets[at])).toString('latin1'))
  }
  return `${labels.join('.')} ${nameZone(words, name)}`
}

function blockText(region: Region, block: number): string {
  const { words } = region
  const parts = [`flags ${blockFlags(words, block)}`]
  let rrset = firstRrset(block)
  for (let left = blockRrsetCount(words, block); left > 0; left--) {
    const next = left === 1 ? block + blockSize(words, block) : nextRrset(words, rrset)
    parts.push(`${rrsetType(words, rrset)} ${rrsetCount(words, rrset)} ${dataText(region, block, rrset, next)}`)
    rrset = next
  }
  return parts.join('; ')
}

/** References to names are given as names, all else as octets. */
function dataText(region: Region, block: number, rrset: number, end: number): string {
  const { words, octets } = region
  const data = rrsetData(rrset)
  const count = rrsetCount(words, rrset)
  const rest = (from: number): string => Buffer.from(octets.subarray(from << 2, end << 2)).toString('hex')
  const eachName = (size: number, more: (at: number) => string): string =>
    Array.from({ length: count }, (_, i) => nameText(region, words[data + size * i]) + more(data + size * i)).join(' ')
  switch (rrsetEncoding(words, rrset)) {
    case NAMES:
      return `${eachName(1, () => '')} + ${rest(data + count)}`
    case SRV:
      return `${eachName(2, (at) => `:${words[at + 1]}`)} + ${rest(data + 2 * count)}`
    case CLAIMS:
      return claimsOf(words, block)
        .map(({ target, rank, createdAt }) => `${nameText(region, target)}/${rank}/${createdAt}`)
        .join(' ')
    default:
      return rest(data)
  }
}
