// A flood of random subdomains whose upstream is dead, for a few seconds, with room in every bound: the machine may be busy with other things.
// Figures are taken by hand (flood.ts).

import assert from 'node:assert/strict'
import { platform } from 'node:os'
import { test } from 'node:test'
import { type Flooding, flood } from './flood.ts'

const skip = platform() === 'linux' ? false : 'asks by Linux system calls'
const MEMORY_MAX = 256 * 2 ** 20
const FLOODING: Flooding = {
  quietSeconds: 0.5,
  floodSeconds: 2,
  restSeconds: 0.5,
  delayMs: -1,
  outstanding: 9000,
  rate: 30_000,
  maxConcurrent: 0,
  probeRate: 200,
  isPinned: false,
}

for (const [what, maxConcurrent] of [
  ['as many as there is room for', 0],
  ['max_concurrent 500', 500],
] as const) {
  test(`random subdomains of a zone whose upstream is dead, ${what}`, { skip }, async (context) => {
    const result = await flood({ ...FLOODING, maxConcurrent })
    const { quiet, flood: flooded, after, resident, counted, output } = result
    const { rcodes, sent, cluster } = flooded
    const [noerror, , servfail, , , refused] = rcodes
    context.diagnostic(`${sent} sent, ${servfail} SERVFAIL, ${refused} REFUSED, ${cluster.p99} ms, ${resident}`)
    // What is local and what is known is answered, and nothing else is made up.
    for (const { cluster: local, popular } of [quiet, flooded, after]) {
      for (const probed of [local, popular]) {
        assert.equal(probed.wrong, 0)
        assert.ok(probed.answered >= probed.sent / 2, `${probed.answered} of ${probed.sent}`)
      }
    }
    assert.equal(result.popularAsked, 0, 'popular names are in the cache still')
    assert.equal(noerror, 0)
    assert.ok(servfail + refused > 0)
    if (maxConcurrent > 0) {
      assert.ok(refused > sent / 20)
      assert.ok(counted['coredns_forward_max_concurrent_rejects_total{}'] >= refused)
    }
    const told = (rcode: string): number => counted[`coredns_dns_responses_total{zone=".",rcode="${rcode}"}`] ?? 0
    // Some of what was answered had not been read by the client when it ended.
    assert.ok(told('SERVFAIL') >= servfail && told('REFUSED') >= refused, 'the counters know of it')
    assert.ok(Math.max(...resident) - resident[0] < MEMORY_MAX, `resident: ${resident}`)
    assert.equal(result.exitCode, 0)
    assert.doesNotMatch(output, /crash|died|restart/)
  })
}
