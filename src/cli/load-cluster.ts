// The cluster that `peregrine load` takes names and truth from: manifests, a live cluster, or a made-up one. Read when somebody
// asks for it, and once.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FeedConfig, ServerConfig } from '../config/server-config.ts'
import { canonicalAddress } from '../kube/address.ts'
import { findManifests, formatProblem, loadManifests } from '../kube/manifests.ts'
import type { ClusterObjects } from '../kube/objects.ts'
import { LoadInputError } from '../load/input-error.ts'
import { type ClusterSize, writeManifests } from '../load/queries/synthetic-cluster.ts'
import { readLiveObjects } from './live-objects.ts'
import type { LoadPlan } from './load-plan.ts'

export class LoadCluster {
  readonly #config: ServerConfig
  readonly #madeUp: ClusterSize | null
  readonly #isExample: boolean
  readonly #isQuiet: boolean
  readonly #complain: (line: string) => void
  #objects: Promise<ClusterObjects> | null = null

  /**
   * @param complain  takes lines about what was left out, and about the connection; of that in quiet only when there is none
   */
  constructor(plan: Pick<LoadPlan, 'model' | 'queries' | 'isExample' | 'output'>, complain: (line: string) => void) {
    this.#config = plan.model
    this.#madeUp = plan.queries.kind === 'synthetic' ? plan.queries.size : null
    this.#isExample = plan.isExample
    this.#isQuiet = plan.output.quiet
    this.#complain = complain
  }

  /** It is one that an API server tells of. */
  get isLive(): boolean {
    return this.#madeUp === null && this.#config.source.kind === 'api'
  }

  /** Who says what is true: for people. */
  get truthName(): string {
    if (this.#madeUp !== null) return 'the made-up cluster'
    return this.isLive ? 'cluster' : 'manifests'
  }

  /** Where names come from: for people. */
  get label(): string {
    const { source } = this.#config
    if (source.kind === 'manifests') {
      return this.#isExample ? 'the application in examples/' : `the manifests in ${source.paths.join(', ')}`
    }
    const { kubeconfig, context } = source.feed.connection
    if (kubeconfig === '') return 'the cluster that this runs in'
    return `the cluster of ${kubeconfig}${context === '' ? '' : `, context ${context}`}`
  }

  /**
   * Everything that names are made of.
   *
   * @throws LoadInputError for manifests that are not there, or hold nothing; for a live cluster what readLiveObjects() throws
   */
  objects(): Promise<ClusterObjects> {
    this.#objects ??= this.#read()
    return this.#objects
  }

  /** The same, read anew: a live cluster changes. */
  async reread(): Promise<ClusterObjects> {
    const { source } = this.#config
    return source.kind === 'api' ? await this.#live(source.feed) : await this.objects()
  }

  /** Whether an address is that of a Service or an endpoint; what manifests say proves nothing. */
  async addresses(): Promise<(address: string) => boolean> {
    if (!this.isLive) return () => false
    const { services, slices } = await this.objects()
    const known = new Set<string>()
    for (const { clusterIPs } of services.values())
      for (const address of clusterIPs) known.add(canonicalAddress(address))
    for (const { endpoints } of slices.values())
      for (const { address } of endpoints) known.add(canonicalAddress(address))
    return (address) => known.has(canonicalAddress(address))
  }

  async #read(): Promise<ClusterObjects> {
    const { source } = this.#config
    if (this.#madeUp !== null) return await madeUpObjects(this.#madeUp)
    if (source.kind === 'api') return await this.#live(source.feed)
    const { problems: missing } = await findManifests(source.paths)
    const [problem] = missing
    if (problem !== undefined) {
      const isGone = problem.message.startsWith('ENOENT')
      throw new LoadInputError(isGone ? `${problem.file}: no such file or folder` : formatProblem(problem))
    }
    const { objects, problems } = await loadManifests(source.paths)
    if (objects.services.size === 0 && problems.length > 0) throw new LoadInputError(formatProblem(problems[0]))
    for (const each of problems) this.#complain(`error: ${formatProblem(each)}`)
    return objects
  }

  async #live(feed: FeedConfig): Promise<ClusterObjects> {
    const heard: string[] = []
    try {
      return await readLiveObjects(this.#config, feed, this.#isQuiet ? (line) => heard.push(line) : this.#complain)
    } catch (error) {
      for (const line of heard) this.#complain(line)
      throw error
    }
  }
}

/** A made-up cluster is written for servers; what they read is what is true. */
async function madeUpObjects(size: ClusterSize): Promise<ClusterObjects> {
  const folder = await mkdtemp(join(tmpdir(), 'peregrine-load-'))
  try {
    writeManifests(size, folder)
    return (await loadManifests([folder])).objects
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
