// A cluster that changes at random, the stand-in that serves it, and the real feed into the real index, in one process; with an
// index made from scratch beside it after every publication.

import assert from 'node:assert/strict'
import { Worker } from 'node:worker_threads'
import { REVERSE_ZONES } from '../../src/config/server-config.ts'
import { createRegion } from '../../src/index/layout.ts'
import { IndexWriter } from '../../src/index/writer.ts'
import { ClusterIndex, type Flush } from '../../src/kube/cluster-index.ts'
import { LiveFeed } from '../../src/kube/live-feed.ts'
import type { SchemaOptions } from '../../src/kube/schema.ts'
import type { FeedOptions } from '../../src/kube/watch/messages.ts'
import type { AnswerSource } from '../../src/workers/answer.ts'
import { plainSource } from '../../src/workers/answerer.ts'
import { KubeconfigFolder } from '../apiserver/kubeconfig.ts'
import { type ApiServer, type ApiServerOptions, startApiServer } from '../apiserver/server.ts'
import { type Content, checkMemory, contentOf } from '../index/region-walk.ts'
import { ClusterModel } from './cluster-model.ts'
import { Mirror } from './mirror.ts'
import type { ReaderOptions, ReaderResult } from './reader-thread.ts'
import { IMPORTS, NAMESPACES, RESOURCES, SERVICES } from './steps.ts'

export interface Setup {
  readonly schema: SchemaOptions
  readonly server: ApiServerOptions
  readonly streamingLists: boolean
  readonly pageSize: number
}

const ZONE = 'cluster.local'
const MULTICLUSTER_ZONE = 'clusterset.local'
const REGION_OCTETS = 2 ** 24
const SCRATCH_OCTETS = 2 ** 22
const SETTLE_MS = 60_000
const POLL_MS = 2

/** An index, and what answers from it. */
interface Engine {
  readonly writer: IndexWriter
  readonly index: ClusterIndex
  readonly source: AnswerSource
}

function createEngine(octets: number, schema: SchemaOptions): Engine {
  const writer = new IndexWriter(createRegion(octets), { readerCount: 1, poison: true })
  const options = {
    zones: [ZONE, MULTICLUSTER_ZONE],
    multiclusterZones: [MULTICLUSTER_ZONE],
    reverseZones: REVERSE_ZONES,
    ttl: 5,
    namespaces: null,
    schema,
    listenAddresses: [],
  }
  const index = new ClusterIndex(writer, options)
  const zones = index.zones.map(({ labels }, i) => ({
    labels,
    ttl: 5,
    pods: i < 2,
    wildcards: i < 2 && (schema.zonal || schema.okd !== null),
    keepsBrokenChains: i < 2 && schema.okd !== null,
  }))
  return { writer, index, source: plainSource(writer.region.buffer, zones, 1232) }
}

export class FollowedCluster {
  readonly model: ClusterModel
  readonly log: string[] = []
  publications = 0
  /** Publications that changed nothing. */
  idle = 0
  names = 0
  /** Why the run has failed; '' so far it has not. */
  failure = ''
  readonly server: ApiServer
  readonly #setup: Setup
  readonly #folder: KubeconfigFolder
  readonly #engine: Engine
  readonly #mirror: Mirror
  readonly #feed: LiveFeed
  readonly #synced: Promise<void>
  #content: Content = {}

  static async start(setup: Setup): Promise<FollowedCluster> {
    const server = await startApiServer({ multicluster: true, ...setup.server })
    return new FollowedCluster(setup, server)
  }

  private constructor(setup: Setup, server: ApiServer) {
    this.#setup = setup
    this.server = server
    this.#folder = new KubeconfigFolder()
    this.#engine = createEngine(REGION_OCTETS, setup.schema)
    this.#mirror = new Mirror(this.#engine.index.state)
    const { zonal: zones, endpointPodNames: podNames } = setup.schema
    this.model = new ClusterModel(server.store, { zones, podNames }, (resource, namespace, name, known) =>
      this.#mirror.changed(resource, namespace, name, known),
    )
    const synced = Promise.withResolvers<void>()
    this.#synced = synced.promise
    this.#feed = this.#follow(
      this.#engine,
      () => synced.resolve(),
      (flush) => this.#published(flush),
    )
  }

  #follow({ index }: Engine, onSynced: () => void, onPublished: (flush: Flush) => void): LiveFeed {
    const options: FeedOptions = {
      connection: { kubeconfig: this.#folder.writeSimple(this.server.url), context: '' },
      resources: RESOURCES,
      labelSelector: '',
      namespaceSelector: '',
      podNames: this.#setup.schema.endpointPodNames,
      zones: this.#setup.schema.zonal,
      qps: 0,
      burst: 0,
      maxInflight: 0,
      auditIntervalMs: 0,
      pageSize: this.#setup.pageSize,
      streamingLists: this.#setup.streamingLists,
    }
    const onFailed = (error: Error) => this.#fail(error.stack ?? error.message)
    return new LiveFeed(options, index, false, {
      log: (line) => this.log.push(line),
      onListed: () => {},
      onSynced,
      onPublished,
      onFailed,
    })
  }

  async begin(): Promise<void> {
    this.#feed.start()
    await this.#synced
  }

  #fail(failure: string): void {
    if (this.failure === '') this.failure = failure
  }

  /** After each publication: what the feed knows is a state that was, and the index is the one that this state makes. */
  #published({ version }: Flush): void {
    this.publications++
    if (this.failure !== '') return
    const content = contentOf(this.#engine.writer.region)
    const wrong = this.#mirror.contradiction() || firstDifference(content, this.#fromScratch())
    if (wrong !== '') this.#fail(`publication ${this.publications}, version ${version}: ${wrong}`)
    if (firstDifference(content, this.#content) === '') this.idle++
    this.#content = content
    this.names = Math.max(this.names, Object.keys(content).length)
  }

  #fromScratch(): Content {
    const { writer, index } = createEngine(SCRATCH_OCTETS, this.#setup.schema)
    this.#mirror.copyTo(index.state)
    index.flush(Date.now(), this.publications % 2 === 0)
    return contentOf(writer.region)
  }

  /** Waits until the feed knows all; then the index must be that of the stand-in's state, and no memory lost. */
  async settle(): Promise<void> {
    const deadline = performance.now() + SETTLE_MS
    while (!this.#mirror.isCaughtUp() && this.failure === '') {
      assert.ok(
        performance.now() < deadline,
        `not known after a minute: ${this.#mirror.lag()}\n${this.log.slice(-20).join('\n')}`,
      )
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
    // What the feed knows is published within a few milliseconds.
    while (this.#engine.index.state.changeCount > 0 && this.failure === '') {
      assert.ok(performance.now() < deadline, 'what is known is not published')
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
    if (this.failure !== '') return
    const difference = firstDifference(contentOf(this.#engine.writer.region), this.#fromScratch())
    if (difference !== '') this.#fail(`at rest: ${difference}`)
    this.#engine.writer.reclaim()
    checkMemory(this.#engine.writer)
  }

  /** Starts a thread that asks; the result ends it. */
  startReader(seed: number, pauseMs: number): () => Promise<ReaderResult> {
    const stop = new Int32Array(new SharedArrayBuffer(4))
    const subjects = NAMESPACES.flatMap((namespace) => [
      ...SERVICES.map((service) => ({ service, namespace, zone: ZONE, reverse: true })),
      ...IMPORTS.map((service) => ({ service, namespace, zone: MULTICLUSTER_ZONE, reverse: false })),
    ])
    const workerData: ReaderOptions = { source: this.#engine.source, subjects, seed, pauseMs, stop }
    const worker = new Worker(new URL('./reader-thread.ts', import.meta.url), { workerData })
    const result = new Promise<ReaderResult>((resolve, reject) => {
      worker.once('message', (message: ReaderResult) => {
        if (message.contradiction !== '') this.#fail(`a batch saw two versions: ${message.contradiction}`)
        resolve(message)
      })
      worker.once('error', (error) => {
        this.#fail(`the reader failed: ${(error as Error).stack}`)
        reject(error)
      })
    })
    result.catch(() => {})
    return () => {
      Atomics.store(stop, 0, 1)
      Atomics.notify(stop, 0)
      return result
    }
  }

  /** Follows the same server from its start: what is served must be the same. */
  async compareWithFreshStart(): Promise<void> {
    this.model.removeEnding()
    await this.settle()
    const engine = createEngine(REGION_OCTETS, this.#setup.schema)
    const feed = await new Promise<LiveFeed>((resolve) => {
      const following = this.#follow(
        engine,
        () => resolve(following),
        () => {},
      )
      following.start()
    })
    await feed.stop()
    assert.equal(firstDifference(contentOf(this.#engine.writer.region), contentOf(engine.writer.region)), '')
  }

  async stop(): Promise<void> {
    await this.#feed.stop()
    await this.server.close()
    this.#folder.remove()
  }
}

/** '' if there is none. */
function firstDifference(served: Content, expected: Content): string {
  for (const name of Object.keys(expected)) {
    if (served[name] === undefined) return `${name} is missing; it should hold ${expected[name] || 'nothing'}`
    if (served[name] !== expected[name])
      return `${name} holds ${served[name] || 'nothing'}; it should hold ${expected[name] || 'nothing'}`
  }
  for (const name of Object.keys(served))
    if (expected[name] === undefined) return `${name} should not exist; it holds ${served[name] || 'nothing'}`
  return ''
}
