// The objects of a cluster against plain maps: whatever comes in whatever order, what is told of it, and what counts as changed.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { ClusterState, type Kind, nameOf, namespaceOf, type Published } from '../../src/kube/cluster-state.ts'
import type { ClusterObjects } from '../../src/kube/objects.ts'
import {
  KEEP,
  type Packed,
  packedSliceImport,
  packedSliceService,
  packService,
  packSlice,
  unpackImport,
  unpackPod,
  unpackService,
  unpackSlice,
} from '../../src/kube/packed.ts'
import { anyChange, apply, type Change, changesOf, KINDS } from './cluster-changes.ts'

const SEED = Number(process.env.TEST_SEED ?? 20260729)
const RUNS = Number(process.env.TEST_RUNS ?? 400)

type Step =
  | { readonly does: 'set' | 'restore'; readonly change: Change }
  | { readonly does: 'replace'; readonly changes: readonly Change[] }
  | { readonly does: 'settle' | 'settleNamespaces' }
  | { readonly does: 'settleServices'; readonly keys: readonly string[] }

const anyKeys = fc.subarray(['default/web', 'shop/web', 'shop/db', 'pay/web', 'nowhere/none'])
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 30, arbitrary: fc.record({ does: fc.constant('set' as const), change: withKeep(anyChange) }) },
  { weight: 3, arbitrary: fc.record({ does: fc.constant('restore' as const), change: anyChange }) },
  {
    weight: 2,
    arbitrary: fc.record({ does: fc.constant('replace' as const), changes: fc.array(anyChange, { maxLength: 25 }) }),
  },
  { weight: 2, arbitrary: fc.constantFrom<Step>({ does: 'settle' }, { does: 'settleNamespaces' }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('settleServices' as const), keys: anyKeys }) },
)

function withKeep(arbitrary: fc.Arbitrary<Change>): fc.Arbitrary<Change> {
  return fc
    .tuple(arbitrary, fc.nat({ max: 9 }))
    .map(([change, n]) => (n === 0 && change.kind !== 'namespaces' ? { ...change, packed: KEEP } : change))
}

/** All there is: `kind namespace name` -> packed. */
type Everything = ReadonlyMap<string, Packed>

function slicesIn(all: Everything, namespace: string, owner: string, ownerOf: (packed: Packed) => string) {
  return [...all]
    .filter(([key, packed]) => key.startsWith(`slices ${namespace} `) && ownerOf(packed) === owner)
    .map(([key, packed]): [string, Packed] => [key.split(' ')[2], packed])
    .sort(([a], [b]) => (a < b ? -1 : 1))
}

const ALLOWED = ['default', 'shop']

/** What the index would have of an object. */
function published(all: Everything, kind: Kind, key: string): Published {
  const [namespace, name] = [namespaceOf(key), nameOf(key)]
  const owners = { services: packedSliceService, imports: packedSliceImport, slices: () => '', pods: () => '' }
  return {
    object: all.get(`${kind} ${namespace} ${name}`),
    slices: new Map(slicesIn(all, namespace, name, owners[kind])),
    exposed: all.has(`namespaces ${namespace} `) && ALLOWED.includes(namespace),
  }
}

/** A copy of everything at each moment that something was settled, and who has changed since. */
class Oracle {
  now = new Map<string, Packed>()
  readonly told: string[] = []
  readonly changed = { services: new Map(), imports: new Map(), pods: new Map() } as Record<
    'services' | 'imports' | 'pods',
    Map<string, Published>
  >
  readonly namespaces = new Map<string, boolean>()

  /** @returns whether it is news */
  put({ kind, namespace, name, packed }: Change, isNews: boolean): boolean {
    const key = `${kind} ${namespace} ${name}`
    const old = this.now.get(key) ?? ''
    if (packed === old || packed === KEEP) return false
    if (isNews) {
      this.told.push(`${key} ${packed}`)
      this.touch(kind, namespace, name, [old, packed])
    }
    if (packed === '') this.now.delete(key)
    else this.now.set(key, packed)
    return true
  }

  touch(kind: Change['kind'], namespace: string, name: string, packed: readonly Packed[]): void {
    const note = (what: 'services' | 'imports' | 'pods', key: string): void => {
      if (!key.endsWith('/') && !this.changed[what].has(key)) {
        this.changed[what].set(key, published(this.now, what, key))
      }
    }
    if (kind === 'slices') {
      for (const each of packed.filter((text) => text !== '')) {
        note('services', `${namespace}/${packedSliceService(each)}`)
        note('imports', `${namespace}/${packedSliceImport(each)}`)
      }
    } else if (kind === 'namespaces') {
      if (!this.namespaces.has(namespace)) {
        this.namespaces.set(namespace, this.now.has(`namespaces ${namespace} `) && ALLOWED.includes(namespace))
      }
      for (const [key] of this.now) {
        const [of, inside, other] = key.split(' ')
        if (inside === namespace && of !== 'slices' && of !== 'namespaces') note(of as 'services', `${inside}/${other}`)
      }
    } else note(kind, `${namespace}/${name}`)
  }
}

function objectsOf(changes: readonly Change[]): ClusterObjects {
  const all = new Map(changes.filter(({ packed }) => packed !== '').map((change) => [keyOf(change), change]))
  const kind = <T>(wanted: Kind, unpack: (namespace: string, name: string, packed: Packed) => T): Map<string, T> =>
    new Map(
      [...all.values()]
        .filter((change) => change.kind === wanted)
        .map(({ namespace, name, packed }) => [`${namespace}/${name}`, unpack(namespace, name, packed)]),
    )
  return {
    namespaces: new Set([...all.values()].filter((each) => each.kind === 'namespaces').map((each) => each.namespace)),
    services: kind('services', unpackService),
    imports: kind('imports', unpackImport),
    slices: kind('slices', unpackSlice),
    pods: kind('pods', unpackPod),
  }
}

function keyOf({ kind, namespace, name }: Change): string {
  return `${kind} ${namespace} ${name}`
}

class Rig {
  readonly state = new ClusterState(ALLOWED)
  readonly oracle = new Oracle()
  readonly told: string[] = []
  readonly reached: Record<string, number>

  constructor(reached: Record<string, number>) {
    this.reached = reached
    this.state.onChange = (kind, namespace, name, packed) => this.told.push(`${kind} ${namespace} ${name} ${packed}`)
  }

  run(step: Step): void {
    const { state, oracle } = this
    this.note(step.does)
    if (step.does === 'set') {
      const { kind, namespace, name, packed } = step.change
      const isNews = oracle.put(step.change, true)
      this.note(isNews ? 'news' : 'no news')
      if (kind === 'namespaces') state.setNamespace(namespace, packed !== '')
      else assert.equal(state.set(kind, namespace, name, packed), isNews)
    } else if (step.does === 'restore') {
      // Into what is settled: that is what it is for.
      if (state.changeCount > 0) return
      this.note('restore into settled')
      const { kind, namespace, name, packed } = step.change
      oracle.put(step.change, false)
      state.restore(kind, namespace, name, packed)
    } else if (step.does === 'replace') this.replace(step.changes)
    else if ('keys' in step) {
      state.settleServices(step.keys)
      for (const key of step.keys) oracle.changed.services.delete(key)
    } else if (step.does === 'settle') {
      state.settle()
      for (const map of [...Object.values(oracle.changed), oracle.namespaces]) map.clear()
    } else {
      state.settleNamespaces()
      oracle.namespaces.clear()
    }
    this.check()
  }

  /** In whatever order: what comes out is told as a set. */
  replace(changes: readonly Change[]): void {
    const after = new Map(changes.map((change) => [keyOf(change), change]))
    const objects = objectsOf([...after.values()])
    const before = this.told.length
    const { oracle } = this
    const settled = this.state.changeCount === 0
    this.state.replace(objects)
    const all = [...after.values()].filter(({ packed }) => packed !== '')
    const gone = [...oracle.now.keys()].filter((key) => !all.some((change) => keyOf(change) === key))
    const goneChanges = gone.map((key): Change => {
      const [kind, namespace, name] = key.split(' ')
      return { kind: kind as Kind, namespace, name, packed: '' }
    })
    for (const change of [...goneChanges, ...all]) oracle.put(change, true)
    assert.deepEqual(this.told.slice(before).sort(), oracle.told.splice(before).sort())
    oracle.told.push(...this.told.slice(before))
    if (settled) this.note('replace after settle')
  }

  note(what: string): void {
    this.reached[what] = (this.reached[what] ?? 0) + 1
  }

  check(): void {
    const { state, oracle } = this
    assert.deepEqual(this.told, oracle.told)
    assert.deepEqual(
      new Map(changesOf(state).map((each) => [keyOf(each), each.packed])),
      new Map([...oracle.now].sort()),
    )
    for (const kind of KINDS) {
      assert.equal(state.count(kind), [...oracle.now.keys()].filter((key) => key.startsWith(`${kind} `)).length)
    }
    for (const namespace of ['default', 'shop', 'pay', 'nowhere']) this.checkNamespace(namespace)
    const changes = [state.changedServices, state.changedImports, state.changedPods]
    const expected = [oracle.changed.services, oracle.changed.imports, oracle.changed.pods]
    changes.forEach((map, i) => {
      assert.deepEqual([...map.keys()].sort(), [...expected[i].keys()].sort())
      for (const [key, was] of map) assertPublished(was, expected[i].get(key)!, key)
    })
    assert.deepEqual(new Map([...state.changedNamespaces].sort()), new Map([...oracle.namespaces].sort()))
    assert.equal(
      state.changeCount,
      expected.reduce((sum, { size }) => sum + size, oracle.namespaces.size),
    )
  }

  checkNamespace(namespace: string): void {
    const { state, oracle } = this
    const exists = oracle.now.has(`namespaces ${namespace} `)
    assert.equal(state.hasNamespace(namespace), exists)
    assert.equal(state.isExposed(namespace), exists && ALLOWED.includes(namespace))
    for (const name of ['kubernetes', 'openshift', 'web', 'db', 'none']) {
      const key = `${namespace}/${name}`
      const slices = slicesIn(oracle.now, namespace, name, packedSliceService)
      assert.deepEqual([...state.slicesOf(key)], slices, 'in order of their names')
      const imported = slicesIn(oracle.now, namespace, name, packedSliceImport)
      assert.deepEqual([...state.slicesOfImport(key)], imported)
      if (slices.length > 2) this.note('several slices')
      const packed = oracle.now.get(`services ${namespace} ${name}`)
      assert.equal(state.hasService(key), packed !== undefined)
      assert.equal(state.get('services', namespace, name), packed)
      assert.deepEqual(state.service(key), packed === undefined ? undefined : unpackService(namespace, name, packed))
    }
  }
}

/** Where there was no object, nothing was made of it, whatever its namespace was: that is not kept. */
function assertPublished(actual: Published, expected: Published, key: string): void {
  assert.equal(actual.object, expected.object, key)
  assert.deepEqual([...actual.slices], [...expected.slices], key)
  if (expected.object !== undefined) assert.equal(actual.exposed, expected.exposed, key)
}

test('objects and changes are those of plain maps', (t) => {
  t.diagnostic(`seed ${SEED}`)
  const reached: Record<string, number> = {}
  fc.assert(
    fc.property(fc.array(anyStep, { minLength: 10, maxLength: 80, size: 'max' }), (steps) => {
      const rig = new Rig(reached)
      for (const step of steps) rig.run(step)
    }),
    { seed: SEED, numRuns: RUNS },
  )
  t.diagnostic(JSON.stringify(reached))
  const wanted = ['restore into settled', 'replace after settle', 'settle', 'settleServices', 'settleNamespaces']
  for (const what of [...wanted, 'news', 'no news', 'several slices']) assert.ok(reached[what] > 0, what)
})

test('the same objects in any order make the same state', (t) => {
  t.diagnostic(`seed ${SEED}`)
  const anyOrder = fc.array(anyChange, { maxLength: 30 }).chain((changes) => {
    const last = [...new Map(changes.map((change) => [keyOf(change), change])).values()]
    return fc.tuple(fc.constant(last), fc.shuffledSubarray(last, { minLength: last.length }))
  })
  fc.assert(
    fc.property(anyOrder, ([changes, shuffled]) => {
      const [a, b] = [changes, shuffled].map((each) => {
        const state = new ClusterState(null)
        for (const change of each) apply(state, change)
        return state
      })
      assert.deepEqual(changesOf(a), changesOf(b))
      for (const { namespace, name } of changes) {
        for (const owner of [name, 'web', 'db']) {
          const key = `${namespace}/${owner}`
          assert.deepEqual([...a.slicesOf(key)], [...b.slicesOf(key)])
          assert.deepEqual([...a.slicesOfImport(key)], [...b.slicesOfImport(key)])
        }
      }
      assert.deepEqual([...a.changedServices.keys()].sort(), [...b.changedServices.keys()].sort())
    }),
    { seed: SEED, numRuns: RUNS },
  )
})

const slice = (serviceName: string, importName = ''): Packed =>
  packSlice({
    namespace: '',
    name: '',
    serviceName,
    importName,
    cluster: '',
    ports: [],
    endpoints: [{ address: '10.0.0.1', hostname: '', podName: '', zone: '' }],
    createdAt: 0,
  })
const service = packService({
  namespace: '',
  name: '',
  kind: 'Headless',
  clusterIPs: [],
  externalName: '',
  ports: [],
  externalAddresses: [],
  createdAt: 0,
})

test('what is there is told without being asked twice', () => {
  const state = new ClusterState(null)
  const told: string[] = []
  state.onChange = (...change) => told.push(change.join(' '))
  // does                                                     news   told
  const cases: [() => unknown, boolean | undefined, string[]][] = [
    [() => state.set('services', 'a', 's', KEEP), false, []], // unknown, and so it stays
    [() => state.set('services', 'a', 's', ''), false, []],
    [() => state.set('services', 'a', 's', service), true, [`services a s ${service}`]],
    [() => state.set('services', 'a', 's', service), false, []],
    [() => state.set('services', 'a', 's', KEEP), false, []],
    [() => state.setNamespace('a', false), undefined, []],
    [() => state.setNamespace('a', true), undefined, ['namespaces a  +']],
    [() => state.setNamespace('a', true), undefined, []],
    [() => state.restore('services', 'b', 's', service), undefined, []],
    [() => state.set('services', 'b', 's', ''), true, ['services b s ']],
    [() => state.setNamespace('a', false), undefined, ['namespaces a  ']],
  ]
  for (const [act, news, expected] of cases) {
    assert.equal(act(), news)
    assert.deepEqual(told.splice(0), expected)
  }
})

test('a slice that moves belongs to one Service at a time, and both have changed', () => {
  const state = new ClusterState(null)
  state.set('slices', 'a', 'x', slice('old', 'i'))
  state.set('slices', 'a', 'w', slice('old'))
  state.settle()
  state.set('slices', 'a', 'x', slice('new', 'j'))
  assert.deepEqual([...state.slicesOf('a/old').keys()], ['w'])
  assert.deepEqual([...state.slicesOf('a/new').keys()], ['x'])
  assert.deepEqual([...state.slicesOfImport('a/i').keys()], [])
  assert.deepEqual([...state.slicesOfImport('a/j').keys()], ['x'])
  assert.deepEqual([...state.changedServices.keys()], ['a/old', 'a/new'])
  assert.deepEqual([...state.changedServices.get('a/old')!.slices.keys()], ['w', 'x'], 'as it was')
  assert.deepEqual([...state.changedImports.keys()], ['a/i', 'a/j'])
})

test('namespaces that come and go leave nothing behind', () => {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  const state = new ClusterState(null)
  const heapBytes = (): number => {
    state.settle()
    collect()
    return process.memoryUsage().heapUsed
  }
  const before = heapBytes()
  for (let i = 0; i < 10_000; i++) {
    state.setNamespace(`n${i}`, true)
    state.set('services', `n${i}`, 's', service)
    state.set('services', `n${i}`, 's', '')
    state.setNamespace(`n${i}`, false)
    if (i % 100 === 0) state.settle()
  }
  // One namespace takes a thousand octets, about.
  assert.ok(heapBytes() - before < 2 ** 20)
})

test('a namespace without anything in it is no namespace', () => {
  const state = new ClusterState(null)
  for (const kind of KINDS) {
    state.set(kind, 'a', 'x', kind === 'slices' ? slice('s') : service)
    state.set(kind, 'a', 'x', '')
  }
  state.restore('services', 'b', 'x', service)
  state.restore('services', 'b', 'x', '')
  state.setNamespace('c', true)
  state.setNamespace('c', false)
  state.restore('namespaces', 'd', '', '+')
  assert.deepEqual([...state.namespaces()], ['d'])
  state.restore('namespaces', 'd', '', '')
  assert.deepEqual(changesOf(state), [])
  assert.deepEqual(
    KINDS.map((kind) => state.count(kind)),
    [0, 0, 0, 0],
  )
})
