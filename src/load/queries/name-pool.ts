// What a mix of queries draws names from: the names of a cluster, by kind and number. Pools hold what names are made of, and make
// one when it is drawn.

/** service: a Service, with cluster IPs or headless. external: an ExternalName Service. hostname: an endpoint that has one.
 * endpoint: one that is named by its dashed address. pod: a Pod by its dashed address. namespace: an empty non-terminal.
 * port: `_http._tcp` of a Service. address: the reverse name of an address of a Service or an endpoint. */
export const NAME_KINDS = [
  'service',
  'external',
  'hostname',
  'endpoint',
  'pod',
  'namespace',
  'port',
  'address',
] as const
export type NameKind = (typeof NAME_KINDS)[number]

/** Kinds that are asked for addresses. */
export const ADDRESS_KINDS = ['service', 'external', 'hostname', 'endpoint', 'pod', 'namespace'] as const
export type AddressKind = (typeof ADDRESS_KINDS)[number]

/** The names of one cluster. All of them exist: a server of that cluster answers NOERROR. */
export interface NamePool {
  /** In words: `the manifests in deploy/`. */
  readonly label: string
  /** What the names are below, lower case, without the final dot. */
  readonly zone: string
  /** How many names of a kind there are; a name may be among them more than once. */
  count(kind: NameKind): number
  /** The name of that number, 0..count-1, without the zone (`web.shop.svc`); of an address the whole name. */
  name(kind: NameKind, index: number): string
  /** Namespaces that Pods may ask from: at least one. */
  readonly namespaceCount: number
  namespace(index: number): string
  /**
   * Whether there may be such a name below the zone (`web.shop.svc`): false is certain, for a server that adds the names of OKD
   * 3.11 as well, whose Services have all names below them.
   */
  mayExist(relativeName: string): boolean
}

/** The part of mayExist that all pools have in common. @param hasService  of that name in that namespace */
export function mayBeName(
  relativeName: string,
  hasNamespace: (name: string) => boolean,
  hasService: (name: string, namespace: string) => boolean,
): boolean {
  const labels = relativeName.split('.')
  const last = labels.at(-1)!
  const above = labels.at(-2) ?? ''
  if (last === 'pod') return labels.length < 2 || hasNamespace(above)
  if (last === 'svc') {
    return labels.length < 2 || (labels.length === 2 ? hasNamespace(above) : hasService(labels.at(-3)!, above))
  }
  // The rest of the names that a zone has (`ns.dns`, `dns-version`), OKD's `endpoints`, `local.dns` and `web.shop`.
  return last === 'dns' || last === 'dns-version' || last === 'endpoints' || hasNamespace(last)
}
