// What is asked in a measurement of forwarding. Hits: the names of a measured cluster (bench/serve) once more, below a
// zone of an upstream whose name is as long as the cluster's, so that a cached answer and an authoritative one differ in
// nothing but where they come from. Misses: names below a wildcard, each asked once and never again.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ClusterSize, writeZone, ZONE } from '../../src/load/queries/synthetic-cluster.ts'
import type { ZoneFile } from '../serve/nsd.ts'
import type { Query } from '../serve/queries.ts'

/** The upstream's copy of the cluster; as long as `cluster.local`. */
export const HIT_ZONE = 'names.example'
/** Every name below it has the address MISS_ADDRESS. */
export const MISS_ZONE = 'fresh.example'

const MISS_ADDRESS = '192.0.2.53'
/** Longer than any run: nothing expires while it is counted. */
const TTL = 3600

/** Writes the upstream's zone files into a folder. */
export function writeUpstreamZones(size: ClusterSize, folder: string): ZoneFile[] {
  const hits = writeZone(size, join(folder, `${HIT_ZONE}.zone`))
  const text = readFileSync(hits, 'utf8')
    .replace(`$ORIGIN ${ZONE}.\n$TTL 5\n`, `$ORIGIN ${HIT_ZONE}.\n$TTL ${TTL}\n`)
    .replace(/( SOA .*) \d+$/m, `$1 ${TTL}`)
  writeFileSync(hits, text)
  const misses = join(folder, `${MISS_ZONE}.zone`)
  const lines = [
    `$ORIGIN ${MISS_ZONE}.`,
    `$TTL ${TTL}`,
    `@ IN SOA ns hostmaster 1 7200 1800 86400 ${TTL}`,
    '@ IN NS ns',
    'ns IN A 127.0.0.1',
    `* IN A ${MISS_ADDRESS}`,
    '',
  ]
  writeFileSync(misses, lines.join('\n'))
  return [
    [HIT_ZONE, hits],
    [MISS_ZONE, misses],
  ]
}

/** The same query for the upstream's copy of the name. */
export function asExternal(query: Query): Query {
  return { ...query, qname: query.qname.slice(0, -ZONE.length) + HIT_ZONE }
}

/** Each question once. */
export function distinct(queries: readonly Query[]): Query[] {
  return [...new Map(queries.map((query) => [`${query.qname} ${query.qtype}`, query])).values()]
}

/** Names that were never asked: no two batches share one. `batch` 0..46,655, `count` up to 2,176,782,336. */
export function freshQueries(batch: number, count: number): Query[] {
  const of = batch.toString(36).padStart(3, '0')
  return Array.from({ length: count }, (_, index) => ({
    qname: `host-${index.toString(36).padStart(6, '0')}.run-${of}.${MISS_ZONE}`,
    qtype: 'A',
    rcode: 'NOERROR',
    addresses: [MISS_ADDRESS],
  }))
}
