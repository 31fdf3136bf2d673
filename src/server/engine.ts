// An index and its writer: what `serve` and `explain` have in common.

import type { Region } from '../index/layout.ts'
import { IndexWriter } from '../index/writer.ts'
import { ClusterIndex, type ClusterIndexOptions } from '../kube/cluster-index.ts'
import type { RestoredState } from '../kube/state-file.ts'

/** The parts that keep the names of a cluster. */
export interface ClusterEngine {
  readonly writer: IndexWriter
  readonly index: ClusterIndex
}

/**
 * Publishes the zones, still empty, in a new index.
 * @param readerCount  answerers that will read, 1..256
 * @param region       memory for the index
 * @param restored     what was read into that memory: it is served, but not complete
 * @throws RegionFullError if not even the zones fit
 */
export function createIndex(
  options: ClusterIndexOptions,
  readerCount: number,
  region: Region,
  restored: RestoredState | null = null,
): ClusterEngine {
  const writer =
    restored === null
      ? new IndexWriter(region, { readerCount })
      : IndexWriter.restore(region, { readerCount }, restored.writer)
  const index = new ClusterIndex(writer, options, restored?.apexes)
  return { writer, index }
}
