// The life of a node's cache, in a network namespace with pods and a stand-in for kube-proxy: interface and rules come and go with the server,
// whatever ends it, and pods keep their DNS. Not here: what is answered after forwarding (forwarding.test.ts).

import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { insideNamespace } from '../server/namespace.ts'
import {
  addressesOf,
  filterLacking,
  NodeCache,
  type NodeCacheOptions,
  ourRules,
  output,
  Pod,
  searchPath,
  until,
} from './node.ts'
import { UpstreamServer } from './upstream-server.ts'

const LINK_LOCAL = '169.254.20.10'
const CLUSTER_DNS = '10.96.0.10'
const UPSTREAM = '10.97.0.53'
const FOLLOWER = '169.254.25.10'
const INTERFACE = 'nodelocaldns'
const PROGRAMS = { iptables: 'iptables', nsenter: 'util-linux' }

/** Answers itself, so that nothing here depends on forwarding. */
function template(addresses: string, says: string, more = ''): string {
  return `who.example:53 {
    errors
    reload 2s
    bind ${addresses}
    template IN TXT {
        answer "{{ .Name }} 5 IN TXT ${says}"
    }
    ${more}
}
.:53 {
    errors
    bind ${addresses}
    forward . __PILLAR__CLUSTER__DNS__ {
        force_tcp
    }
}
`
}

/** kube-proxy in iptables mode leads the address of the Service to the cluster's DNS servers. */
function leadToCluster(operation: '-A' | '-D'): void {
  for (const protocol of ['udp', 'tcp']) {
    for (const chain of ['PREROUTING', 'OUTPUT']) {
      const match = ['-t', 'nat', operation, chain, '-d', CLUSTER_DNS, '-p', protocol, '--dport', '53']
      output('iptables', ...match, '-j', 'DNAT', '--to-destination', `${UPSTREAM}:53`)
    }
  }
}

const timeoutMs = 240_000
if (insideNamespace(import.meta.filename, { addresses: [`${UPSTREAM}/32`], programs: PROGRAMS, timeoutMs })) {
  const lacking = filterLacking(PROGRAMS)
  const env = { PATH: '', KUBE_DNS_UPSTREAM_SERVICE_HOST: UPSTREAM }
  let cluster: UpstreamServer | undefined
  let pod: Pod

  const both: NodeCacheOptions = {
    flags: ['-localip', `${LINK_LOCAL},${CLUSTER_DNS}`, '-upstreamsvc', 'kube-dns-upstream', '-syncinterval', '1'],
    template: template(`${LINK_LOCAL} ${CLUSTER_DNS}`, 'node', `health ${LINK_LOCAL}:8080`),
    address: LINK_LOCAL,
    env,
  }

  /** Follows changes from the beginning on, beside all others: they are seen ten seconds later. */
  let follower: NodeCache | undefined

  before(async () => {
    if (lacking !== false) return
    env.PATH = searchPath((text) => process.stdout.write(`﹣ ${text}\n`))
    pod = new Pod('pod0', '10.244.1.2')
    cluster = await UpstreamServer.open(UPSTREAM, 'cluster')
    follower = await startFollower()
  })
  after(() => cluster?.close())

  async function startFollower(): Promise<NodeCache> {
    const own = ['-localip', FOLLOWER, '-interfacename', 'nodelocaldns2', '-metrics-listen-address', '127.0.0.1:9354']
    const text = template(FOLLOWER, 'node', 'prometheus 127.0.0.1:9254').replace('    reload 2s\n', '')
    const cache = await NodeCache.start({
      flags: [
        ...own,
        '-upstreamsvc',
        'kube-dns-upstream',
        '-kubednscm',
        'cm',
        '-reloadwithsignal',
        '-setupiptables=false',
      ],
      template: text,
      files: { 'cm/stubDomains': 'nonsense' },
      address: FOLLOWER,
      env,
    })
    cache.server.write(text.replace('TXT node', 'TXT changed'), 'Corefile.base')
    cache.server.write('{"corp.example": ["10.0.0.9"]}', 'cm/stubDomains')
    return cache
  }

  function assertNothingLeft(): void {
    assert.deepEqual(ourRules(), [])
    assert.equal(addressesOf(INTERFACE), null)
  }

  test('iptables mode: both addresses, all rules, in order; mended when broken; gone before the server', {
    skip: lacking,
  }, async () => {
    const cache = await NodeCache.start(both)
    const { server } = cache
    assert.deepEqual(addressesOf(INTERFACE), [`${LINK_LOCAL}/32`, `${CLUSTER_DNS}/32`])
    assert.deepEqual(rulesInShort(), [...expectedRules(LINK_LOCAL), ...expectedRules(CLUSTER_DNS)].sort())
    for (const address of [LINK_LOCAL, CLUSTER_DNS]) {
      assert.equal(await pod.ask(address, 'who.example'), '"node"')
      assert.equal(await pod.ask(address, 'who.example', true), '"node"')
      assert.equal((await server.ask({ name: 'who.example', type: 'TXT' }, { address })).answer[0].data, '"node"')
    }
    assert.equal((await server.get('/health', 8080, {}, LINK_LOCAL)).body, 'OK')
    const metrics = (await server.get('/metrics', 9353, {}, '127.0.0.1')).body
    assert.equal(metrics.match(/^coredns_nodecache_setup_errors_total\{errortype="\w+"\} 0$/gm)?.length, 5)

    const at = (pattern: RegExp): number => server.stdout.findIndex((line) => pattern.test(line))
    assert.ok(at(/interface nodelocaldns added/) < at(/^who\.example\.:53 on/), 'the interface comes first')
    assert.ok(at(/^who\.example\.:53 on/) < at(/24 rules added/), 'rules come last')

    output('iptables', '-t', 'raw', '-F')
    output('ip', 'link', 'delete', INTERFACE)
    await until('all is made again', () => ourRules().length === 24 && addressesOf(INTERFACE)?.length === 2)
    assert.equal(await pod.ask(CLUSTER_DNS, 'who.example'), '"node"')

    process.kill(cache.first, 'SIGUSR1')
    await server.line(/Reloading complete/)

    assert.equal(await cache.stop(), 0)
    assert.ok(at(/24 rules removed, and interface nodelocaldns/) > at(/SIGTERM: Shutting down/), server.output)
    assertNothingLeft()
  })

  test('IPVS mode: the link-local address alone', { skip: lacking }, async () => {
    const address = LINK_LOCAL
    const cache = await NodeCache.start({
      ...both,
      flags: ['-localip', address, '-upstreamsvc', 'kube-dns-upstream'],
      template: template(address, 'node'),
    })
    assert.deepEqual(addressesOf(INTERFACE), [`${address}/32`])
    assert.deepEqual(rulesInShort(), expectedRules(address).sort())
    assert.equal(await pod.ask(address, 'who.example'), '"node"')
    assert.equal(await cache.stop('SIGINT'), 0)
    assertNothingLeft()
  })

  test('IPv6: ip6tables', { skip: lacking || ipv6Lacking() }, async () => {
    const address = 'fd00:10::a'
    const cache = await NodeCache.start({
      ...both,
      flags: ['-localip', address, '-upstreamsvc', 'kube-dns-upstream', '-health-port', '18080'],
      template: template(address, 'node'),
      address,
    })
    assert.deepEqual(addressesOf(INTERFACE), [`${address}/128`])
    assert.equal(ourRules('ip6tables').length, 12)
    assert.equal((await cache.server.ask({ name: 'who.example', type: 'TXT' })).answer[0].data, '"node"')
    assert.equal(await cache.stop(), 0)
    assert.deepEqual(ourRules('ip6tables'), [])
    assertNothingLeft()
  })

  test('killed: the guard removes rules and interface, and the cluster answers in its place', {
    skip: lacking,
  }, async () => {
    leadToCluster('-A')
    const cache = await NodeCache.start(both)
    try {
      assert.equal(await pod.ask(CLUSTER_DNS, 'who.example'), '"node"')
      assert.notEqual(cache.answering, cache.first)
      process.kill(cache.answering, 'SIGKILL')
      assert.equal(await cache.ended(), 137)
      assert.match(cache.server.output, /^\[WARNING\] node-cache: the server ended with code 137 and left/m)
      assertNothingLeft()
      assert.equal(await pod.ask(CLUSTER_DNS, 'who.example'), '"cluster over udp"')
    } finally {
      cache.server.kill()
      leadToCluster('-D')
    }
  })

  test('the whole container is killed: what pods send finds the cluster; a restart clears up first', {
    skip: lacking,
  }, async () => {
    leadToCluster('-A')
    const cache = await NodeCache.start(both)
    try {
      assert.equal(await pod.ask(CLUSTER_DNS, 'who.example'), '"node"')
      process.kill(cache.first, 'SIGKILL')
      await cache.ended()
      assert.equal(ourRules().length, 24)
      assert.equal(await pod.ask(CLUSTER_DNS, 'who.example'), '"cluster over udp"')
      const next = await NodeCache.start(both)
      const lines = next.server.stdout
      assert.match(lines[0], /^\[WARNING\] node-cache: 24 rules removed that were left behind$/)
      assert.equal(ourRules().length, 24)
      assert.equal(await pod.ask(CLUSTER_DNS, 'who.example'), '"node"')
      assert.equal(await next.stop(), 0)
      assertNothingLeft()
    } finally {
      cache.server.kill()
      leadToCluster('-D')
    }
  })

  test('asked to leave at once: SIGQUIT takes rules and interface away too', { skip: lacking }, async () => {
    const cache = await NodeCache.start(both)
    assert.equal(await cache.stop('SIGQUIT'), 0)
    assertNothingLeft()
  })

  test('-skipteardown: interface and rules stay, whatever ends it', { skip: lacking }, async () => {
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const cache = await NodeCache.start({ ...both, flags: [...both.flags, '-skipteardown'] })
      assert.equal(cache.answering, cache.first, 'no guard is needed')
      const code = await cache.stop(signal)
      if (signal === 'SIGTERM') assert.equal(code, 0)
      assert.equal(ourRules().length, 24)
      assert.equal(addressesOf(INTERFACE)?.length, 2)
    }
    const cache = await NodeCache.start(both)
    assert.equal(await cache.stop(), 0)
    assertNothingLeft()
  })

  test('-setupinterface=false, -setupiptables=false: each is left to others', { skip: lacking }, async () => {
    const none = await NodeCache.start({
      ...both,
      flags: [
        '-localip',
        UPSTREAM,
        '-upstreamsvc',
        'kube-dns-upstream',
        '-setupinterface=false',
        '-setupiptables=false',
      ],
      template: template('127.0.0.1', 'node'),
      address: '127.0.0.1',
    })
    assert.equal(none.answering, none.first, 'nothing to guard')
    assertNothingLeft()
    assert.equal(await none.stop(), 0)
    const rulesOnly = await NodeCache.start({
      ...both,
      flags: [
        '-localip',
        '127.0.0.1',
        '-upstreamsvc',
        'kube-dns-upstream',
        '-setupinterface=false',
        '-interfacename',
        'lo',
      ],
      template: template('127.0.0.1', 'node'),
      address: '127.0.0.1',
    })
    assert.equal(ourRules().length, 12)
    assert.equal(await rulesOnly.stop(), 0)
    assertNothingLeft()
    // The interface of the others is still there.
    assert.deepEqual(output('ip', '-oneline', 'address', 'show', 'dev', 'lo').match(/127\.0\.0\.1\/8/)?.length, 1)
  })

  test('a server that cannot listen makes no rules, and takes its interface away', { skip: lacking }, async () => {
    // Somebody else has the port on every address.
    const other = createSocket('udp4')
    await new Promise<void>((bound) => other.bind({ port: 8053, address: '0.0.0.0', exclusive: true }, bound))
    const cache = new NodeCache({ ...both, template: both.template.replaceAll(':53 {', ':8053 {') })
    assert.equal(await cache.ended(), 1)
    other.close()
    assert.match(cache.server.output, /8053/)
    assert.doesNotMatch(cache.server.output, /rules added/)
    assertNothingLeft()
  })

  test('template and ConfigMap change: the file is written and loaded', { skip: lacking }, async () => {
    const { server } = follower!
    await server.line(/Reloading complete/)
    assert.equal(await pod.ask(FOLLOWER, 'who.example'), '"changed"')
    const stub = `corp.example:53 {\n    errors\n    cache 30\n    bind ${FOLLOWER}\n    forward . 10.0.0.9\n}\n`
    assert.ok(readFileSync(server.path, 'utf8').endsWith(stub))
    for (const port of [9254, 9354]) {
      const { body } = await server.get('/metrics', port, {}, '127.0.0.1')
      assert.match(body, /^coredns_nodecache_setup_errors_total\{errortype="configmap"\} 1$/m, `port ${port}`)
    }
    assert.equal(await follower!.stop(), 0)
    assert.equal(addressesOf('nodelocaldns2'), null)
  })
}

/** `TABLE`s are not told apart: no rule is in two of them. */
function rulesInShort(): string[] {
  return ourRules()
    .map((rule) =>
      rule.replace(/ -m comment --comment "NodeLocal DNS Cache: [^"]*"/, '').replace(/ -m (?:udp|tcp)\b/, ''),
    )
    .map((rule) => rule.replace('-j CT --notrack', '-j NOTRACK'))
    .sort()
}

function expectedRules(address: string): string[] {
  const to = `-d ${address}/32`
  const from = `-s ${address}/32`
  const both = ['tcp', 'udp'].flatMap((protocol) => [
    `-A PREROUTING ${to} -p ${protocol} --dport 53 -m socket -j NOTRACK`,
    `-A OUTPUT ${to} -p ${protocol} --dport 53 -j NOTRACK`,
    `-A OUTPUT ${from} -p ${protocol} --sport 53 -j NOTRACK`,
    `-A INPUT ${to} -p ${protocol} --dport 53 -j ACCEPT`,
    `-A OUTPUT ${from} -p ${protocol} --sport 53 -j ACCEPT`,
  ])
  const health = [`${to} -p tcp --dport 8080`, `${from} -p tcp --sport 8080`]
  return [...both, ...health.map((match) => `-A OUTPUT ${match} -j NOTRACK`)]
}

function ipv6Lacking(): string | false {
  try {
    output('ip6tables', '-t', 'raw', '-L')
    return false
  } catch {
    return 'needs IPv6 and ip6tables'
  }
}
