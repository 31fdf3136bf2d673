// Answering leaves no garbage: a million queries of every kind in a worker, in batches of 64, and V8 has nothing to collect.
// One object a query would make it collect 30 times (the last test shows it).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { OKD } from '../kube/schema-fixture.ts'
import { encodeQuery, FLAG } from '../server/wire.ts'
import { type EngineOptions, full, TestEngine } from './answer-engine.ts'
import type { Outcome, Task } from './no-garbage-worker.ts'

const COUNT = 1_000_000
const WARM_UP_COUNT = 100_000
/** Young-generation collections that a million queries may take: for what the engine itself does beside them. */
const COLLECTIONS_MAX = 2
const YOUNG_GENERATION_MB = 2

const NAMES_COUNT = 500
const CLUSTER = `
namespaces: [a, b]
services:
${Array.from({ length: NAMES_COUNT }, (_, i) => `  a/web-${i}: {clusterIPs: [10.96.${i >> 8}.${i & 255}, "fd00::${i.toString(16)}"], ports: [http:80/TCP]}`).join('\n')}
  b/db:    {clusterIPs: None}
  b/big:   {clusterIPs: None}
  b/alias: {type: ExternalName, externalName: web-1.a.svc.cluster.local}
  b/out:   {type: ExternalName, externalName: www.example.org}
  b/loop:  {type: ExternalName, externalName: loop2.b.svc.cluster.local}
  b/loop2: {type: ExternalName, externalName: loop.b.svc.cluster.local}
  b/idle:  {clusterIPs: [10.97.0.1], ports: [http:80/TCP]}
slices:
  b/db-1:  {for: db, ports: [sql:5432/TCP], endpoints: [{a: [10.0.0.1], hostname: db-0}, {a: [10.0.0.2], hostname: db-1}, {a: ["fd00::a"]}]}
  b/big-1: {for: big, ports: [sql:5432/TCP], endpoints: [${Array.from({ length: 100 }, (_, i) => `{a: [10.1.0.${i}]}`).join(', ')}]}
pods:
  a/p: {ip: 10.0.0.9}`

function query(name: string, type: string, rest: object = {}): Uint8Array {
  return encodeQuery({ name: full(name), type, ...rest })
}

/** 64 of each: enough that none of it is predictable, few enough to stay in the cache. */
function many(make: (i: number) => Uint8Array): Uint8Array[] {
  return Array.from({ length: 64 }, (_, i) => make(i * 11))
}

const KINDS: Record<string, Uint8Array[]> = {
  positive: many((i) => query(`web-${i}.a~`, i % 2 === 0 ? 'A' : 'AAAA', i % 3 === 0 ? { edns: {} } : {})),
  'upper case': many((i) => query(`WEB-${i}.a~`, 'A')),
  NXDOMAIN: many((i) => query(`www.example.com.x${i}.a~`, 'A')),
  NODATA: many((i) => query(i % 2 === 0 ? 'a~' : `web-${i}.a~`, 'TXT')),
  SRV: many((i) => query(i % 2 === 0 ? 'db.b~' : `_http._tcp.web-${i}.a~`, 'SRV', { edns: {} })),
  rotated: many((i) => query('db.b~', i % 2 === 0 ? 'A' : 'AAAA')),
  truncated: many((i) => query('big.b~', i % 2 === 0 ? 'A' : 'SRV')),
  chains: many((i) => query(['alias.b~', 'out.b~', 'loop.b~', 'x.alias.b~'][i % 4], 'A')),
  PTR: many((i) => query(i % 2 === 0 ? `${i & 255}.0.96.10.in-addr.arpa` : '1.1.1.1.in-addr.arpa', 'PTR')),
  wildcards: many((i) => query([`x${i}.web-1.a~`, `_x${i}._tcp.web-1.a~`, `a.b._endpoints.idle.b~`][i % 3], 'A')),
  pods: many((i) => query([`10-0-0-${i & 255}.a^`, `fd00--${i}.b^`, 'nginx.a^', '10-0-0-9.none^'][i % 4], 'A')),
  apex: many((i) => query('cluster.local', ['SOA', 'NS', 'A'][i % 3])),
  'no zone': many((i) => query(`www${i}.example.org`, 'A')),
  malformed: many(
    (i) =>
      [
        query('web-1.a~', 'A').subarray(0, 12 + (i % 20)),
        query('web-1.a~', 'A', { flags: FLAG.QR }),
        query('web-1.a~', 'A', { flags: 4 << 11 }),
        query('web-1.a~', 'A', { class: 3 }),
        query('web-1.a~', 'A', { edns: { version: 1 } }),
        Buffer.concat([query('web-1.a~', 'A').subarray(0, 12), Buffer.of(0xc0, 0x0c, 0, 1, 0, 1)]),
        query('web-1.a~', 'AXFR'),
      ][i % 7],
  ),
}

function mixed(): Uint8Array[] {
  const kinds = Object.values(KINDS)
  return Array.from({ length: 64 * kinds.length }, (_, i) => kinds[i % kinds.length][Math.floor(i / kinds.length)])
}

function run(engine: TestEngine, task: Omit<Task, 'source'>): Promise<Outcome> {
  const worker = new Worker(new URL('./no-garbage-worker.ts', import.meta.url), {
    workerData: { source: engine.engine.source, ...task } satisfies Task,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
  })
  return new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
}

const OPTIONS: EngineOptions = { schema: { ...OKD, pods: 'insecure' } }
const engine = new TestEngine(CLUSTER, OPTIONS)
// `verified` looks for the canonical spelling of an address, which `insecure` does not.
const verified = new TestEngine(CLUSTER, { schema: { ...OKD, pods: 'verified' } })

for (const readsAhead of [true, false]) {
  const text = readsAhead ? 'looked up side by side' : 'one by one'
  test(`a million queries of every kind, ${text}`, { timeout: 120_000 }, async (context) => {
    const task = { queries: mixed(), warmUpCount: WARM_UP_COUNT, count: COUNT, readsAhead, wasteful: false }
    const outcome = await run(engine, task)
    context.diagnostic(JSON.stringify(outcome))
    assert.ok(outcome.answered > 0.9 * COUNT && outcome.silent > 1000)
    // NOERROR, FORMERR, NXDOMAIN, NOTIMP, REFUSED.
    for (const rcode of [0, 1, 3, 4, 5]) assert.ok(outcome.rcodes[rcode] > 1000, `RCODE ${rcode}`)
    assert.ok(outcome.truncated > 10_000)
    assert.ok(outcome.collections <= COLLECTIONS_MAX, `${outcome.collections} collections`)
    assert.equal(outcome.otherCollections, 0)
  })
}

for (const [kind, queries] of Object.entries(KINDS)) {
  test(`200,000 queries: ${kind}`, { timeout: 60_000 }, async () => {
    const engines = kind === 'pods' ? [engine, verified] : [engine]
    for (const each of engines) {
      const outcome = await run(each, {
        queries,
        warmUpCount: 50_000,
        count: 200_000,
        readsAhead: true,
        wasteful: false,
      })
      assert.ok(outcome.collections <= COLLECTIONS_MAX, `${outcome.collections} collections`)
    }
  })
}

test('one object a query is seen', { timeout: 60_000 }, async (context) => {
  const outcome = await run(engine, {
    queries: mixed(),
    warmUpCount: 50_000,
    count: COUNT,
    readsAhead: true,
    wasteful: true,
  })
  context.diagnostic(JSON.stringify(outcome))
  assert.ok(outcome.collections > 3 * COLLECTIONS_MAX, `${outcome.collections} collections`)
})
