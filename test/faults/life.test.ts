// What happens to a server that forwards: upstreams die and come back, nameservers change, it is told to end, ports go, a worker dies. Each query is
// answered, and counted once.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../corefile/corefile-server.ts'
import { counted, type Forwarding, forwardingBlock, startForwarding } from './block.ts'
import { killerEnvironment } from './killer.ts'
import { KINDS, MixedLoad, type Tally } from './mixed-load.ts'
import { addressOf, Upstream } from './upstream.ts'

const TRANSPORTS = ['io', 'dgram'] as const
const RESOLV_CONF_MS = 15_000

const WANTED = {
  udp: ['coredns_dns_requests_total', 'proto="udp"'],
  tcp: ['coredns_dns_requests_total', 'proto="tcp"'],
  noerror: ['coredns_dns_responses_total', 'rcode="NOERROR"'],
  servfail: ['coredns_dns_responses_total', 'rcode="SERVFAIL"'],
  responses: ['coredns_dns_responses_total'],
  hits: ['coredns_cache_hits_total'],
  misses: ['coredns_cache_misses_total'],
  asked: ['coredns_forward_requests_total'],
  told: ['coredns_forward_responses_total'],
} as const

function right(tally: Tally): void {
  const { sent, right, servfail, wrong, lost } = tally
  assert.deepEqual({ right, servfail, wrong, lost }, { right: sent, servfail: 0, wrong: 0, lost: 0 })
}

/** Gone with the test. */
async function opened(context: TestContext, ...where: Parameters<typeof Upstream.open>): Promise<Upstream> {
  const upstream = await Upstream.open(...where)
  context.after(() => upstream.kill())
  return upstream
}

async function started(context: TestContext, ...how: Parameters<typeof startForwarding>): Promise<Forwarding> {
  const forwarding = await startForwarding(...how)
  context.after(() => {
    if (forwarding.server.isRunning) forwarding.server.kill()
  })
  return forwarding
}

async function ask(forwarding: Forwarding, name: string, tcp = false): Promise<string> {
  const { rcode, answer } = await forwarding.server.ask({ name, type: 'A' }, { tcp })
  return answer.length === 1 ? `${rcode} ${answer[0].data}` : rcode
}

function answerTo(name: string): string {
  return `NOERROR ${addressOf(name)}`
}

for (const transport of TRANSPORTS) {
  test(`${transport}: an upstream is killed and started again, and all is counted once`, async (context) => {
    const upstream = await opened(context)
    const flags = ['--transport', transport]
    const forwarding = await started(context, upstream.to, { workers: 2, flags })
    const load = new MixedLoad({ port: forwarding.server.port })
    await sleep(700)
    const quiet = load.mark()
    await load.settled()
    await upstream.kill()
    await sleep(700)
    const dead = load.mark()
    await load.settled()
    await upstream.start()
    // What was asked while it was gone may be over only now.
    await sleep(300)
    load.mark()
    await sleep(700)
    const again = load.mark()
    await load.stop()
    assert.deepEqual(load.examples, [])
    for (const kind of KINDS) right(quiet[kind])
    for (const kind of KINDS) right(again[kind])
    right(dead.hit)
    right(dead.cluster)
    // Some were asked before it was gone.
    assert.equal(dead.miss.right + dead.miss.servfail, dead.miss.sent)
    assert.ok(dead.miss.servfail > dead.miss.sent / 2)
    assert.ok(dead.miss.slowestMs < 7000, `${dead.miss.slowestMs} ms`)
    const seen = await counted(forwarding, WANTED)
    const all = Object.values(load.all)
    const sum = (key: keyof Tally): number => all.reduce((total, tally) => total + tally[key], 0)
    const { received, asked } = upstream
    const { hit, miss } = load.all
    assert.deepEqual(
      { udp: seen.udp, tcp: seen.tcp, noerror: seen.noerror, servfail: seen.servfail, responses: seen.responses },
      {
        udp: load.overUdp,
        tcp: load.overTcp,
        noerror: sum('right'),
        servfail: sum('servfail'),
        responses: sum('sent'),
      },
    )
    assert.equal(seen.hits + seen.misses, hit.sent + miss.sent)
    // Probes are for the root's name servers. A query that had to wait for a core may have been repeated.
    const names = asked.size - (asked.has('. ns') ? 1 : 0)
    assert.equal(seen.told, names)
    assert.ok(received - (asked.get('. ns') ?? 0) - names <= names / 20, `${received} queries`)
    assert.ok(seen.asked >= seen.told && seen.misses >= miss.sent)
    assert.equal(await forwarding.server.stop(), 0)
  })

  test(`${transport}: SIGTERM while queries wait: they are answered, and the exit code is 0`, async (context) => {
    const upstream = await opened(context)
    const flags = ['--transport', transport]
    const forwarding = await started(context, upstream.to, { workers: 2, flags })
    const { server } = forwarding
    const names = Array.from({ length: 40 }, (_, i) => `wait-1500-end${i}.example`)
    const answers = names.map((name, i) => ask(forwarding, name, i % 4 === 0))
    while (upstream.asked.size < names.length) await sleep(5)
    server.signal('SIGTERM')
    assert.deepEqual(await Promise.all(answers), names.map(answerTo))
    assert.equal((await server.exit()).code, 0)
  })
}

test('the second upstream takes over at once, and the first one has its part again', async (context) => {
  const [first, second] = [await opened(context), await opened(context)]
  const forwarding = await started(
    context,
    `${first.to} ${second.to} {
        policy sequential
    }`,
  )
  const load = new MixedLoad({ port: forwarding.server.port })
  await sleep(300)
  assert.equal(second.received, 0)
  await first.kill()
  await sleep(700)
  assert.ok(second.received > 20)
  await first.start()
  const before = first.received
  for (const deadline = performance.now() + 20_000; first.received - before < 30 && performance.now() < deadline; )
    await sleep(50)
  await load.stop()
  assert.ok(first.received - before >= 30, 'asked again')
  assert.deepEqual(load.examples, [])
  for (const kind of KINDS) right(load.all[kind])
  assert.equal(await forwarding.server.stop(), 0)
})

test('nameservers of a file are replaced: others are asked, what is cached stays, nothing is lost', async (context) => {
  // Nameservers of a file have port 53.
  const addresses = ['127.61.0.1', '127.61.0.2']
  const [old, next] = await Promise.all(addresses.map((address) => opened(context, address, 53)))
  const folder = mkdtempSync(join(tmpdir(), 'peregrine-resolv-'))
  const file = 'resolv.conf'
  const forwarding = await started(context, file, { files: { [file]: `nameserver ${old.address}\n` } })
  const load = new MixedLoad({ port: forwarding.server.port, rate: 50, tcpRate: 10 })
  await sleep(500)
  assert.ok(old.received > 0 && next.received === 0)
  forwarding.server.write(`nameserver ${next.address}\n`, file)
  for (const deadline = performance.now() + RESOLV_CONF_MS; next.received === 0 && performance.now() < deadline; )
    await sleep(20)
  await forwarding.server.line(/Reloading complete/)
  await sleep(300)
  const before = old.received
  await sleep(500)
  await load.stop()
  assert.equal(old.received, before, 'the old one is not asked any more')
  assert.ok(next.received > 0)
  assert.deepEqual(load.examples, [])
  for (const kind of KINDS) right(load.all[kind])
  const seen = await counted(forwarding, WANTED)
  assert.deepEqual([seen.udp, seen.tcp], [load.overUdp, load.overTcp])
  assert.equal(await forwarding.server.stop(), 0)
  rmSync(folder, { recursive: true })
})

for (const transport of TRANSPORTS) {
  test(`${transport}: what waits during a reload is answered and counted, caches are kept, a port that goes answers what waits`, async (context) => {
    const upstream = await opened(context)
    const flags = ['--transport', transport]
    const [metrics, second] = [await freePort(), await freePort()]
    const block = (more: string): string => forwardingBlock({ to: upstream.to, metrics, more })
    const other = forwardingBlock({ to: upstream.to, metrics, zone: `.:${second}`, cache: '' })
    const forwarding = await started(context, upstream.to, { workers: 2, flags })
    const { server } = forwarding
    const reload = async (text: string): Promise<void> => {
      const from = server.mark
      server.write(text)
      server.signal('SIGUSR1')
      assert.match(await server.line(/Reloading complete|failed/, from), /complete/)
    }
    await reload(block('') + other)
    const all = { server, metrics }
    const names = Array.from({ length: 30 }, (_, i) => `wait-1200-r${i}.example`)
    assert.equal(await ask(all, 'kept.example'), answerTo('kept.example'))
    const answers = names.map((name, i) => ask(all, name, i % 3 === 0))
    const elsewhere = names.map(async (name) => {
      const { answer } = await server.ask({ name: `${name}.there`, type: 'A' }, { port: second })
      return answer[0]?.data
    })
    while (upstream.asked.size < 2 * names.length + 1) await sleep(5)
    const known = upstream.asked.get('kept.example a')
    await reload(block('# nothing else'))
    await reload(block('bufsize 1400'))
    assert.equal(await ask(all, 'kept.example'), answerTo('kept.example'))
    assert.equal(upstream.asked.get('kept.example a'), known, 'caches are kept')
    assert.deepEqual(await Promise.all(answers), names.map(answerTo))
    const there = await Promise.all(elsewhere)
    assert.deepEqual(
      there,
      names.map((name) => addressOf(`${name}.there`)),
    )
    for (const name of names) assert.equal(await ask(all, name), answerTo(name))
    const seen = await counted(all, WANTED)
    assert.equal(seen.udp + seen.tcp, 2 + 3 * names.length, JSON.stringify(seen))
    assert.equal(await server.stop(), 0)
  })
}

test('a query worker dies: what it has handed over is answered, the query that it died over gets SERVFAIL', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'peregrine-killer-'))
  const upstream = await opened(context)
  const forwarding = await started(context, upstream.to, { workers: 1, env: killerEnvironment(folder) })
  const names = Array.from({ length: 50 }, (_, i) => `wait-800-w${i}.example`)
  const answers = names.map((name) => ask(forwarding, name))
  while (upstream.asked.size < names.length) await sleep(5)
  assert.equal(await ask(forwarding, 'throw.look.always.x.fault.example'), 'SERVFAIL')
  assert.equal(await ask(forwarding, 'exit.look.always.x.fault.example'), 'SERVFAIL')
  const more = await Promise.all(names.map((name) => ask(forwarding, `${name}.more`)))
  assert.deepEqual(await Promise.all(answers), names.map(answerTo))
  assert.deepEqual(
    more,
    names.map((name) => answerTo(`${name}.more`)),
  )
  assert.match(forwarding.server.output, /query worker 0 died and is replaced/)
  assert.equal(await forwarding.server.stop(), 0)
  rmSync(folder, { recursive: true })
})
