// What a query must get, looked up the slow way among the OwnerRecords of the schema, as text. One forward zone,
// cluster.local, and the reverse zones. Not here: which records there are (src/kube/schema.ts, tested by tables).

import { addressFamily, canonicalAddress, reverseName } from '../../src/kube/address.ts'
import type { Labels, OwnerRecords, ReverseClaim } from '../../src/kube/records.ts'
import type { SchemaOptions } from '../../src/kube/schema.ts'
import { allClaims, type Fixture, zoneOwners } from '../kube/schema-fixture.ts'
import { type Response, recordText } from '../server/wire.ts'
import { SERIAL, SERVER_ADDRESS } from './answer-engine.ts'

/** A response as text; records of a section in any order, but for CNAMEs, which come first. */
export interface Outcome {
  rcode: string
  answer: string[]
  authority: string[]
  additional: string[]
}

const ZONE = ['cluster', 'local']
const TTL = 5
const LINKS_MAX = 11

export function outcomeOf({ rcode, answer, authority, additional }: Response): Outcome {
  const cnames = answer.filter(({ type }) => type === 'CNAME').map(recordText)
  const others = answer.filter(({ type }) => type !== 'CNAME').map(recordText)
  return {
    rcode,
    answer: [...cnames, ...others.sort()],
    authority: authority.map(recordText),
    additional: additional.map(recordText).sort(),
  }
}

export class Oracle {
  readonly owners: readonly OwnerRecords[]
  readonly claims: readonly ReverseClaim[]
  readonly #objects: Fixture
  readonly #schema: SchemaOptions

  constructor(objects: Fixture, schema: SchemaOptions) {
    this.#objects = objects
    this.#schema = schema
    const own = {
      addresses: [SERVER_ADDRESS],
      srv: [],
      srvWeight: 0,
      cname: '',
      txt: [],
      wildcard: '',
      addressBelow: false,
    }
    this.owners = [...zoneOwners(objects, schema), { ...own, owner: ['ns', 'dns'] } as OwnerRecords]
    this.claims = allClaims(objects, schema)
  }

  /** @param qname as the client spells it */
  expected(qname: Labels, type: string): Outcome {
    const owner = `${qname.join('.')}.`
    const zone = zoneOf(qname)
    if (zone === '') return { rcode: 'REFUSED', answer: [], authority: [], additional: [] }
    const left = lower(qname.slice(0, qname.length - zone.split('.').length))
    // The zone part of the SOA's owner is spelled as in the query; so are all names made of pointers to it.
    const spelled = `${qname.slice(left.length).join('.')}.`
    const soa = `${spelled} ${TTL} IN SOA ns.dns.${spelled} hostmaster.${spelled} ${SERIAL} 7200 1800 86400 ${TTL}`
    const none = (rcode: string): Outcome => ({ rcode, answer: [], authority: [soa], additional: [] })
    if (left.length === 0 && type === 'SOA') return { ...none('NOERROR'), answer: [soa], authority: [] }
    if (left.length === 0 && type === 'NS') {
      const additional = [`ns.dns.cluster.local. ${TTL} IN A ${SERVER_ADDRESS}`]
      const target = zone === 'cluster.local' ? zone : 'cluster.local'
      return { rcode: 'NOERROR', answer: [`${owner} ${TTL} IN NS ns.dns.${target}.`], authority: [], additional }
    }
    if (zone !== 'cluster.local') return this.#reverse(owner, left, zone, type) ?? none(this.#reverseCode(left, zone))

    const found = this.locate(left)
    if (found === null) return none('NXDOMAIN')
    const { answer, additional } = records(found, owner, type)
    if (answer.length > 0) return { rcode: 'NOERROR', answer, authority: [], additional }
    const cname = found.find((each) => each.cname !== '')?.cname
    if (cname === undefined || (type !== 'A' && type !== 'AAAA')) return none('NOERROR')
    return this.#chain(qname, cname, type, none)
  }

  /** The records of a name, [] for an empty non-terminal, null if it does not exist. */
  locate(left: Labels): OwnerRecords[] | null {
    const exact = this.owners.filter(({ owner }) => same(owner, left))
    if (exact.length > 0) return exact
    if (left.length === 0 || this.owners.some(({ owner }) => endsWith(owner, left))) return []
    const sources = this.owners.filter((source) => isSourceOf(source, left))
    if (sources.length > 0) return [sources.reduce((a, b) => (b.owner.length > a.owner.length ? b : a))]
    const address = left.length === 3 && left[2] === 'pod' ? addressOfLabel(left[0]) : ''
    if (address === '' || !this.#hasPod(left[1], address)) return null
    return [{ ...this.owners[0], owner: left, addresses: [address] }]
  }

  #hasPod(namespace: string, address: string): boolean {
    if (!this.#objects.namespaces.includes(namespace) || this.#schema.pods === 'disabled') return false
    if (this.#schema.pods === 'insecure') return true
    return this.#objects.pods.some(
      (pod) => pod.namespace === namespace && pod.addresses.some((text) => canonicalAddress(text) === address),
    )
  }

  #chain(qname: Labels, first: string, type: string, none: (rcode: string) => Outcome): Outcome {
    const answer: string[] = []
    const seen: string[] = []
    const broken = (rcode: string): Outcome =>
      this.#schema.okd === null ? none('NOERROR') : { ...none(rcode), answer }
    let owner = `${qname.join('.')}.`
    for (let target = first.toLowerCase(); ; ) {
      if (seen.length === LINKS_MAX || seen.includes(target)) return broken('NOERROR')
      seen.push(target)
      answer.push(`${owner} ${TTL} IN CNAME ${target}.`)
      const labels = target.split('.')
      const whole: Outcome = { rcode: 'NOERROR', answer, authority: [], additional: [] }
      if (zoneOf(labels) !== 'cluster.local') return whole
      if (same(labels, lower(qname)) || endsWith(labels, lower(qname))) return broken('NOERROR')
      const found = this.locate(labels.slice(0, -ZONE.length))
      if (found === null) return broken('NXDOMAIN')
      const end = records(found, `${target}.`, type).answer
      if (end.length > 0) return { ...whole, answer: [...answer, ...end] }
      const next = found.find((each) => each.cname !== '')?.cname
      if (next === undefined) return broken('NOERROR')
      owner = `${target}.`
      target = next.toLowerCase()
    }
  }

  #reverse(owner: string, left: Labels, zone: string, type: string): Outcome | undefined {
    if (same(left, ['ns', 'dns']) && type === 'A') {
      return { rcode: 'NOERROR', answer: [`${owner} ${TTL} IN A ${SERVER_ADDRESS}`], authority: [], additional: [] }
    }
    const claims = this.claims.filter(({ address }) => same(reverseName(address), [...left, ...zone.split('.')]))
    if (type !== 'PTR' || claims.length === 0) return undefined
    claims.sort(
      (a, b) => b.rank - a.rank || a.createdAt - b.createdAt || Buffer.compare(wire(a.target), wire(b.target)),
    )
    const answered = this.#schema.okd !== null || claims[0].rank === 3 ? claims.slice(0, 1) : claims
    const targets = new Set(answered.map(({ target }) => `${[...target, ...ZONE].join('.')}.`))
    const answer = [...targets].map((target) => `${owner} ${TTL} IN PTR ${target}`).sort()
    return { rcode: 'NOERROR', answer, authority: [], additional: [] }
  }

  #reverseCode(left: Labels, zone: string): string {
    const name = [...left, ...zone.split('.')]
    const names = [...this.claims.map(({ address }) => reverseName(address)), ['ns', 'dns', ...zone.split('.')]]
    const exists = left.length === 0 || names.some((each) => same(each, name) || endsWith(each, name))
    return exists ? 'NOERROR' : 'NXDOMAIN'
  }
}

function records(
  found: readonly OwnerRecords[],
  owner: string,
  type: string,
): { answer: string[]; additional: string[] } {
  const answer = new Set<string>()
  const additional = new Set<string>()
  const addressText = (name: string, address: string): string =>
    `${name} ${TTL} IN ${addressFamily(address) === 4 ? 'A' : 'AAAA'} ${address}`
  for (const { addresses, srv, srvWeight, cname, txt } of found) {
    for (const address of addresses) answer.add(addressText(owner, address))
    if (type === 'CNAME' && cname !== '') answer.add(`${owner} ${TTL} IN CNAME ${cname.toLowerCase()}.`)
    for (const text of txt) answer.add(`${owner} 28800 IN TXT "${text}"`)
    for (const record of srv) {
      const labels = typeof record.target === 'string' ? [record.target.toLowerCase()] : [...record.target, ...ZONE]
      const target = `${labels.join('.')}.`
      answer.add(`${owner} ${TTL} IN SRV 0 ${srvWeight} ${record.port} ${target}`)
      if (type === 'SRV') for (const address of record.addresses) additional.add(addressText(target, address))
    }
  }
  return {
    answer: [...answer].filter((text) => text.split(' ')[3] === type).sort(),
    additional: [...additional].sort(),
  }
}

function isSourceOf({ owner, wildcard }: OwnerRecords, left: Labels): boolean {
  const parent = owner.slice(1)
  if (wildcard === '' || !endsWith(left, parent)) return false
  const below = left.slice(0, left.length - parent.length)
  if (wildcard === 'any') return true
  return below.at(-1) !== '_endpoints' && !below.every((label) => label.startsWith('_'))
}

function zoneOf(qname: Labels): string {
  const name = `.${lower(qname).join('.')}`
  return ['cluster.local', 'in-addr.arpa', 'ip6.arpa'].find((zone) => name.endsWith(`.${zone}`)) ?? ''
}

function addressOfLabel(label: string): string {
  const isFour = label.split('-').length === 4 && !label.includes('--')
  return label.includes('-') ? canonicalAddress(label.replaceAll('-', isFour ? '.' : ':')) : ''
}

function wire(labels: Labels): Buffer {
  return Buffer.concat(labels.flatMap((label) => [Buffer.of(label.length), Buffer.from(label)]))
}

function lower(labels: Labels): string[] {
  return labels.map((label) => label.toLowerCase())
}

function same(a: Labels, b: Labels): boolean {
  return a.length === b.length && a.every((label, i) => label === b[i])
}

function endsWith(labels: Labels, end: Labels): boolean {
  return labels.length > end.length && same(labels.slice(labels.length - end.length), end)
}
