// The names of a cluster, and tables of names to ask for: what every structure is measured with.

import { endpointAddress, NAMESPACES } from '../objects.ts'

/** Names of a table begin at multiples of this: enough for any of them. */
export const NAME_STRIDE = 96

/** Services, the endpoints below each, and what stands above them; name i is the same in every run. */
export class ClusterNames {
  readonly count: number
  private readonly services: number
  private readonly endpoints: number

  constructor(services: number, endpoints: number) {
    this.services = services
    this.endpoints = endpoints
    this.count = 1 + NAMESPACES + services + services * endpoints
  }

  /** Labels left of the zone; parents come before their children. */
  labels(i: number): string[] {
    if (i === 0) return ['svc']
    if (i <= NAMESPACES) return [`ns-${i - 1}`, 'svc']
    const leaf = i - 1 - NAMESPACES
    if (leaf < this.services) return [`svc-${leaf}`, `ns-${leaf % NAMESPACES}`, 'svc']
    const endpoint = leaf - this.services
    const service = Math.floor(endpoint / this.endpoints)
    const address = endpointAddress(service, endpoint % this.endpoints, this.endpoints)
    return [address.replaceAll('.', '-'), `svc-${service}`, `ns-${service % NAMESPACES}`, 'svc']
  }
}

/** A repeatable source of numbers in [0, 1) (xorshift32). */
export function seededRandom(seed: number): () => number {
  let state = seed | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

/** Which names a table holds. */
export type Draw =
  /** 64 names again and again: everything they touch stays in the nearest cache. */
  | 'hot'
  /** Zipf with s = 1, the ranks scattered over all names. */
  | 'zipf'
  | 'uniform'
  /** What a search list makes of names outside of the cluster; none of them exists. */
  | 'missing'
  /** The same of 64 names. */
  | 'missing-hot'

const HOT_NAMES = 64
const SCATTER = 2654435761 // prime: a rank times this, modulo the count, meets every name

/** `tableCount` names in wire form with root octet, name k at k * NAME_STRIDE. */
export function drawNames(names: ClusterNames, draw: Draw, tableCount: number, random: () => number): Uint8Array {
  const table = new Uint8Array(tableCount * NAME_STRIDE)
  const below = (bound: number): number => Math.floor(random() * bound)
  for (let k = 0; k < tableCount; k++) {
    const at = k * NAME_STRIDE
    if (k >= HOT_NAMES && (draw === 'hot' || draw === 'missing-hot')) {
      table.copyWithin(at, (k % HOT_NAMES) * NAME_STRIDE, (k % HOT_NAMES) * NAME_STRIDE + NAME_STRIDE)
    } else if (draw === 'missing' || draw === 'missing-hot') {
      writeName(table, at, [`host-${below(1e6)}`, 'example', 'com', `ns-${below(NAMESPACES)}`, 'svc'])
    } else {
      const rank = draw === 'zipf' ? Math.floor((names.count + 1) ** random()) - 1 : below(names.count)
      writeName(table, at, names.labels((Math.min(rank, names.count - 1) * SCATTER) % names.count))
    }
  }
  return table
}

function writeName(table: Uint8Array, at: number, labels: readonly string[]): void {
  for (const label of labels) {
    table[at++] = label.length
    for (let i = 0; i < label.length; i++) table[at++] = label.charCodeAt(i)
  }
  table[at] = 0
}
