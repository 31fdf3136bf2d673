// A server of names in this process that follows the stand-in API server with its real feed thread over real TLS; everything but
// sockets for queries. After each publication it is asked again for the names that tests say are always there: between two
// publications nothing changes, so no reader can have seen anything else.

import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Region } from '../../src/index/layout.ts'
import { eachItem, ResourceStore } from '../../src/kube/list-merge.ts'
import { LiveFeed } from '../../src/kube/live-feed.ts'
import type { SchemaOptions } from '../../src/kube/schema.ts'
import type { FeedOptions, Resource } from '../../src/kube/watch/messages.ts'
import { Packer } from '../../src/kube/watch/packer.ts'
import { Cluster, type ClusterOptions } from '../apiserver/cluster.ts'
import { KubeconfigFolder } from '../apiserver/kubeconfig.ts'
import type { GivenObject } from '../apiserver/object.ts'
import { type Relay, startRelay } from '../apiserver/relay.ts'
import type { ResourceName } from '../apiserver/resources.ts'
import { type ApiServer, type ApiServerOptions, startApiServer } from '../apiserver/server.ts'
import { Store } from '../apiserver/store.ts'
import { PLAIN } from '../kube/schema-fixture.ts'
import { encodeQuery } from '../server/wire.ts'
import { TestEngine, UDP_CAPACITY } from '../workers/answer-engine.ts'
import { differences, publishedNames } from './published-names.ts'

export const RESOURCES: readonly Resource[] = ['namespaces', 'services', 'endpointslices']
const OPTIONS: Omit<FeedOptions, 'connection'> = {
  resources: RESOURCES,
  labelSelector: '',
  namespaceSelector: '',
  podNames: false,
  zones: false,
  qps: 0,
  burst: 0,
  maxInflight: 0,
  auditIntervalMs: 0,
  pageSize: 100,
  streamingLists: true,
}
/** Nothing that is waited for takes so long, on a machine that is busy with other things. */
const WAIT_MS = 30_000
const NOTHING = { namespaces: [], services: [], slices: [], imports: [], pods: [] }
const GUARD_READER = 1
const LOG_LINES_SHOWN = 30

export type Question = readonly [name: string, type: string]

export interface FollowOptions {
  readonly server?: Omit<ApiServerOptions, 'store'>
  readonly feed?: Partial<FeedOptions>
  readonly schema?: SchemaOptions
  /** What is there at the start: a generated cluster; 0 Services: nothing at all. */
  readonly cluster?: ClusterOptions
  readonly changesKept?: number
  /** Through a relay, which fails as networks do. */
  readonly relayed?: boolean
  /** Writes the kubeconfig; by default one with a token. @returns its path */
  readonly kubeconfig?: (folder: KubeconfigFolder, url: string) => string
}

/** Starts API server and feed; both end with the test, which fails if a guarded name was ever missing. */
export async function follow(t: TestContext, options: FollowOptions = {}): Promise<Follower> {
  const { server: serverOptions, cluster: clusterOptions, changesKept } = options
  const store = new Store({ version: 1000, changesKept })
  const cluster = new Cluster(store, {
    services: 0,
    endpointsPerService: 1,
    namespaces: 5,
    spare: 20,
    ...clusterOptions,
  })
  if (clusterOptions !== undefined) cluster.load()
  const server = await startApiServer({ streamingLists: 'on', ...serverOptions, store })
  const relay = options.relayed ? await startRelay(server.port) : null
  const folder = new KubeconfigFolder()
  const { kubeconfig = (given, url) => given.writeSimple(url) } = options
  const path = kubeconfig(folder, relay?.url ?? server.url)
  const follower = new Follower({ server, cluster, relay, folder, kubeconfig: path }, options)
  t.after(async () => {
    relay?.thaw()
    await follower.feed.stop()
    await relay?.close()
    await server.close()
    folder.remove()
    assert.deepEqual(follower.failures, [], 'nothing failed for good')
    assert.deepEqual(follower.missed, [], 'what is always there was there in every version')
  })
  return follower
}

interface Parts {
  readonly server: ApiServer
  readonly cluster: Cluster
  readonly relay: Relay | null
  readonly folder: KubeconfigFolder
  readonly kubeconfig: string
}

interface Guarded {
  readonly question: Question
  readonly message: Uint8Array
  readonly answers: number
}

export class Follower {
  readonly server: ApiServer
  readonly store: Store
  readonly cluster: Cluster
  readonly relay: Relay | null
  readonly folder: KubeconfigFolder
  readonly kubeconfig: string
  readonly engine: TestEngine
  readonly feed: LiveFeed
  readonly log: string[] = []
  readonly failures: string[] = []
  /** Guarded names that a version lacked. */
  readonly missed: string[] = []
  /** Versions that were published. */
  publications = 0
  /** Is called for each version, before the next one can come. */
  onVersion: () => void = () => {}
  readonly #options: FollowOptions
  readonly #resources: readonly Resource[]
  readonly #region: Region
  readonly #packet = new Uint8Array(UDP_CAPACITY)
  #guarded: Guarded[] = []
  #fresh: { readonly version: number; readonly names: Map<string, string> } | null = null

  constructor(parts: Parts, options: FollowOptions) {
    this.server = parts.server
    this.store = parts.server.store
    this.cluster = parts.cluster
    this.relay = parts.relay
    this.folder = parts.folder
    this.kubeconfig = parts.kubeconfig
    this.#options = options
    this.engine = newEngine(options)
    this.#region = this.engine.engine.writer.region
    const connection = { kubeconfig: parts.kubeconfig, context: '' }
    const feedOptions = { ...OPTIONS, connection, ...options.feed }
    this.#resources = feedOptions.resources
    this.feed = new LiveFeed(feedOptions, this.engine.engine.index, false, {
      log: (line) => this.log.push(line),
      onSynced: () => {},
      onListed: () => {},
      onPublished: () => this.#published(),
      onFailed: (error) => this.failures.push(error.message),
    })
    this.feed.start()
  }

  /** Waits until `condition` holds. @throws AssertionError with the last lines of the log */
  async until(what: string, condition: () => boolean, waitMs = WAIT_MS): Promise<void> {
    for (const limit = performance.now() + waitMs; !condition(); await sleep(3)) {
      if (performance.now() < limit) continue
      assert.fail(`never: ${what}\n${this.log.slice(-LOG_LINES_SHOWN).join('\n')}\n${JSON.stringify(this.feed.status)}`)
    }
  }

  /** Waits until everything is known and is being watched. */
  async following(): Promise<void> {
    await this.until('everything is known', () => this.feed.status.synced)
    await this.until('everything is watched', () => this.server.watchCount === this.#resources.length)
  }

  /** Waits until what is served is what a server that has just started would serve: the same names, the same records. */
  async converged(waitMs = WAIT_MS): Promise<void> {
    const limit = performance.now() + waitMs
    for (;;) {
      const differs = this.feed.status.synced ? differences(this.served(), this.#freshNames()) : 'not synchronised'
      if (differs === '') return
      assert.ok(performance.now() < limit, `served as by a fresh start:\n${differs}\n${this.#lastLines()}`)
      await sleep(20)
    }
  }

  /** All names and records of the version that is published. */
  served(): Map<string, string> {
    return publishedNames(this.#region)
  }

  /** `NOERROR 10.0.0.1 10.0.0.2`, in order of text. */
  ask(name: string, type = 'A'): string {
    const { rcode, answer } = this.engine.ask({ name, type })
    return [rcode, ...answer.map(({ data }) => data).sort()].join(' ')
  }

  /** From now on these names, which have answers, have as many in every version. */
  guard(questions: readonly Question[]): void {
    this.#guarded = questions.map((question) => {
      const [name, type] = question
      const { rcode, answer } = this.engine.ask({ name, type })
      assert.ok(rcode === 'NOERROR' && answer.length > 0, `${name} ${type} has an answer: ${rcode}`)
      return { question, message: encodeQuery({ name, type }), answers: answer.length }
    })
  }

  /** Guards generated Services that a test does not touch, forward and reverse. */
  guardServices(numbers: Iterable<number>): void {
    const questions: Question[] = []
    for (const n of numbers) {
      const [name, namespace] = [this.cluster.nameOf(n), this.cluster.namespaceOf(n)]
      questions.push([`${name}.${namespace}.svc.cluster.local`, 'A'])
      questions.push([`_http._tcp.${name}.${namespace}.svc.cluster.local`, 'SRV'])
      const address = this.cluster.isHeadless(n) ? this.cluster.addresses(n)[0] : this.cluster.clusterIP(n)
      questions.push([`${address.split('.').reverse().join('.')}.in-addr.arpa`, 'PTR'])
    }
    this.guard(questions)
  }

  /** Creates or replaces objects, in one go: `apply('services', service('shop', 'web', …))`. */
  readonly apply = (resource: ResourceName, ...objects: readonly GivenObject[]): void => {
    for (const object of objects) this.store.apply(resource, object)
  }

  /** Lines of the log that match. */
  logged(pattern: RegExp): string[] {
    return this.log.filter((line) => pattern.test(line))
  }

  #published(): void {
    this.publications++
    this.#checkGuarded()
    this.onVersion()
  }

  #checkGuarded(): void {
    const answerer = this.engine.answerer(GUARD_READER)
    const packet = this.#packet
    answerer.beginBatch()
    for (const { question, message, answers } of this.#guarded) {
      packet.set(message)
      answerer.answer(packet, 0, message.length, UDP_CAPACITY, false)
      const rcode = packet[3] & 15
      const count = packet[6] * 256 + packet[7]
      if (rcode === 0 && count === answers) continue
      this.missed.push(`${question.join(' ')}: RCODE ${rcode}, ${count} answers, publication ${this.publications}`)
    }
    answerer.endBatch()
  }

  #freshNames(): Map<string, string> {
    const { version } = this.store
    if (this.#fresh?.version !== version) this.#fresh = { version, names: this.#startAfresh() }
    return this.#fresh.names
  }

  /** A second index, made from nothing of what the API server has now. */
  #startAfresh(): Map<string, string> {
    const { index, writer } = newEngine(this.#options).engine
    const { feed = {} } = this.#options
    const selection = { labelSelector: '', namespaceSelector: '', podNames: false, zones: false, ...feed }
    for (const resource of this.#resources) {
      const items: string[] = []
      const packer = new Packer(resource, selection, () => {})
      for (const { key } of this.store.items(resource)) packer.appendListed(items, this.store.read(resource, key))
      const objects = new ResourceStore(resource, index.state)
      eachItem(items, (namespace, name, packed) => objects.set(namespace, name, packed))
    }
    index.flush(Date.now())
    return publishedNames(writer.region)
  }

  #lastLines(): string {
    return this.log.slice(-LOG_LINES_SHOWN).join('\n')
  }
}

function newEngine({ schema = PLAIN }: FollowOptions): TestEngine {
  return new TestEngine(NOTHING, { schema, nowMs: Date.now() })
}
