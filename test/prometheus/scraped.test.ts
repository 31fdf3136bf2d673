// A real Prometheus scrapes a serving process while it is asked, and evaluates the alerts and dashboard queries that people run against CoreDNS.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Answer } from 'dns-packet'
import { CorefileServer } from '../corefile/corefile-server.ts'
import { a, LyingUpstream, replyTo } from '../forward/lying-upstream.ts'
import { LiveCluster, SHOP, slice } from '../server/live-cluster.ts'
import { encodeQuery, type Query } from '../server/wire.ts'
import { PANELS } from './dashboards.ts'
import { Exposition } from './exposition.ts'
import { freePorts, PrometheusProcess, type RuleState, SKIP } from './prometheus-process.ts'
import { compareWithReference } from './reference.ts'

const PROMTOOL = '/usr/bin/promtool'
const RULES = join(import.meta.dirname, 'rules')
const RULE_FILES = readdirSync(RULES).map((name) => join(RULES, name))
const TICK_MS = 100
const HINFO = 13
const SOA: Answer = {
  type: 'SOA',
  name: 'example',
  ttl: 300,
  data: { mname: 'ns.example', rname: 'admin.example', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 300 },
}
const TRIGGERED = 'endpoints.kubernetes.io/last-change-trigger-time'
const hasIpv6 = Object.values(networkInterfaces()).some((entries) => entries?.some(({ address }) => address === '::1'))

/** Asked again and again: something of everything that panels show. */
const QUERIES: readonly (Query & { tcp?: boolean; ipv6?: boolean; other?: boolean })[] = [
  { name: 'cart.shop.svc.cluster.local.', type: 'A' },
  { name: 'cart.shop.svc.cluster.local.', type: 'AAAA', edns: { dnssecOk: true } },
  { name: 'pg.shop.svc.cluster.local.', type: 'A', tcp: true },
  { name: 'gone.shop.svc.cluster.local.', type: 'A', ipv6: true },
  { name: 'there.hosts.test.', type: 'A' },
  { name: 'gone.hosts.test.', type: 'A' }, // SERVFAIL: passed on, and nobody is next
  { name: 'any.template.test.', type: 'A', ipv6: true, tcp: true },
  { name: 'elsewhere.', type: 'A', other: true }, // no block's
  { name: 'www.example.', type: 'A' },
  { name: 'gone.example.', type: 'A' },
  { name: 'short.example.', type: 'A' }, // TTL 1: renewed while it is asked for
]

/** Once in so many rounds: an entry that has run out by then, and a name that nobody has asked for. */
const RARE_ROUNDS = 20
/** Upstream's failures are few enough to raise no alert. */
const FAILURE_ROUNDS = 100
/** Alerts whose left-hand side has no value: upstreams are up. */
const QUIET = /_healthcheck_failures_total/

let main: number
let other: number
let metrics: number
let cluster: LiveCluster
let upstream: LyingUpstream
let server: CorefileServer
let prometheus: PrometheusProcess
let traffic: Promise<void> | undefined
let isOver = false
let round = 0

function corefile(kubeconfig: string, health: number): string {
  return `
    .:${main} {
      errors
      health 127.0.0.1:${health}
      kubernetes cluster.local in-addr.arpa ip6.arpa {
        kubeconfig ${kubeconfig}
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
      }
      prometheus 127.0.0.1:${metrics}
      forward . ${upstream.to}
      cache {
        success 9984 30 1
        prefetch 1 1m 90%
        serve_stale
      }
      loop
      reload
      loadbalance
    }
    hosts.test:${main} {
      prometheus 127.0.0.1:${metrics}
      hosts {
        192.0.2.1 there.hosts.test
        fallthrough
      }
    }
    template.test:${other} {
      prometheus 127.0.0.1:${metrics}
      template IN A {
        answer "{{ .Name }} 60 IN A 192.0.2.1"
      }
    }`
}

/** One of everything, and one change of a Service's endpoints. */
async function tick(): Promise<void> {
  round++
  for (const [i, { tcp = false, ipv6 = false, other: isOther, ...query }] of QUERIES.entries()) {
    const octets = encodeQuery({ id: (round * QUERIES.length + i) & 0xffff, ...query })
    const isTemplate = String(query.name).endsWith('template.test.')
    const address = ipv6 && hasIpv6 ? '::1' : '127.0.0.1'
    await server.exchange(octets, { tcp, address, port: isOther || isTemplate ? other : main, timeoutMs: 2_000 })
  }
  const more = [
    'new',
    ...(round % RARE_ROUNDS === 0 ? ['rare'] : []),
    ...(round % FAILURE_ROUNDS === 0 ? ['failing'] : []),
  ]
  for (const what of more) {
    const name = `${what}${what === 'rare' ? '' : round}.example.`
    await server.exchange(encodeQuery({ id: round & 0xffff, name, type: 'A' }), { port: main, timeoutMs: 2_000 })
  }
  const [resource, object] = slice('shop/cart-1', 'cart', [`10.1.0.${(round % 200) + 1}`])
  const metadata = { ...object.metadata, annotations: { [TRIGGERED]: new Date().toISOString() } }
  cluster.put([resource, { ...object, metadata }])
}

/** Until it is over; what goes wrong is seen in what is scraped. */
async function ask(): Promise<void> {
  for (; !isOver; await sleep(TICK_MS)) await tick()
}

/** Alerts by name and severity: the same name may come with two. */
async function alert(name: string, severity: string): Promise<RuleState> {
  const found = (await prometheus.rules()).find((rule) => rule.name === name && rule.labels.severity === severity)
  assert.ok(found !== undefined, `${name} ${severity}`)
  return found
}

describe('scraped by Prometheus', { skip: SKIP, concurrency: false }, () => {
  before(async () => {
    let health: number
    ;[main, other, metrics, health] = await freePorts(4)
    upstream = await LyingUpstream.open((asked) => {
      const { name, type } = asked
      if (type === HINFO) asked.send(replyTo(asked, { type: 'HINFO', rcode: 3 }))
      else if (name.startsWith('gone')) asked.send(replyTo(asked, { rcode: 3, authorities: [SOA] }))
      else if (name.startsWith('failing')) asked.send(replyTo(asked, { rcode: 2 }))
      else asked.send(replyTo(asked, { answers: [a(name, '192.0.2.1', /^(?:short|rare)/.test(name) ? 1 : 300)] }))
    })
    cluster = await LiveCluster.start()
    cluster.put(...SHOP)
    server = await CorefileServer.start({
      text: corefile(cluster.kubeconfig, health),
      port: main,
      manifests: [],
      env: { NODE_OPTIONS: `--import=${new URL('./worker-killer.ts', import.meta.url).href}` },
    })
    const target = `127.0.0.1:${metrics}`
    prometheus = await PrometheusProcess.start({
      jobs: { 'kube-dns': target, nodelocaldns: target },
      rules: RULE_FILES,
    })
    traffic = ask()
  })

  after(async () => {
    isOver = true
    await traffic
    await prometheus?.stop()
    server?.kill()
    await cluster?.close()
    await upstream?.close()
  })

  test('every target is up', async () => {
    await prometheus.until('targets are up', async () => {
      const targets = await prometheus.targets()
      return targets.length === 2 && targets.every(({ health }) => health === 'up')
    })
    assert.deepEqual(
      (await prometheus.targets()).map(({ lastError }) => lastError),
      ['', ''],
    )
  })

  for (const [panel, query, outcome] of PANELS) {
    test(`panel: ${panel}`, async () => {
      if (outcome === 'data') await prometheus.untilValue(query)
      else assert.deepEqual(await prometheus.query(query), [], query)
    })
  }

  test('rules are valid', { skip: !existsSync(PROMTOOL) && 'SKIPPED: needs promtool' }, () => {
    const { status, stdout, stderr } = spawnSync(PROMTOOL, ['check', 'rules', ...RULE_FILES], { encoding: 'utf8' })
    assert.equal(status, 0, stdout + stderr)
  })

  test('every rule is evaluated, and what it compares has a value', async () => {
    await prometheus.until('rules are evaluated', async () =>
      (await prometheus.rules()).every(({ health }) => health !== 'unknown'),
    )
    const rules = await prometheus.rules()
    assert.equal(rules.length, 22)
    for (const { name, query, health, lastError } of rules) {
      assert.equal(health, 'ok', `${name}: ${lastError}`)
      const isAbsent = query.startsWith('absent(')
      const left = isAbsent ? query.slice('absent('.length, -1) : query.replace(/ > [\d.]+$/, '')
      assert.notEqual(left, query, `${name} compares: ${query}`)
      if (QUIET.test(left)) assert.deepEqual(await prometheus.query(left), [], left)
      else await prometheus.untilValue(left)
      if (isAbsent) assert.deepEqual(await prometheus.query(query), [], 'not absent')
    }
  })

  test('SERVFAIL raises the alerts of SERVFAIL, and no other', async () => {
    // Each group is evaluated in its own second.
    const all =
      'CoreDNSErrorsHigh critical, CoreDNSErrorsHigh warning, CoreDNSErrorsHigh warning, NodeLocalDNSErrorsHigh critical'
    let raised = ''
    await prometheus.until('all four are pending', async () => {
      // A scrape that comes too late, on a machine with other work, is another matter.
      const rules = (await prometheus.rules()).filter(
        ({ name, state }) => state !== 'inactive' && name !== 'CoreDNSDown',
      )
      raised = rules
        .map(({ name, labels }) => `${name} ${labels.severity}`)
        .sort()
        .join(', ')
      return raised.length >= all.length
    })
    assert.equal(raised, all)
  })

  test('a worker that dies raises the alert of panics', async () => {
    const { mark } = server
    server.signal('SIGWINCH')
    await server.line(/query worker 0 died and is replaced/, mark)
    await prometheus.until('the alert fires', async () => {
      const { state } = await alert('CoreDNSPanicCount', 'warning')
      return state === 'firing'
    })
  })

  test('what a live cluster adds has the names, labels and buckets of the reference', async () => {
    const page = new Exposition((await server.get('/metrics', metrics)).body)
    compareWithReference(page)
    const names = ['requests_total', 'request_duration_seconds', 'rate_limiter_duration_seconds']
    for (const name of names) assert.ok(page.families.has(`coredns_kubernetes_rest_client_${name}`), name)
    const kinds = page.families.get('coredns_kubernetes_dns_programming_duration_seconds')!.samples
    assert.deepEqual([...new Set(kinds.map(({ labels }) => labels.service_kind))], ['cluster_ip'])
  })

  test('Prometheus has had nothing to say about what it got', () => {
    // A sample that comes twice or out of order would be told here.
    assert.doesNotMatch(prometheus.output, /level=(?:warn|error)/)
  })
})
