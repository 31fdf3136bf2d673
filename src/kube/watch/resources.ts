// The kinds of objects that are listed and watched: where the API has them, which of them are asked for, and the packed form
// of one as it came from the server. How they are asked for is in list.ts and watch.ts.

import { FieldError, type Raw } from '../fields.ts'
import type { Endpoint } from '../objects.ts'
import { KEEP, type Packed, packImport, packPod, packService, packSlice } from '../packed.ts'
import { type Metadata, type SharedValues, trimImport, trimService, trimSlice } from '../trim.ts'
import { trimPod } from '../trim-workloads.ts'
import type { FeedOptions, Resource } from './messages.ts'

/** What a user of the feed may want less of. */
export type Selection = Pick<FeedOptions, 'labelSelector' | 'namespaceSelector' | 'podNames' | 'zones'>

export interface ResourceKind {
  readonly path: string
  /** API group, '' for the core. */
  readonly group: string
  /** Whether the kind allows dots in its names. */
  readonly dotted: boolean
  /** What the server is to leave out. */
  selectors(selection: Selection): Readonly<Record<string, string>>
  /**
   * The packed form of an object; '' of one that makes no names, and as good as does not exist; KEEP of one whose last form
   * goes on to count.
   *
   * @throws FieldError if a field is not what the API says
   */
  pack(raw: Raw, metadata: Metadata, selection: Selection, shared: SharedValues): Packed
}

/** What stands for a Namespace: there is nothing to know of it but that it exists. */
const EXISTS: Packed = '+'

/** As CoreDNS asks: Pods that have ended need no name. */
const RUNNING = 'status.phase!=Succeeded,status.phase!=Failed,status.phase!=Unknown'

/** Keeps fields of packed.ts apart, so no field may hold one. */
const SEPARATOR = /[\n,/]/

export const RESOURCES: Readonly<Record<Resource, ResourceKind>> = {
  namespaces: {
    path: '/api/v1/namespaces',
    group: '',
    dotted: false,
    selectors: ({ namespaceSelector }) => labelled(namespaceSelector),
    pack: () => EXISTS,
  },
  services: {
    path: '/api/v1/services',
    group: '',
    dotted: false,
    selectors: ({ labelSelector }) => labelled(labelSelector),
    pack: (raw, metadata, _, shared) => packService(trimService(raw, metadata, shared).service),
  },
  endpointslices: {
    path: '/apis/discovery.k8s.io/v1/endpointslices',
    group: 'discovery.k8s.io',
    dotted: true,
    selectors: ({ labelSelector }) => labelled(labelSelector),
    pack: packedSlice,
  },
  pods: {
    path: '/api/v1/pods',
    group: '',
    dotted: true,
    selectors: ({ labelSelector }) => ({ ...labelled(labelSelector), fieldSelector: RUNNING }),
    pack: packedPod,
  },
  serviceimports: {
    path: '/apis/multicluster.x-k8s.io/v1alpha1/serviceimports',
    group: 'multicluster.x-k8s.io',
    dotted: false,
    selectors: () => ({}),
    pack: (raw, metadata, _, shared) => packImport(trimImport(raw, metadata, shared)),
  },
}

function labelled(labelSelector: string): Readonly<Record<string, string>> {
  return labelSelector === '' ? {} : { labelSelector }
}

function packedSlice(raw: Raw, metadata: Metadata, { zones }: Selection, shared: SharedValues): Packed {
  const slice = trimSlice(raw, metadata, shared)
  if (slice === null) return ''
  const { serviceName, importName, cluster } = slice
  if (SEPARATOR.test(serviceName) || SEPARATOR.test(importName) || SEPARATOR.test(cluster)) {
    throw new FieldError('metadata.labels', 'must be labels')
  }
  // Without the fields that anyone may fill at will, what trimSlice made is checked already.
  if (!shared.podNames && !zones && slice.endpoints.every(({ zone }) => zone === '')) return packSlice(slice)
  return packSlice({ ...slice, endpoints: slice.endpoints.map(zones ? readableEndpoint : endpointWithoutZone) })
}

/** The API server takes anything for the name of a Pod and for a zone; what cannot be packed makes no name either. */
function readableEndpoint({ address, hostname, podName, zone }: Endpoint): Endpoint {
  return { address, hostname, podName: readable(podName), zone: readable(zone) }
}

function endpointWithoutZone({ address, hostname, podName }: Endpoint): Endpoint {
  return { address, hostname, podName: readable(podName), zone: '' }
}

function readable(text: string): string {
  return SEPARATOR.test(text) ? '' : text
}

/** A Pod that is ending keeps its name until it is gone, at whatever address it had. */
function packedPod(raw: Raw, metadata: Metadata, _: Selection, shared: SharedValues): Packed {
  if (metadata.deleted) return KEEP
  const pod = trimPod(raw, metadata, shared)
  return pod === null ? '' : packPod(pod.pod)
}
