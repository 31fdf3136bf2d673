// The cluster's objects, trimmed to the fields a name depends on.
// Not here: how they are read (manifests, watch) and what names they make (schema.ts).

/** One port of a Service or of an EndpointSlice. `name` is '' for an unnamed port. */
export interface Port {
  readonly name: string
  readonly protocol: 'TCP' | 'UDP' | 'SCTP'
  /** 1..65535: the service port of a Service, the target port of a slice. */
  readonly port: number
}

/** What a Service is to DNS: `pending` has no cluster IP yet and is treated as absent. */
export type ServiceKind = 'ClusterIP' | 'Headless' | 'ExternalName' | 'Pending'

export interface Service {
  readonly namespace: string
  readonly name: string
  readonly kind: ServiceKind
  /** Textual IPv4 and IPv6 addresses; empty unless `kind` is ClusterIP. */
  readonly clusterIPs: readonly string[]
  /** The target as written (trailing dot removed); '' unless `kind` is ExternalName. */
  readonly externalName: string
  readonly ports: readonly Port[]
  /** externalIPs and load-balancer ingress addresses and host names, for external zones. */
  readonly externalAddresses: readonly string[]
  /** Seconds since 1970 of metadata.creationTimestamp; 0 if unknown. */
  readonly createdAt: number
}

/** One ready address of a slice. Addresses that are not ready are not kept. */
export interface Endpoint {
  /** In the text form of the slice. */
  readonly address: string
  /** '' if none. */
  readonly hostname: string
  /** targetRef.name, '' if none. */
  readonly podName: string
  /** Topology zone, '' if none. */
  readonly zone: string
}

export interface EndpointSlice {
  readonly namespace: string
  /** metadata.name: identifies the slice, means nothing to DNS. */
  readonly name: string
  /** Label kubernetes.io/service-name; '' if the slice belongs to an import only. */
  readonly serviceName: string
  /** Label multicluster.kubernetes.io/service-name, '' if none. */
  readonly importName: string
  /** Label multicluster.kubernetes.io/source-cluster, '' if none. */
  readonly cluster: string
  readonly ports: readonly Port[]
  readonly endpoints: readonly Endpoint[]
  readonly createdAt: number
}

export interface Pod {
  readonly namespace: string
  readonly name: string
  /** status.podIP and status.podIPs, distinct. */
  readonly addresses: readonly string[]
}

/** ServiceImport of the multicluster API. */
export interface ServiceImport {
  readonly namespace: string
  readonly name: string
  readonly kind: 'ClusterIP' | 'Headless'
  readonly clusterIPs: readonly string[]
  readonly ports: readonly Port[]
}

/** The whole state that names are made from. Keys of `services`, `slices`, `pods`, `imports`: `namespace/name`. */
export interface ClusterObjects {
  readonly namespaces: ReadonlySet<string>
  readonly services: ReadonlyMap<string, Service>
  readonly slices: ReadonlyMap<string, EndpointSlice>
  readonly pods: ReadonlyMap<string, Pod>
  readonly imports: ReadonlyMap<string, ServiceImport>
}
