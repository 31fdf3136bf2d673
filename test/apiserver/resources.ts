// The resources that the stand-in serves, and how each differs on the wire. Not the kinds' meaning: that is src/kube's.

/** Plural name of a resource, as in its path. */
export type ResourceName = 'namespaces' | 'services' | 'endpointslices' | 'pods' | 'serviceimports'

export interface Resource {
  readonly name: ResourceName
  /** '' for the core group. */
  readonly group: string
  readonly version: string
  /** `v1` or `group/version`. */
  readonly apiVersion: string
  readonly kind: string
  readonly namespaced: boolean
  /** Whether metadata.generation counts changes of the specification. */
  readonly generations: boolean
  /** A custom resource: lists put their fields in alphabetic order, and their items have apiVersion and kind. */
  readonly custom: boolean
  /** What stands behind the metadata of a bookmark: the fields that an empty object of the kind does not omit. */
  readonly bookmarkRest: string
}

function resource(
  name: ResourceName,
  group: string,
  version: string,
  kind: string,
  bookmarkRest: string,
  options: Partial<Resource> = {},
): Resource {
  const apiVersion = group === '' ? version : `${group}/${version}`
  const flags = { namespaced: true, generations: false, custom: false, ...options }
  return { name, group, version, apiVersion, kind, bookmarkRest, ...flags }
}

const DISCOVERY = 'discovery.k8s.io'
const MULTICLUSTER = 'multicluster.x-k8s.io'

export const RESOURCES: Readonly<Record<ResourceName, Resource>> = {
  namespaces: resource('namespaces', '', 'v1', 'Namespace', ',"spec":{},"status":{}', { namespaced: false }),
  services: resource('services', '', 'v1', 'Service', ',"spec":{},"status":{"loadBalancer":{}}'),
  endpointslices: resource(
    'endpointslices',
    DISCOVERY,
    'v1',
    'EndpointSlice',
    ',"addressType":"","endpoints":null,"ports":null',
    { generations: true },
  ),
  pods: resource('pods', '', 'v1', 'Pod', ',"spec":{"containers":null},"status":{}'),
  serviceimports: resource('serviceimports', MULTICLUSTER, 'v1alpha1', 'ServiceImport', '', {
    generations: true,
    custom: true,
  }),
}

export const RESOURCE_NAMES = Object.keys(RESOURCES) as ResourceName[]

/** What stands before the metadata of an object in a watch event, behind its opening brace. */
export function typePrefix({ custom, apiVersion, kind }: Resource): string {
  return custom ? `"apiVersion":"${apiVersion}","kind":"${kind}",` : `"kind":"${kind}","apiVersion":"${apiVersion}",`
}

/** `endpointslices.discovery.k8s.io`, as messages name it. */
export function qualifiedName({ name, group }: Resource): string {
  return group === '' ? name : `${name}.${group}`
}
