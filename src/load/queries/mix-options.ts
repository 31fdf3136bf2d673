// What the built-in mix of queries may be told, and what it is when it is told nothing.

import type { EdnsOptions } from './wire-query.ts'

/** All shares are of all queries, 0..1; what they leave are answers of the cluster to addresses of its names (A, AAAA). */
export interface MixOptions {
  /** 0..2^32-1; the same one gives the same queries. */
  readonly seed: number
  /** Queries in all, 1..16,777,216. They are sent again and again. */
  readonly count: number
  /** How likely names are: by rank, as 1 / rank ^ zipfExponent, or all the same. */
  readonly distribution: 'zipf' | 'uniform'
  /** 0..4. */
  readonly zipfExponent: number
  /** Names that do not exist: what a search path asks in vain. */
  readonly nxdomainShare: number
  /** SRV of named ports. */
  readonly srvShare: number
  /** PTR of addresses of the cluster. */
  readonly ptrShare: number
  /** Names outside of the zone; not counting what their search path asked before, which is in nxdomainShare. */
  readonly externalShare: number
  /** Those names, without final dot; null = a list of examples (RFC 2606, RFC 6761). */
  readonly externalNames: readonly string[] | null
  /** A alone, without the AAAA beside it. All other queries for addresses come as A and AAAA, one of each. */
  readonly singleAShare: number
  /** The AAAA is sent together with its A from the same socket, as glibc and musl do; else behind it, on its own. */
  readonly pairs: boolean
  /** Letters of every QNAME in random case (draft-vixie-dnsext-dns0x20). */
  readonly caseRandomisation: boolean
  /** null = queries without OPT. */
  readonly edns: EdnsOptions | null
  /** Stub resolvers that ask at the same time, 1..65,536: so many walks of search paths are interleaved. */
  readonly clients: number
}

/**
 * What Pods with `ndots:5` make of ordinary work: every name outside of the cluster costs three vain pairs, `web.shop` one, so that
 * three fifths of all queries are NXDOMAIN.
 */
export const DEFAULT_MIX: MixOptions = {
  seed: 1,
  count: 262_144,
  distribution: 'zipf',
  zipfExponent: 1,
  nxdomainShare: 0.6,
  srvShare: 0.02,
  ptrShare: 0.02,
  externalShare: 0.12,
  externalNames: null,
  singleAShare: 0.06,
  pairs: true,
  caseRandomisation: false,
  edns: null,
  clients: 64,
}
