// The obvious index: a Map from names to what they hold. And the same written into, and read back from, the real one.

import { NO_ZONE } from '../../src/dns/key.ts'
import { wireOfLabels } from '../../src/dns/name.ts'
import { Query, sealKey } from '../../src/dns/question.ts'
import { BlockBuilder, claimsOf } from '../../src/index/block.ts'
import {
  blockFlags,
  blockRrsetCount,
  CLAIMS,
  FLAT,
  firstRrset,
  NAMES,
  nameLength,
  nameOctets,
  nameZone,
  nextRrset,
  type Region,
  rrsetCount,
  rrsetData,
  rrsetEncoding,
  rrsetType,
  SRV,
} from '../../src/index/layout.ts'
import type { IndexWriter } from '../../src/index/writer.ts'

/** Labels, leftmost first, left of zone number `zone`; NO_ZONE for a name in none. */
export interface Place {
  readonly zone: number
  readonly labels: readonly string[]
}

export type Content =
  | { readonly kind: 'flags'; readonly flags: number }
  | { readonly kind: 'addresses'; readonly ipv6: boolean; readonly values: readonly number[] }
  | { readonly kind: 'raw'; readonly texts: readonly string[] }
  | {
      readonly kind: 'srv'
      readonly targets: readonly Place[]
      readonly ports: readonly number[]
      readonly additional: readonly number[]
    }
  | { readonly kind: 'names'; readonly targets: readonly Place[] }
  | { readonly kind: 'claims'; readonly targets: readonly Place[]; readonly answered: number }

const TYPE_A = 1
const TYPE_CNAME = 5
const TYPE_TXT = 16
const TYPE_AAAA = 28
const TYPE_SRV = 33
const TTL = 5

/** Names and what they hold; a name exists that holds something or is above one that does. Keys are textOf(). */
export class Oracle {
  readonly #held = new Map<string, string>()

  set(place: Place, contents: readonly Content[]): void {
    this.#held.set(textOf(place), describe(contents))
  }
  clear(place: Place): void {
    this.#held.delete(textOf(place))
  }
  /** What the name holds; '' if it exists without; undefined if it does not exist. */
  at({ zone, labels }: Place): string | undefined {
    const text = textOf({ zone, labels })
    const isAbove = (): boolean => [...this.#held.keys()].some((held) => held.endsWith(`.${text}`))
    return this.#held.get(text) ?? (labels.length === 0 || isAbove() ? '' : undefined)
  }
  copy(): Oracle {
    const copy = new Oracle()
    for (const [text, held] of this.#held) copy.#held.set(text, held)
    return copy
  }
}

/** `label.label.ZONE`. */
export function textOf({ zone, labels }: Place): string {
  return [...labels, zone].join('.')
}

/** Contents as text, as read() has them. */
export function describe(contents: readonly Content[]): string {
  return contents.map(describeOne).join('; ')
}

function describeOne(content: Content): string {
  switch (content.kind) {
    case 'flags':
      return `flags ${content.flags}`
    case 'addresses':
      return `${content.ipv6 ? TYPE_AAAA : TYPE_A} ${content.values.join(' ')}`
    case 'raw':
      return `${TYPE_TXT} ${content.texts.join(' ')}`
    case 'srv':
      return `${TYPE_SRV} ${content.targets.map((target, i) => `${textOf(target)}:${content.ports[i]}`).join(' ')} + ${content.additional.join(' ')}`
    case 'names':
      return `${TYPE_CNAME} ${content.targets.map(textOf).join(' ')}`
    case 'claims':
      return `claims ${content.answered} ${content.targets.map(textOf).join(' ')}`
  }
}

/** Ref of `place` in the version in the making; made, with all above it. */
export function resolve(writer: IndexWriter, apexes: readonly number[], place: Place): number {
  if (place.zone === NO_ZONE) return writer.foreignName(place.labels)
  return place.labels.reduceRight((name, label) => writer.child(name, label), apexes[place.zone])
}

/** The same without making any; 0 if it is not there. */
export function existing(writer: IndexWriter, apexes: readonly number[], place: Place): number {
  return place.labels.reduceRight(
    (name, label) => (name === 0 ? 0 : writer.existingChild(name, label)),
    apexes[place.zone],
  )
}

const builder = new BlockBuilder()
const octets = new Uint8Array(16)

/** Gives the name at `place` what `contents` say. */
export function write(writer: IndexWriter, apexes: readonly number[], place: Place, contents: readonly Content[]) {
  const name = resolve(writer, apexes, place)
  const flags = contents.reduce((all, content) => all | (content.kind === 'flags' ? content.flags : 0), 0)
  builder.begin(flags)
  for (const content of contents) addContent(writer, apexes, content)
  writer.setBlock(name, builder)
}

function addContent(writer: IndexWriter, apexes: readonly number[], content: Content): void {
  const refs = 'targets' in content ? content.targets.map((target) => resolve(writer, apexes, target)) : []
  if (content.kind === 'addresses') {
    const type = content.ipv6 ? TYPE_AAAA : TYPE_A
    builder.beginAddresses(type)
    for (const value of content.values) builder.pushAddress(type, TTL, addressOf(value), 0, content.ipv6 ? 16 : 4)
    builder.end()
  } else if (content.kind === 'raw') {
    builder.addRaw(
      TYPE_TXT,
      TTL,
      content.texts.map((text) => Buffer.from(text)),
    )
  } else if (content.kind === 'srv') {
    builder.beginSrv(TYPE_SRV)
    refs.forEach((ref, i) => {
      builder.pushSrv(ref, content.ports[i], 1)
    })
    builder.beginAdditional()
    for (const value of content.additional) builder.pushAdditional(0, addressOf(value), 0, value & 1 ? 16 : 4)
    builder.end()
  } else if (content.kind === 'names') {
    builder.beginNames(TYPE_CNAME)
    for (const ref of refs) builder.pushName(ref)
    builder.end()
  } else if (content.kind === 'claims') {
    builder.addClaims(
      refs.map((target, rank) => ({ target, rank, createdAt: 1 })),
      content.answered,
    )
  }
}

function addressOf(value: number): Uint8Array {
  return octets.fill(value)
}

/** What `block` holds, in the words of describe(). */
export function read(region: Region, block: number): string {
  if (block === 0) return ''
  const { words } = region
  const parts: string[] = []
  if (blockFlags(words, block) !== 0) parts.push(`flags ${blockFlags(words, block)}`)
  let rrset = firstRrset(block)
  for (let i = 0; i < blockRrsetCount(words, block); i++) {
    parts.push(readRrset(region, block, rrset))
    rrset = nextRrset(words, rrset)
  }
  return parts.join('; ')
}

function readRrset(region: Region, block: number, rrset: number): string {
  const { words } = region
  const type = rrsetType(words, rrset)
  const count = rrsetCount(words, rrset)
  const data = rrsetData(rrset)
  const encoding = rrsetEncoding(words, rrset)
  const each = (size: number, text: (word: number) => string | number): string =>
    Array.from({ length: count }, (_, i) => text(data + size * i)).join(' ')
  if (encoding === FLAT) return `${type} ${each(type === TYPE_A ? 4 : 7, (word) => sameOctet(region, word + 3, type))}`
  if (encoding === NAMES) return `${type} ${each(1, (word) => nameAt(region, words[word]))}`
  if (encoding === SRV) {
    const targets = each(2, (word) => `${nameAt(region, words[word])}:${words[word + 1] & 0xffff}`)
    const additional: number[] = []
    let word = data + 2 * count + 1
    for (let left = words[word - 1]; left > 0; left--) {
      additional.push(sameOctet(region, word + 1, words[word] < 0 ? TYPE_AAAA : TYPE_A))
      word += words[word] < 0 ? 5 : 2
    }
    return `${type} ${targets} + ${additional.join(' ')}`
  }
  if (encoding === CLAIMS) {
    return `claims ${count} ${claimsOf(words, block)
      .map(({ target }) => nameAt(region, target))
      .join(' ')}`
  }
  const texts: string[] = []
  for (let left = count, word = data; left > 0; left--) {
    const from = (word + 1) << 2
    texts.push(Buffer.from(region.octets.slice(from + 12, from + words[word])).toString())
    word += 1 + ((words[word] + 3) >> 2)
  }
  return `${type} ${texts.join(' ')}`
}

/** The octet that all of an address consists of; -1 if there are several. */
function sameOctet({ octets }: Region, word: number, type: number): number {
  const from = word << 2
  const address = octets.subarray(from, from + (type === TYPE_A ? 4 : 16))
  return address.every((octet) => octet === address[0]) ? address[0] : -1
}

function nameAt({ words, octets }: Region, name: number): string {
  const labels: string[] = []
  const from = nameOctets(name)
  const end = from + nameLength(words, name)
  for (let at = from; at < end && octets[at] > 0; at += octets[at] + 1) {
    labels.push(Buffer.from(octets.slice(at + 1, at + 1 + octets[at])).toString('latin1'))
  }
  return textOf({ zone: nameZone(words, name), labels })
}

/** A query for `place` as a reader would have it. */
export function queryFor({ zone, labels }: Place): Query {
  const query = new Query()
  const key = wireOfLabels(labels).subarray(0, -1)
  query.key.set(key)
  sealKey(query, zone, key.length)
  query.zone = zone
  return query
}
