// What the `dns_*` families must say, counted by whoever asked.

import assert from 'node:assert/strict'
import type { Response } from '../server/wire.ts'
import { type Exposition, type Labels, type Sample, sampleKey } from './exposition.ts'
import { REFERENCE, TYPE_LABELS } from './reference.ts'

/** Where a query is counted. */
export interface Place {
  readonly server: string
  readonly zone: string
  readonly view: string
}

/** One query and what came back. */
export interface Exchange {
  readonly place: Place
  readonly tcp: boolean
  readonly ipv6: boolean
  readonly type: string
  readonly dnssecOk: boolean
  /** Octets of the query. */
  readonly size: number
  /** null: no reply. */
  readonly reply: { readonly rcode: string; readonly plugin: string; readonly size: number } | null
}

const RCODE_NAMES: ReadonlyMap<number, string> = new Map([[16, 'BADVERS']])
const FAMILIES = [
  ...['dns_requests_total', 'dns_responses_total', 'dns_do_requests_total', 'dns_request_size_bytes'],
  ...['dns_response_size_bytes', 'dns_request_duration_seconds'],
].map((name) => `coredns_${name}`)
const DURATION = 'coredns_dns_request_duration_seconds'

/** Every sample that there must be, and no other. */
export class Tally {
  queries = 0
  readonly #values = new Map<string, number>()

  add({ place, tcp, ipv6, type, dnssecOk, size, reply }: Exchange): void {
    const { server, zone, view } = place
    const block = { server, zone, view }
    const proto = tcp ? 'tcp' : 'udp'
    this.queries++
    const typeLabel = TYPE_LABELS.includes(type) ? type : 'other'
    this.#count('dns_requests_total', { ...block, proto, family: ipv6 ? '2' : '1', type: typeLabel })
    if (dnssecOk) this.#count('dns_do_requests_total', block)
    this.#observe('dns_request_size_bytes', { ...block, proto }, size)
    this.#count('dns_request_duration_seconds_count', block)
    if (reply === null) return
    this.#count('dns_responses_total', { ...block, rcode: reply.rcode, plugin: reply.plugin })
    this.#observe('dns_response_size_bytes', { ...block, proto }, reply.size)
  }

  /** Have all queries been counted? */
  isReached(page: Exposition): boolean {
    return page.sum('coredns_dns_requests_total') >= this.queries && page.sum(`${DURATION}_count`) >= this.queries
  }

  /** Asserts that the page says what was counted here, no more and no less; of durations only how many there are. */
  check(page: Exposition): void {
    const found = FAMILIES.flatMap((name) => page.families.get(name)?.samples ?? []).filter(isCounted)
    const actual = new Map(found.map(({ name, labels, value }) => [sampleKey(name, labels), value]))
    const wrong = [...new Set([...actual.keys(), ...this.#values.keys()])]
      .filter((key) => actual.get(key) !== this.#values.get(key))
      .map((key) => `${key} is ${actual.get(key)}, not ${this.#values.get(key)}`)
    assert.deepEqual(wrong, [])
  }

  #count(name: string, labels: Labels, amount = 1): void {
    const key = sampleKey(`coredns_${name}`, labels)
    this.#values.set(key, (this.#values.get(key) ?? 0) + amount)
  }

  #observe(name: string, labels: Labels, value: number): void {
    const { buckets } = REFERENCE.get(`coredns_${name}`)!
    for (const le of buckets) this.#count(`${name}_bucket`, { ...labels, le }, value <= Number(le) ? 1 : 0)
    this.#count(`${name}_bucket`, { ...labels, le: '+Inf' })
    this.#count(`${name}_sum`, labels, value)
    this.#count(`${name}_count`, labels)
  }
}

/** How long something took cannot be known here. */
function isCounted({ name }: Sample): boolean {
  return name !== `${DURATION}_bucket` && name !== `${DURATION}_sum`
}

/** Label `rcode` of a response, with the extension by its OPT. */
export function rcodeOf({ rcode, flags, opt }: Response): string {
  const number = ((opt?.extendedRcode ?? 0) << 4) | (flags & 15)
  return RCODE_NAMES.get(number) ?? rcode
}
