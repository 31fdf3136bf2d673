// Pods, and the workloads that make Pods, trimmed to what their addresses and their place behind a Service depend on.

import { addressOf, FieldError, integerOf, listOf, mappingOf, optionalLabelOf, type Raw, textOf } from './fields.ts'
import type { NamedPort, PodSource, PodTemplate, WorkloadSource } from './sources.ts'
import { labelSetOf, type Metadata, protocolOf, type SharedValues } from './trim.ts'

/** Pods made for one workload, at most. A repository that asks for more is taken for a slip of the pen. */
export const REPLICAS_MAX = 10_000

const NO_LABELS = Object.freeze({})
const NO_NAMED_PORTS: readonly NamedPort[] = []

/** A Pod; null if it has ended, or has no address and no control plane to give it one. */
export function trimPod(raw: Raw, metadata: Metadata, shared: SharedValues): PodSource | null {
  const status = mappingOf(raw.status, 'status')
  const phase = textOf(status.phase, 'status.phase')
  if (phase === 'Succeeded' || phase === 'Failed' || phase === 'Unknown') return null
  const addresses = podAddressesOf(status)
  if (addresses.length === 0 && metadata.stored) return null
  const spec = mappingOf(raw.spec, 'spec')
  return {
    pod: { namespace: metadata.namespace, name: metadata.name, addresses },
    template: templateOf(metadata.labels, 'metadata.labels', spec, 'spec', shared),
    hostname: optionalLabelOf(spec.hostname, 'spec.hostname'),
    subdomain: shared.text(optionalLabelOf(spec.subdomain, 'spec.subdomain')),
    ready: !metadata.deleted && isReady(status),
    needsAddress: addresses.length === 0,
  }
}

function podAddressesOf(status: Raw): readonly string[] {
  const addresses: string[] = []
  if (status.podIP) addresses.push(addressOf(status.podIP, 'status.podIP'))
  const several = listOf(status.podIPs, 'status.podIPs')
  for (let i = 0; i < several.length; i++) {
    const address = addressOf(mappingOf(several[i], `status.podIPs[${i}]`).ip, `status.podIPs[${i}].ip`)
    if (!addresses.includes(address)) addresses.push(address)
  }
  return addresses
}

/** The Ready condition; a Pod that states no conditions at all was written by hand, and runs. */
function isReady(status: Raw): boolean {
  if (status.conditions === undefined || status.conditions === null) return true
  return listOf(status.conditions, 'status.conditions').some((value, i) => {
    const condition = mappingOf(value, `status.conditions[${i}]`)
    return condition.type === 'Ready' && condition.status === 'True'
  })
}

/** A Deployment, StatefulSet or DaemonSet. */
export function trimWorkload(
  kind: WorkloadSource['kind'],
  raw: Raw,
  metadata: Metadata,
  shared: SharedValues,
): WorkloadSource {
  const spec = mappingOf(raw.spec, 'spec')
  const template = mappingOf(spec.template, 'spec.template')
  const podSpec = mappingOf(template.spec, 'spec.template.spec')
  const labels = mappingOf(
    mappingOf(template.metadata, 'spec.template.metadata').labels,
    'spec.template.metadata.labels',
  )
  const shape = templateOf(labels, 'spec.template.metadata.labels', podSpec, 'spec.template.spec', shared)
  const matchLabels = mappingOf(spec.selector, 'spec.selector').matchLabels
  const stateful = kind === 'StatefulSet'
  const ordinals = mappingOf(spec.ordinals, 'spec.ordinals')
  return {
    kind,
    namespace: metadata.namespace,
    name: metadata.name,
    replicas: kind === 'DaemonSet' ? 1 : integerOf(spec.replicas, 'spec.replicas', 0, REPLICAS_MAX, 1),
    firstOrdinal: stateful ? integerOf(ordinals.start, 'spec.ordinals.start', 0, 2 ** 31 - 1, 0) : 0,
    hostname: optionalLabelOf(podSpec.hostname, 'spec.template.spec.hostname'),
    subdomain: stateful
      ? optionalLabelOf(spec.serviceName, 'spec.serviceName')
      : optionalLabelOf(podSpec.subdomain, 'spec.template.spec.subdomain'),
    template: shape,
    selector: labelSetOf(matchLabels, 'spec.selector.matchLabels', shared) ?? shape.labels,
  }
}

function templateOf(labels: Raw, labelsField: string, spec: Raw, specField: string, shared: SharedValues): PodTemplate {
  return { labels: labelSetOf(labels, labelsField, shared) ?? NO_LABELS, namedPorts: namedPortsOf(spec, specField) }
}

/** Ports with a name, of containers first and then of sidecars, which is the order in which a name is looked up. */
function namedPortsOf(spec: Raw, field: string): readonly NamedPort[] {
  const ports: NamedPort[] = []
  collectNamedPorts(ports, listOf(spec.containers, `${field}.containers`), `${field}.containers`, false)
  collectNamedPorts(ports, listOf(spec.initContainers, `${field}.initContainers`), `${field}.initContainers`, true)
  return ports.length === 0 ? NO_NAMED_PORTS : ports
}

function collectNamedPorts(
  ports: NamedPort[],
  containers: readonly unknown[],
  field: string,
  sidecarsOnly: boolean,
): void {
  for (let i = 0; i < containers.length; i++) {
    const container = mappingOf(containers[i], `${field}[${i}]`)
    if (sidecarsOnly && container.restartPolicy !== 'Always') continue
    const entries = listOf(container.ports, `${field}[${i}].ports`)
    for (let j = 0; j < entries.length; j++) {
      const at = `${field}[${i}].ports[${j}]`
      const raw = mappingOf(entries[j], at)
      const name = textOf(raw.name, `${at}.name`)
      const port = integerOf(raw.containerPort, `${at}.containerPort`, 1, 65535, 0)
      if (port === 0) throw new FieldError(`${at}.containerPort`, 'is missing')
      if (name !== '') ports.push({ name, protocol: protocolOf(raw.protocol, `${at}.protocol`), port })
    }
  }
}
