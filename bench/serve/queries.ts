// Queries of a measurement, drawn once from a seed and put on the wire once: the generator only points at them. Each
// keeps what the right answer is, so that a server can be checked before it is measured.

import { TYPES } from '../../src/dns/record-types.ts'
import { scattered, seededRandom, zipf } from '../../src/load/queries/draw.ts'
import {
  type ClusterSize,
  nameCount,
  namespaceName,
  serviceModel,
  ZONE,
} from '../../src/load/queries/synthetic-cluster.ts'
import { QueryEncoder } from '../../src/load/queries/wire-query.ts'
import { type QueryTable, QueryTableBuilder } from '../../src/load/query-table.ts'

/**
 * positive: names that exist, asked for a type they have. nxdomain: what a Pod's search path asks in vain. mixed: 65 %
 * nxdomain, A:AAAA 52:48 throughout (so that some positive names answer NODATA). All three draw names by Zipf's law;
 * uniform is positive with every name equally likely.
 */
export type Mix = 'positive' | 'nxdomain' | 'mixed' | 'uniform'

/** All mixes. */
export const MIXES: readonly Mix[] = ['positive', 'nxdomain', 'mixed', 'uniform']

/** One query and the answer it must get. */
export interface Query {
  /** Without the trailing dot. */
  readonly qname: string
  readonly qtype: 'A' | 'AAAA'
  readonly rcode: 'NOERROR' | 'NXDOMAIN'
  /** Textual, in any order; empty for NODATA and NXDOMAIN. */
  readonly addresses: readonly string[]
}

const NXDOMAIN_SHARE = 0.65
const A_SHARE = 0.52

const HOSTS = ['www', 'api', 'cdn', 'static', 'login', 's3', 'metrics', 'registry', 'hooks', 'auth']
const DOMAINS = [
  'example.com',
  'example.org',
  'shop.example.net',
  'eu-west-1.cloud.example',
  'pay.example',
  'tracker.example.io',
]

/** Draws `count` queries of a mix over a cluster, the same ones for the same seed. */
export function drawQueries(size: ClusterSize, mix: Mix, count: number, seed: number): Query[] {
  const random = seededRandom(seed)
  const names = nameCount(size)
  // The most popular name is the second Service: one address, as the most popular ones of a cluster have.
  const drawName =
    mix === 'uniform'
      ? () => Math.floor(random() * names)
      : scattered(zipf(names, random), names, 1 + size.endpoints / size.services)
  const drawNamespace = zipf(size.namespaces, random)
  const queries: Query[] = []
  for (let i = 0; i < count; i++) {
    const missing = mix === 'nxdomain' || (mix === 'mixed' && random() < NXDOMAIN_SHARE)
    const wanted = random() < A_SHARE ? 'A' : 'AAAA'
    if (missing) {
      queries.push({ qname: missingName(size, random, drawNamespace), qtype: wanted, rcode: 'NXDOMAIN', addresses: [] })
    } else {
      queries.push(existing(size, drawName(), wanted, mix !== 'mixed'))
    }
  }
  return queries
}

/** The queries on the wire, as a stub resolver sends them: RD set, no EDNS. */
export function tableOf(queries: readonly Pick<Query, 'qname' | 'qtype'>[]): QueryTable {
  const encoder = new QueryEncoder(null)
  const builder = new QueryTableBuilder()
  for (const { qname, qtype } of queries) builder.add(encoder.encode(qname, TYPES[qtype]))
  return builder.build()
}

/** A name that exists, by its number: a Service and behind it its endpoints, Service after Service. */
function existing(size: ClusterSize, name: number, wanted: 'A' | 'AAAA', mustHave: boolean): Query {
  const perService = 1 + size.endpoints / size.services
  const service = serviceModel(size, Math.floor(name / perService))
  const owner = `${service.name}.${service.namespace}.svc.${ZONE}`
  const endpoint = service.endpoints[(name % perService) - 1]
  const headless = service.clusterIps.length === 0
  const holders = endpoint ? [endpoint] : headless ? service.endpoints : []
  const all = [...holders.flatMap((each) => [each.ipv4, each.ipv6])].filter((address) => address !== '')
  if (!endpoint && !headless) all.push(...service.clusterIps)
  const has6 = all.some((address) => address.includes(':'))
  const qtype = mustHave && !has6 ? 'A' : wanted
  const addresses = all.filter((address) => address.includes(':') === (qtype === 'AAAA'))
  return { qname: endpoint ? `${endpoint.label}.${owner}` : owner, qtype, rcode: 'NOERROR', addresses }
}

/** What a resolver with the search list of a Pod asks before it comes to the right name, or for a Service that is gone. */
function missingName(size: ClusterSize, random: () => number, drawNamespace: () => number): string {
  const namespace = namespaceName(drawNamespace())
  const kind = random()
  if (kind < 0.7) {
    const host = `${HOSTS[Math.floor(random() * HOSTS.length)]}.${DOMAINS[Math.floor(random() * DOMAINS.length)]}`
    if (kind < 0.4) return `${host}.${namespace}.svc.${ZONE}`
    return kind < 0.55 ? `${host}.svc.${ZONE}` : `${host}.${ZONE}`
  }
  const service = serviceModel(size, Math.floor(random() * size.services))
  if (kind < 0.85) return `${service.name}.${service.namespace}.${namespace}.svc.${ZONE}`
  if (kind < 0.9) return `${service.name}.${service.namespace}.svc.${ZONE}.${namespace}.svc.${ZONE}`
  return `${service.name}-canary.${service.namespace}.svc.${ZONE}`
}
