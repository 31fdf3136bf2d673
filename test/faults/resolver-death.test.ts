// The resolver thread of a real server dies and hangs, over queries made to have it do so (killer.ts), while others wait: it is replaced, all are answered.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Response } from '../server/wire.ts'
import { counted, type Forwarding, startForwarding } from './block.ts'
import { killerEnvironment } from './killer.ts'
import { MixedLoad, type Tally } from './mixed-load.ts'
import { addressOf, Upstream } from './upstream.ts'

let folder: string
let upstream: Upstream
let forwarding: Forwarding
let load: MixedLoad

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'peregrine-killer-'))
  upstream = await Upstream.open()
  forwarding = await startForwarding(upstream.to, { workers: 2, env: killerEnvironment(folder) })
  load = new MixedLoad({ port: forwarding.server.port, rate: 60, tcpRate: 20 })
})

after(async () => {
  await load.stop()
  assert.equal(await forwarding.server.stop(), 0)
  await upstream.kill()
  rmSync(folder, { recursive: true })
})

async function strike(name: string, tcp: boolean): Promise<Response> {
  return await forwarding.server.ask({ name, type: 'A' }, { tcp })
}

/** Of all kinds, since mark(). */
async function others(): Promise<Omit<Tally, 'slowestMs'>> {
  const tallies = Object.values(load.mark())
  const asked = tallies.reduce((sum, { sent }) => sum + sent, 0)
  assert.ok(asked > 0)
  await load.settled()
  const sum = (key: keyof Tally): number => tallies.reduce((total, tally) => total + tally[key], 0)
  return { sent: sum('sent'), right: sum('right'), servfail: sum('servfail'), wrong: sum('wrong'), lost: sum('lost') }
}

for (const how of ['exit.ask', 'exit.reply', 'throw.reply', 'hang.ask', 'hang.reply']) {
  test(`${how}, once: whoever waits is asked for again, and nobody notices`, async () => {
    for (const tcp of [false, true]) {
      const name = `${how}.once.${tcp}.fault.example`
      const before = load.mark()
      const response = await strike(name, tcp)
      assert.deepEqual([response.rcode, response.answer.map(({ data }) => data)], ['NOERROR', [addressOf(name)]], name)
      const { sent, right } = await others()
      assert.equal(right, sent, `${load.examples} ${JSON.stringify(before)}`)
    }
  })
}

for (const how of ['exit.ask', 'hang.reply']) {
  test(`${how}, always: SERVFAIL after the second time, and others are answered`, async () => {
    for (const tcp of [false, true]) {
      const response = await strike(`${how}.always.${tcp}.fault.example`, tcp)
      assert.equal(response.rcode, 'SERVFAIL')
      const { sent, right, servfail } = await others()
      // Who waited at both deaths is under suspicion.
      assert.equal(right + servfail, sent, String(load.examples))
    }
    // Those that came after it are not.
    const name = `after.${how}.example`
    assert.equal((await strike(name, false)).answer[0]?.data, addressOf(name))
  })
}

test('what was counted is what clients saw', async () => {
  await load.stop()
  const { all, overUdp, overTcp } = load
  const { server } = forwarding
  const wanted = {
    udp: ['coredns_dns_requests_total', 'proto="udp"'],
    tcp: ['coredns_dns_requests_total', 'proto="tcp"'],
    hits: ['coredns_cache_hits_total'],
  } as const
  const seen = await counted(forwarding, wanted)
  const [strikesUdp, strikesTcp] = [5 + 2 + 2, 5 + 2]
  // An answer that had been counted when the thread died before it left is counted twice: the others of its turn.
  const [moreUdp, moreTcp] = [seen.udp - overUdp - strikesUdp, seen.tcp - overTcp - strikesTcp]
  assert.ok(moreUdp >= 0 && moreUdp <= 20, `${moreUdp} UDP queries too many`)
  assert.ok(moreTcp >= 0 && moreTcp <= 20, `${moreTcp} TCP queries too many`)
  assert.ok(seen.hits > 0 && all.cluster.right === all.cluster.sent)
  assert.match(server.output, /resolver worker died and is replaced: .*exited with code: 3/)
  assert.match(server.output, /resolver worker has not moved for 1000 ms and is terminated/)
  assert.match(
    server.output,
    /plugin\/errors: 2 exit\.ask\.always\.\w+\.fault\.example\. A: the resolver thread has died over it/,
  )
})
