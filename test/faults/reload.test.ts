// Reloads, one after another, under a load of misses that wait, hits and cluster names, over UDP and TCP: nothing is lost, all is counted, caches are kept.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { counted, forwardingBlock, startForwarding } from './block.ts'
import { KINDS, MixedLoad } from './mixed-load.ts'
import { Upstream } from './upstream.ts'

/** A thousand by hand. */
const ROUNDS = Number(process.env.PEREGRINE_RELOADS ?? 12)
const PAUSE_MS = 60

for (const transport of ['io', 'dgram']) {
  test(`${transport}: ${ROUNDS} reloads under load`, { timeout: 600_000 }, async (context) => {
    const upstream = await Upstream.open()
    context.after(() => upstream.kill())
    const forwarding = await startForwarding(upstream.to, { workers: 2, flags: ['--transport', transport] })
    const { server, metrics } = forwarding
    context.after(() => {
      if (server.isRunning) server.kill()
    })
    const block = (more: string): string => forwardingBlock({ to: upstream.to, metrics, more })
    const variants = [
      block('bufsize 1400'),
      `${block('')}stub.example {\n    cache\n    forward . ${upstream.to}\n}\n`,
      block('loadbalance'),
      // Plugins on whole messages.
      block('rewrite name exact old.example new.example'),
      block(''),
    ]
    const load = new MixedLoad({ port: server.port, rate: 60, tcpRate: 20, prefix: 'wait-150-' })
    await sleep(400)
    for (let round = 0; round < ROUNDS; round++) {
      const from = server.mark
      server.write(variants[round % variants.length])
      server.signal('SIGUSR1')
      assert.match(await server.line(/Reloading complete|failed/, from), /complete/)
      await sleep(PAUSE_MS)
    }
    await load.stop()
    assert.deepEqual(load.examples, [])
    for (const kind of KINDS) {
      const { sent, right, servfail, wrong, lost } = load.all[kind]
      assert.deepEqual({ right, servfail, wrong, lost }, { right: sent, servfail: 0, wrong: 0, lost: 0 }, kind)
    }
    // Each name was asked once, whatever was loaded meanwhile; a thread that had to wait for a core may have repeated itself.
    const repeated = [...upstream.asked.values()].filter((times) => times > 1).length
    assert.ok(repeated <= upstream.asked.size / 20, `${repeated} of ${upstream.asked.size} asked again`)
    const seen = await counted(forwarding, {
      udp: ['coredns_dns_requests_total', 'proto="udp"'],
      tcp: ['coredns_dns_requests_total', 'proto="tcp"'],
      responses: ['coredns_dns_responses_total', 'rcode="NOERROR"'],
      asked: ['coredns_forward_responses_total'],
    })
    const expected = {
      udp: load.overUdp,
      tcp: load.overTcp,
      responses: load.overUdp + load.overTcp,
      asked: upstream.asked.size,
    }
    assert.deepEqual(seen, expected)
    assert.equal(await server.stop(), 0)
  })
}
