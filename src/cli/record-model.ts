// Peregrine's own record model as the truth for `load --verify`: what the index and the answerer that `serve` has say about one state
// of a cluster.
//
// It speaks for its zones only, and not for what a server says of itself: NS and the name server's name have the addresses that
// the server listens on. In zones that servers usually fall through from (in-addr.arpa) it knows what is there, not what is not.

import { setTimeout as sleep } from 'node:timers/promises'
import type { ServerConfig } from '../config/server-config.ts'
import { FOLD, LABEL_LENGTH_MAX, labelsOfText, wireOfLabels } from '../dns/name.ts'
import { CLASSES, TYPES } from '../dns/record-types.ts'
import type { ClusterIndex } from '../kube/cluster-index.ts'
import type { ClusterObjects } from '../kube/objects.ts'
import type { Truth } from '../load/verify/truth.ts'
import { type Answerer, createAnswerer } from '../workers/answer.ts'
import { createEngine } from './engine.ts'

export interface RecordModelOptions {
  /** For people: `manifests` or `cluster`. */
  readonly name: string
  /** Zones in which it has no say about names that are not there (`fallthrough`). Default: the reverse zones. */
  readonly fallthrough?: readonly string[]
  /** Reads the objects anew, of a cluster that changes. Rejects if that fails: the old ones stay. */
  readonly reread?: () => Promise<ClusterObjects>
  /** Takes a line when reading anew fails. */
  readonly complain?: (line: string) => void
}

const MESSAGE_LENGTH_MAX = 65_535
const HEADER_LENGTH = 12
/** QR and opcode. */
const KIND_MASK = 0xf8
/** Between two readings of a cluster: listing it costs its API server something. */
const REREAD_PAUSE_MS = 2000

/** A name in wire form and what type is asked of it. */
interface Question {
  /** Folded, an octet a character. */
  readonly name: string
  readonly type: number
}

export class RecordModel implements Truth {
  readonly name: string
  readonly rules: Truth['rules']
  readonly refresh?: Truth['refresh']
  readonly #index: ClusterIndex
  readonly #answerer: Answerer
  readonly #packet = new Uint8Array(MESSAGE_LENGTH_MAX)
  /** Wire forms, an octet a character. */
  readonly #zones: readonly string[]
  readonly #fallthrough: readonly string[]
  readonly #options: RecordModelOptions
  /** When the reading began that the index is from. */
  #readMs = performance.now()
  #restUntilMs = 0
  #reading: Promise<void> | null = null

  /** Fills an index as `serve` does. @throws RegionFullError */
  constructor(config: ServerConfig, objects: ClusterObjects, options: RecordModelOptions) {
    const { zones, reverseZones } = config.cluster
    const all = [...zones, ...reverseZones]
    this.name = options.name
    this.rules = { limitsTtls: true, covers: coverageOf(all) }
    this.#zones = wireZones(all)
    this.#fallthrough = wireZones(options.fallthrough ?? reverseZones)
    this.#options = options
    const engine = createEngine(config, 1)
    this.#index = engine.index
    engine.index.replace(objects)
    engine.index.flush(Date.now(), true)
    this.#answerer = createAnswerer(engine.source, 0)
    const { reread } = options
    if (reread !== undefined) this.refresh = (_query, sinceMs) => this.#refresh(reread, sinceMs)
  }

  answer(query: Uint8Array): Uint8Array | null {
    const question = questionOf(query)
    if (question === null) return null
    const zone = zoneAbove(question.name, this.#zones)
    if (zone === null || isOwnAddress(question, zone)) return null
    const packet = this.#packet
    packet.set(query)
    this.#answerer.beginBatch()
    // As over TCP, so that all of it is there.
    const length = this.#answerer.answer(packet, 0, query.length, MESSAGE_LENGTH_MAX, true)
    this.#answerer.endBatch()
    if (length <= 0) return null
    const hasAnswer = packet[6] !== 0 || packet[7] !== 0
    if (!hasAnswer && zoneAbove(question.name, this.#fallthrough) !== null) return null
    return packet.slice(0, length)
  }

  /** One reading serves all who need it: those who come too late for it wait for the next. */
  async #refresh(reread: () => Promise<ClusterObjects>, sinceMs: number): Promise<boolean> {
    if (this.#readMs >= sinceMs) return false
    while (this.#readMs < sinceMs) {
      this.#reading ??= this.#read(reread).finally(() => (this.#reading = null))
      await this.#reading
    }
    return true
  }

  async #read(reread: () => Promise<ClusterObjects>): Promise<void> {
    await sleep(Math.max(0, this.#restUntilMs - performance.now()))
    const startedMs = performance.now()
    try {
      this.#index.replace(await reread())
      this.#index.flush(Date.now())
    } catch (error) {
      this.#options.complain?.(`the cluster could not be read again: ${(error as Error).message}`)
    }
    this.#readMs = startedMs
    this.#restUntilMs = performance.now() + REREAD_PAUSE_MS
  }
}

const folded = Buffer.alloc(MESSAGE_LENGTH_MAX)

/** Null for what the model has no answer to: no plain query of class IN, or a transfer. */
function questionOf(query: Uint8Array): Question | null {
  if (query.length < HEADER_LENGTH || (query[2] & KIND_MASK) !== 0 || query[4] !== 0 || query[5] !== 1) return null
  let end = HEADER_LENGTH
  while (end < query.length && query[end] !== 0) {
    if (query[end] > LABEL_LENGTH_MAX) return null
    end += query[end] + 1
  }
  end++
  if (end + 4 > query.length) return null
  const type = query[end] * 256 + query[end + 1]
  if (query[end + 2] !== 0 || query[end + 3] !== CLASSES.IN || type === TYPES.AXFR || type === TYPES.IXFR) return null
  for (let i = HEADER_LENGTH; i < end; i++) folded[i] = FOLD[query[i]]
  return { name: folded.toString('latin1', HEADER_LENGTH, end), type }
}

/** NS of a zone, and all of `ns.dns.ZONE`. */
function isOwnAddress({ name, type }: Question, zone: string): boolean {
  return name === zone ? type === TYPES.NS : name === `\x02ns\x03dns${zone}`
}

/** The first of the zones that a name is in. Names in wire form, an octet a character. */
function zoneAbove(name: string, zones: readonly string[]): string | null {
  for (const zone of zones) {
    if (!name.endsWith(zone)) continue
    const end = name.length - zone.length
    let at = 0
    while (at < end) at += name.charCodeAt(at) + 1
    if (at === end) return zone
  }
  return null
}

/** Wire forms, the closest to a name before those above. */
function wireZones(zones: readonly string[]): readonly string[] {
  return zones.map(wireText).sort((one, other) => other.length - one.length)
}

function wireText(zone: string): string {
  return Buffer.from(wireOfLabels(labelsOfText(zone))).toString('latin1')
}

/** Whether a name in presentation format, lower case, is in one of the zones. */
function coverageOf(zones: readonly string[]): (owner: string) => boolean {
  const wires = wireZones(zones)
  let last = ''
  let isCovered = false
  return (owner) => {
    // Records of one owner come one after another.
    if (owner !== last) {
      isCovered = zoneAbove(wireText(owner), wires) !== null
      last = owner
    }
    return isCovered
  }
}
