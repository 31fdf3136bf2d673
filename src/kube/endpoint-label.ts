// The one label that names an endpoint below its Service: Kubernetes' form and OKD 3.11's.
// Not here: which endpoints a Service has, and what their names hold (endpoint-names.ts).

import { fnv1a } from './fnv.ts'
import type { Endpoint, EndpointSlice } from './objects.ts'

/** What the choice of a label depends on; a part of SchemaOptions. */
export interface LabelOptions {
  /** `endpoint_pod_names`: an endpoint without hostname is named after its Pod. */
  readonly endpointPodNames: boolean
}

/** Gives each endpoint of one Service its label. Endpoints with equal labels share one name. */
export type LabelOf = (endpoint: Endpoint) => string

const LABEL_OCTETS_MAX = 63

/**
 * The label of an endpoint, lower case: its hostname; else with `endpointPodNames` its Pod's name, if that is one label of
 * at most 63 octets; else its address with dashes, in the spelling of the slice.
 */
export function endpointLabel(endpoint: Endpoint, options: LabelOptions): string {
  if (endpoint.hostname !== '') return endpoint.hostname.toLowerCase()
  if (options.endpointPodNames) {
    const podName = endpoint.podName
    if (podName !== '' && podName.length <= LABEL_OCTETS_MAX && !podName.includes('.')) return podName.toLowerCase()
  }
  return dashedAddress(endpoint.address)
}

/** An address as a label: every `.` or `:` becomes `-`; a last `-` gets a `0` behind it, so that a host name may end so. */
export function dashedAddress(address: string): string {
  if (!address.includes(':')) return address.replaceAll('.', '-')
  // A dotted tail (`::ffff:192.0.2.1`) has both.
  const label = address.replaceAll(':', '-').replaceAll('.', '-').toLowerCase()
  return label.endsWith('-') ? `${label}0` : label
}

/**
 * OKD 3.11's label of an address without hostname: FNV-1a, 32 bits, over the ASCII text.
 *
 * @param addressText as it stands in the object: another spelling gives another hash
 * @returns 1..8 lower-case hexadecimal digits, no leading zeros
 */
export function okdHash(addressText: string): string {
  return fnv1a(addressText).toString(16)
}

/** Kubernetes' labels. */
export function kubernetesLabels(options: LabelOptions): LabelOf {
  return (endpoint) => endpointLabel(endpoint, options)
}

/**
 * Kubernetes' labels where OKD names are served as well: an explicit hostname owns its label alone. Another endpoint whose
 * generated label has the same text goes by its hash, so that what SRV says and what the target holds stay in step.
 */
export function okdLabels(slices: readonly EndpointSlice[], options: LabelOptions): LabelOf {
  const hostnames = explicitHostnames(slices)
  return (endpoint) => {
    const label = endpointLabel(endpoint, options)
    return endpoint.hostname === '' && hostnames.has(label) ? hashOrElse(endpoint, hostnames, label) : label
  }
}

/** OKD's labels: the hostname or the hash; Kubernetes' label for the hash that is another endpoint's hostname. */
export function hashLabels(slices: readonly EndpointSlice[], options: LabelOptions): LabelOf {
  const hostnames = explicitHostnames(slices)
  return (endpoint) =>
    endpoint.hostname !== ''
      ? endpoint.hostname.toLowerCase()
      : hashOrElse(endpoint, hostnames, endpointLabel(endpoint, options))
}

function hashOrElse(endpoint: Endpoint, hostnames: ReadonlySet<string>, label: string): string {
  const hash = okdHash(endpoint.address)
  return hostnames.has(hash) ? label : hash
}

function explicitHostnames(slices: readonly EndpointSlice[]): ReadonlySet<string> {
  const hostnames = new Set<string>()
  for (const slice of slices) {
    for (const endpoint of slice.endpoints) {
      if (endpoint.hostname !== '') hostnames.add(endpoint.hostname.toLowerCase())
    }
  }
  return hostnames
}
