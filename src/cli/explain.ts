// `peregrine explain NAME [TYPE]`: the answer, and why. The answer comes from the index and the answerer that `serve` has,
// filled from the same manifests; the reasons come from the objects (src/kube/explain.ts).

import type { ServerConfig } from '../config/server-config.ts'
import { labelsOfText, NameError } from '../dns/name.ts'
import { canonicalAddress, reverseName } from '../kube/address.ts'
import { ClusterView } from '../kube/cluster-view.ts'
import { type Explanation, explainName, recordOrigins, zoneOf } from '../kube/explain.ts'
import { formatProblem, loadManifests } from '../kube/manifests.ts'
import type { ClusterObjects } from '../kube/objects.ts'
import type { Origin } from '../kube/records.ts'
import { createAnswerer } from '../workers/answer.ts'
import { type DecodedMessage, type DecodedRecord, decodeMessage, encodeQuery, typeNumber } from './decoded-message.ts'
import { createEngine } from './engine.ts'
import { formatReport } from './explain-text.ts'
import { FlagError, type Flags } from './flags.ts'

const MESSAGE_LENGTH_MAX = 65535
/** Types asked for to say what else a name has. */
const KNOWN_TYPES = ['A', 'AAAA', 'SRV', 'CNAME', 'PTR', 'TXT', 'NS', 'SOA']

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
  const loaded = await loadManifests(config.manifests)
  for (const problem of loaded.problems) process.stderr.write(`error: ${formatProblem(problem)}\n`)
  if (loaded.objects.namespaces.size === 0 && loaded.problems.length > 0) return 1
  const report = explainQuestion(config, loaded.objects, name, type)
  process.stdout.write(flags.has('json') ? `${JSON.stringify(report, null, 2)}\n` : formatReport(report))
  return 0
}

/**
 * Answers a question from `objects`, and explains the answer.
 *
 * @param name  a name, short or whole, or an IP address
 * @param type  mnemonic or `TYPE123`; '' is A, for an address PTR
 * @throws FlagError for a name or a type that is none
 */
export function explainQuestion(config: ServerConfig, objects: ClusterObjects, name: string, type: string): Report {
  const isAddress = canonicalAddress(name) !== ''
  const typeText = (type === '' ? (isAddress ? 'PTR' : 'A') : type).toUpperCase()
  const typeCode = typeNumber(typeText)
  if (typeCode < 0) throw new FlagError(`no type ${type}`)
  const { zones, multiclusterZones, reverseZones, namespaces, schema } = config.cluster
  const view = new ClusterView({ objects, zones, multiclusterZones, reverseZones, namespaces, schema })
  const ask = oracle(config, objects)

  const candidates = questionsFor(name, view)
  const [labels, completed] = candidates.find(([labels]) => ask(labels, typeCode).rcode !== 'NXDOMAIN') ?? candidates[0]
  const message = ask(labels, typeCode)
  const types = KNOWN_TYPES.filter((known) =>
    ask(labels, typeNumber(known)).answer.some(({ type, owner }) => type === known && sameName(owner, labels)),
  )
  const origins = (record: DecodedRecord): ExplainedRecord => ({ ...record, origins: originsOf(view, record) })
  return {
    question: { name: `${labels.join('.')}.`, type: typeText },
    given: name,
    completed,
    rcode: message.rcode,
    flags: message.flags,
    answer: message.answer.map(origins),
    authority: message.authority.map(origins),
    additional: message.additional.map(origins),
    why: explainName(
      view,
      labels.map((label) => label.toLowerCase()),
    ),
    types,
  }
}

/** Asks the engine that `serve` uses, with room for a whole answer. */
function oracle(
  config: ServerConfig,
  objects: ClusterObjects,
): (labels: readonly string[], type: number) => DecodedMessage {
  const engine = createEngine(config, 1)
  engine.index.replace(objects)
  engine.index.flush(Date.now(), true)
  const answerer = createAnswerer(engine.source, 0)
  const packet = new Uint8Array(MESSAGE_LENGTH_MAX)
  return (labels, type) => {
    const query = encodeQuery(labels, type)
    packet.set(query)
    answerer.beginBatch()
    const length = answerer.answer(packet, 0, query.length, packet.length, true)
    answerer.endBatch()
    return decodeMessage(packet.subarray(0, length))
  }
}

/** Names that the given one may stand for, the likeliest first, each with how it was made. */
function questionsFor(name: string, view: ClusterView): [labels: string[], completed: string][] {
  const address = canonicalAddress(name)
  if (address !== '') return [[[...reverseName(address)], `the reverse name of ${address}`]]
  const labels = parsedName(name)
  const isWhole =
    name.endsWith('.') ||
    zoneOf(
      view,
      labels.map((label) => label.toLowerCase()),
    ) !== null
  const [zone] = view.source.zones
  if (isWhole || zone === undefined) return [[labels, '']]
  const zoneLabels = zone.split('.')
  return [
    [[...labels, 'svc', ...zoneLabels], 'NAME.svc.ZONE'],
    [[...labels, ...zoneLabels], 'NAME.ZONE'],
  ]
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

function sameName(owner: string, labels: readonly string[]): boolean {
  return owner.toLowerCase() === `${labels.join('.').toLowerCase()}.`
}
