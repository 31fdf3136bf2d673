// The clusters of a configuration: each distinct one once, kept over a reload if nothing about it changed.

import type { BlockConfig, Configuration } from '../config/configuration.ts'
import { createRegion, type Region } from '../index/layout.ts'
import type { Cluster } from './cluster.ts'
import { LiveCluster } from './live-cluster.ts'
import { ManifestCluster } from './manifest-cluster.ts'
import { type ClusterPlan, clusterPlanOf, type ServerSettings } from './plan.ts'

/** What a cluster needs from the process. */
export interface ClusterContext {
  readonly readerCount: number
  /** The addresses that this name server has for others. */
  readonly listenAddresses: readonly string[]
  /** One line; 'warning: ' and 'error: ' in front of it say how bad it is. */
  readonly log: (line: string) => void
  /** A version has been published, which took so many seconds. */
  readonly published: (seconds: number) => void
  /** Memory of lists can be given back. */
  readonly tidy: () => void
  /** An endpoint's change is served, so many seconds after it was made. */
  readonly programmed: (serviceKind: string, seconds: number) => void
}

/** The clusters of one configuration. */
export class ClusterSet {
  /** By block; blocks without `kubernetes` have none. */
  readonly byBlock: readonly (Cluster | null)[]
  readonly all: readonly Cluster[]

  private constructor(byBlock: readonly (Cluster | null)[]) {
    this.byBlock = byBlock
    this.all = [...new Set(byBlock.filter((cluster) => cluster !== null))]
  }

  /** @param known  of the configuration before: those with the same key are used on */
  static async create(
    { blocks }: Configuration,
    settings: ServerSettings,
    context: ClusterContext,
    known: readonly Cluster[] = [],
  ): Promise<ClusterSet> {
    const clusters = new Map(known.map((cluster) => [cluster.key, cluster]))
    const used = new Set<string>()
    const byBlock: (Cluster | null)[] = []
    for (const plan of plansOf(blocks, settings)) {
      if (plan === null) {
        byBlock.push(null)
        continue
      }
      const key = JSON.stringify([plan, context.listenAddresses])
      let cluster = clusters.get(key)
      if (cluster === undefined) {
        cluster = make(key, plan, await reserve(settings), context, used.size)
        clusters.set(key, cluster)
      }
      used.add(key)
      byBlock.push(cluster)
    }
    return new ClusterSet(byBlock)
  }
}

/** By block. Blocks that differ in nothing but `autopath` share a cluster, which then knows its clients. */
function plansOf(blocks: readonly BlockConfig[], settings: ServerSettings): (ClusterPlan | null)[] {
  const planOf = ({ plugins: { kubernetes, k8s_external: external } }: BlockConfig, clients: boolean) =>
    kubernetes === undefined ? null : clusterPlanOf(kubernetes, external, settings, clients)
  const keyOf = (block: BlockConfig): string => JSON.stringify(planOf(block, false))
  const asked = new Set(blocks.filter(asksForClients).map(keyOf))
  return blocks.map((block) => planOf(block, asked.has(keyOf(block))))
}

function asksForClients({ plugins: { autopath, kubernetes } }: BlockConfig): boolean {
  return autopath?.source === '@kubernetes' && kubernetes?.pods === 'verified'
}

function make(key: string, plan: ClusterPlan, region: Region, context: ClusterContext, number: number): Cluster {
  const { source } = plan
  return source.kind === 'manifests'
    ? new ManifestCluster(key, plan, source.paths, region, context)
    : new LiveCluster(key, plan, source.feed, region, context, number)
}

/** Memory for an index, reserved; in huge pages where the system has them. */
async function reserve({ indexBytes, transport }: ServerSettings): Promise<Region> {
  const region = createRegion(indexBytes)
  if (transport === 'dgram') return region
  try {
    // Before the index is touched: pages that are there already stay small. Loaded only here, for it needs koffi.
    const { adviseHugePages } = await import('../io/huge-pages.ts')
    adviseHugePages(region.buffer)
  } catch {
    // Not Linux, or no koffi: the transport will say so.
  }
  return region
}
