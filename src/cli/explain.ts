// `peregrine explain NAME [TYPE]`: the answer, and why. The answer comes from the index and the answerer that `serve` has,
// filled from the same manifests; the reasons come from the objects (src/kube/explain.ts).

import type { ServerConfig } from '../config/server-config.ts'
import { labelsOfText, NameError, textOfWire } from '../dns/name.ts'
import { canonicalAddress, reverseName } from '../kube/address.ts'
import { ClusterView } from '../kube/cluster-view.ts'
import { type Explanation, explainName, recordOrigins, zoneOf } from '../kube/explain.ts'
import { formatProblem, loadManifests } from '../kube/manifests.ts'
import type { ClusterObjects } from '../kube/objects.ts'
import type { Origin } from '../kube/records.ts'
import { type Answerer, createAnswerer } from '../workers/answer.ts'
import { type DecodedMessage, type DecodedRecord, decodeMessage, encodeQuery, typeNumber } from './decoded-message.ts'
import { createEngine } from './engine.ts'
import { formatReport } from './explain-text.ts'
import { FlagError, type Flags } from './flags.ts'
import { readLiveObjects } from './live-objects.ts'

const MESSAGE_LENGTH_MAX = 65535
/** Types asked for to say what else a name has. */
const KNOWN_TYPES = ['A', 'AAAA', 'SRV', 'CNAME', 'PTR', 'TXT', 'NS', 'SOA']

const TREES: ReadonlySet<string> = new Set(['svc', 'pod', 'endpoints'])

/** A name that the given one may stand for. */
interface Candidate {
  readonly labels: readonly string[]
  /** How it was made; '' if it is the given one. */
  readonly completed: string
}

/** A record and the fields it comes from. */
export interface ExplainedRecord extends DecodedRecord {
  readonly origins: readonly Origin[]
}

/** What `--json` prints. */
export interface Report {
  readonly question: { readonly name: string; readonly type: string }
  /** The name as it was given. */
  readonly given: string
  /** How a short name or an address became the question; '' if it was given whole. */
  readonly completed: string
  readonly rcode: string
  readonly flags: readonly string[]
  readonly answer: readonly ExplainedRecord[]
  readonly authority: readonly ExplainedRecord[]
  readonly additional: readonly ExplainedRecord[]
  readonly why: Explanation
  /** Types that the name has records of. */
  readonly types: readonly string[]
}

/** Prints a report. @returns the exit code: 1 if nothing could be read @throws FlagError for words that make no question */
export async function explain(config: ServerConfig, flags: Flags): Promise<number> {
  const [name, type = '', ...rest] = flags.words
  if (name === undefined) throw new FlagError('explain what? peregrine explain NAME [TYPE]')
  if (rest.length > 0) throw new FlagError(`unexpected argument ${rest[0]}`)
  const objects = await objectsOf(config)
  if (objects === null) return 1
  const report = new Explainer(config, objects).explain(name, type)
  process.stdout.write(flags.has('json') ? `${JSON.stringify(report, null, 2)}\n` : formatReport(report))
  return 0
}

/** Null if nothing could be read: why has been said. @throws what reading a live cluster threw */
async function objectsOf(config: ServerConfig): Promise<ClusterObjects | null> {
  const { source } = config
  const complain = (line: string): void => void process.stderr.write(`${line}\n`)
  if (source.kind === 'api') return await readLiveObjects(config, source.feed, complain)
  const { objects, problems } = await loadManifests(source.paths)
  for (const problem of problems) complain(`error: ${formatProblem(problem)}`)
  return objects.namespaces.size === 0 && problems.length > 0 ? null : objects
}

/** Answers questions from one state of a cluster, and explains the answers. */
export class Explainer {
  readonly #view: ClusterView
  readonly #answerer: Answerer
  readonly #packet = new Uint8Array(MESSAGE_LENGTH_MAX)

  /** Fills an index as `serve` does. @throws RegionFullError */
  constructor(config: ServerConfig, objects: ClusterObjects) {
    const { zones, multiclusterZones, reverseZones, namespaces, schema } = config.cluster
    this.#view = new ClusterView({ objects, zones, multiclusterZones, reverseZones, namespaces, schema })
    const engine = createEngine(config, 1)
    engine.index.replace(objects)
    engine.index.flush(Date.now(), true)
    this.#answerer = createAnswerer(engine.source, 0)
  }

  /**
   * @param name  a name, short or whole, or an IP address
   * @param type  mnemonic or `TYPE123`; '' is A, for an address PTR
   * @throws FlagError for a name or a type that is none
   */
  explain(name: string, type: string): Report {
    const isAddress = canonicalAddress(name) !== ''
    const typeText = (type === '' ? (isAddress ? 'PTR' : 'A') : type).toUpperCase()
    const typeCode = typeNumber(typeText)
    if (typeCode < 0) throw new FlagError(`no type ${type}`)
    const candidates = questionsFor(name, this.#view)
    const { labels, completed } =
      candidates.find(({ labels }) => this.#ask(labels, typeCode).rcode !== 'NXDOMAIN') ?? candidates[0]
    const message = this.#ask(labels, typeCode)
    const withOrigins = (record: DecodedRecord) => ({ ...record, origins: originsOf(this.#view, record) })
    return {
      question: { name: textOfLabels(labels), type: typeText },
      given: name,
      completed,
      rcode: message.rcode,
      flags: message.flags,
      answer: message.answer.map(withOrigins),
      authority: message.authority.map(withOrigins),
      additional: message.additional.map(withOrigins),
      why: explainName(this.#view, lowerCase(labels)),
      types: this.#typesAt(labels),
    }
  }

  #typesAt(labels: readonly string[]): string[] {
    const name = textOfLabels(labels)
    return KNOWN_TYPES.filter((type) =>
      this.#ask(labels, typeNumber(type)).answer.some((record) => record.type === type && record.owner === name),
    )
  }

  #ask(labels: readonly string[], type: number): DecodedMessage {
    const query = encodeQuery(labels, type)
    this.#packet.set(query)
    this.#answerer.beginBatch()
    // As over TCP: dig would ask again that way, if the answer did not fit.
    const length = this.#answerer.answer(this.#packet, 0, query.length, MESSAGE_LENGTH_MAX, true)
    this.#answerer.endBatch()
    return decodeMessage(this.#packet.subarray(0, length))
  }
}

/** Names that the given one may stand for, in the order they are tried, each with how it was made. */
function questionsFor(name: string, view: ClusterView): Candidate[] {
  const address = canonicalAddress(name)
  if (address !== '') return [{ labels: reverseName(address), completed: `the reverse name of ${address}` }]
  const labels = parsedName(name)
  const isWhole = name.endsWith('.') || zoneOf(view, lowerCase(labels)) !== null
  const [zone] = view.source.zones
  if (isWhole || zone === undefined) return [{ labels, completed: '' }]
  const zoneLabels = zone.split('.')
  const below: Candidate = { labels: [...labels, ...zoneLabels], completed: 'NAME.ZONE' }
  const service: Candidate = { labels: [...labels, 'svc', ...zoneLabels], completed: 'NAME.svc.ZONE' }
  // If neither exists, the first is explained: a name that ends in a tree is hardly that of a Service.
  return TREES.has(labels.at(-1)?.toLowerCase() ?? '') ? [below, service] : [service, below]
}

function parsedName(text: string): string[] {
  try {
    return labelsOfText(text)
  } catch (error) {
    if (error instanceof NameError) throw new FlagError(error.message)
    throw error
  }
}

function originsOf(view: ClusterView, { owner, type, address, target, port }: DecodedRecord): Origin[] {
  const plain = (name: string): string => name.replace(/\.$/, '').toLowerCase()
  return recordOrigins(view, labelsOfText(owner.toLowerCase()), { type, address, target: plain(target), port })
}

function lowerCase(labels: readonly string[]): string[] {
  return labels.map((label) => label.toLowerCase())
}

function textOfLabels(labels: readonly string[]): string {
  return textOfWire(Uint8Array.from([...labels.flatMap((label) => [label.length, ...Buffer.from(label, 'latin1')]), 0]))
}
