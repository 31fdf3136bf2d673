// The built-in mix: shares that come out as they were asked for, search paths in the order of a stub resolver, and answers of the
// server itself that are what each query is for.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeMessage } from '../../../src/dns/message.ts'
import { loadManifests } from '../../../src/kube/manifests.ts'
import type { SchemaOptions } from '../../../src/kube/schema.ts'
import { drawMix, type Purpose } from '../../../src/load/queries/cluster-mix.ts'
import { ClusterNames } from '../../../src/load/queries/cluster-names.ts'
import { describeMix } from '../../../src/load/queries/mix-description.ts'
import { DEFAULT_MIX, type MixOptions } from '../../../src/load/queries/mix-options.ts'
import { NAME_KINDS, type NamePool } from '../../../src/load/queries/name-pool.ts'
import { clusterOfSize, writeManifests } from '../../../src/load/queries/synthetic-cluster.ts'
import { SyntheticNames } from '../../../src/load/queries/synthetic-names.ts'
import { fixture, OKD } from '../../kube/schema-fixture.ts'
import { anyCluster } from './any-cluster.ts'
import { type AskedQuery, objectsOf, queriesOf, RealAnswers, textOf } from './real-answers.ts'

const MADE_UP = new SyntheticNames(clusterOfSize(600, 2400), 'cluster.local', 'insecure')

/** What a query is for, told from the names that there are and nothing else. */
function purposesOf(pool: NamePool): (query: AskedQuery) => Purpose {
  const names = new Set<string>()
  for (const kind of NAME_KINDS) {
    for (let index = 0; index < pool.count(kind); index++) {
      const name = pool.name(kind, index)
      names.add(kind === 'address' ? name : `${name}.${pool.zone}`)
    }
  }
  return ({ name, type }) => {
    const isThere = names.has(name)
    if (type === 'SRV' || type === 'PTR') return isThere ? (type === 'SRV' ? 'srv' : 'ptr') : 'nxdomain'
    if (!`.${name}`.endsWith(`.${pool.zone}`)) return 'outside'
    return isThere ? 'cluster' : 'nxdomain'
  }
}

function counted(queries: readonly AskedQuery[], pool: NamePool): Record<Purpose, number> {
  const counts = { nxdomain: 0, cluster: 0, outside: 0, srv: 0, ptr: 0 }
  const purposeOf = purposesOf(pool)
  for (const query of queries) counts[purposeOf(query)]++
  return counts
}

test('shares come out as they were asked for', () => {
  const cases: Partial<MixOptions>[] = [
    {},
    { distribution: 'uniform' },
    { clients: 1 },
    { clients: 65_536 }, // more than there are lookups
    { nxdomainShare: 0.2, externalShare: 0.4, singleAShare: 0 },
    { nxdomainShare: 0 },
    { nxdomainShare: 0.93, externalShare: 0.01 }, // more than search paths give: Services that are gone
    { nxdomainShare: 1, externalShare: 0, srvShare: 0, ptrShare: 0 },
    { nxdomainShare: 0, externalShare: 1, srvShare: 0, ptrShare: 0 },
    { nxdomainShare: 0, externalShare: 0, srvShare: 0.5, ptrShare: 0.5, singleAShare: 0 },
    { nxdomainShare: 0.5, externalShare: 0, srvShare: 0.2, ptrShare: 0.1, singleAShare: 0.7 }, // no AAAA at all
    { externalNames: ['a.b.c.d.e.f'], externalShare: 0.3, nxdomainShare: 0.3 }, // not searched for
    { externalNames: ['x.example'], externalShare: 0.2, nxdomainShare: 0.05 }, // nearly all with a final dot
  ]
  for (const some of cases) {
    const options = { ...DEFAULT_MIX, count: 24_000, ...some }
    const drawn = drawMix(MADE_UP, options)
    const queries = queriesOf(drawn.table)
    assert.equal(queries.length, options.count)
    const counts = counted(queries, MADE_UP)
    assert.deepEqual(drawn.counts, counts, 'what is told is what is there')
    const { nxdomainShare, externalShare, srvShare, ptrShare, singleAShare } = options
    const wanted: Record<string, number> = {
      nxdomain: nxdomainShare,
      outside: externalShare,
      srv: srvShare,
      ptr: ptrShare,
      cluster: 1 - nxdomainShare - externalShare - srvShare - ptrShare,
    }
    const aaaa = queries.filter(({ type }) => type === 'AAAA').length
    const shares: Record<string, number> = { ...counts, aaaa }
    wanted.aaaa = (1 - srvShare - ptrShare - singleAShare) / 2
    for (const [what, share] of Object.entries(wanted)) {
      const got = shares[what] / options.count
      assert.ok(Math.abs(got - share) <= 0.015, `${JSON.stringify(some)}: ${what} ${got}, not ${share}`)
    }
  }
})

test('an AAAA leaves with its A', () => {
  for (const pairs of [true, false]) {
    const queries = queriesOf(drawMix(MADE_UP, { ...DEFAULT_MIX, count: 5001, pairs }).table)
    let alone = 0
    queries.forEach(({ name, type, isFollower }, index) => {
      assert.equal(isFollower, pairs && type === 'AAAA')
      if (type === 'AAAA') assert.deepEqual([queries[index - 1].name, queries[index - 1].type], [name, 'A'])
      if (type === 'A' && queries[index + 1]?.type !== 'AAAA') alone++
    })
    assert.ok(alone > 100, 'some As are alone')
  }
})

const anyOptions: fc.Arbitrary<MixOptions> = fc
  .record({
    seed: fc.nat(),
    distribution: fc.constantFrom('zipf' as const, 'uniform' as const),
    zipfExponent: fc.constantFrom(0, 0.7, 1, 4),
    weights: fc.array(fc.nat({ max: 10 }), { minLength: 5, maxLength: 5 }),
    alone: fc.constantFrom(0, 0.5, 1),
    pairs: fc.boolean(),
    caseRandomisation: fc.boolean(),
    clients: fc.constantFrom(1, 3, 64),
    externalNames: fc.constantFrom(null, ['www.example.com', 'a.b.c.d.e.f', 'shop.web']),
  })
  .map(({ weights, alone, ...rest }) => {
    const sum = weights.reduce((total, weight) => total + weight, 1)
    const [nxdomainShare, srvShare, ptrShare, externalShare] = weights.map((weight) => weight / sum)
    const singleAShare = alone * (1 - srvShare - ptrShare) * 0.999
    return { ...DEFAULT_MIX, ...rest, count: 120, nxdomainShare, srvShare, ptrShare, externalShare, singleAShare }
  })

test('the server answers NOERROR to names that exist, NXDOMAIN to what a search path asks in vain', () => {
  const schemas: Partial<SchemaOptions>[] = [
    { pods: 'disabled' },
    { pods: 'insecure' },
    { pods: 'verified' },
    { pods: 'insecure', okd: { ...OKD.okd!, shortNames: true } },
  ]
  const seen = new Set<string>()
  fc.assert(
    fc.property(anyCluster, fc.constantFrom(...schemas), anyOptions, (objects, schema, options) => {
      const pool = new ClusterNames(objects, 'cluster.local', schema.pods!, '')
      const answers = new RealAnswers(objects, schema)
      const { table, counts } = drawMix(pool, options)
      const queries = queriesOf(table)
      const purposeOf = purposesOf(pool)
      assert.equal(queries.length, options.count)
      assert.deepEqual(counts, counted(queries, pool))
      const externals = new Set(
        Array.from({ length: pool.count('external') }, (_, index) => `${pool.name('external', index)}.cluster.local`),
      )
      for (const query of queries) {
        const purpose = purposeOf(query)
        seen.add(`${purpose} ${query.type}`)
        if (purpose === 'outside') continue
        // Where OKD's names are served, a chain of CNAMEs to a name that is gone is NXDOMAIN.
        if (schema.okd !== undefined && externals.has(query.name)) continue
        assert.equal(
          answers.rcode(query.message),
          purpose === 'nxdomain' ? 'NXDOMAIN' : 'NOERROR',
          `${query.name} ${query.type}`,
        )
      }
    }),
    { numRuns: 120 },
  )
  const all = [
    'cluster A',
    'cluster AAAA',
    'nxdomain A',
    'nxdomain AAAA',
    'outside A',
    'outside AAAA',
    'ptr PTR',
    'srv SRV',
  ]
  assert.deepEqual([...seen].sort(), all)
})

test('a server with the manifests of a made-up cluster has its names', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'peregrine-mix-'))
  const size = clusterOfSize(40, 90)
  const { objects } = await loadManifests([writeManifests(size, folder)])
  rmSync(folder, { recursive: true })
  const answers = new RealAnswers(objects, { pods: 'insecure' })
  const pool = new SyntheticNames(size, 'cluster.local', 'insecure')
  const purposeOf = purposesOf(pool)
  for (const query of queriesOf(drawMix(pool, { ...DEFAULT_MIX, count: 4000, distribution: 'uniform' }).table)) {
    const purpose = purposeOf(query)
    const expected = purpose === 'outside' ? 'REFUSED' : purpose === 'nxdomain' ? 'NXDOMAIN' : 'NOERROR'
    assert.equal(answers.rcode(query.message), expected, `${query.name} ${query.type}`)
  }
})

/** What resolv.conf(5) says a resolver does with `search NS.svc.Z svc.Z Z` and `ndots:5`. */
function candidates(typed: string, namespace: string, zone: string): string[] {
  const absolute = typed.replace(/\.$/, '')
  if (typed.endsWith('.')) return [absolute]
  const searched = [`${typed}.${namespace}.svc.${zone}`, `${typed}.svc.${zone}`, `${typed}.${zone}`]
  return typed.split('.').length > 5 ? [absolute, ...searched] : [...searched, absolute]
}

test('a search path is walked as a stub resolver walks it', () => {
  for (const zone of ['cluster.local', 'a.b.c', 'one']) {
    const pool = new SyntheticNames(clusterOfSize(600, 2400), zone, 'insecure')
    const namespaces = new Set(Array.from({ length: pool.namespaceCount }, (_, index) => pool.namespace(index)))
    const purposeOf = purposesOf(pool)
    const options = { ...DEFAULT_MIX, count: 12_000, clients: 1, srvShare: 0, ptrShare: 0, nxdomainShare: 0.5 }
    const queries = queriesOf(drawMix(pool, options).table).filter(({ type }) => type === 'A')
    const lengths = new Set<string>()
    let walk: string[] = []
    for (const query of queries) {
      const purpose = purposeOf(query)
      walk.push(query.name)
      if (purpose === 'nxdomain') continue
      const hit = query.name
      const spellings = [`${hit}.`, hit, hit.slice(0, -zone.length - 1), hit.slice(0, -`.svc.${zone}`.length)]
      const isOne = spellings.some((typed) => {
        const namespace =
          walk.length === 1 ? pool.namespace(0) : walk[0].slice(typed.length + 1, -`.svc.${zone}`.length)
        const names = candidates(typed, namespace, zone)
        return namespaces.has(namespace) && names.slice(0, names.indexOf(hit) + 1).join() === walk.join()
      })
      assert.ok(isOne, `${walk.join(', ')} is no walk of a search path`)
      lengths.add(`${purpose} ${walk.length}`)
      walk = []
    }
    // `web`, `web.shop`, `web.shop.svc` and the whole name, unless that has five dots; outside with and without search path.
    const longest = zone === 'a.b.c' ? [] : ['cluster 4']
    const all = ['cluster 1', 'cluster 2', 'cluster 3', ...longest, 'outside 1', 'outside 4']
    assert.deepEqual([...lengths].sort(), all)
  }
})

test('many clients walk at the same time, each in order', () => {
  const options = { ...DEFAULT_MIX, count: 20_000, srvShare: 0, ptrShare: 0, nxdomainShare: 0.5, externalShare: 0.15 }
  const queries = queriesOf(drawMix(MADE_UP, options).table).filter(({ type }) => type === 'A')
  const steps = new Map<string, number[]>()
  let switches = 0
  let last = ''
  for (const { name } of queries) {
    const [, typed, , , rest] =
      /^(.*example(?:\.com|\.net|\.org)?)(\.([^.]+)\.svc\.cluster\.local|(\.svc\.cluster\.local|\.cluster\.local|))$/.exec(
        name,
      ) ?? []
    if (typed === undefined || typed.split('.').length > 5) continue
    const step = rest === undefined ? 0 : ['.svc.cluster.local', '.cluster.local', ''].indexOf(rest) + 1
    const counts = steps.get(typed) ?? [0, 0, 0, 0]
    steps.set(typed, counts)
    counts[step]++
    if (step > 0 && step < 3) assert.ok(counts[step] <= counts[step - 1], `${name} comes too early`)
    if (last !== typed) switches++
    last = typed
  }
  const all = [...steps.values()]
  const sum = (step: number): number => all.reduce((total, counts) => total + counts[step], 0)
  assert.ok(sum(0) > 1000)
  assert.ok(sum(0) - sum(2) <= 2, 'lookups are finished, but for the last')
  assert.ok(switches > sum(0) * 2, 'walks are interleaved')
})

test('popular names are asked more often, or all the same', () => {
  const pool = new SyntheticNames(clusterOfSize(100, 800))
  const base = { ...DEFAULT_MIX, count: 30_000, nxdomainShare: 0, externalShare: 0, srvShare: 0, ptrShare: 0 }
  const cases: [options: Partial<MixOptions>, most: number][] = [
    [{ zipfExponent: 1 }, (85 / 96.5) * (1 / 5.187)], // Services are 85 of 96.5 parts; 1/1 + 1/2 + ... 1/100
    [{ zipfExponent: 2 }, (85 / 96.5) * (1 / 1.635)], // 1/1 + 1/4 + ... 1/10000
    [{ distribution: 'uniform' }, 1 / 901],
  ]
  for (const [some, most] of cases) {
    const counts = new Map<string, number>()
    const queries = queriesOf(drawMix(pool, { ...base, ...some }).table)
    for (const { name } of queries) counts.set(name, (counts.get(name) ?? 0) + 1)
    const share = Math.max(...counts.values()) / queries.length
    assert.ok(share > most * 0.9 && share < most * 1.1 + 0.002, `${JSON.stringify(some)}: ${share}, not ${most}`)
    if (some.distribution === 'uniform') assert.equal(counts.size, 901, 'each name came up')
  }
})

test('the same seed gives the same queries, another one others', () => {
  const options = { ...DEFAULT_MIX, count: 500, caseRandomisation: true }
  const words = (seed: number): string =>
    Buffer.from(drawMix(MADE_UP, { ...options, seed }).table.words).toString('hex')
  assert.equal(words(1), words(1))
  assert.notEqual(words(1), words(2))
  const [first, ...rest] = textOf(drawMix(MADE_UP, { ...DEFAULT_MIX, count: 3 }).table)
  assert.equal(rest.length, 2)
  assert.match(first, / (?:A|SRV|PTR)$/)
})

test('EDNS and the case of letters', () => {
  const edns = { udpSize: 1232, dnssecOk: true }
  const { table } = drawMix(MADE_UP, { ...DEFAULT_MIX, count: 2000, edns, caseRandomisation: true })
  let capitals = 0
  let letters = 0
  for (const { message } of queriesOf(table)) {
    const decoded = decodeMessage(message, 0, message.length)
    assert.deepEqual({ ...decoded.edns, options: [] }, { version: 0, options: [], ...edns })
    letters += decoded.question!.name.replaceAll(/[^a-z]/gi, '').length
    capitals += decoded.question!.name.replaceAll(/[^A-Z]/g, '').length
  }
  assert.ok(Math.abs(capitals / letters - 0.5) < 0.01, `${capitals} of ${letters}`)
  const plain = queriesOf(drawMix(MADE_UP, { ...DEFAULT_MIX, count: 500 }).table)
  for (const { message } of plain) {
    const decoded = decodeMessage(message, 0, message.length)
    assert.equal(decoded.edns, null)
    assert.equal(decoded.question!.name, decoded.question!.name.toLowerCase())
  }
})

test('clusters that lack something', () => {
  const bare = (namespaces: string[]): NamePool =>
    new ClusterNames(
      { namespaces: new Set(namespaces), services: new Map(), slices: new Map(), pods: new Map(), imports: new Map() },
      'z',
      'disabled',
      'nothing',
    )
  assert.throws(() => drawMix(bare([]), DEFAULT_MIX), { code: 'BAD_LOAD_INPUT', message: 'nothing: no names' })
  const { counts } = drawMix(bare(['shop']), { ...DEFAULT_MIX, count: 10_000 })
  assert.equal(counts.srv + counts.ptr, 0, 'no ports, no addresses')
  assert.ok(counts.cluster > 2500, 'the namespace itself')
})

test('names so long that a search path does not fit behind them', () => {
  const long = 'n'.repeat(60)
  const zone = `${'z'.repeat(60)}.${'y'.repeat(60)}.${'x'.repeat(60)}`
  const [short, longest] = ['w', 's'.repeat(63)].map((name) =>
    objectsOf(fixture(`{namespaces: [${long}], services: {${long}/${name}: {clusterIPs: [10.96.0.1]}}}`)),
  )
  const options = { ...DEFAULT_MIX, count: 400, nxdomainShare: 0.9, externalShare: 0, srvShare: 0, ptrShare: 0 }
  // Nothing fits but the Service itself: what must not exist is directly below the zone.
  for (const query of textOf(drawMix(new ClusterNames(short, zone, 'disabled', ''), options).table)) {
    assert.match(query, new RegExp(`^(?:\\+ )?(?:w\\.${long}\\.svc|${long}\\.svc|gone-[0-9a-z]+)\\.z`))
  }
  const gone = textOf(drawMix(new ClusterNames(longest, 'z', 'disabled', ''), options).table)
  assert.ok(gone.some((query) => /^s{50}-gone-\d+\.z A$/.test(query)))
})

test('options out of range are told', () => {
  const cases: [options: Partial<MixOptions>, message: RegExp][] = [
    [{ nxdomainShare: 1.1 }, /^nxdomainShare 1\.1: a share is 0 to 1$/],
    [{ srvShare: -0.1 }, /^srvShare -0\.1/],
    [{ ptrShare: Number.NaN }, /^ptrShare NaN/],
    [
      { nxdomainShare: 0.9, externalShare: 0.2 },
      /^nxdomainShare, srvShare, ptrShare and externalShare are 1\.14 together/,
    ],
    [{ singleAShare: 0.97 }, /^singleAShare 0\.97 is more than srvShare and ptrShare leave/],
    [{ seed: -1 }, /^seed -1: a whole number, 0 to 4294967295$/],
    [{ seed: 1.5 }, /^seed 1\.5/],
    [{ count: 0 }, /^count 0: a whole number, 1 to 16777216$/],
    [{ count: 2 ** 24 + 1 }, /^count/],
    [{ clients: 0 }, /^clients 0/],
    [{ zipfExponent: 5 }, /^zipfExponent 5: 0 to 4$/],
    [{ zipfExponent: Number.NaN }, /^zipfExponent NaN/],
    [{ edns: { udpSize: 100, dnssecOk: false } }, /UDP size of 100/],
    [{ externalNames: [] }, /^externalShare without external names$/],
    [
      { externalNames: ['a.example', 'Web.shop.svc.Cluster.local'] },
      /^external name Web\.shop\.svc\.Cluster\.local: it is inside of the zone cluster\.local$/,
    ],
  ]
  for (const [some, message] of cases) {
    assert.throws(
      () => drawMix(MADE_UP, { ...DEFAULT_MIX, ...some }),
      { code: 'BAD_LOAD_INPUT', message },
      JSON.stringify(some),
    )
  }
  drawMix(MADE_UP, { ...DEFAULT_MIX, count: 10, externalNames: [], externalShare: 0 })
})

test('a mix is described by what came out', () => {
  const describe = (some: Partial<MixOptions>): string => {
    const options = { ...DEFAULT_MIX, count: 1000, ...some }
    return describeMix(drawMix(MADE_UP, options), options, MADE_UP)
  }
  const { counts } = drawMix(MADE_UP, { ...DEFAULT_MIX, count: 1000 })
  const words = describe({})
  assert.ok(
    words.startsWith(
      '1,000 queries drawn from a made-up cluster of 600 Services and 2,400 endpoints, zone cluster.local, seed 1: ',
    ),
    words,
  )
  assert.ok(
    words.includes(`: ${(counts.nxdomain / 10).toFixed(1)} % names that search paths (ndots:5) ask in vain, `),
    words,
  )
  assert.ok(
    words.endsWith(
      "; an AAAA leaves with its A, from the same socket. Names by Zipf's law, exponent 1, 64 clients at a time.",
    ),
    words,
  )
  assert.match(
    describe({ srvShare: 1, nxdomainShare: 0, externalShare: 0, ptrShare: 0, singleAShare: 0, clients: 1 }),
    /: 100\.0 % SRV of ports\. 100\.0 % SRV; no AAAA\. .*, one client at a time\.$/,
  )
  assert.match(
    describe({ pairs: false, distribution: 'uniform' }),
    /follows its A as a query of its own\. All names are equally likely, /,
  )
  assert.match(
    describe({ caseRandomisation: true, edns: { udpSize: 1232, dnssecOk: true } }),
    /\. Letters are in random case \(0x20\)\. EDNS with 1232 octets and DO\.$/,
  )
})
