// Many misses over names that change, over UDP and TCP: what the server has open and uses is as before. All of it: PEREGRINE_LEAK_MISSES=100000.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { TcpClient, UdpClient } from '../server/exchange.ts'
import { encodeQuery, readResponse } from '../server/wire.ts'
import { counted, startForwarding } from './block.ts'
import { addressOf, Upstream } from './upstream.ts'

const MISSES = Number(process.env.PEREGRINE_LEAK_MISSES ?? 6000)
/** Until the cache is full, pools have grown and code is compiled. */
const WARM_UP = Number(process.env.PEREGRINE_LEAK_WARM_UP ?? 6000)
const AT_A_TIME = 64
const MIB = 2 ** 20

interface Usage {
  readonly descriptors: number
  readonly threads: number
  readonly resident: number
}

function usageOf(pid: number): Usage {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  const number = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1])
  return {
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    threads: number('Threads'),
    resident: number('VmRSS') * 1024,
  }
}

async function askAll(port: number, from: number, to: number): Promise<void> {
  const endpoint = { address: '127.0.0.1', port }
  const udp = new UdpClient(endpoint)
  const tcp = new TcpClient(endpoint)
  let next = from
  const asking = async (): Promise<void> => {
    while (next < to) {
      const number = next++
      // Some of all that can happen to a question.
      const how = number % 50 === 1 ? 'nx-' : number % 50 === 2 ? 'fail-' : number % 50 === 3 ? 'cut-' : ''
      const name = `${how}n${number}.leak.example`
      const client = number % 8 === 0 ? tcp : udp
      const octets = await client.exchange(encodeQuery({ name, type: 'A', id: number & 0xffff }), 9000)
      assert(octets !== undefined, name)
      const { rcode, answer } = readResponse(octets)
      const expected = how === 'nx-' ? 'NXDOMAIN' : how === 'fail-' ? 'SERVFAIL' : 'NOERROR'
      assert.deepEqual([rcode, answer[0]?.data], [expected, expected === 'NOERROR' ? addressOf(name) : undefined], name)
    }
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, asking))
  udp.close()
  tcp.close()
}

/** A while after the last query: connections and pooled sockets that are not needed any more are closed. */
async function quiet(pid: number): Promise<Usage> {
  await sleep(500)
  return usageOf(pid)
}

test(`after ${MISSES} more misses everything is as it was`, { timeout: 600_000 }, async (context) => {
  const upstream = await Upstream.open()
  context.after(() => upstream.kill())
  // Small caches, which are full soon.
  const cache = 'cache 300 {\n        success 1024\n        denial 1024\n    }'
  const forwarding = await startForwarding(upstream.to, { workers: 2, cache })
  const { server } = forwarding
  context.after(() => {
    if (server.isRunning) server.kill()
  })
  const pid = server.child.pid!
  await askAll(server.port, 0, WARM_UP)
  const before = await quiet(pid)
  const beganMs = performance.now()
  await askAll(server.port, WARM_UP, WARM_UP + MISSES)
  const seconds = (performance.now() - beganMs) / 1000
  const after = await quiet(pid)
  context.diagnostic(JSON.stringify({ before, after, rate: Math.round(MISSES / seconds) }))
  // Sockets to the upstream come and go.
  assert.ok(
    after.descriptors <= before.descriptors + 16,
    `${before.descriptors} descriptors, then ${after.descriptors}`,
  )
  assert.equal(after.threads, before.threads)
  assert.ok(after.resident < before.resident + 32 * MIB, `${before.resident} octets, then ${after.resident}`)
  const seen = await counted(forwarding, {
    requests: ['coredns_dns_requests_total'],
    misses: ['coredns_cache_misses_total'],
    panics: ['coredns_panics_total'],
  })
  assert.deepEqual(seen, { requests: WARM_UP + MISSES, misses: WARM_UP + MISSES, panics: 0 })
  assert.equal(await server.stop(), 0)
})
