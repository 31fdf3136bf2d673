// What the flags of `node-cache` say (reference, section 15.1). Not here: the flags themselves, which cli/ reads.

import type { HttpAddress } from '../config/configuration.ts'

/** How the node is set up, and what is served on it. */
export interface NodeLocalSettings {
  /** At least one; all of one family. */
  readonly addresses: readonly string[]
  /** The file that is written and served; '' = none: then the template is not read, and nothing is written. */
  readonly corefile: string
  /** The template. */
  readonly template: string
  /** Folder of kube-dns' ConfigMap; '' = none. */
  readonly kubeDns: string
  /** The Service of the cluster's DNS servers, by whose name the environment tells its address. */
  readonly upstreamService: string
  /** '' = none is made. */
  readonly interfaceName: string
  /** Whether rules of the packet filter are made. */
  readonly filters: boolean
  /** Left out of connection tracking like DNS. */
  readonly healthPort: number
  /** Between two looks at interface and rules. */
  readonly syncIntervalMs: number
  /** Of the metrics of the setup. */
  readonly metrics: HttpAddress
  /** Leave interface and rules at the end. */
  readonly stays: boolean
  /** Have a file that was written loaded at once, as SIGUSR1 does; else `reload` finds it. */
  readonly reloadsAtOnce: boolean
}

/** The variable that tells the address of a Service: `kube-dns-upstream` is in KUBE_DNS_UPSTREAM_SERVICE_HOST. */
export function serviceVariable(service: string): string {
  return `${service.toUpperCase().replaceAll('-', '_')}_SERVICE_HOST`
}
