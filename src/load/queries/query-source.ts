// Where queries come from, as the command line says it, and the table that is made of it. The one door of this folder.

import { labelsOfText, NameError } from '../../dns/name.ts'
import type { ClusterObjects } from '../../kube/objects.ts'
import type { SchemaOptions } from '../../kube/schema.ts'
import { LoadInputError } from '../input-error.ts'
import type { QueryTable } from '../query-table.ts'
import { drawMix } from './cluster-mix.ts'
import { ClusterNames } from './cluster-names.ts'
import { seededRandom } from './draw.ts'
import { describeMix } from './mix-description.ts'
import type { MixOptions } from './mix-options.ts'
import type { NamePool } from './name-pool.ts'
import { describeQueryFile, readQueryFile } from './query-file.ts'
import { type ClusterSize, ZONE } from './synthetic-cluster.ts'
import { SyntheticNames } from './synthetic-names.ts'
import { placeOf } from './text-lines.ts'

export { DEFAULT_MIX, type MixOptions } from './mix-options.ts'
export { readNameList } from './outside-names.ts'
export { type ClusterSize, clusterOfSize } from './synthetic-cluster.ts'
export type { EdnsOptions } from './wire-query.ts'

/** Queries as a file has them: one `name type` a line, or a ConfigMap of such files. */
export interface FileSource {
  readonly kind: 'file'
  /** '-' = standard input. */
  readonly path: string
  /**
   * Domains that names without a type are looked up below, A and AAAA together, as a stub resolver does; undefined: a line without a
   * type is malformed (but in a ConfigMap, where they are those of a Pod in `default`).
   */
  readonly search?: readonly string[]
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
  /** Without the final dot; default: `cluster.local`. */
  readonly zone?: string
  /** Whether the server has names of Pods: `verified` ones it cannot have. Default: `disabled`. */
  readonly pods?: SchemaOptions['pods']
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
 * @throws LoadInputError for a file that is missing, empty or malformed, for a cluster without names, for options out of range, for
 *   names that do not fit on the wire
 */
export function makeQueries(source: QuerySource, options: MixOptions): Queries {
  if (source.kind === 'file') return fromFile(source, options)
  try {
    const pool = poolOf(source)
    const drawn = drawMix(pool, options)
    return { table: drawn.table, description: describeMix(drawn, options, pool) }
  } catch (error) {
    if (error instanceof NameError) throw new LoadInputError(error.message)
    throw error
  }
}

function fromFile({ path, search }: FileSource, { edns, caseRandomisation, seed }: MixOptions): Queries {
  const caseBy = caseRandomisation ? seededRandom(seed) : null
  const file = readQueryFile(path, { edns, caseBy, search: search ?? null })
  return { table: file.table, description: `${describeQueryFile(file)} from ${placeOf(path)}` }
}

function poolOf(source: ClusterSource | SyntheticSource): NamePool {
  const zone = zoneOf(source.zone ?? ZONE)
  if (source.kind === 'synthetic') return new SyntheticNames(source.size, zone, source.pods)
  return new ClusterNames(source.objects, zone, source.pods, source.label)
}

/** @throws NameError for what is no zone that names can be below */
function zoneOf(text: string): string {
  if (labelsOfText(text).length === 0) throw new NameError(`zone '${text}': names of a cluster are not at the root`)
  return text.replace(/\.$/, '').toLowerCase()
}
