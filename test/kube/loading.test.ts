// Much that comes at once: written piece by piece, published together, the same names as in one go. And an index that is not in
// step with the cluster yet: what it has is answered, what it lacks may exist.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { REVERSE_ZONES } from '../../src/config/server-config.ts'
import { createRegion } from '../../src/index/layout.ts'
import { IndexWriter } from '../../src/index/writer.ts'
import { ClusterIndex } from '../../src/kube/cluster-index.ts'
import type { SchemaOptions } from '../../src/kube/schema.ts'
import { readStateFile } from '../../src/kube/state-file.ts'
import { type Answerer, createAnswerer } from '../../src/workers/answer.ts'
import { plainSource } from '../../src/workers/answerer.ts'
import { checkMemory, contentOf } from '../index/region-walk.ts'
import { encodeQuery, FLAG, type Response, readResponse } from '../server/wire.ts'
import { full, SERIAL, SERVER_ADDRESS, TestEngine } from '../workers/answer-engine.ts'
import { anyChange, apply, type Change, changesOf, openIndex, SCHEMAS } from './cluster-changes.ts'
import { FINGERPRINT, objectsIn, save, temporaryFolder } from './saved-index.ts'
import { OKD, PLAIN } from './schema-fixture.ts'

const SEED = Number(process.env.TEST_SEED ?? 20260801)
const RUNS = Number(process.env.TEST_RUNS ?? 100)
const REGION_OCTETS = 2 ** 18

const anyChanges = fc.array(anyChange, { maxLength: 40 })
const anyKeys = fc.subarray([
  ...['default', 'shop', 'pay'].flatMap((namespace) =>
    ['kubernetes', 'web', 'db'].map((name) => `${namespace}/${name}`),
  ),
  'nowhere/none',
])
const anyPieces = fc.array(fc.record({ changes: fc.array(anyChange, { maxLength: 15 }), keys: anyKeys }), {
  minLength: 1,
  maxLength: 6,
})

for (const [i, options] of SCHEMAS.entries()) {
  test(`loaded in pieces is the same as written at once, schema ${i} (seed ${SEED})`, (t) => {
    const reached = { written: 0, again: 0, names: 0 }
    const property = fc.property(anyChanges, anyPieces, anyChanges, (before, pieces, after) => {
      const [atOnce, loaded] = [openIndex(options, REGION_OCTETS), openIndex(options, REGION_OCTETS)]
      const both = (changes: readonly Change[]): void => {
        for (const { index } of [atOnce, loaded]) for (const change of changes) apply(index.state, change)
      }
      both(before)
      for (const { index } of [atOnce, loaded]) index.flush(1000)
      const published = contentOf(loaded.writer.region)
      const written = new Set<string>()
      for (const { changes, keys } of pieces) {
        both(changes)
        const changed = new Set(loaded.index.state.changedServices.keys())
        for (const key of keys) if (written.has(key) && changed.has(key)) reached.again++
        loaded.index.load(keys)
        for (const key of keys) {
          if (!changed.has(key) || key === 'default/kubernetes') continue
          assert.ok(!loaded.index.state.changedServices.has(key), 'written, so not changed any more')
          written.add(key)
        }
        assert.equal(loaded.index.state.changedNamespaces.size, 0)
        assert.deepEqual(contentOf(loaded.writer.region), published, 'nothing is visible yet')
      }
      reached.written += written.size
      assert.ok(loaded.index.flush(2000, true).version > 0)
      atOnce.index.flush(2000)
      const names = Object.keys(contentOf(loaded.writer.region)).length
      reached.names = Math.max(reached.names, names)
      const everythingGone = (): Change[] => changesOf(loaded.index.state).map((change) => ({ ...change, packed: '' }))
      for (const changes of [() => after, everythingGone]) {
        assert.deepEqual(contentOf(loaded.writer.region), contentOf(atOnce.writer.region))
        checkMemory(loaded.writer)
        both(changes())
        for (const { index } of [atOnce, loaded]) index.flush(3000)
      }
      assert.deepEqual(contentOf(loaded.writer.region), contentOf(openIndex(options, REGION_OCTETS).writer.region))
    })
    fc.assert(property, { seed: SEED, numRuns: RUNS })
    t.diagnostic(JSON.stringify(reached))
    assert.ok(reached.written > 0 && reached.again > 0 && reached.names > 30)
  })
}

const CLUSTER = `
namespaces: [a]
services:
  a/web:   {clusterIPs: [10.96.0.1], ports: [http:80/TCP]}
  a/there: {type: ExternalName, externalName: web.a.svc.cluster.local}
  a/gone:  {type: ExternalName, externalName: none.a.svc.cluster.local}
  a/far:   {type: ExternalName, externalName: there.a.svc.cluster.local}
  a/lost:  {type: ExternalName, externalName: gone.a.svc.cluster.local}
  a/out:   {type: ExternalName, externalName: api.example.org}
pods:
  a/p: {ip: 10.0.0.1}`

const CNAME_GONE = 'CNAME none.a.svc.cluster.local.'

/** RCODE and what is answered. */
function textOf({ rcode, answer }: Response): string {
  return [rcode, ...answer.map(({ type, data }) => `${type} ${data}`)].join(' ')
}

interface Case {
  readonly name: string
  readonly type: string
  readonly incomplete: string
  /** If it differs. */
  readonly complete?: string
}

const nowhere: Case[] = [
  // what is not there             yet                      at all
  { name: 'none.a~', type: 'A', incomplete: 'SERVFAIL', complete: 'NXDOMAIN' },
  { name: 'NONE.a~', type: 'SRV', incomplete: 'SERVFAIL', complete: 'NXDOMAIN' },
  { name: 'none.a~', type: 'SOA', incomplete: 'SERVFAIL', complete: 'NXDOMAIN' },
  { name: 'web.b~', type: 'A', incomplete: 'SERVFAIL', complete: 'NXDOMAIN' },
  { name: 'b~', type: 'A', incomplete: 'SERVFAIL', complete: 'NXDOMAIN' },
  { name: 'x.cluster.local', type: 'TXT', incomplete: 'SERVFAIL', complete: 'NXDOMAIN' },
  { name: '9.9.96.10.in-addr.arpa', type: 'PTR', incomplete: 'SERVFAIL', complete: 'NXDOMAIN' },
]
const there: Case[] = [
  { name: 'web.a~', type: 'A', incomplete: 'NOERROR A 10.96.0.1' },
  { name: 'web.a~', type: 'AAAA', incomplete: 'NOERROR' },
  { name: 'a~', type: 'A', incomplete: 'NOERROR' },
  { name: 'out.a~', type: 'A', incomplete: 'NOERROR CNAME api.example.org.' },
  { name: 'gone.a~', type: 'CNAME', incomplete: `NOERROR ${CNAME_GONE}` },
  { name: 'there.a~', type: 'A', incomplete: 'NOERROR CNAME web.a.svc.cluster.local. A 10.96.0.1' },
  { name: '1.0.96.10.in-addr.arpa', type: 'PTR', incomplete: 'NOERROR PTR web.a.svc.cluster.local.' },
  { name: 'example.org', type: 'A', incomplete: 'REFUSED' },
]
const tables: [string, SchemaOptions, Case[]][] = [
  [
    'Kubernetes',
    PLAIN,
    [
      ...nowhere,
      ...there,
      { name: '10-0-0-1.a^', type: 'A', incomplete: 'SERVFAIL', complete: 'NXDOMAIN' },
      { name: 'x.web.a~', type: 'A', incomplete: 'SERVFAIL', complete: 'NXDOMAIN' },
      // A chain that ends in nothing is no answer: not even where it would begin.
      { name: 'gone.a~', type: 'A', incomplete: 'SERVFAIL', complete: 'NOERROR' },
      { name: 'lost.a~', type: 'AAAA', incomplete: 'SERVFAIL', complete: 'NOERROR' },
    ],
  ],
  [
    'OKD, pods verified',
    { ...OKD, pods: 'verified' },
    [
      ...nowhere,
      ...there,
      { name: '10-0-0-1.a^', type: 'A', incomplete: 'NOERROR A 10.0.0.1' },
      { name: '10-0-0-2.a^', type: 'A', incomplete: 'SERVFAIL', complete: 'NXDOMAIN' },
      { name: 'x.web.a~', type: 'A', incomplete: 'NOERROR A 10.96.0.1' }, // synthesized
      { name: 'gone.a~', type: 'A', incomplete: `SERVFAIL ${CNAME_GONE}`, complete: `NXDOMAIN ${CNAME_GONE}` },
      {
        name: 'lost.a~',
        type: 'A',
        incomplete: `SERVFAIL CNAME gone.a.svc.cluster.local. ${CNAME_GONE}`,
        complete: `NXDOMAIN CNAME gone.a.svc.cluster.local. ${CNAME_GONE}`,
      },
    ],
  ],
]

for (const [schemaName, schema, cases] of tables) {
  test(`what is missing before everything is known, and after: ${schemaName}`, () => {
    const test = new TestEngine(CLUSTER, { schema })
    const { index } = test.engine
    const check = (complete: boolean): void => {
      for (const { name, type, incomplete, complete: after = incomplete } of cases) {
        for (const stream of [false, true]) {
          const response = test.ask({ name: full(name), type }, stream)
          assert.equal(textOf(response), complete ? after : incomplete, `${name} ${type}`)
          if (response.rcode !== 'SERVFAIL') continue
          assert.equal(response.flags & FLAG.AA, FLAG.AA, 'authoritative')
          assert.deepEqual(
            response.authority.map((record) => record.type),
            ['SOA'],
          )
        }
      }
    }
    check(true)
    for (let round = 0; round < 2; round++) {
      index.complete = false
      check(true) // not before it is published
      assert.deepEqual(index.flush(SERIAL * 1000), { version: test.engine.writer.stats.version, touched: 0 })
      check(false)
      assert.equal(index.complete, false)
      // Other publications leave it as it is.
      index.state.setNamespace('c', round === 0)
      assert.ok(index.flush(SERIAL * 1000).version > 0)
      check(false)
      index.complete = true
      check(false)
      assert.ok(index.flush(SERIAL * 1000, round === 0).version > 0)
      check(true)
      assert.equal(index.flush(SERIAL * 1000).version, 0, 'once')
    }
  })
}

test('responses that are kept are those of one version, complete or not', () => {
  const { engine } = new TestEngine(CLUSTER, { schema: PLAIN })
  const answerer = createAnswerer(engine.source, 0)
  const home = new Uint8Array(4096)
  answerer.setHome(home)
  const ask = (name: string): string => textOf(askIn(answerer, home, name))
  for (const [complete, none, gone] of [
    [true, 'NXDOMAIN', 'NOERROR'],
    [false, 'SERVFAIL', 'SERVFAIL'],
    [true, 'NXDOMAIN', 'NOERROR'],
  ] as const) {
    engine.index.complete = complete
    engine.index.flush(SERIAL * 1000)
    // From the third time on it is the kept one.
    for (let time = 0; time < 4; time++) {
      assert.equal(ask('none.a~'), none)
      assert.equal(ask('gone.a~'), gone)
      assert.equal(ask('web.a~'), 'NOERROR A 10.96.0.1')
    }
  }
})

function askIn(answerer: Answerer, packet: Uint8Array, name: string): Response {
  const message = encodeQuery({ name: full(name), type: 'A' })
  packet.set(message)
  answerer.beginBatch()
  const length = answerer.answer(packet, 0, message.length, packet.length, false)
  answerer.endBatch()
  return readResponse(packet.slice(0, length))
}

test('a state that was complete is not when it is read, until it is known again', async (t) => {
  const path = join(temporaryFolder(t), 'state')
  const { engine } = new TestEngine(CLUSTER, { schema: PLAIN })
  await save(path, engine)
  const region = createRegion(REGION_OCTETS)
  const restored = readStateFile(path, FINGERPRINT, region)!
  const answerer = createAnswerer(plainSource(region.buffer, engine.source.blocks[0].cluster!.zones, 1232), 0)
  const packet = new Uint8Array(4096)
  const check = (none: string): void => {
    assert.equal(textOf(askIn(answerer, packet, 'none.a~')), none)
    assert.equal(textOf(askIn(answerer, packet, 'web.a~')), 'NOERROR A 10.96.0.1')
    assert.equal(textOf(askIn(answerer, packet, '1.0.96.10.in-addr.arpa')), 'NOERROR')
  }
  check('SERVFAIL') // before there is a writer
  const writer = IndexWriter.restore(region, { readerCount: 1 }, restored.writer)
  const options = { zones: ['cluster.local'], multiclusterZones: [], reverseZones: REVERSE_ZONES, ttl: 5 }
  const index = new ClusterIndex(
    writer,
    { ...options, namespaces: null, schema: PLAIN, listenAddresses: [SERVER_ADDRESS] },
    restored.apexes,
  )
  index.complete = false
  for (const { kind, namespace, name, packed } of objectsIn(restored))
    index.state.restore(kind, namespace, name, packed)
  restored.close()
  check('SERVFAIL')
  index.settled()
  check('SERVFAIL')
  index.state.setNamespace('b', true)
  index.flush(SERIAL * 1000)
  check('SERVFAIL')
  index.complete = true
  index.flush(SERIAL * 1000)
  check('NXDOMAIN')
})
