import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { SUPPORTED } from '../../src/io/layouts.ts'
import { runTraffic, type Stats } from './server-process.ts'

const QUERIES = 600_000
// One number a query would make eight: the young generation is 1 MiB at a time.
const COLLECTIONS_MAX = 3

test('serving allocates nothing: hardly a collection in any thread over 600,000 queries', {
  skip: !SUPPORTED && 'SKIPPED: needs the batched transport',
}, async () => {
  const program = fileURLToPath(new URL('./serve-process.ts', import.meta.url))
  const child = spawn(process.execPath, ['--trace-gc', program, '{"workers":1}'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const collections: string[] = []
  let stats: Stats | undefined
  const port = await new Promise<number>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (/Scavenge|Mark-Compact/.test(line)) collections.push(line)
      else if (line.startsWith('{"stats"')) stats = JSON.parse(line).stats
      else if (line.startsWith('{"ready"')) resolve(JSON.parse(line).ready.listeners[0].port)
    })
  })
  // What start-up leaves, and the first batches until the code is optimised.
  const warm = await runTraffic({ port, rate: 20_000, queries: 40_000, sockets: 4 })
  const before = collections.length
  const load = await runTraffic({ port, rate: 100_000, queries: QUERIES, sockets: 4 })
  const during = collections.slice(before)
  child.kill('SIGTERM')
  await once(child, 'close')
  // At this rate a machine with other things to do overflows the receive buffer: that much is the kernel's, and counted.
  const { received, answered, receiveQueueDrops } = stats!.query[0]
  assert.equal(received + receiveQueueDrops, warm.sent + load.sent)
  assert.equal(answered, received)
  assert.ok(load.answered > QUERIES * 0.8, `only ${load.answered} were answered: too few to say anything`)
  assert.ok(during.length <= COLLECTIONS_MAX, during.join('\n'))
})
