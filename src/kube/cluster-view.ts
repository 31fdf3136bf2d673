// The cluster's objects as the schema sees them: what is exposed, and which slices belong together. For explaining, one name
// at a time; the index keeps tables of its own (cluster-index.ts).

import type { ClusterObjects, EndpointSlice, Pod, Service, ServiceImport } from './objects.ts'
import type { OwnerRecords } from './records.ts'
import { type SchemaOptions, serviceRecords } from './schema.ts'

/** What names are made from: objects, and the parts of the configuration that matter. */
export interface NameSource {
  readonly objects: ClusterObjects
  /** Forward zones in order of configuration, lower case, without final dot. */
  readonly zones: readonly string[]
  /** Those of `zones` whose Services are ServiceImports. */
  readonly multiclusterZones: readonly string[]
  readonly reverseZones: readonly string[]
  /** Only these namespaces exist; null: all. */
  readonly namespaces: readonly string[] | null
  readonly schema: SchemaOptions
}

const NONE: readonly never[] = []

export class ClusterView {
  readonly source: NameSource
  readonly #slicesOf: ReadonlyMap<string, EndpointSlice[]>
  readonly #importSlicesOf: ReadonlyMap<string, EndpointSlice[]>
  readonly #records = new Map<Service, readonly OwnerRecords[]>()

  constructor(source: NameSource) {
    this.source = source
    const slices = source.schema.noEndpoints ? [] : [...source.objects.slices.values()]
    this.#slicesOf = Map.groupBy(slices, (slice) => `${slice.namespace}/${slice.serviceName}`)
    this.#importSlicesOf = Map.groupBy(slices, (slice) => `${slice.namespace}/${slice.importName}`)
  }

  /** Whether names of the namespace exist at all. */
  isExposed(namespace: string): boolean {
    const { objects, namespaces } = this.source
    return objects.namespaces.has(namespace) && (namespaces === null || namespaces.includes(namespace))
  }

  exposedNamespaces(): string[] {
    return [...this.source.objects.namespaces].filter((namespace) => this.isExposed(namespace)).sort()
  }

  service(namespace: string, name: string): Service | undefined {
    return this.isExposed(namespace) ? this.source.objects.services.get(`${namespace}/${name}`) : undefined
  }

  imported(namespace: string, name: string): ServiceImport | undefined {
    return this.isExposed(namespace) ? this.source.objects.imports.get(`${namespace}/${name}`) : undefined
  }

  /** Services, or imports, of one exposed namespace. */
  names(namespace: string, multicluster: boolean): string[] {
    if (!this.isExposed(namespace)) return []
    const { services, imports } = this.source.objects
    const all: Iterable<Service | ServiceImport> = multicluster ? imports.values() : services.values()
    return Array.from(all)
      .filter((object) => object.namespace === namespace)
      .map(({ name }) => name)
  }

  /** Exposed Services. */
  *services(): Generator<Service> {
    for (const service of this.source.objects.services.values()) if (this.isExposed(service.namespace)) yield service
  }

  /** Slices of a Service, whether or not it exists; none with `noendpoints`. */
  slicesOf(namespace: string, name: string): readonly EndpointSlice[] {
    return this.#slicesOf.get(`${namespace}/${name}`) ?? NONE
  }

  /** Everything the schema makes of a Service; remembered, since every record of an answer asks for it again. */
  recordsOf(service: Service): readonly OwnerRecords[] {
    let records = this.#records.get(service)
    if (records === undefined) {
      records = serviceRecords(service, this.slicesOf(service.namespace, service.name), this.source.schema)
      this.#records.set(service, records)
    }
    return records
  }

  /** Slices of a ServiceImport. */
  slicesOfImport(namespace: string, name: string): readonly EndpointSlice[] {
    return this.#importSlicesOf.get(`${namespace}/${name}`) ?? NONE
  }

  podsOf(namespace: string): Pod[] {
    return [...this.source.objects.pods.values()].filter((pod) => pod.namespace === namespace)
  }
}
