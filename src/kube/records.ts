// What the schema says one owner name holds, before it is put into wire form.

import type { Endpoint } from './objects.ts'

/** Labels left of a zone, leftmost first, lower case: ['pg-0', 'pg', 'db', 'svc']. */
export type Labels = readonly string[]

/** One SRV record of priority 0, with what belongs into the additional section. */
export interface SrvRecord {
  readonly port: number
  /** Labels left of the owner's zone, or an absolute name (no trailing dot) for an ExternalName target. */
  readonly target: Labels | string
  /** Distinct textual addresses of the target. */
  readonly addresses: readonly string[]
}

/** Everything one owner name of a forward zone holds. An empty one is an empty non-terminal that must exist. */
export interface OwnerRecords {
  readonly owner: Labels
  /** Distinct textual IPv4 and IPv6 addresses, in order of first appearance: A and AAAA. */
  readonly addresses: readonly string[]
  /** Distinct by (target, port). */
  readonly srv: readonly SrvRecord[]
  /** The one weight of all SRV records of this owner: 0..100. */
  readonly srvWeight: number
  /** CNAME target, absolute, without trailing dot; '' = none. Excludes addresses. */
  readonly cname: string
  /** TXT strings; dns-version only. */
  readonly txt: readonly string[]
  /**
   * Only where owner[0] is '*': it is then the source of synthesis (RFC 4592 §3.3.1) for every missing name below its
   * parent, at any depth, unless a closer one exists. `service` (OKD): not for names whose labels left of the parent all
   * begin with '_', nor below `_endpoints`; `any` (zonal names, `_endpoints`): for all. '' everywhere else.
   */
  readonly wildcard: '' | 'service' | 'any'
  /** pods insecure: a label below that spells an address is that address. Only at NS.pod. */
  readonly addressBelow: boolean
}

/** One claim of an address on a PTR record. All claims of all Services on an address together decide the answer. */
export interface ReverseClaim {
  /** Textual, any spelling. */
  readonly address: string
  /** Labels left of the primary zone. */
  readonly target: Labels
  /** 3 = cluster IP (beats all others), 2 = endpoint with hostname, 1 = headless endpoint without, 0 = other endpoint without. */
  readonly rank: 0 | 1 | 2 | 3
  /** Of the object that claims: the oldest wins where only one may (OKD). */
  readonly createdAt: number
}

/** Where a record comes from, for `explain`. */
export interface Origin {
  readonly kind: 'Namespace' | 'Service' | 'EndpointSlice' | 'Pod' | 'ServiceImport'
  /** namespace/name */
  readonly object: string
  /** e.g. spec.clusterIPs[0], endpoints[3].addresses[0] */
  readonly field: string
  readonly endpoint?: Endpoint
}
