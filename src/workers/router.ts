// From a query to the block that answers it: listeners, their zones, and what each block needs. Compiled once; routing is hot.
// Corefile reference §2: the longest zone takes the query; DS goes to the topmost zone, so that the parent's side answers.

import type { Plugins } from '../config/configuration.ts'
import { labelsOfText, textOfWire, wireOfLabels } from '../dns/name.ts'
import { HEADER_LENGTH, type Query } from '../dns/question.ts'
import { keepAnswerOnly, NOERROR, type Response } from '../dns/response.ts'
import { type ZoneTable, zonesOnly } from '../dns/zone-table.ts'
import { ForwardStage } from '../forward/forward-stage.ts'
import { TtlCap } from '../forward/ttl-cap.ts'
import { HeldRegion } from '../index/reader.ts'
import { createFileStage } from '../plugins/file.ts'
import { createHostsStage } from '../plugins/hosts.ts'
import { type ClusterSource, KubernetesStage } from '../plugins/kubernetes.ts'
import type { Shuffle } from '../plugins/shuffle.ts'
import type { Stage } from '../plugins/stage.ts'
import type { AnswerSource, BlockSource, ListenerSource } from './answerer.ts'
import { logMaskOf, logsMetadata } from './query-account.ts'

const TYPE_HINFO = 13
const TYPE_DS = 43
const TYPE_ANY = 255
const TYPE_IXFR = 251
const TYPE_AXFR = 252
const TYPE_AAAA = 28
const NSID_OPTION = 3
const QNAME = HEADER_LENGTH
/** SOA records have no longer TTL than this (dns/response.ts). */
const SOA_TTL_MAX = 300
/** Numbers of the stages of k8s_external begin here. */
const OUTSIDE = 1000

/** One block as one listener has it, for one of its zones: counters are by zone. */
export class Route {
  readonly block: Block
  readonly group: number
  /** Label of counters: the zone with a final dot. */
  readonly zone: string
  /** Place in Router.routes. */
  readonly number: number

  constructor(block: Block, group: number, zone: string, number: number) {
    this.block = block
    this.group = group
    this.zone = zone
    this.number = number
  }
}

/** One server block, compiled. Shared by all its zones and listeners. */
export class Block {
  readonly index: number
  readonly source: BlockSource
  readonly plugins: Plugins
  /** Plugins that answer out of an index, in the order in which they are asked. */
  readonly stages: readonly Stage[]
  /** For each stage, its place in `source.writers`. */
  readonly stageWriters: Int32Array
  /** The one of them that can look up a batch side by side, null if there is none, or others come before it. */
  readonly cluster: KubernetesStage | null
  readonly bufsize: number
  readonly shuffles: boolean
  readonly isMinimal: boolean
  /** A query that no stage answers would go to an upstream, but there is nobody to ask: REFUSED. */
  readonly refuses: boolean
  /** The last of the stages, if it is one that asks upstreams. */
  readonly forward: ForwardStage | null
  /** Places of `cache` and `forward` in `source.writers`. */
  readonly cacheWriter: number
  readonly forwardWriter: number
  /** Bounds of the TTLs of answers out of an index; null: there are none. */
  readonly cap: TtlCap | null
  /** For each stage, whether its answers are bounded by `cap`. */
  readonly capsStage: readonly boolean[]
  /** A name that does not exist is looked for in other search domains. */
  readonly hasAutopath: boolean
  readonly #looksForLoops: boolean
  /** Classes of replies that are logged, as bits (log-mask.ts). */
  readonly logMask: number
  readonly hasView: boolean
  readonly reportsErrors: boolean
  /** What `errors` says of a query that the last plugin passed on. */
  readonly noNextPlugin: string
  /** Some queries need plugins on whole messages; needsChain() says which. */
  readonly mayNeedChain: boolean
  readonly #always: boolean
  readonly #any: boolean
  readonly #nsid: boolean
  readonly #dns64: boolean
  readonly #transfers: boolean
  /** Types that some template takes, as bits of 0..255; null if one takes all, empty if there is none. */
  readonly #templateTypes: Uint8Array | null
  readonly #templateZones: ZoneTable

  constructor(index: number, source: BlockSource, stages: readonly Stage[]) {
    const { plugins } = source
    this.index = index
    this.source = source
    this.plugins = plugins
    this.stages = stages
    this.stageWriters = Int32Array.from(stages, ({ plugin }) => Math.max(0, source.writers.indexOf(plugin)))
    const clusters = stages.filter((stage) => stage instanceof KubernetesStage)
    this.cluster = clusters.find(({ plugin }) => plugin === 'kubernetes') ?? null
    this.bufsize = source.bufsize
    this.shuffles = plugins.loadbalance !== undefined
    this.isMinimal = plugins.minimal !== undefined
    const last = stages.at(-1)
    this.forward = last instanceof ForwardStage ? last : null
    this.refuses = plugins.forward !== undefined && this.forward === null
    this.cacheWriter = Math.max(0, source.writers.indexOf('cache'))
    this.forwardWriter = Math.max(0, source.writers.indexOf('forward'))
    const cap = plugins.cache === undefined ? null : new TtlCap(plugins.cache)
    this.cap = cap
    this.capsStage = stages.map(
      (stage) => cap !== null && stage !== this.forward && !cap.keeps(uniformTtl(stage, source)),
    )
    this.hasAutopath = plugins.autopath !== undefined
    this.#looksForLoops = plugins.loop !== undefined
    this.logMask = logMaskOf(plugins.log)
    this.hasView = plugins.view !== undefined
    this.reportsErrors = plugins.errors !== undefined
    this.noNextPlugin = `plugin/${stages.at(-1)?.plugin ?? ''}: no next plugin found`
    this.#always = needsMessages(plugins)
    this.#any = plugins.any !== undefined
    this.#nsid = plugins.nsid !== undefined
    this.#dns64 = plugins.dns64 !== undefined
    this.#transfers = plugins.transfer !== undefined
    const templates = plugins.template ?? []
    this.#templateTypes = new Uint8Array(256)
    for (const { type } of templates) {
      if (type === TYPE_ANY || type > 255) this.#templateTypes = null
      else if (this.#templateTypes !== null) this.#templateTypes[type] = 1
    }
    this.#templateZones = zonesOnly(templates.flatMap(({ zones }) => zones.map(labelsOfText)))
    this.mayNeedChain = mayNeedChain(plugins)
  }

  /** What `minimal` and `loadbalance` make of a response that is not ended yet. */
  polish(response: Response, query: Query, packet: Uint8Array, rcode: number, shuffle: Shuffle): void {
    const { start, answerCount } = response
    if (rcode !== NOERROR || answerCount === 0) return
    if (this.isMinimal) keepAnswerOnly(response, query, packet)
    else if (this.shuffles && answerCount > 1)
      shuffle.shuffle(response.view(packet), start + query.questionEnd, answerCount)
  }

  /** May this query be one that the server asked itself, to see whether it comes back? The resolver thread counts them. */
  mayBeLoop({ type }: Query): boolean {
    return type === TYPE_HINFO && this.#looksForLoops
  }

  /** Must this query go through the plugins that work on whole messages? */
  needsChain(query: Query, packet: Uint8Array, start: number): boolean {
    if (this.#always) return true
    const { type } = query
    if (type === TYPE_ANY && this.#any) return true
    if (type === TYPE_AAAA && this.#dns64) return true
    if ((type === TYPE_AXFR || type === TYPE_IXFR) && this.#transfers) return true
    if (this.#nsid && query.optionsEnd > query.optionsOffset && asksForNsid(query, packet)) return true
    const types = this.#templateTypes
    if (types !== null && types[type & 0xff] === 0) return false
    return this.#templateZones.find(query, packet, start + QNAME) >= 0
  }
}

/** The TTL that all records of a stage have, -1 if they differ. */
function uniformTtl(stage: Stage, { cluster }: BlockSource): number {
  if (!(stage instanceof KubernetesStage) || cluster === null) return -1
  const [first, ...others] = cluster.zones.filter(
    ({ external }) => (external !== undefined) === (stage.plugin === 'k8s_external'),
  )
  const ttl = first?.ttl ?? -1
  return ttl <= SOA_TTL_MAX && others.every((zone) => zone.ttl === ttl) ? ttl : -1
}

/** Does a block with these plugins have any query that cannot be answered in place? */
export function mayNeedChain(plugins: Plugins): boolean {
  const { any, nsid, dns64, chaos, template, transfer, autopath } = plugins
  const some = [any, nsid, dns64, chaos, template, transfer, autopath].some((each) => each !== undefined)
  return needsMessages(plugins) || some
}

/** Is there a plugin that sees every query, or whose conditions are not worth knowing here? */
function needsMessages(plugins: Plugins): boolean {
  const { loadbalance } = plugins
  const weighs = loadbalance !== undefined && (loadbalance.policy === 'weighted' || loadbalance.prefer.length > 0)
  const { rewrite, acl, header, local, view, metadata, whoami } = plugins
  const some = [rewrite, acl, header, local, view, metadata, whoami].some((each) => each !== undefined)
  return weighs || some || logsMetadata(plugins)
}

function asksForNsid({ optionsOffset, optionsEnd }: Query, packet: Uint8Array): boolean {
  for (let at = optionsOffset; at + 4 <= optionsEnd; at += 4 + ((packet[at + 2] << 8) | packet[at + 3])) {
    if (packet[at] === 0 && packet[at + 1] === NSID_OPTION) return true
  }
  return false
}

/** What arrives on one listener. */
export class Listener {
  readonly source: ListenerSource
  /** By zone of `zones`: the routes of that zone, in file order. */
  readonly #routes: readonly (readonly Route[])[]
  readonly #zones: ZoneTable
  readonly #labelCounts: readonly number[]
  /** The one route of a listener that serves nothing but the root. */
  readonly #only: Route | null
  /** Some block has a view. */
  readonly hasViews: boolean
  /** Some block answers other classes than IN. */
  readonly takesAnyClass: boolean

  constructor(source: ListenerSource, routes: readonly Route[]) {
    this.source = source
    const byZone = Map.groupBy(routes, ({ zone }) => zone)
    this.#routes = [...byZone.values()]
    const labels = [...byZone.keys()].map(labelsOfText)
    this.#zones = zonesOnly(labels)
    this.#labelCounts = labels.map(({ length }) => length)
    this.hasViews = routes.some(({ block }) => block.hasView)
    this.takesAnyClass = routes.some(
      ({ block: { plugins } }) => plugins.chaos !== undefined || plugins.forward !== undefined,
    )
    this.#only = routes.length === 1 && routes[0].zone === '.' && !this.hasViews ? routes[0] : null
  }

  /** Names the memory that most messages will be in. */
  setHome(packet: Uint8Array): void {
    this.#zones.setHome(packet)
  }

  /** The route of a query whose name begins at packet[start + 12], null if nothing fits. Views are not looked at: hasViews. */
  route(query: Query, packet: Uint8Array, start: number): Route | null {
    if (this.#only !== null) return this.#only
    if (query.type === TYPE_DS) return this.#topmost(query, packet, start)
    const zone = this.#zones.find(query, packet, start + QNAME)
    return zone < 0 ? null : this.#routes[zone][0]
  }

  /** All routes that a name could take: those of the longest zone first. Cold. */
  candidates(query: Query, packet: Uint8Array, start: number): Route[] {
    const found = this.#matching(query, packet, start)
    if (query.type === TYPE_DS) {
      const zones = found.filter((zone) => this.#labelCounts[zone] > 0).reverse()
      return [...zones, ...found.filter((zone) => this.#labelCounts[zone] === 0)].flatMap((zone) => this.#routes[zone])
    }
    return found.flatMap((zone) => this.#routes[zone])
  }

  #topmost(query: Query, packet: Uint8Array, start: number): Route | null {
    const [first] = this.candidates(query, packet, start)
    return first ?? null
  }

  /** Zones that the name lies in, the longest first. */
  #matching(query: Query, packet: Uint8Array, start: number): number[] {
    const found: number[] = []
    const { labelCount } = query
    for (let zone = 0; zone < this.#routes.length; zone++) {
      const labels = this.#labelCounts[zone]
      if (labels > labelCount) continue
      if (this.#zones.isZoneAt(zone, packet, start + QNAME + query.labelStart[labelCount - labels])) found.push(zone)
    }
    return found.sort((a, b) => this.#labelCounts[b] - this.#labelCounts[a])
  }
}

/** Everything an AnswerSource says, compiled for one reader. */
export class Router {
  readonly listeners: readonly Listener[]
  readonly blocks: readonly Block[]
  /** By Route.number. */
  readonly routes: readonly Route[]
  readonly clusters: readonly KubernetesStage[]
  readonly regions: readonly HeldRegion[]
  readonly stages: readonly Stage[]
  readonly forwards: readonly ForwardStage[]

  /** @throws LayoutError if a region of the source is no index */
  constructor(source: AnswerSource, reader: number) {
    const regions = new Map<SharedArrayBuffer, HeldRegion>()
    const held = ({ region }: { readonly region: SharedArrayBuffer }): HeldRegion => {
      const known = regions.get(region) ?? new HeldRegion(region, reader)
      regions.set(region, known)
      return known
    }
    // Blocks that have the very same source share the stage.
    const clusters = new Map<ClusterSource, KubernetesStage>()
    const outside = new Map<ClusterSource, KubernetesStage>()
    const clusterStages = ({ cluster }: BlockSource): Stage[] => {
      if (cluster === null) return []
      const stage = clusters.get(cluster) ?? new KubernetesStage(cluster, held(cluster), clusters.size)
      clusters.set(cluster, stage)
      if (!cluster.zones.some(({ external }) => external !== undefined)) return [stage]
      const before = outside.get(cluster) ?? new KubernetesStage(cluster, held(cluster), OUTSIDE + outside.size, true)
      outside.set(cluster, before)
      return [before, stage]
    }
    this.blocks = source.blocks.map((block, index) => {
      const hosts = block.hosts === null ? [] : [createHostsStage(block.hosts, held(block.hosts))]
      const files = block.files.map((file) => createFileStage(file, held(file)))
      const { forward = null } = block
      const forwards = forward === null || source.waiting === undefined ? [] : [new ForwardStage(forward, reader)]
      return new Block(index, block, [...hosts, ...clusterStages(block), ...files, ...forwards])
    })
    this.forwards = this.blocks.flatMap(({ forward }) => forward ?? [])
    this.regions = [...regions.values()]
    this.clusters = [...clusters.values()]
    this.stages = [...new Set(this.blocks.flatMap(({ stages }) => stages))]
    const routes: Route[] = []
    this.listeners = source.listeners.map((listener) => {
      const own = listener.zones.map(({ labels, block, group }) => {
        const zone = textOfWire(wireOfLabels(labels))
        const route = new Route(this.blocks[block], group, zone, routes.length)
        routes.push(route)
        return route
      })
      return new Listener(listener, own)
    })
    this.routes = routes
  }

  setHome(packet: Uint8Array): void {
    for (const listener of this.listeners) listener.setHome(packet)
    for (const stage of this.stages) stage.setHome(packet)
    for (const { cap } of this.blocks) cap?.setHome(packet)
  }
}
