// `kubernetes [ZONE...] { … }`: the cluster's names, and whom they come from.

import type { KubernetesConfig } from '../configuration.ts'
import type { Property, Token } from '../corefile/syntax.ts'
import {
  argumentsOf,
  attempt,
  duration,
  fallthroughOf,
  flag,
  integer,
  oneOf,
  only,
  pathOf,
  single,
  unknownProperty,
  zonesOf,
  zonesOrBlock,
} from './arguments.ts'
import { Refusal, type Setup, type SetupContext } from './setup.ts'

const TTL = 5
const TTL_MAX = 3600
const STARTUP_TIMEOUT_MS = 5000
const POD_MODES = ['disabled', 'insecure', 'verified'] as const
const REVERSE = /(?:^|\.)(?:in-addr|ip6)\.arpa\.$/

/** KubernetesConfig while it is read. */
type Draft = { -readonly [K in keyof KubernetesConfig]: KubernetesConfig[K] }

/** @see cluster DNS reference 3.1 */
export const setup: Setup<'kubernetes'> = (directives, context) => {
  const directive = single(directives)
  const draft: Draft = {
    zones: zonesOrBlock(directive.args, context),
    endpoint: '',
    tls: null,
    kubeconfig: '',
    context: '',
    apiserverQps: 0,
    apiserverBurst: 0,
    apiserverMaxInflight: 0,
    namespaces: null,
    labels: '',
    namespaceLabels: '',
    pods: 'disabled',
    endpointPodNames: false,
    ttl: TTL,
    noEndpoints: false,
    fallthrough: null,
    ignoreEmptyService: false,
    multicluster: [],
    zonal: false,
    startupTimeoutMs: STARTUP_TIMEOUT_MS,
    okd: null,
  }
  const forward = draft.zones.filter((zone) => !REVERSE.test(zone))
  if (forward.length === 0)
    throw new Refusal(directive.name, 'non-reverse zone name must be used: all zones are reverse ones')
  for (const property of directive.properties) {
    const read = OPTIONS.get(property.name.text)
    if (read === undefined) throw unknownProperty(property)
    read(draft, property, context)
  }
  const last = directive.properties.at(-1)?.name ?? directive.name
  if (draft.namespaces !== null && draft.namespaceLabels !== '') {
    throw new Refusal(last, 'namespaces and namespace_labels cannot both be set')
  }
  if (draft.zonal && draft.noEndpoints) throw new Refusal(last, 'zonal and noendpoints cannot both be set')
  return draft
}

/** Reads one option into the draft. */
type Option = (draft: Draft, property: Property, context: SetupContext) => void

const OPTIONS: ReadonlyMap<string, Option> = new Map<string, Option>([
  ['endpoint', readEndpoint],
  ['tls', readTls],
  ['kubeconfig', readKubeconfig],
  ['apiserver_qps', readQps],
  ['apiserver_burst', (draft, property) => (draft.apiserverBurst = integer(only(property), 0))],
  ['apiserver_max_inflight', (draft, property) => (draft.apiserverMaxInflight = integer(only(property), 0))],
  ['namespaces', readNamespaces],
  ['namespace_labels', (draft, property, context) => (draft.namespaceLabels = selectorOf(property, context))],
  ['labels', (draft, property, context) => (draft.labels = selectorOf(property, context))],
  ['pods', (draft, property) => (draft.pods = oneOf(only(property), POD_MODES))],
  ['endpoint_pod_names', (draft, property) => (draft.endpointPodNames = flag(property))],
  ['ttl', (draft, property) => (draft.ttl = integer(only(property), 0, TTL_MAX))],
  ['noendpoints', (draft, property) => (draft.noEndpoints = flag(property))],
  ['fallthrough', (draft, property) => (draft.fallthrough = fallthroughOf(property))],
  ['ignore', readIgnore],
  ['multicluster', readMulticluster],
  ['zonal', (draft, property) => (draft.zonal = flag(property))],
  ['startup_timeout', (draft, property) => (draft.startupTimeoutMs = duration(only(property), 0))],
  ['okd', readOkd],
  ['upstream', ignored('names outside of the cluster are resolved through the server itself')],
  ['resyncperiod', ignored('there is no periodic resync')],
])

function readEndpoint(draft: Draft, property: Property, context: SetupContext): void {
  const [url, more] = argumentsOf(property, 1)
  if (!/^https?:\/\/[^\s/]/.test(url.text) || !URL.canParse(url.text)) {
    throw new Refusal(url, `'${url.text}' is no URL of an API server: https://HOST[:PORT]`)
  }
  if (more !== undefined) context.warn(more, `plugin/kubernetes: only the first endpoint is used: ${url.text}`)
  draft.endpoint = url.text
}

function readTls(draft: Draft, property: Property, context: SetupContext): void {
  const [cert, key, ca] = argumentsOf(property, 3, 3).map((token) => pathOf(token, context))
  draft.tls = { cert, key, ca }
}

function readKubeconfig(draft: Draft, property: Property, context: SetupContext): void {
  const [path, name] = argumentsOf(property, 1, 2)
  draft.kubeconfig = pathOf(path, context)
  draft.context = name?.text ?? ''
}

function readQps(draft: Draft, property: Property): void {
  const token = only(property)
  if (!/^\+?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/.test(token.text)) {
    throw new Refusal(token, `'${token.text}' is no number of at least 0`)
  }
  draft.apiserverQps = Number(token.text)
}

function readNamespaces(draft: Draft, property: Property): void {
  const names = argumentsOf(property, 1).map(({ text }) => text)
  draft.namespaces = [...new Set([...(draft.namespaces ?? []), ...names])]
}

function selectorOf(property: Property, { checks }: SetupContext): string {
  const text = argumentsOf(property, 1)
    .map((token) => token.text)
    .join(' ')
  attempt(property.args[0], Error, () => checks?.labelSelector(text))
  return text
}

function readIgnore(draft: Draft, property: Property): void {
  const [what] = argumentsOf(property, 1) // what follows is ignored indeed
  oneOf(what, ['empty_service'])
  draft.ignoreEmptyService = true
}

function readMulticluster(draft: Draft, property: Property): void {
  const zones = zonesOf(property.args)
  const foreign = zones.find((zone) => !draft.zones.includes(zone))
  if (foreign !== undefined) {
    throw new Refusal(property.name, `is not authoritative for the multicluster zone '${foreign}'`)
  }
  draft.multicluster = [...new Set([...draft.multicluster, ...zones])]
}

/** `okd`, or `okd wildcard=off short-names=on openshift-alias=on`, in any order. */
function readOkd(draft: Draft, property: Property): void {
  const okd = { wildcard: true, shortNames: false, openshiftAlias: false }
  for (const token of property.args) {
    const [, name, value] = /^(wildcard|short-names|openshift-alias)=(on|off)$/.exec(token.text) ?? []
    if (name === undefined) throw okdRefusal(token)
    okd[OKD_SWITCHES[name]] = value === 'on'
  }
  draft.okd = okd
}

const OKD_SWITCHES: Readonly<Record<string, 'wildcard' | 'shortNames' | 'openshiftAlias'>> = {
  wildcard: 'wildcard',
  'short-names': 'shortNames',
  'openshift-alias': 'openshiftAlias',
}

function okdRefusal(token: Token): Refusal {
  return new Refusal(token, `'${token.text}' is none of wildcard=, short-names=, openshift-alias= with on or off`)
}

function ignored(why: string): Option {
  return (_, property, context) => {
    context.warn(property.name, `plugin/kubernetes: '${property.name.text}' is ignored: ${why}`)
  }
}
