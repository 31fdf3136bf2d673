// One cluster as the process has it: an index, and what feeds it. Contract of its two kinds (live-cluster.ts, manifest-cluster.ts).

import type { Region } from '../index/layout.ts'
import type { ClusterEngine } from './engine.ts'

/** What a cluster is like now, for readiness and metrics. */
export interface ClusterStatus {
  /** Everything has been known once. */
  readonly isSynced: boolean
  /** Of what is served, milliseconds; 0 for manifests. */
  readonly ageMs: number
}

/** A cluster that is not known yet cannot take the place of one that is. Another time it may. */
export class NotKnownError extends Error {
  readonly code = 'CLUSTER_NOT_KNOWN'
}

/** An index in memory that workers read, kept up to date. */
export interface Cluster {
  /** What makes it differ from others: a cluster with the same key need not be started anew. */
  readonly key: string
  readonly region: Region
  /** null before there is anything to serve. */
  readonly engine: ClusterEngine | null
  readonly status: ClusterStatus
  /**
   * Reads the last good state, if there is one: names can then be served at once.
   * Blocks for up to a second: to be called while threads are starting.
   * @returns whether it was any good; `region` is another one if not
   */
  restore(): boolean
  /** There is something that restore() could read. */
  readonly mayRestore: boolean
  /** There was a good state. */
  readonly isRestored: boolean
  /** Begins to follow. Settles when names may be served: all is known, or waiting has lasted long enough. @throws if there will never be anything */
  start(): Promise<void>
  /** Settles when all is known. */
  readonly synced: Promise<void>
  /** Rejects when nothing will come any more. */
  readonly failed: Promise<never>
  /** What is worth saying once all is known. */
  summary(): string[]
  /** Ends following; the index stays as it is. */
  stop(): Promise<void>
}
