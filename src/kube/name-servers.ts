// Who the name server of the zones is: the Services whose endpoints this server is, or its own addresses (cluster DNS reference §1.9).

import { canonicalAddress } from './address.ts'
import { type ClusterState, namespaceOf, unpackSlices } from './cluster-state.ts'
import { endpointLabel, type LabelOptions } from './endpoint-label.ts'
import type { Packed } from './packed.ts'
import type { NameServer } from './record-writer.ts'

/** The labels of the name server's own name, where no Service has a better one. */
export const OWN_NAME: readonly string[] = ['ns', 'dns']

export class NameServers {
  /** Canonical, each once. */
  readonly listenAddresses: readonly string[]
  readonly #state: ClusterState
  readonly #options: LabelOptions
  readonly #services = new Set<string>()

  /** @param listenAddresses  the server's own that are not loopback */
  constructor(state: ClusterState, listenAddresses: readonly string[], options: LabelOptions) {
    this.#state = state
    this.listenAddresses = [...new Set(listenAddresses.map(canonicalAddress))]
    this.#options = options
  }

  /** Keys of the Services whose endpoints this server is, in order. */
  get services(): string[] {
    return [...this.#services].sort()
  }

  /** Looks at a Service that may have changed. */
  look(key: string, isShown: boolean): void {
    if (isShown && this.#isEndpointOf(key)) this.#services.add(key)
    else this.#services.delete(key)
  }

  /** Looks at all Services of the state. */
  lookAtAll(): void {
    if (this.listenAddresses.length === 0) return
    for (const [namespace, name] of this.#state.objects('services')) {
      this.look(`${namespace}/${name}`, this.#state.isExposed(namespace))
    }
  }

  /** Targets of the NS records, below a forward zone; none: there are no addresses at all. */
  targets(): NameServer[] {
    const targets = this.services.flatMap((key) => this.#targetsOf(key))
    if (targets.length > 0 || this.listenAddresses.length === 0) return targets
    return [{ target: OWN_NAME, addresses: this.listenAddresses }]
  }

  #isEndpointOf(key: string): boolean {
    const addresses = this.listenAddresses
    // An IPv4 address is spelled one way only: most slices need not be unpacked.
    const mayHave = (packed: Packed): boolean =>
      addresses.some((address) => packed.includes(address.includes(':') ? ':' : address))
    const slices = this.#state.slicesOf(key)
    if (![...slices.values()].some(mayHave)) return false
    return unpackSlices(namespaceOf(key), slices).some(({ endpoints }) =>
      endpoints.some(({ address }) => addresses.includes(canonicalAddress(address))),
    )
  }

  #targetsOf(key: string): NameServer[] {
    const service = this.#state.service(key)
    if (service === undefined) return []
    const owner = [service.name, service.namespace, 'svc']
    if (service.kind === 'ClusterIP') return [{ target: owner, addresses: service.clusterIPs }]
    if (service.kind !== 'Headless') return []
    const addresses = new Map<string, Set<string>>()
    for (const slice of unpackSlices(namespaceOf(key), this.#state.slicesOf(key))) {
      for (const endpoint of slice.endpoints) {
        const address = canonicalAddress(endpoint.address)
        const label = endpointLabel(endpoint, this.#options)
        addresses.set(label, (addresses.get(label) ?? new Set()).add(address))
      }
    }
    return [...addresses].sort().map(([label, set]) => ({ target: [label, ...owner], addresses: [...set] }))
  }
}
