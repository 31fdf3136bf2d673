// The first seconds of a server that follows a cluster: what it says before it knows all, what it waits for, and what it tells
// whoever has set it up wrongly (cluster-dns.md §2.6, §3.2).

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { KubeconfigContext } from '../apiserver/kubeconfig.ts'
import { fixture } from '../apiserver/server.ts'
import {
  answer,
  assertAnswers,
  becomes,
  full,
  LiveCluster,
  namespace,
  SHOP,
  service,
  slice,
  until,
  WAIT_MS,
} from './live-cluster.ts'
import { encodeQuery } from './wire.ts'

const KNOWN = {
  'cart.shop~': 'A 10.96.0.10',
  'pg.shop~': 'A 10.1.0.11 A 10.1.0.12',
  'pg-0.pg.shop~': 'A 10.1.0.11',
  '10-1-0-1.cart.shop~': 'A 10.1.0.1',
  '10.96.0.10! PTR': 'PTR cart.shop~',
  '10.1.0.11! PTR': 'PTR pg-0.pg.shop~',
  'missing.shop~': 'NXDOMAIN',
  'shop~': 'NODATA',
  'ghost~': 'NXDOMAIN',
  '10.9.9.9! PTR': 'NXDOMAIN',
}

/** All that a server can say that knows Services and namespaces, but no endpoint. */
const WITHOUT_ENDPOINTS = {
  'cart.shop~': 'A 10.96.0.10',
  'cart.shop~ AAAA': 'NODATA',
  'cart.shop~ SRV': 'SRV 0 100 80 cart.shop~',
  '_http._tcp.cart.shop~ SRV': 'SRV 0 100 80 cart.shop~',
  'shop~': 'NODATA',
  'svc.cluster.local': 'NODATA',
  '10.96.0.10! PTR': 'PTR cart.shop~',
  'pg.shop~': 'SERVFAIL',
  'pg.shop~ SRV': 'SERVFAIL',
  'pg-0.pg.shop~': 'SERVFAIL',
  '10-1-0-1.cart.shop~': 'SERVFAIL',
  '10.1.0.11! PTR': 'SERVFAIL',
  'missing.shop~': 'SERVFAIL',
  'ghost~': 'SERVFAIL',
}

/** What is there in an empty cluster too. */
const NOTHING_KNOWN = {
  'cart.shop~': 'SERVFAIL',
  'shop~': 'SERVFAIL',
  'svc.cluster.local': 'NODATA',
  'cluster.local MX': 'NODATA',
  'dns-version.cluster.local TXT': 'TXT "1.1.0"',
  'no.such.name.cluster.local': 'SERVFAIL',
  '10.96.0.10! PTR': 'SERVFAIL',
}

describe('before everything is known', () => {
  let cluster: LiveCluster
  before(async () => {
    cluster = await LiveCluster.start()
    cluster.put(...SHOP)
  })
  after(() => cluster.close())

  test('without an API server nothing is said for a while, then SERVFAIL; when it comes, everything', async () => {
    await cluster.api.stop()
    const server = await cluster.launch(['--startup_timeout', '1500ms'])
    await server.printed(/ECONNREFUSED/, WAIT_MS)
    assert.doesNotMatch(server.output, /listening/)
    assert.equal(await answer(server, 'cart.shop~'), 'silence')
    await server.printed(/^listening: /m, WAIT_MS)
    await server.printed(/not everything is known after 1500 ms: .*services: .*ECONNREFUSED.*SERVFAIL/, WAIT_MS)
    await assertAnswers(server, NOTHING_KNOWN)
    assert.doesNotMatch(server.output, /^ready$/m)
    await cluster.api.start()
    await server.printed(/^ready$/m, WAIT_MS)
    await assertAnswers(server, KNOWN)
    await server.stop()
  })

  test('a server that everything is told serves before startup_timeout', async () => {
    const server = await cluster.serve(['--startup_timeout', '1h'])
    assert.doesNotMatch(server.output, /not everything is known/)
    await assertAnswers(server, KNOWN)
    await server.stop()
  })

  test('startup_timeout 0: SERVFAIL from the start', async () => {
    await cluster.api.stop()
    const server = await cluster.launch(['--startup_timeout', '0'])
    await server.printed(/^listening: /m, WAIT_MS)
    await assertAnswers(server, NOTHING_KNOWN)
    await cluster.api.start()
    await server.printed(/^ready$/m, WAIT_MS)
    await assertAnswers(server, KNOWN)
    await server.stop()
  })

  test('a signal before anything is known ends it', async () => {
    await cluster.api.stop()
    const server = await cluster.launch(['--startup_timeout', '1h'])
    await server.printed(/ECONNREFUSED/, WAIT_MS)
    await server.stop()
    await cluster.api.start()
  })

  test('slices forbidden: all else is answered, endpoints when the right is there', async () => {
    cluster.api.access.deny('list', 'endpointslices')
    cluster.api.access.deny('watch', 'endpointslices')
    const server = await cluster.launch(['--startup_timeout', '700ms'])
    await server.printed(/^listening: /m, WAIT_MS)
    const waiting =
      /^not everything is known after 700 ms: endpointslices: cannot (list|watch) endpointslices\.discovery\.k8s\.io: .*SERVFAIL$/m
    await server.printed(waiting, WAIT_MS)
    assert.match(
      server.output,
      /grant it with a ClusterRole rule \{apiGroups: \[discovery\.k8s\.io\], resources: \[endpointslices\], verbs: \[list, watch\]\} bound to serviceaccount system:serviceaccount:kube-system:peregrine/,
    )
    await assertAnswers(server, WITHOUT_ENDPOINTS)
    cluster.put(service('shop/late', ['10.96.0.11']))
    await becomes(server, { 'late.shop~': 'A 10.96.0.11' })
    assert.doesNotMatch(server.output, /^ready$/m)
    cluster.api.access.allowAll()
    await server.printed(/^ready$/m, WAIT_MS)
    await assertAnswers(server, { ...KNOWN, 'late.shop~': 'A 10.96.0.11' })
    cluster.api.store.remove('services', 'shop/late')
    await becomes(server, { 'late.shop~': 'NXDOMAIN' })
    await server.stop()
  })

  test('slices that may be listed but not watched are served as listed', async () => {
    cluster.api.access.deny('watch', 'endpointslices')
    const server = await cluster.serve()
    await assertAnswers(server, KNOWN)
    await server.printed(/endpointslices: .*cannot watch endpointslices/, WAIT_MS)
    cluster.api.access.allowAll()
    await server.stop()
  })

  test('slices that hang: their list is never half visible', async () => {
    const slow = await LiveCluster.start({ streamingLists: 'unknown' })
    try {
      slow.put(...SHOP)
      const endpoints = Array.from({ length: 90 }, (_, i) => `10.2.0.${i + 1}`)
      for (let i = 0; i < 40; i++) slow.put(slice(`shop/many-${100 + i}`, 'many', endpoints))
      slow.put(service('shop/many', []))
      // Services take one tick, slices hundreds.
      slow.api.trickle(4000, 40)
      const server = await slow.launch(['--startup_timeout', '1s', '--page-size', '1000'])
      await server.printed(/not everything is known after 1000 ms: endpointslices is still being listed; /, WAIT_MS)
      await server.printed(/^listening: /m, WAIT_MS)
      await assertAnswers(server, WITHOUT_ENDPOINTS)
      slow.api.trickle(Number.POSITIVE_INFINITY)
      await server.printed(/^ready$/m, WAIT_MS)
      await assertAnswers(server, KNOWN)
      await server.stop()
    } finally {
      await slow.close()
    }
  })

  test('slices that come page by page: a headless Service has all of its endpoints or none', async () => {
    const slow = await LiveCluster.start({ streamingLists: 'unknown' })
    try {
      slow.put(...SHOP, service('shop/many', []))
      for (let i = 0; i < 24; i++) slow.put(slice(`shop/many-${100 + i}`, 'many', [`10.2.0.${i + 1}`]))
      const all = Array.from({ length: 24 }, (_, i) => `A 10.2.0.${i + 1}`)
        .sort()
        .join(' ')
      // The first of six pages takes a second, all of them more than startup_timeout.
      slow.api.trickle(100, 20)
      const server = await slow.launch(['--startup_timeout', '2s', '--page-size', '4'])
      await server.printed(/^listening: /m, WAIT_MS)
      await until(() => slow.api.seen.some(({ path }) => /endpointslices.*continue=/.test(path)), 'a page is there')
      for (let i = 0; i < 20; i++) {
        assert.equal(await answer(server, 'many.shop~'), 'SERVFAIL')
        assert.match(await answer(server, 'cart.shop~'), /^(SERVFAIL|A 10\.96\.0\.10)$/)
        assert.match(await answer(server, 'shop~'), /^(SERVFAIL|NODATA)$/)
      }
      slow.api.trickle(Number.POSITIVE_INFINITY)
      const seen = new Set<string>()
      while (!/^ready$/m.test(server.output)) seen.add(await answer(server, 'many.shop~'))
      for (const each of seen) assert.ok(['SERVFAIL', all].includes(each), each)
      await assertAnswers(server, { ...KNOWN, 'many.shop~': all })
      await server.stop()
    } finally {
      await slow.close()
    }
  })
})

describe('a server that cannot begin says why, and ends', () => {
  const good: KubeconfigContext = { name: 'lab', server: 'https://127.0.0.1:1' }
  const config = (change: (config: Parsed) => void) => (cluster: LiveCluster) => {
    const path = cluster.folder.write(good, 'to-change')
    const parsed = JSON.parse(readFileSync(path, 'utf8')) as Parsed
    change(parsed)
    return cluster.folder.file('changed', JSON.stringify(parsed))
  }
  // biome-ignore lint/suspicious/noExplicitAny: what a parser returns
  type Parsed = any
  const cases: Record<string, { file: (cluster: LiveCluster) => string; flags?: string[]; says: RegExp }> = {
    'no such file': {
      file: ({ folder }) => join(folder.path, 'absent'),
      says: /kubeconfig \S+\/absent cannot be read: ENOENT/,
    },
    'a folder': { file: ({ folder }) => folder.path, says: /kubeconfig \S+ cannot be read: EISDIR/ },
    'no YAML': { file: ({ folder }) => folder.file('bad', 'a: [\n'), says: /kubeconfig \S+\/bad: .*(2|line)/s },
    'an empty file': {
      file: ({ folder }) => folder.file('empty', ''),
      says: /kubeconfig \S+\/empty: .*empty/,
    },
    'a list': { file: ({ folder }) => folder.file('list', '[1]'), says: /kubeconfig \S+\/list/ },
    'no current-context': {
      file: config((parsed) => delete parsed['current-context']),
      says: /kubeconfig \S+\/changed: no current-context, and none was chosen: it has lab$/m,
    },
    'an unknown context': {
      file: ({ folder }) => folder.write([good, { ...good, name: 'prod' }], 'two'),
      flags: ['--context', 'staging'],
      says: /kubeconfig \S+\/two has no context 'staging': it has lab, prod$/m,
    },
    'a context of an unknown cluster': {
      file: config((parsed) => (parsed.contexts[0].context.cluster = 'gone')),
      says: /context 'lab' is of cluster 'gone', which it does not have/,
    },
    'a context of an unknown user': {
      file: config((parsed) => (parsed.contexts[0].context.user = 'gone')),
      says: /context 'lab' is of user 'gone', whom it does not have/,
    },
    'a server that is no URL': {
      file: config((parsed) => (parsed.clusters[0].cluster.server = 'lab:6443')),
      says: /kubeconfig \S+: server 'lab:6443' of cluster 'lab-cluster' is no http\(s\) URL/,
    },
    'an authority that is not there': {
      file: config((parsed) => {
        delete parsed.clusters[0].cluster['certificate-authority-data']
        parsed.clusters[0].cluster['certificate-authority'] = '/nowhere/ca.pem'
      }),
      says: /certificate-authority.*\/nowhere\/ca\.pem|\/nowhere\/ca\.pem.*certificate-authority/,
    },
    'a client certificate that is not there': {
      file: config(
        (parsed) => (parsed.users[0].user = { 'client-certificate': '/nowhere/c.pem', 'client-key': '/nowhere/k.pem' }),
      ),
      says: /client-certificate.*\/nowhere\/c\.pem|\/nowhere\/c\.pem.*client-certificate/,
    },
    'a token file that is not there': {
      file: config((parsed) => (parsed.users[0].user = { tokenFile: '/nowhere/token' })),
      says: /\/nowhere\/token/,
    },
  }
  let cluster: LiveCluster
  before(async () => {
    cluster = await LiveCluster.start()
  })
  after(() => cluster.close())

  for (const [name, { file, flags = [], says }] of Object.entries(cases)) {
    test(name, async () => {
      const server = await cluster.launch(flags, { kubeconfig: file(cluster) })
      const { code } = await server.exit()
      assert.match(server.output, says)
      assert.match(server.output, /^peregrine: /m)
      assert.doesNotMatch(server.output, /^ {4}at /m, 'no stack')
      assert.equal(code, 1, server.output)
    })
  }
})

describe('a server that the API server does not want goes on trying, and says why', () => {
  let cluster: LiveCluster
  before(async () => {
    cluster = await LiveCluster.start()
    cluster.put(...SHOP)
  })
  after(() => cluster.close())

  async function says(
    context: Partial<KubeconfigContext>,
    pattern: RegExp,
    repair: () => void = () => {},
  ): Promise<void> {
    const kubeconfig = cluster.folder.write({ name: 'lab', server: cluster.api.url, ...context }, 'unwanted')
    const server = await cluster.launch(['--startup_timeout', '200ms'], { kubeconfig })
    await server.printed(pattern, WAIT_MS)
    await server.printed(/^listening: /m, WAIT_MS)
    await assertAnswers(server, NOTHING_KNOWN)
    repair()
    await server.printed(/^ready$/m, WAIT_MS)
    await assertAnswers(server, KNOWN)
    await server.stop()
  }

  test('an authority that it does not know', () =>
    says(
      { authority: 'other' },
      /the server's certificate is signed by an authority that is unknown: .*\(CA: inline, for cluster 'lab-cluster'\)/,
      () => cluster.folder.write({ name: 'lab', server: cluster.api.url }, 'unwanted'),
    ))

  test('a token that is not known', () =>
    says(
      { credentials: { type: 'token', token: 'wrong' } },
      /cannot \w+ \w+: the API server does not accept the credentials \(token of user 'lab-user' in \S+unwanted\)/,
      () => cluster.api.access.tokens.set('wrong', 'system:serviceaccount:kube-system:peregrine'),
    ))

  test('no credentials', () =>
    says(
      { credentials: { type: 'none' } },
      /cannot \w+ \w+: the request came without credentials, and the cluster allows nothing without/,
      () => (cluster.api.access.anonymousAllowed = true),
    ))

  test('no rights at all', async () => {
    for (const resource of ['namespaces', 'services', 'endpointslices']) {
      cluster.api.access.deny('list', resource)
      cluster.api.access.deny('watch', resource)
    }
    await says(
      {},
      /cannot (list|watch) services: grant it with a ClusterRole rule \{apiGroups: \[""\], resources: \[services\], verbs: \[list, watch\]\}/,
      () => cluster.api.access.allowAll(),
    )
  })

  test('a certificate for another name', async () => {
    const kubeconfig = cluster.folder.write(
      { name: 'lab', server: cluster.api.url, tlsServerName: 'api.lab.example' },
      'named',
    )
    const server = await cluster.launch(['--startup_timeout', '100ms'], { kubeconfig })
    await server.printed(/the server's certificate is for other names: .*api\.lab\.example/, WAIT_MS)
    await server.stop()
  })

  test('what listens there is no API server', async () => {
    cluster.api.setCertificate({ cert: fixture('server.pem'), key: fixture('server-key.pem') })
    const kubeconfig = cluster.folder.write({ name: 'lab', server: `${cluster.api.url}/wrong/path` }, 'path')
    const server = await cluster.launch(['--startup_timeout', '100ms'], { kubeconfig })
    await server.printed(
      /the server has no \S*\/api\/v1\/\w+: it is no API server, or another path belongs before it/,
      WAIT_MS,
    )
    await server.stop()
  })
})

test('queries that came too early are not answered late', async () => {
  const cluster = await LiveCluster.start()
  try {
    cluster.put(...SHOP, namespace('empty'))
    await cluster.api.stop()
    const server = await cluster.launch(['--startup_timeout', '1h'])
    await server.printed(/ECONNREFUSED/, WAIT_MS)
    const early = server.exchange(encodeQuery({ name: full('cart.shop~'), type: 'A', id: 7 }), false, 3000)
    await sleep(50)
    await cluster.api.start()
    await server.ready()
    assert.equal(await early, undefined)
    await assertAnswers(server, { ...KNOWN, 'empty~': 'NODATA' })
    await server.stop()
  } finally {
    await cluster.close()
  }
})
