// Where queries come from, as the command line says it, and the table that is made of it. The one door of this folder.

import type { ClusterObjects } from '../../kube/objects.ts'
import type { SchemaOptions } from '../../kube/schema.ts'
import type { QueryTable } from '../query-table.ts'
import type { MixOptions } from './mix-options.ts'
import type { ClusterSize } from './synthetic-cluster.ts'

/** Queries as a file has them: one `name type` a line, or a ConfigMap of such files. */
export interface FileSource {
  readonly kind: 'file'
  /** '-' = standard input. */
  readonly path: string
}

/** The names of a cluster that is known. */
export interface ClusterSource {
  readonly kind: 'cluster'
  readonly objects: ClusterObjects
  /** What they are named below, without the final dot: `cluster.local`. */
  readonly zone: string
  /** Whether the server that is asked has names of Pods, and which. */
  readonly pods: SchemaOptions['pods']
  /** For the description: `the manifests in deploy/`. */
  readonly label: string
}

/** The names of the built-in cluster of a size. */
export interface SyntheticSource {
  readonly kind: 'synthetic'
  readonly size: ClusterSize
}

export type QuerySource = FileSource | ClusterSource | SyntheticSource

/** Queries to send, and what they are, in words: a few sentences for a report. */
export interface Queries {
  readonly table: QueryTable
  readonly description: string
}

/**
 * Reads or draws queries. Of a file, `options` say EDNS and the case of letters, and nothing else: it is sent as it is, in its order.
 *
 * @throws LoadInputError for a file that is missing, empty or malformed, for a cluster without names, for options out of range
 */
export declare function makeQueries(source: QuerySource, options: MixOptions): Queries
