// Plugin autopath: walks a client's search list in its place. A name that does not exist in the client's first search domain is asked for in all of
// them, and at last as it stands; what is found is the answer, an alias in front. Cluster DNS reference §3.5.
// A query comes here from the start of its chain when the name turned out not to exist (workers/answer.ts), so the first question is often NXDOMAIN.

import type { AutopathConfig } from '../config/configuration.ts'
import type { ResourceRecord } from '../dns/message.ts'
import { labelsOfText, NameError, wireOfLabels } from '../dns/name.ts'
import { CLASSES, TYPES } from '../dns/record-types.ts'
import { addressOctets } from './networks.ts'
import type { Outcome, Plugin, Question, Reply, Request, Serve, Walk } from './plugin.ts'
import { isInZone, longestZone } from './zone-match.ts'

const NAME = 'autopath'
const NXDOMAIN = 3

/** A cluster that knows its Pods: KubernetesStage. */
export interface ClientNamespaces {
  /** Of the cluster's forward zones, the longest that a name lies in; null: none. All absolute, lower case, with a final dot. */
  forwardZoneOf(name: string): string | null
  /** Namespace of the Pod with an address of 4 or 16 octets; '' if there is none. */
  namespaceOf(address: Uint8Array): string
}

/** The plugin `autopath`. @param clients  null: search lists are those of a file, or nobody's */
export function createAutopath(config: AutopathConfig, clients: ClientNamespaces | null): Plugin {
  const { zones, search } = config
  return {
    name: NAME,
    *serve(request, next): Walk {
      const { question } = request
      if (!isSearched(question) || longestZone(question.name, zones) === null) return yield* next(request)
      const elements = config.source === '@kubernetes' ? elementsOf(request, clients, search) : search
      const [first] = elements
      if (first === undefined || question.name === first || !isInZone(question.name, first)) return yield* next(request)
      return yield* walked(request, next, namesOf(question.name, elements))
    },
  }
}

function isSearched({ type, class: qclass }: Question): boolean {
  return qclass === CLASSES.IN && type !== TYPES.AXFR && type !== TYPES.IXFR
}

/** Search list of the Pod that asks; none if no Pod does. */
function elementsOf(
  { client, question }: Request,
  clients: ClientNamespaces | null,
  search: readonly string[],
): readonly string[] {
  const zone = clients?.forwardZoneOf(question.name) ?? null
  const address = addressOctets(client.address)
  if (clients === null || zone === null || address === null) return []
  const namespace = clients.namespaceOf(address)
  return namespace === '' ? [] : [`${namespace}.svc.${zone}`, `svc.${zone}`, zone, ...search]
}

/** The name in each search domain, the one asked for first, and at last by itself; what is too long to be a name is left out. */
function namesOf(name: string, elements: readonly string[]): string[] {
  const base = name.slice(0, name.length - elements[0].length)
  return [...new Set([...elements, ''].map((element) => base + element))].filter(isName)
}

function isName(text: string): boolean {
  try {
    labelsOfText(text)
    return true
  } catch (error) {
    if (error instanceof NameError) return false
    throw error
  }
}

/** Asks for one name after the other, until one exists. */
function* walked(request: Request, next: Serve, names: readonly string[]): Walk {
  const { question } = request
  let first: Outcome | null = null
  try {
    for (const name of names) {
      request.question = { ...question, name }
      const outcome = yield* next(request)
      first ??= outcome
      if (outcome.kind === 'failure' && outcome.error === '') continue
      if (outcome.kind !== 'reply') return outcome
      if (outcome.rcode === NXDOMAIN) continue
      if (name === question.name) return outcome
      request.count('autopath_success_total')
      return aliased(outcome, question)
    }
    return first!
  } finally {
    request.question = question
  }
}

/** A reply about another name as one about the name asked for: an alias of the first owner that differs goes in front. */
function aliased(reply: Reply, { name, class: qclass }: Question): Reply {
  const other = reply.answer.find(({ owner }) => owner.toLowerCase() !== name)
  if (other === undefined) return reply
  const rdata = wireOfLabels(labelsOfText(other.owner))
  const alias: ResourceRecord = { owner: name, type: TYPES.CNAME, class: qclass, ttl: other.ttl, rdata }
  return { ...reply, answer: [alias, ...reply.answer] }
}
