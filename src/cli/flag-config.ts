// The built-in configuration, changed by the flags of the command line.

import { join } from 'node:path'
import { BUILT_IN_SCHEMA, REVERSE_ZONES, type ServerConfig } from '../config/server-config.ts'
import { usableWorkers } from '../config/usable-workers.ts'
import { labelsOfText, NameError } from '../dns/name.ts'
import type { SchemaOptions } from '../kube/schema.ts'
import { FlagError, type Flags } from './flags.ts'

const EXAMPLES = join(import.meta.dirname, '../../examples')
const PORT = 5353
const BUFSIZE = 1232
const TTL = 5
const RECEIVE_BUFFER_BYTES = 4 * 2 ** 20
const INDEX_MB = 1024
const ADDRESSES_MAX = 62 // a query worker watches as many sockets, and an eventfd

/** @throws FlagError for a value that is no zone name */
export function configFromFlags(flags: Flags): ServerConfig {
  const zones = flags.list('zone', ['cluster.local']).map((text) => zoneName('zone', text))
  const multicluster = flags.list('multicluster', []).map((text) => zoneName('multicluster', text))
  const addresses = flags.list('listen', ['127.0.0.1', '::1'])
  if (addresses.length > ADDRESSES_MAX) throw new FlagError(`flag --listen: at most ${ADDRESSES_MAX} addresses`)
  return Object.freeze({
    manifests: flags.list('manifests', [EXAMPLES]),
    addresses,
    port: flags.integer('dns.port', PORT),
    workers: flags.integer('workers', usableWorkers()),
    transport: flags.text('transport', 'auto') as ServerConfig['transport'],
    receiveBufferBytes: flags.integer('receive-buffer', RECEIVE_BUFFER_BYTES),
    bufsize: flags.integer('bufsize', BUFSIZE),
    indexBytes: flags.integer('index-mb', INDEX_MB) * 2 ** 20,
    cluster: Object.freeze({
      zones: [...new Set([...zones, ...multicluster])],
      multiclusterZones: multicluster,
      reverseZones: REVERSE_ZONES,
      ttl: flags.integer('ttl', TTL),
      namespaces: flags.has('namespaces') ? flags.list('namespaces', []) : null,
      schema: schemaFromFlags(flags),
    }),
  })
}

function schemaFromFlags(flags: Flags): SchemaOptions {
  const noEndpoints = flags.has('noendpoints')
  const zonal = flags.has('zonal')
  if (noEndpoints && zonal) throw new FlagError('flags --zonal and --noendpoints exclude each other')
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
