// What `/metrics` of a running server says after queries of all kinds, compared with what was asked: section 11 of the Corefile reference.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { FAMILIES } from '../../src/admin/metric-families.ts'
import { CorefileServer, WAIT_MS } from '../corefile/corefile-server.ts'
import { a, type Behavior, LyingUpstream, replyTo } from '../forward/lying-upstream.ts'
import { encodeHeader, encodeQuery, readResponse, typeNumber } from '../server/wire.ts'
import { corefile, ROWS, type Row, ZONE } from './counted-corefile.ts'
import { assertGrown, Exposition, type Labels } from './exposition.ts'
import { freePorts } from './prometheus-process.ts'
import { compareWithReference, FROM_THE_START, PROCESS, REFERENCE, TYPE_LABELS } from './reference.ts'
import { rcodeOf, Tally } from './tally.ts'

const PROMTOOL = '/usr/bin/promtool'
const REPEATS = 3
/** Long enough for a reply that is not to come. */
const SILENCE_MS = 200
const hasIpv6 = Object.values(networkInterfaces()).some((entries) => entries?.some(({ address }) => address === '::1'))

let main: number
let other: number
let metrics: number
let health: number
let ready: number
let server: CorefileServer
let upstream: LyingUpstream
const tally = new Tally()
/** Sent so far. */
let datagrams = 0
let nextId = 1

function corefileOf(more = '', last = ''): string {
  return corefile({ main, other, metrics, health, upstream: upstream.to }, more, last)
}

before(async () => {
  ;[main, other, metrics, health, ready] = await freePorts(5)
  const hook = `--import=${new URL('./worker-killer.ts', import.meta.url).href}`
  upstream = await LyingUpstream.open(answers)
  server = await CorefileServer.start({
    text: corefileOf(),
    files: { 'db.zone.test': ZONE },
    port: main,
    workers: 2,
    env: { NODE_OPTIONS: hook },
  })
})

after(async () => {
  server?.kill()
  await upstream?.close()
})

/** What is above has an address, no such name, and refuses all else, in whatever class. */
const answers: Behavior = (asked) => {
  if (asked.name === 'www.example') asked.send(replyTo(asked, { answers: [a(asked.name, '192.0.2.1')] }))
  else if (asked.name === 'gone.example') asked.send(replyTo(asked, { rcode: 3 }))
  else {
    const reply = Buffer.from(asked.message.subarray(0, 12 + asked.name.length + 2 + 4))
    reply.writeUInt16BE(0x8185, 2)
    reply.fill(0, 6, 12)
    asked.send(reply)
  }
}

async function scrape(): Promise<Exposition> {
  const { status, body } = await server.get('/metrics', metrics)
  assert.equal(status, 200)
  return new Exposition(body)
}

/** Asks a row once, and counts it. */
async function ask(
  [name, type, zoneAndView, plugin, rcode, more = {}]: Row,
  tcp: boolean,
  ipv6: boolean,
): Promise<void> {
  const { other: isOther, only: _only, ...query } = more
  nextId = (nextId % 0xfff0) + 1
  const octets = encodeQuery({ id: nextId, name, type: typeNumber(type), ...query })
  const [zone, view = ''] = zoneAndView.split(' ')
  const isSilent = rcode === '-'
  if (!tcp) datagrams++
  const port = isOther ? other : main
  const address = ipv6 ? '::1' : '127.0.0.1'
  const reply = await server.exchange(octets, { tcp, address, port, ...(isSilent ? { timeoutMs: SILENCE_MS } : {}) })
  const where = `${name} ${type} over ${tcp ? 'TCP' : 'UDP'} from ${address}`
  assert.equal(reply === undefined, isSilent, where)
  if (reply !== undefined) assert.equal(rcodeOf(readResponse(reply)), rcode, where)
  if (zone === '') return
  tally.add({
    place: { server: `dns://:${port}`, zone, view },
    tcp,
    ipv6,
    type: type === 'TYPE50' ? 'NSEC3' : type,
    dnssecOk: query.edns?.dnssecOk ?? false,
    size: octets.length,
    reply: reply === undefined ? null : { rcode, plugin, size: reply.length },
  })
}

async function askAll(chosen: readonly Row[], repeats: number): Promise<void> {
  for (let round = 0; round < repeats; round++) {
    for (const row of chosen) {
      for (const tcp of [false, true]) {
        const only = row[5]?.only
        if (only !== undefined && only !== (tcp ? 'tcp' : 'udp')) continue
        await ask(row, tcp, false)
        if (hasIpv6) await ask(row, tcp, true)
      }
    }
  }
}

/** The page once all queries so far are in it: a worker counts a batch's durations after its replies have gone. */
async function settled(): Promise<Exposition> {
  for (const deadline = performance.now() + WAIT_MS; ; await sleep(20)) {
    const page = await scrape()
    if (tally.isReached(page) || performance.now() > deadline) return page
  }
}

test('all families of the reference are there, those included that nothing has happened to', () => {
  const ours = FAMILIES.filter(({ name }) => name.startsWith('coredns_'))
  assert.deepEqual(
    ours.map(({ name, kind, labels, bounds }) => ({ name, type: kind, labels: [...labels].sort(), buckets: bounds })),
    [...REFERENCE.values()]
      .map(({ name, type, labels, buckets }) => ({
        ...{ name, type, labels: [...labels].sort() },
        buckets: buckets.map(Number),
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
  )
})

describe('metrics of a running server', { concurrency: false }, () => {
  test('what is there before the first query', async () => {
    const page = await scrape()
    for (const name of FROM_THE_START) assert.equal(page.value(name), 0, name)
    assert.equal(page.value('coredns_health_request_duration_seconds_bucket', { le: '+Inf' }) === undefined, false)
    assert.deepEqual(
      [...page.families.keys()].filter((name) => name.startsWith('coredns_dns_')),
      [],
    )
    const [build] = page.families.get('coredns_build_info')!.samples
    assert.deepEqual(build.value, 1)
    assert.match(build.labels.version, /^\d+\.\d+\.\d+/)
    const enabled: Labels[] = page.families.get('coredns_plugin_enabled')!.samples.map(({ labels }) => labels)
    for (const [name, zone, view, port] of [
      ['kubernetes', '.', '', main],
      ['prometheus', '.', '', main],
      ['loadbalance', '.', '', main],
      ['acl', 'shop.test.', '', main],
      ['whoami', 'view.test.', 'stream', other],
      ['whoami', 'view.test.', '', other],
    ] as const) {
      assert.equal(page.value('coredns_plugin_enabled', { server: `dns://:${port}`, zone, view, name }), 1, name)
    }
    assert.equal(
      enabled.some(({ zone }) => zone === 'local.test.'),
      false,
      'only the first zone of a block',
    )
  })

  test('queries are counted exactly', async () => {
    await askAll(ROWS, REPEATS)
    // No question: SERVFAIL, and no block's. An opcode of no block is answered by nobody.
    const none = encodeHeader(0x4242, 0, [0, 0, 0, 0])
    datagrams += 2
    const reply = await server.exchange(none)
    assert.equal(readResponse(reply!).rcode, 'FORMERR')
    const update = await server.exchange(encodeHeader(0x4243, 5 << 11, [1, 0, 0, 0]))
    assert.equal(readResponse(update!).rcode, 'NOTIMP')
    const page = await settled()
    tally.check(page)
    assert.deepEqual(
      [...new Set(page.families.get('coredns_dns_requests_total')!.samples.map(({ labels }) => labels.type))].sort(),
      [...TYPE_LABELS, 'other'].sort(),
    )
  })

  test('what plugins count', async () => {
    const page = await scrape()
    const ways = (hasIpv6 ? 4 : 2) * REPEATS
    const dns = { server: `dns://:${main}` }
    const shop = { ...dns, zone: 'shop.test.', view: '' }
    const local = { ...dns, zone: 'local.test.', view: '' }
    const srv = '{{ .Name }} 60 IN SRV one two three'
    const ns = '{{ .Name }} 60 IN NS {{ index .Match 7 }}'
    const cases: [name: string, labels: Labels, value: number | undefined][] = [
      ['acl_filtered_requests_total', shop, ways],
      ['acl_blocked_requests_total', shop, ways],
      ['acl_dropped_requests_total', shop, ways],
      ['acl_filtered_requests_total', local, undefined],
      // www.local.test., www.shop.test., x.shop.test. A; SRV; NS.
      ['acl_allowed_requests_total', { ...dns, view: '' }, 5 * ways],
      ['local_localhost_requests_total', {}, ways],
      ['dns64_requests_translated_total', dns, ways],
      ['template_matches_total', { ...shop, class: 'IN', type: 'A' }, ways],
      ['template_matches_total', { ...local, class: 'IN', type: 'A' }, ways],
      ['template_rr_failures_total', { ...shop, class: 'IN', type: 'SRV', section: 'answer', template: srv }, ways],
      ['template_template_failures_total', { ...shop, class: 'IN', type: 'NS', section: 'answer', template: ns }, ways],
      ['panics_total', {}, 0],
    ]
    for (const [name, labels, value] of cases) assert.equal(page.value(`coredns_${name}`, labels), value, name)
  })

  test('every family is one of the reference, with its type, labels and buckets', async () => {
    const page = await scrape()
    assert.ok(compareWithReference(page) >= 20)
    for (const [name, type] of PROCESS) {
      assert.equal(page.families.get(name)?.type, type, name)
      assert.ok(page.families.get(name)!.samples[0].value > 0, name)
    }
  })

  test('our own: batches, messages, index', async () => {
    const page = await scrape()
    assert.ok(page.value('peregrine_messages_received_total')! > page.sum('coredns_dns_requests_total'))
    assert.equal(page.value('peregrine_batch_messages_sum'), datagrams, 'messages of streams come one by one')
    assert.ok(page.value('peregrine_batch_messages_bucket', { le: '1' })! > 0)
    assert.ok(page.value('peregrine_index_names', { index: 'cluster' })! > 100)
    assert.ok(page.value('peregrine_index_names', { index: 'static' })! > 0)
    assert.equal(page.value('peregrine_index_complete', { index: 'cluster' }), 1)
    assert.ok(page.value('peregrine_index_publish_duration_seconds_count')! > 0)
    assert.equal(page.value('peregrine_worker_restarts_total'), 0)
  })

  test('promtool has nothing to say', { skip: !existsSync(PROMTOOL) && 'SKIPPED: needs promtool' }, async () => {
    const { body } = await server.get('/metrics', metrics)
    const { status, stdout, stderr } = spawnSync(PROMTOOL, ['check', 'metrics'], { input: body, encoding: 'utf8' })
    assert.equal(stdout + stderr, '')
    assert.equal(status, 0)
  })

  test('OpenMetrics says the same', async () => {
    const { body, headers } = await server.get('/metrics', metrics, { accept: 'application/openmetrics-text' })
    assert.match(headers['content-type']!, /^application\/openmetrics-text/)
    assert.ok(body.endsWith('# EOF\n'))
    const page = await scrape()
    for (const { name, labels, value } of page.families.get('coredns_dns_responses_total')!.samples) {
      const text = Object.entries(labels)
        .map(([label, each]) => `${label}="${each}"`)
        .join(',')
      assert.ok(body.includes(`\n${name}{${text}} ${value}\n`), `${name}{${text}}`)
    }
  })

  test('nothing goes back over reloads, and all goes on being exact', async () => {
    let last = await scrape()
    const held: Socket[] = []
    try {
      for (let round = 0; round < 3; round++) {
        // A block gains a plugin, another one comes and goes, and so does an endpoint that somebody is connected to.
        const hasMore = round % 2 === 0
        const extra = `extra.test:${main} {\n prometheus 127.0.0.1:${metrics}\n whoami\n}`
        server.write(hasMore ? corefileOf(`nsid\n ready 127.0.0.1:${ready}`, extra) : corefileOf())
        // Its endpoint is long in closing: this request never ends.
        if (!hasMore)
          held.push(
            connect(ready, '127.0.0.1')
              .on('error', () => {})
              .setNoDelay()
              .unref(),
          )
        held.at(-1)?.write('GET /ready HTTP/1.1\r\n')
        const { mark } = server
        server.signal('SIGUSR1')
        let isDone = false
        const done = server.line(/Reloading complete/, mark).finally(() => {
          isDone = true
        })
        while (!isDone) {
          const page = await scrape()
          assertGrown(last, page)
          last = page
        }
        await done
        const zone = hasMore ? 'extra.test.' : '.'
        await ask(
          ['www.extra.test.', 'A', zone, hasMore ? 'whoami' : 'forward', hasMore ? 'NOERROR' : 'REFUSED'],
          false,
          false,
        )
        await askAll(ROWS.slice(0, 4), 1)
        const page = await settled()
        assertGrown(last, page)
        tally.check(page)
        last = page
      }
    } finally {
      for (const socket of held) socket.destroy()
    }
    assert.equal(last.value('coredns_reload_failed_total'), 0)
  })

  test('an endpoint that cannot be had leaves everything as it is', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as AddressInfo
    const last = await scrape()
    server.write(corefileOf(`ready 127.0.0.1:${port}`, `more.test:${main} {\n whoami\n}`))
    const { mark } = server
    server.signal('SIGUSR1')
    await server.line(/Corefile changed but reload failed: .*listen tcp/, mark)
    taken.close()
    await ask(['www.more.test.', 'A', '.', 'forward', 'REFUSED'], false, false)
    const page = await settled()
    assert.equal(page.value('coredns_reload_failed_total'), 1)
    assertGrown(last, page)
    tally.check(page)
  })

  test('a Corefile that is broken is counted, and nothing goes back', async () => {
    const last = await scrape()
    server.write('. {\n no-such-plugin\n}\n')
    const { mark } = server
    server.signal('SIGUSR1')
    await server.line(/Corefile changed but reload failed/, mark)
    await askAll(ROWS.slice(0, 2), 1)
    const page = await settled()
    assert.equal(page.value('coredns_reload_failed_total'), 2)
    assertGrown(last, page)
    tally.check(page)
  })

  test('a worker that dies is counted, and its counts are kept', async () => {
    const last = await scrape()
    const { mark } = server
    server.signal('SIGWINCH')
    await server.line(/query worker 0 died and is replaced/, mark)
    await askAll(ROWS.slice(0, 4), REPEATS)
    const page = await settled()
    assert.equal(page.value('peregrine_worker_restarts_total'), 1)
    assert.equal(page.value('coredns_panics_total'), 1)
    assertGrown(last, page)
    tally.check(page)
  })
})
