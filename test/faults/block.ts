// The Corefile of these tests, and what a server has counted.

import { type CorefileOptions, CorefileServer, freePort } from '../corefile/corefile-server.ts'
import { metricOf, metricsPage } from '../life/metrics.ts'

export interface ForwardingBlock {
  /** As written behind `forward .`, with options behind it in braces if there are any. */
  readonly to: string
  readonly metrics: number
  readonly cache?: string
  /** Further directives. */
  readonly more?: string
  readonly zone?: string
}

/** A block with cluster names that forwards the rest. */
export function forwardingBlock({ to, metrics, cache = 'cache 300', more = '', zone = '.' }: ForwardingBlock): string {
  return `${zone} {
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        ttl 30
    }
    prometheus 127.0.0.1:${metrics}
    ${cache}
    forward . ${to}
    ${more}
}
`
}

export interface Forwarding {
  readonly server: CorefileServer
  readonly metrics: number
}

/** A server that forwards to `to`. */
export async function startForwarding(
  to: string,
  options: Partial<CorefileOptions> & Partial<Pick<ForwardingBlock, 'cache' | 'more'>> = {},
): Promise<Forwarding> {
  const metrics = await freePort()
  const { cache, more, ...rest } = options
  const text = forwardingBlock({ to, metrics, cache, more })
  return { server: await CorefileServer.start({ text, ...rest }), metrics }
}

/** Sums of series of a server's metrics, by name and part of the labels; 0 if there is none. */
export async function counted(
  { server, metrics }: Forwarding,
  wanted: Readonly<Record<string, readonly [name: string, label?: string]>>,
): Promise<Record<string, number>> {
  const page = await metricsPage(server, metrics)
  return Object.fromEntries(
    Object.entries(wanted).map(([key, [name, label]]) => [key, metricOf(page, name, label) || 0]),
  )
}
