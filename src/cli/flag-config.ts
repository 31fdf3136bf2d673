// The built-in configuration, changed by the flags of the command line.

import { join } from 'node:path'
import {
  BUILT_IN_SCHEMA,
  type FeedConfig,
  REVERSE_ZONES,
  type RecordSource,
  type ServerConfig,
} from '../config/server-config.ts'
import { usableWorkers } from '../config/usable-workers.ts'
import { labelsOfText, NameError } from '../dns/name.ts'
import type { SchemaOptions } from '../kube/schema.ts'
import type { ConnectionOptions } from '../kube/watch/messages.ts'
import { isInCluster } from '../kube/watch/service-account.ts'
import { everyAddress, resourcesOf, type ServerSettings } from '../server/plan.ts'
import { FlagError, type FlagName, type Flags } from './flags.ts'

const EXAMPLES = join(import.meta.dirname, '../../examples')
const PORT = 5353
const BUFSIZE = 1232
const TTL = 5
const RECEIVE_BUFFER_BYTES = 4 * 2 ** 20
const INDEX_MB = 1024
const STARTUP_TIMEOUT = '5s'
// More than CoreDNS's 5 and 10, which are client-go's: it lists everything in one answer, we page by page. At its pace the 400
// pages of 100,000 Services and their slices would take 78 s.
const API_QPS = 100
const API_BURST = 200
const PAGE_SIZE = 500
const AUDIT_INTERVAL = '5m'
const TIMER_MAX_MS = 2 ** 31 - 1 // Node's timers fire at once if asked for more: 24.8 days stand for longer
const IN_CLUSTER: ConnectionOptions = { kubeconfig: '', context: '' }
const ADDRESSES_MAX = 62 // a query worker watches as many sockets, and an eventfd

/**
 * @param env  says whether the process runs in a cluster
 * @throws FlagError for flags that exclude each other, and values that are no zone name
 */
export function configFromFlags(flags: Flags, env: NodeJS.ProcessEnv = process.env): ServerConfig {
  const zones = flags.list('zone', ['cluster.local']).map((text) => zoneName('zone', text))
  const multicluster = flags.list('multicluster', []).map((text) => zoneName('multicluster', text))
  if (flags.has('namespaces') && flags.has('namespace_labels')) throw exclusion('namespaces', 'namespace_labels')
  const schema = schemaFromFlags(flags)
  const connection = connectionFromFlags(flags, env)
  const source: RecordSource =
    connection === null
      ? { kind: 'manifests', paths: flags.list('manifests', [EXAMPLES]) }
      : { kind: 'api', feed: feedFromFlags(flags, connection, schema, multicluster.length > 0) }
  const addresses = flags.list('listen', connection === IN_CLUSTER ? everyAddress() : ['127.0.0.1', '::1'])
  if (addresses.length > ADDRESSES_MAX) throw new FlagError(`flag --listen: at most ${ADDRESSES_MAX} addresses`)
  return Object.freeze({
    source,
    addresses,
    port: flags.number('dns.port', PORT),
    workers: flags.number('workers', usableWorkers()),
    transport: flags.text('transport', 'auto') as ServerConfig['transport'],
    receiveBufferBytes: flags.number('receive-buffer', RECEIVE_BUFFER_BYTES),
    bufsize: flags.number('bufsize', BUFSIZE),
    indexBytes: flags.number('index-mb', INDEX_MB) * 2 ** 20,
    cluster: Object.freeze({
      zones: [...new Set([...zones, ...multicluster])],
      multiclusterZones: multicluster,
      reverseZones: REVERSE_ZONES,
      ttl: flags.number('ttl', TTL),
      namespaces: flags.has('namespaces') ? flags.list('namespaces', []) : null,
      schema,
    }),
  })
}

/** What no Corefile says. @param workers  unless a flag says so */
export function settingsFromFlags(flags: Flags, workers: number): ServerSettings {
  return {
    workers: flags.number('workers', workers),
    transport: flags.text('transport', 'auto') as ServerSettings['transport'],
    receiveBufferBytes: flags.number('receive-buffer', RECEIVE_BUFFER_BYTES),
    indexBytes: flags.number('index-mb', INDEX_MB) * 2 ** 20,
    manifests: flags.has('manifests') ? flags.list('manifests', []) : null,
    feed: feedSettings(flags),
  }
}

function feedSettings(flags: Flags): ServerSettings['feed'] {
  return {
    // 0 is the default, as CoreDNS has it.
    qps: flags.number('apiserver_qps', 0) || API_QPS,
    burst: flags.number('apiserver_burst', 0) || API_BURST,
    auditIntervalMs: Math.min(flags.duration('audit-interval', AUDIT_INTERVAL), TIMER_MAX_MS),
    pageSize: flags.number('page-size', PAGE_SIZE),
    streamingLists: flags.isOn('streaming-lists', true),
    stateDir: flags.text('state-dir', ''),
  }
}

/** The API server that records come from, null if they come from manifests. */
function connectionFromFlags(flags: Flags, env: NodeJS.ProcessEnv): ConnectionOptions | null {
  const kubeconfig = flags.text('kubeconfig', '')
  if (kubeconfig === '' && flags.has('context')) throw new FlagError('flag --context needs --kubeconfig')
  if (kubeconfig !== '' && flags.has('manifests')) throw exclusion('manifests', 'kubeconfig')
  if (flags.has('manifests')) return null
  if (kubeconfig !== '') return { kubeconfig, context: flags.text('context', '') }
  return isInCluster(env) ? IN_CLUSTER : null
}

function feedFromFlags(
  flags: Flags,
  connection: ConnectionOptions,
  schema: SchemaOptions,
  multicluster: boolean,
): FeedConfig {
  const { endpointPodNames, zonal } = schema
  const resources = resourcesOf(schema, multicluster)
  return {
    connection,
    resources,
    labelSelector: flags.selector('labels'),
    namespaceSelector: flags.selector('namespace_labels'),
    podNames: endpointPodNames,
    zones: zonal,
    ...feedSettings(flags),
    maxInflight: flags.number('apiserver_max_inflight', 0),
    startupTimeoutMs: Math.min(flags.duration('startup_timeout', STARTUP_TIMEOUT), TIMER_MAX_MS),
  }
}

function exclusion(one: FlagName, other: FlagName): FlagError {
  return new FlagError(`flags --${one} and --${other} exclude each other`)
}

function schemaFromFlags(flags: Flags): SchemaOptions {
  const noEndpoints = flags.has('noendpoints')
  const zonal = flags.has('zonal')
  if (noEndpoints && zonal) throw exclusion('zonal', 'noendpoints')
  const okd = flags.has('okd')
    ? {
        wildcard: flags.isOn('okd-wildcard', true),
        shortNames: flags.isOn('okd-short-names', false),
        openshiftAlias: flags.isOn('okd-openshift-alias', false),
      }
    : null
  return {
    pods: flags.text('pods', BUILT_IN_SCHEMA.pods) as SchemaOptions['pods'],
    endpointPodNames: flags.has('endpoint_pod_names'),
    ignoreEmptyService: flags.has('ignore'),
    noEndpoints,
    zonal,
    okd,
  }
}

function zoneName(flag: string, text: string): string {
  try {
    const labels = labelsOfText(text)
    return labels.map((label) => label.toLowerCase()).join('.')
  } catch (error) {
    if (error instanceof NameError) throw new FlagError(`flag --${flag}: ${error.message}`)
    throw error
  }
}
