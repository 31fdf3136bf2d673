// Names of the stand-in's cluster and what the right answer is, whatever has changed: a change replaces the address of an endpoint, so
// that a cluster IP, how many addresses a headless Service has, and that an endpoint's hostname has one, all stay.

import { seededRandom } from '../../src/load/queries/draw.ts'
import { type ChangedEndpoint, Cluster } from '../../test/apiserver/cluster.ts'
import { Store } from '../../test/apiserver/store.ts'
import { addressNumber } from './answer.ts'

export const ZONE = 'cluster.local'
const NXDOMAIN = 3

/** A name, and what is right. */
export interface Expected {
  /** Without the trailing dot. */
  readonly qname: string
  readonly rcode: number
  /** Records in the answer section. */
  readonly count: number
  /** Of the one A record; 0 for any. */
  readonly address: number
}

/** The name that a change gives another address, or that comes with it. */
export function changedName({ service, namespace, hostname, address }: ChangedEndpoint): Expected {
  const label = hostname === '' ? address.replaceAll('.', '-') : hostname
  const qname = `${label}.${service}.${namespace}.svc.${ZONE}`
  return { qname, rcode: 0, count: 1, address: addressNumber(address) }
}

/** The names of a cluster as it was generated. */
export class ClusterNames {
  readonly #cluster: Cluster

  constructor(services: number, endpointsPerService: number) {
    this.#cluster = new Cluster(new Store(), { services, endpointsPerService })
  }

  /** A ClusterIP Service's. */
  get steady(): Expected {
    let n = 0
    while (this.#cluster.isHeadless(n)) n++
    return this.#service(n)
  }

  /** Names that are asked beside changes: half Services, a quarter endpoints and a quarter what search lists ask in vain. */
  draw(count: number, seed: number): Expected[] {
    const random = seededRandom(seed)
    const { services, endpointsPerService } = this.#cluster.options
    const drawn: Expected[] = []
    while (drawn.length < count) {
      const n = Math.floor(random() * services)
      const kind = random()
      const owner = this.#owner(n)
      if (kind < 0.5) drawn.push(this.#service(n))
      else if (kind < 0.75) {
        if (!this.#cluster.isHeadless(n)) continue
        const host = `${this.#cluster.nameOf(n)}-${Math.floor(random() * endpointsPerService)}`
        drawn.push({ qname: `${host}.${owner}`, rcode: 0, count: 1, address: 0 })
      } else drawn.push({ qname: `www.example.com.${owner}`, rcode: NXDOMAIN, count: 0, address: 0 })
    }
    return drawn
  }

  #owner(n: number): string {
    return `${this.#cluster.nameOf(n)}.${this.#cluster.namespaceOf(n)}.svc.${ZONE}`
  }

  #service(n: number): Expected {
    const qname = this.#owner(n)
    const { endpointsPerService: count } = this.#cluster.options
    if (this.#cluster.isHeadless(n)) return { qname, rcode: 0, count, address: 0 }
    return { qname, rcode: 0, count: 1, address: addressNumber(this.#cluster.clusterIP(n)) }
  }
}
