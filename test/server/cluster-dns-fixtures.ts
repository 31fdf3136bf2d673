// The clusters that the tables of cluster-dns are about.

import type { Fixture } from './fixtures.ts'

/** ClusterIP Services: every port at the bare name, one port at its own, endpoints below. */
export const CLUSTER_IP: Fixture = {
  namespaces: ['shop'],
  services: {
    'shop/cart': { clusterIPs: ['172.30.4.10'], ports: ['web:80/TCP', 'ops:9090/TCP'] },
    'shop/res': { clusterIPs: ['172.30.4.11'], ports: ['q:53/UDP', 'q-tcp:53/TCP'] },
    'shop/wiki': { clusterIPs: ['fd00:172:30::20'], ports: ['http:80/TCP'] },
    'shop/dual': { clusterIPs: ['172.30.4.12', 'fd00:172:30::12'], ports: ['api:8443/TCP'] },
    'shop/plain': { type: 'NodePort', clusterIPs: ['172.30.4.13'], ports: ['-:7000/TCP'] },
    'shop/sig': { type: 'LoadBalancer', clusterIPs: ['172.30.4.14'], ports: ['diam:3868/SCTP'] },
  },
  slices: {
    'shop/cart-x': {
      for: 'cart',
      ports: ['web:8080/TCP', 'ops:9090/TCP'],
      endpoints: [{ a: ['10.129.1.5'], hostname: 'blue' }, { a: ['10.129.1.6'] }],
    },
  },
}

/** Headless Services: each ready address by name, several slices of one Service, one label for several addresses. */
export const HEADLESS: Fixture = {
  namespaces: ['db'],
  services: {
    'db/pg': { clusterIPs: 'None' },
    'db/mix': { clusterIPs: 'None' },
    'db/rdy': { clusterIPs: 'None' },
    'db/skew': { clusterIPs: 'None' },
    'db/two': { clusterIPs: 'None' },
  },
  slices: {
    'db/pg-4': {
      for: 'pg',
      ports: ['sql:5432/TCP'],
      endpoints: [
        { a: ['10.129.0.11'], hostname: 'pg-0', pod: 'pg-5c9f-aaaaa' },
        { a: ['10.129.0.12'], hostname: 'pg-1' },
        { a: ['10.129.0.13'], pod: 'pg-5c9f-ccccc' },
      ],
    },
    'db/pg-6': {
      for: 'pg',
      ports: ['sql:5432/TCP'],
      endpoints: [
        { a: ['fd00:10:129::11'], hostname: 'pg-0' },
        { a: ['fd00:10:129::13'], pod: 'pg-5c9f-ccccc' },
      ],
    },
    'db/mix-1': {
      for: 'mix',
      ports: ['sql:5432/TCP', 'http:8008/TCP'],
      endpoints: [
        { a: ['10.129.0.21'], hostname: 'm-0' },
        { a: ['10.129.0.22'], hostname: 'm-1' },
      ],
    },
    'db/rdy-1': {
      for: 'rdy',
      ports: ['sql:5432/TCP'],
      endpoints: [
        { a: ['10.129.0.31'], ready: true },
        { a: ['10.129.0.32'], ready: false },
        { a: ['10.129.0.33'] },
        { a: ['10.129.0.34'], ready: false, serving: true, terminating: true },
        { a: ['10.129.0.35'], ready: true, terminating: true },
      ],
    },
    'db/skew-1': { for: 'skew', ports: ['sql:5432/TCP'], endpoints: [{ a: ['10.129.0.41'] }, { a: ['10.129.0.42'] }] },
    'db/skew-2': { for: 'skew', ports: ['sql:5432/TCP'], endpoints: [{ a: ['10.129.0.42'] }, { a: ['10.129.0.43'] }] },
    'db/two-1': {
      for: 'two',
      ports: ['sql:5432/TCP'],
      endpoints: [{ a: ['10.129.0.51', '10.129.0.52'], hostname: 'twin' }],
    },
  },
}

/** One endpoint for each way to get a label. */
export const LABELS: Fixture = {
  namespaces: ['db'],
  services: { 'db/lab': { clusterIPs: 'None' } },
  slices: {
    'db/lab-4': {
      for: 'lab',
      ports: ['x:1/TCP'],
      endpoints: [
        { a: ['10.20.30.40'] },
        { a: ['10.20.30.41'], hostname: 'leaf' },
        { a: ['10.20.30.42'], pod: 'leaf-x7k2p' },
        { a: ['10.20.30.43'], pod: 'dotted.pod.name' },
        { a: ['10.20.30.44'], pod: `${'p'.repeat(63)}x` },
        { a: ['10.20.30.45'], pod: 'p'.repeat(63) },
      ],
    },
    'db/lab-6': { for: 'lab', ports: ['x:1/TCP'], endpoints: [{ a: ['fd00:a:b:c:d:e:f:1'] }, { a: ['fd00:a::'] }] },
  },
}

/** ExternalName Services with targets outside of the zone, and addresses where a name belongs. */
export const EXTERNAL: Fixture = {
  namespaces: ['edge'],
  services: {
    'edge/partner': { type: 'ExternalName', externalName: 'api.partner.example', ports: ['https:443/TCP'] },
    'edge/literal': { type: 'ExternalName', externalName: '192.0.2.77' },
    'edge/literal6': { type: 'ExternalName', externalName: '2001:db8::77' },
  },
}

/** ExternalName Services that lead to each other. */
export const CHAINS: Fixture = {
  namespaces: ['shop'],
  services: {
    'shop/cart': { clusterIPs: ['172.30.4.10'], ports: ['web:80/TCP'] },
    'shop/alias': { type: 'ExternalName', externalName: 'cart.shop.svc.cluster.local' },
    'shop/second': { type: 'ExternalName', externalName: 'Alias.Shop.svc.cluster.local.' },
    'shop/ghost': { type: 'ExternalName', externalName: 'gone.shop.svc.cluster.local' },
    'shop/self': { type: 'ExternalName', externalName: 'self.shop.svc.cluster.local' },
    'shop/ping': { type: 'ExternalName', externalName: 'pong.shop.svc.cluster.local' },
    'shop/pong': { type: 'ExternalName', externalName: 'ping.shop.svc.cluster.local' },
    'shop/away': { type: 'ExternalName', externalName: 'outer.shop.svc.cluster.local' },
    'shop/outer': { type: 'ExternalName', externalName: 'www.example.org' },
    'shop/far': { clusterIPs: ['172.30.4.30'], ports: ['web:80/TCP'] },
    // link-1 is one link away from it, and so on.
    ...Object.fromEntries(
      Array.from({ length: 13 }, (_, index) => [
        `shop/link-${index + 1}`,
        {
          type: 'ExternalName' as const,
          externalName: `${index === 0 ? 'far' : `link-${index}`}.shop.svc.cluster.local`,
        },
      ]),
    ),
  },
}

/** Pods of both families. */
export const PODS: Fixture = {
  namespaces: ['web', 'spare'],
  pods: {
    'web/a': { ip: '10.131.0.8' },
    'web/b': { ip: 'fd00:10:131::8' },
  },
}

/** Addresses of Services and of endpoints, in both families. */
export const REVERSE: Fixture = {
  namespaces: ['shop', 'db', 'lab'],
  services: {
    'shop/cart': { clusterIPs: ['172.30.4.10'], ports: ['web:80/TCP'] },
    'shop/dual': { clusterIPs: ['172.30.4.12', 'fd00:172:30::12'], ports: ['api:8443/TCP'] },
    'db/pg': { clusterIPs: 'None' },
  },
  slices: {
    'shop/cart-x': {
      for: 'cart',
      ports: ['web:8080/TCP'],
      endpoints: [{ a: ['10.129.1.5'], hostname: 'blue' }, { a: ['10.129.1.6'] }],
    },
    'db/pg-4': {
      for: 'pg',
      ports: ['sql:5432/TCP'],
      endpoints: [
        { a: ['10.129.0.11'], hostname: 'pg-0' },
        { a: ['10.129.0.12'], ready: false },
      ],
    },
    'db/pg-6': { for: 'pg', ports: ['sql:5432/TCP'], endpoints: [{ a: ['fd00:10:129::11'], hostname: 'pg-0' }] },
  },
}

/** A Service with, and one without a ready endpoint. */
export const OPTIONS: Fixture = {
  namespaces: ['shop', 'edge'],
  services: {
    'shop/cart': { clusterIPs: ['172.30.4.10'], ports: ['web:80/TCP'] },
    'shop/idle': { clusterIPs: ['172.30.4.60'], ports: ['web:80/TCP'] },
    'shop/hl': { clusterIPs: 'None' },
  },
  slices: {
    'shop/cart-x': { for: 'cart', ports: ['web:8080/TCP'], endpoints: [{ a: ['10.129.1.5'], hostname: 'blue' }] },
    'shop/idle-x': { for: 'idle', ports: ['web:8080/TCP'], endpoints: [{ a: ['10.129.1.7'], ready: false }] },
    'shop/hl-x': { for: 'hl', ports: ['web:8080/TCP'], endpoints: [{ a: ['10.129.1.6'] }] },
  },
}

/** Services imported from other clusters. */
export const MULTICLUSTER: Fixture = {
  namespaces: ['shop'],
  imports: {
    'shop/cart': { type: 'ClusterSetIP', ips: ['172.31.0.10'], ports: ['web:80/TCP'] },
    'shop/pg': { type: 'Headless' },
  },
  slices: {
    'shop/i1': {
      import: 'pg',
      cluster: 'east',
      ports: ['sql:5432/TCP'],
      endpoints: [{ a: ['10.40.0.1'], hostname: 'pg-0' }],
    },
    'shop/i2': {
      import: 'pg',
      cluster: 'west',
      ports: ['sql:5432/TCP'],
      endpoints: [{ a: ['10.50.0.1'], hostname: 'pg-0' }, { a: ['10.50.0.2'] }],
    },
  },
}

/** Endpoints in topology zones. */
export const ZONAL: Fixture = {
  namespaces: ['db'],
  services: {
    'db/kv': { clusterIPs: 'None' },
    'db/vip': { clusterIPs: ['172.30.8.8'], ports: ['x:1/TCP'] },
  },
  slices: {
    'db/kv-1': {
      for: 'kv',
      ports: ['kv:6379/TCP'],
      endpoints: [
        { a: ['10.129.7.1'], zone: 'eu-1a' },
        { a: ['10.129.7.2'], zone: 'eu-1B' },
        { a: ['10.129.7.3'] },
        { a: ['10.129.7.4'], zone: 'dc.one' },
      ],
    },
  },
}

/** The Service of the name server itself. */
export const NAME_SERVER: Fixture = {
  namespaces: ['openshift-dns'],
  services: {
    'openshift-dns/dns-default': { clusterIPs: ['172.30.0.10'], ports: ['dns:53/UDP', 'dns-tcp:53/TCP'] },
  },
  slices: {
    'openshift-dns/dns-default-x': {
      for: 'dns-default',
      ports: ['dns:5353/UDP', 'dns-tcp:5353/TCP'],
      endpoints: [{ a: ['10.130.0.2'] }, { a: ['10.130.0.3'] }],
    },
  },
}

/** A name server behind a headless Service. */
export const NAME_SERVER_HEADLESS: Fixture = {
  namespaces: ['kube-system'],
  services: { 'kube-system/dns': { clusterIPs: 'None', ports: ['dns:53/UDP'] } },
  slices: {
    'kube-system/dns-x': {
      for: 'dns',
      ports: ['dns:53/UDP'],
      endpoints: [
        { a: ['10.130.0.2'], hostname: 'node-a' },
        { a: ['10.130.0.3'], hostname: 'node-b' },
      ],
    },
  },
}

/** What the control plane writes seldom, or people do by hand. */
export const EDGES: Fixture = {
  namespaces: ['shop', 'db', 'empty'],
  services: {
    'shop/bare': { clusterIPs: ['172.30.6.1'] }, // no ports
    'shop/own': { clusterIPs: ['172.30.6.2'], ports: ['web:80/TCP'] },
    'shop/mixed': { clusterIPs: ['172.30.6.3'], ports: ['-:80/TCP', 'ops:81/TCP', 'ops:81/UDP'] },
    'db/plain': { clusterIPs: 'None' },
    'db/twice': { clusterIPs: 'None' },
    'db/other': { clusterIPs: 'None' },
    'db/vast': { clusterIPs: 'None' },
    'db/shared': { clusterIPs: 'None' },
    'ghost/cart': { clusterIPs: ['172.30.6.9'], ports: ['web:80/TCP'] }, // its namespace is not known
    'ghost/pg': { clusterIPs: 'None' },
  },
  slices: {
    'db/plain-1': { for: 'plain', endpoints: [{ a: ['10.60.0.1'] }] }, // no ports
    'db/twice-1': { for: 'twice', ports: ['sql:5432/TCP'], endpoints: [{ a: ['10.60.1.1'], hostname: 'pg' }] },
    'db/other-1': { for: 'other', ports: ['-:5432/TCP'], endpoints: [{ a: ['10.60.1.1'] }, { a: ['172.30.6.2'] }] },
    'db/vast-1': {
      for: 'vast',
      ports: ['x:1/TCP', 'y:2/TCP'],
      endpoints: Array.from({ length: 60 }, (_, index) => ({ a: [`10.60.2.${index}`], ready: index !== 1 })),
    },
    'db/shared-1': {
      for: 'shared',
      ports: ['sql:5432/TCP'],
      endpoints: [
        { a: ['10.60.3.1'], hostname: 'one' },
        { a: ['10.60.3.2'], hostname: 'one' },
      ],
    },
    'db/nobody': { ports: ['sql:5432/TCP'], endpoints: [{ a: ['10.60.4.1'] }] }, // no Service label
    'db/gone-1': { for: 'gone', ports: ['sql:5432/TCP'], endpoints: [{ a: ['10.60.4.2'] }] }, // no such Service
    'ghost/pg-1': { for: 'pg', ports: ['sql:5432/TCP'], endpoints: [{ a: ['10.60.5.1'] }] },
  },
}
