// What a name says of the cluster, for `metadata`: the labels that it puts together, whether or not it exists (cluster DNS reference
// §1.2, §3.3). A pure function over labels. Not here: who asks (client-namespace, client-pod-name).

/** The zone that a name lies in. */
export interface MetadataZone {
  /** It is one of addresses: nothing but its apex is in the grammar. */
  readonly reverse: boolean
  /** Its Services are ServiceImports: endpoints are named by their cluster too. */
  readonly multicluster: boolean
  /** Names for topology zones; not in multicluster zones. */
  readonly zonal: boolean
}

/** Values by label, all of which a name in a zone has; those that do not apply are ''. */
export type KubernetesMetadata = Readonly<Record<string, string>>

const PARSE_ERROR: KubernetesMetadata = Object.freeze({ 'kubernetes/parse-error': 'invalid query name' })
const OWN_NAMES: ReadonlySet<string> = new Set(['', 'dns-version', 'dns', 'ns.dns'])
const DIRECTIVES: ReadonlySet<string> = new Set(['pin', 'prefer'])

/** What is known of a name: the labels of §3.3 without `kubernetes/`. */
interface Parts {
  kind: '' | 'svc' | 'pod'
  namespace: string
  service: string
  endpoint: string
  portName: string
  protocol: string
  cluster: string
  zone: string
}

/**
 * The labels `kubernetes/…` of a name.
 *
 * @param labels  left of the zone, leftmost first, lower case
 * @returns `kubernetes/parse-error` alone for a name outside of the grammar
 */
export function kubernetesMetadata(labels: readonly string[], zone: MetadataZone): KubernetesMetadata {
  const parts = partsOf(labels, zone)
  if (parts === null) return PARSE_ERROR
  return {
    'kubernetes/endpoint': parts.endpoint,
    'kubernetes/kind': parts.kind,
    'kubernetes/namespace': parts.namespace,
    'kubernetes/port-name': parts.portName,
    'kubernetes/protocol': parts.protocol,
    'kubernetes/service': parts.service,
    ...(zone.multicluster ? { 'kubernetes/cluster': parts.cluster } : {}),
    ...(zone.zonal ? { 'kubernetes/zone': parts.zone } : {}),
  }
}

/** @returns null if the name is outside of the grammar */
function partsOf(labels: readonly string[], zone: MetadataZone): Parts | null {
  const parts: Parts = {
    kind: '',
    namespace: '',
    service: '',
    endpoint: '',
    portName: '',
    protocol: '',
    cluster: '',
    zone: '',
  }
  if (labels.length === 0) return parts
  if (zone.reverse) return null
  const kind = labels.at(-1)
  if (kind !== 'svc' && kind !== 'pod') return OWN_NAMES.has(labels.join('.')) ? parts : null
  parts.kind = kind
  parts.namespace = labels.at(-2) ?? ''
  const left = labels.slice(0, -3)
  if (kind === 'pod') return left.length === 0 ? parts : null
  parts.service = labels.at(-3) ?? ''
  return addLeft(parts, left, zone) ? parts : null
}

/** What stands left of the Service. @returns false if that is nothing known */
function addLeft(parts: Parts, left: readonly string[], { multicluster, zonal }: MetadataZone): boolean {
  if (left.length === 0) return true
  if (left.length === 1) {
    const [label] = left
    if (label.startsWith('_')) parts.protocol = label.slice(1)
    else if (multicluster) parts.cluster = label
    else parts.endpoint = label
    return true
  }
  const [first, second] = left
  if (left.length === 2 && first.startsWith('_') && second.startsWith('_')) {
    parts.portName = first.slice(1)
    parts.protocol = second.slice(1)
    return first.length > 1 && second.length > 1
  }
  if (left.length === 2 && multicluster && !first.startsWith('_') && !second.startsWith('_')) {
    parts.endpoint = first
    parts.cluster = second
    return true
  }
  if (!zonal || multicluster || left.length < 3 || left.at(-1) !== '_zone' || !DIRECTIVES.has(left.at(-2)!))
    return false
  parts.zone = left.slice(0, -2).join('.')
  return true
}
