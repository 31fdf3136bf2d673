// What the server is to do, typed and frozen: everything after the command line reads this and no text.

import type { ClusterIndexOptions } from '../kube/cluster-index.ts'
import type { SchemaOptions } from '../kube/schema.ts'
import type { FeedOptions } from '../kube/watch/messages.ts'

/** The `kubernetes` part of a configuration, and what is around it. */
export interface ServerConfig {
  readonly source: RecordSource
  readonly addresses: readonly string[]
  /** 0..65535; 0 = any free one. */
  readonly port: number
  /** Query workers, 1..62. */
  readonly workers: number
  readonly transport: 'auto' | 'io' | 'dgram'
  /** Octets for each UDP socket. */
  readonly receiveBufferBytes: number
  /** Largest UDP response in octets, 512..4096. */
  readonly bufsize: number
  /** Most octets that the index may take; reserved at start, touched as needed. */
  readonly indexBytes: number
  /** Names, but for the server's own addresses. */
  readonly cluster: Omit<ClusterIndexOptions, 'listenAddresses'>
}

/** Where the objects come from that names are made of. */
export type RecordSource =
  | { readonly kind: 'manifests'; readonly paths: readonly string[] }
  | { readonly kind: 'api'; readonly feed: FeedConfig }

/** How a live cluster is followed: what the feed thread is to do, and what the main thread does with it. */
export interface FeedConfig extends FeedOptions {
  /** Milliseconds to wait for the first complete state before names are served that are not known to be all. */
  readonly startupTimeoutMs: number
  /** For `resolveStateDir`: a folder, 'off', or '' for the usual places. */
  readonly stateDir: string
}

/** Reverse zones of the built-in configuration. */
export const REVERSE_ZONES: readonly string[] = ['in-addr.arpa', 'ip6.arpa']

/** The schema of the built-in configuration: `pods insecure`, nothing else. */
export const BUILT_IN_SCHEMA: SchemaOptions = {
  pods: 'insecure',
  endpointPodNames: false,
  ignoreEmptyService: false,
  noEndpoints: false,
  zonal: false,
  okd: null,
}
