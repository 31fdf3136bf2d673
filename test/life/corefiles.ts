// Corefiles of the tests of a process' life, and questions that they have answers to.

import { freePort } from '../corefile/corefile-server.ts'
import { type Asked as AskedUpstream, a, LyingUpstream, replyTo } from '../forward/lying-upstream.ts'
import { type Asked, expects, expectsNothing } from './load.ts'

/** Ports of the HTTP endpoints of one server. */
export interface HttpPorts {
  readonly health: number
  readonly ready: number
  readonly metrics: number
}

export async function httpPorts(): Promise<HttpPorts> {
  return { health: await freePort(), ready: await freePort(), metrics: await freePort() }
}

const NXDOMAIN = 3
const upstream = (await LyingUpstream.open(answerOneName)).unref()

/** What `elsewhere.example` has, and nothing else there is. */
function answerOneName(asked: AskedUpstream): void {
  const isThere = asked.name.toLowerCase() === 'elsewhere.example'
  asked.send(replyTo(asked, isThere ? { answers: [a(asked.name, '192.0.2.90')] } : { rcode: NXDOMAIN }))
}

/**
 * The block that nearly everybody has, on the port of `-dns.port`, with cluster names and a hosts entry; `more` are further directives. All
 * else it forwards to an upstream of this process, which knows `elsewhere.example` alone.
 */
export function usualBlock({ health, ready, metrics }: HttpPorts, more = '', lameduck = '0s'): string {
  return `. {
    errors
    health 127.0.0.1:${health} {
        lameduck ${lameduck}
    }
    ready 127.0.0.1:${ready}
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
    hosts {
        192.0.2.80 static.example
        fallthrough
    }
    prometheus 127.0.0.1:${metrics}
    forward . ${upstream.to}
    loadbalance
    ${more}
}
`
}

/** Of what `usualBlock` answers by itself, with the example manifests. */
export const OWN_QUESTIONS: readonly Asked[] = [
  expects('kube-dns.kube-system.svc.cluster.local', 'A', '10.96.0.10'),
  expects('static.example', 'A', '192.0.2.80'),
  expectsNothing('kube-dns.kube-system.svc.cluster.local', 'TXT', 'NOERROR'),
  expectsNothing('missing.kube-system.svc.cluster.local', 'A', 'NXDOMAIN'),
  expects('10.0.96.10.in-addr.arpa', 'PTR', 'kube-dns.kube-system.svc.cluster.local.'),
]

/** And of what its upstream does. */
export const USUAL_QUESTIONS: readonly Asked[] = [
  ...OWN_QUESTIONS,
  expects('elsewhere.example', 'A', '192.0.2.90'),
  expectsNothing('missing.example', 'A', 'NXDOMAIN'),
]
