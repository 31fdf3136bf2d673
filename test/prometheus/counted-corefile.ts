// The Corefile that test/prometheus asks, and what it asks.

import type { Query } from '../server/wire.ts'

/** Where it listens: its two DNS listeners, `/metrics` and `/health`. */
export interface Ports {
  readonly main: number
  readonly other: number
  readonly metrics: number
  readonly health: number
  /** 'IP:port' of what it forwards to. */
  readonly upstream: string
}

const MANY = 300
const CLASS_CH = 3

/** File `db.zone.test`. */
export const ZONE = `
$ORIGIN zone.test.
@ 60 IN SOA ns hostmaster 1 3600 600 86400 60
@ 60 IN NS ns
ns 60 IN A 192.0.2.1
www 60 IN A 192.0.2.2
`

/**
 * Blocks of many kinds.
 * @param more  lines of the first block  @param last  another block
 */
export function corefile({ main, other, metrics, health, upstream }: Ports, more = '', last = ''): string {
  const many = Array.from({ length: MANY }, (_, i) => `10.9.${i >> 8}.${i & 255} many.test`).join('\n')
  const prometheus = `prometheus 127.0.0.1:${metrics}`
  return `
    .:${main} {
      errors
      health 127.0.0.1:${health}
      kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
      }
      hosts {
        ${many}
        fallthrough
      }
      ${prometheus}
      forward . ${upstream}
      loadbalance
      ${more}
    }
    shop.test:${main} local.test:${main} {
      ${prometheus}
      local
      any
      acl {
        filter type AAAA
        block type MX
        drop type TXT
      }
      template IN A {
        match ^(www|ftp)[.]
        answer "{{ .Name }} 60 IN A 192.0.2.1"
        fallthrough
      }
      template IN SRV {
        answer "{{ .Name }} 60 IN SRV one two three"
      }
      template IN NS {
        answer "{{ .Name }} 60 IN NS {{ index .Match 7 }}"
      }
      whoami
    }
    six.test:${main} {
      ${prometheus}
      dns64 {
        allow_ipv4
      }
      template IN A {
        answer "{{ .Name }} 60 IN A 192.0.2.1"
      }
      template IN AAAA {
        rcode NOERROR
      }
    }
    broken.test:${main} {
      ${prometheus}
      hosts {
        192.0.2.1 there.broken.test
        fallthrough
      }
    }
    zone.test:${main} {
      ${prometheus}
      file db.zone.test
      transfer {
        to *
      }
    }
    quiet.test:${main} {
      whoami
    }
    view.test:${other} {
      ${prometheus}
      view stream {
        expr proto() == 'tcp'
      }
      whoami
    }
    view.test:${other} {
      ${prometheus}
      whoami
    }
    bind:${other} {
      ${prometheus}
      chaos
    }
    ${last}`
}

export interface Asked extends Partial<Query> {
  /** Ask the other listener. */
  other?: true
  /** Only over one protocol. */
  only?: 'udp' | 'tcp'
}

// QNAME, QTYPE, zone, plugin, RCODE, more. Each is asked over UDP and TCP, IPv4 and IPv6, three times. Zone '' = not counted at all.
export type Row = [qname: string, qtype: string, zone: string, plugin: string, rcode: string, more?: Asked]
const CART = 'cart.shop.svc.cluster.local.'
const DNSSEC_OK = { edns: { dnssecOk: true, size: 4096 } }
export const ROWS: readonly Row[] = [
  [CART, 'A', '.', 'kubernetes', 'NOERROR'],
  [CART, 'AAAA', '.', 'kubernetes', 'NOERROR'], // NODATA
  [CART, 'A', '.', 'kubernetes', 'NOERROR', DNSSEC_OK],
  [CART.toUpperCase(), 'A', '.', 'kubernetes', 'NOERROR', { edns: { size: 1232 } }],
  ['_http._tcp.cart.shop.svc.cluster.local.', 'SRV', '.', 'kubernetes', 'NOERROR'],
  ['152.37.101.10.in-addr.arpa.', 'PTR', '.', 'kubernetes', 'NOERROR'],
  ['cluster.local.', 'SOA', '.', 'kubernetes', 'NOERROR'],
  ['cluster.local.', 'NS', '.', 'kubernetes', 'NOERROR'],
  ['dns-version.cluster.local.', 'TXT', '.', 'kubernetes', 'NOERROR'],
  ...[
    'ANY',
    'CNAME',
    'MX',
    'DNSKEY',
    'DS',
    'HTTPS',
    'SVCB',
    'RRSIG',
    'NSEC',
    'TYPE50',
    'TYPE65280',
    'HINFO',
    'CAA',
  ].map((qtype): Row => [CART, qtype, '.', 'kubernetes', 'NOERROR']),
  ['gone.shop.svc.cluster.local.', 'A', '.', 'kubernetes', 'NXDOMAIN'],
  ['gone.shop.svc.cluster.local.', 'AAAA', '.', 'kubernetes', 'NXDOMAIN', DNSSEC_OK],
  ['cluster.local.', 'AXFR', '.', '', 'REFUSED'],
  ['cluster.local.', 'IXFR', '.', '', 'REFUSED'],
  // Forwarded; so is any class where some block can forward.
  ['www.example.', 'A', '.', 'forward', 'NOERROR'],
  ['www.example.', 'A', '.', 'forward', 'NOERROR', DNSSEC_OK],
  ['gone.example.', 'A', '.', 'forward', 'NXDOMAIN'],
  ['refused.example.', 'A', '.', 'forward', 'REFUSED'],
  ['refused.example.', 'A', '.', 'forward', 'REFUSED', { class: CLASS_CH }],
  // 12 octets of a header and 16 of each address: cut over UDP.
  ['many.test.', 'A', '.', 'hosts', 'NOERROR'],
  ['many.test.', 'A', '.', 'hosts', 'NOERROR', DNSSEC_OK],
  // The zone is the block's longest that fits, here its second.
  ['www.local.test.', 'A', 'local.test.', 'template', 'NOERROR'],
  ['www.shop.test.', 'A', 'shop.test.', 'template', 'NOERROR'],
  ['x.shop.test.', 'A', 'shop.test.', 'whoami', 'NOERROR'],
  ['www.shop.test.', 'AAAA', 'shop.test.', 'acl', 'NOERROR'],
  ['www.shop.test.', 'MX', 'shop.test.', 'acl', 'REFUSED', { edns: {} }],
  ['www.shop.test.', 'TXT', 'shop.test.', '-', '-'],
  ['www.shop.test.', 'SRV', 'shop.test.', '', 'SERVFAIL'],
  ['www.shop.test.', 'NS', 'shop.test.', '', 'SERVFAIL'],
  ['www.shop.test.', 'ANY', 'shop.test.', 'any', 'NOERROR'],
  ['localhost.shop.test.', 'A', 'shop.test.', 'local', 'NOERROR'],
  ['host.six.test.', 'AAAA', 'six.test.', 'dns64', 'NOERROR'],
  ['gone.broken.test.', 'A', 'broken.test.', '', 'SERVFAIL'],
  ['www.zone.test.', 'A', 'zone.test.', 'file', 'NOERROR'],
  ['zone.test.', 'AXFR', 'zone.test.', 'transfer', 'NOERROR', { only: 'tcp' }],
  ['zone.test.', 'AXFR', 'zone.test.', '', 'REFUSED', { only: 'udp' }],
  ['www.quiet.test.', 'A', '', '', 'NOERROR'],
  ['www.view.test.', 'A', 'view.test.', 'whoami', 'NOERROR', { other: true, only: 'udp' }],
  ['www.view.test.', 'A', 'view.test. stream', 'whoami', 'NOERROR', { other: true, only: 'tcp' }],
  ['hostname.bind.', 'TXT', 'bind.', 'chaos', 'NOERROR', { other: true, class: CLASS_CH }],
  // No block takes these.
  ['www.elsewhere.', 'A', 'dropped', '', 'REFUSED', { other: true }],
  ['www.elsewhere.', 'TXT', 'dropped', '', 'REFUSED', { other: true, class: CLASS_CH }],
  [CART, 'A', 'dropped', '', 'BADVERS', { edns: { version: 1 } }],
]
