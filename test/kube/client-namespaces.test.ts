// Whose namespace an address belongs to: the index, asked as `autopath` asks it, against the objects themselves.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ZoneConfig } from '../../src/dns/zone-table.ts'
import { RegionFullError } from '../../src/index/allocator.ts'
import { clientLabel } from '../../src/index/client-name.ts'
import { HeldRegion } from '../../src/index/reader.ts'
import type { ClusterIndexOptions } from '../../src/kube/cluster-index.ts'
import type { ClusterState } from '../../src/kube/cluster-state.ts'
import { packPod, unpackPod } from '../../src/kube/packed.ts'
import { KubernetesStage } from '../../src/plugins/kubernetes.ts'
import { addressOctets } from '../../src/plugins/networks.ts'
import { type Change, openIndex, SCHEMAS, type TestIndex } from './cluster-changes.ts'
import { reopen, save, temporaryFolder } from './saved-index.ts'

const OPTIONS = SCHEMAS.at(-1)!
const REGION_BYTES = 2 ** 20
/** Different addresses; each is there as IPv4, IPv6, or IPv4 in IPv6. */
const ADDRESSES = ['10.0.0.1', 'fd00::1', '::ffff:10.0.0.3']

const anyStep = fc.oneof(
  { weight: 1, arbitrary: fc.constant('flush' as const) },
  {
    weight: 4,
    arbitrary: fc.record({
      namespace: fc.constantFrom('a', 'b', 'c'),
      name: fc.constantFrom('p', 'q', 'r'),
      addresses: fc.oneof(
        { weight: 3, arbitrary: fc.uniqueArray(fc.constantFrom(...ADDRESSES), { minLength: 1, maxLength: 2 }) },
        { weight: 1, arbitrary: fc.constant([]) },
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ namespace: fc.constantFrom('a', 'b', 'c'), exists: fc.constantFrom(true, true, false) }),
  },
)

/** The zones of an index as answers know them: only their number matters. */
function zonesOf({ zones, reverseZones, external }: ClusterIndexOptions): ZoneConfig[] {
  const count = zones.length + reverseZones.length + (external?.zones.length ?? 0)
  return Array.from({ length: count }, (_, i) => ({
    labels: [`z${i}`],
    ttl: 5,
    pods: false,
    wildcards: false,
    keepsBrokenChains: false,
  }))
}

/** What the index says of each of `addresses`. */
function answersOf({ writer }: TestIndex, addresses: readonly string[], options = OPTIONS): string[] {
  const held = new HeldRegion(writer.region.buffer as SharedArrayBuffer, 0)
  const stage = new KubernetesStage({ region: held.region.buffer, zones: zonesOf(options) }, held, 0)
  held.hold()
  stage.beginBatch()
  const answers = addresses.map((address) => stage.namespaceOf(addressOctets(address)!))
  held.release()
  return answers
}

/** The one namespace whose Pods have each address. */
function expectedOf(state: ClusterState, addresses: readonly string[]): string[] {
  return addresses.map((address) => {
    const found = new Set<string>()
    for (const [namespace, name, pod] of state.objects('pods')) {
      if (state.isExposed(namespace) && unpackPod(namespace, name, pod).addresses.includes(address))
        found.add(namespace)
    }
    return found.size === 1 ? [...found][0] : ''
  })
}

test('any changes, also after a restart', async (t) => {
  const folder = temporaryFolder(t)
  let files = 0
  const property = fc.asyncProperty(fc.array(anyStep, { maxLength: 40 }), async (steps) => {
    let tested = openIndex(OPTIONS, REGION_BYTES)
    let seconds = 1e9
    for (const namespace of ['a', 'b', 'c']) tested.index.state.setNamespace(namespace, true)
    const flush = (): void => {
      seconds++
      tested.index.flush(seconds * 1000)
    }
    for (const step of steps) {
      const { state } = tested.index
      if (step === 'flush') flush()
      else if ('exists' in step) state.setNamespace(step.namespace, step.exists)
      else if (step.addresses.length === 0) state.set('pods', step.namespace, step.name, '')
      else state.set('pods', step.namespace, step.name, packPod(step))
      if (step === 'flush') assert.deepEqual(answersOf(tested, ADDRESSES), expectedOf(state, ADDRESSES))
    }
    flush()
    const before = answersOf(tested, ADDRESSES)
    assert.deepEqual(before, expectedOf(tested.index.state, ADDRESSES))
    const path = join(folder, `${files++}`)
    await save(path, tested)
    tested = reopen(path, OPTIONS, REGION_BYTES)
    assert.deepEqual(answersOf(tested, ADDRESSES), before)
    // What was shared is known to be: those that go leave the other.
    for (const namespace of ['a', 'b']) {
      for (const name of ['p', 'q', 'r']) tested.index.state.set('pods', namespace, name, '')
    }
    flush()
    assert.deepEqual(answersOf(tested, ADDRESSES), expectedOf(tested.index.state, ADDRESSES))
  })
  await fc.assert(property, { numRuns: 100 })
})

test('an index without room: what was not published is not known, and comes when there is', () => {
  const tested = openIndex(OPTIONS, 2 ** 16)
  const { index } = tested
  index.state.setNamespace('a', true)
  index.state.setNamespace('b', true)
  index.state.set('pods', 'a', 'p', packPod({ namespace: 'a', name: 'p', addresses: ['10.0.0.1'] }))
  index.flush(1e12)
  index.state.set('pods', 'b', 'p', packPod({ namespace: 'b', name: 'p', addresses: ['10.0.0.1'] }))
  const addresses = Array.from({ length: 2000 }, (_, i) => `10.1.${i >> 8}.${i & 255}`)
  index.state.set('pods', 'a', 'many', packPod({ namespace: 'a', name: 'many', addresses }))
  assert.throws(() => index.flush(1e12 + 1000), RegionFullError)
  assert.deepEqual(answersOf(tested, ['10.0.0.1', '10.1.0.1']), ['a', ''])
  index.state.set('pods', 'a', 'many', '')
  index.flush(1e12 + 2000)
  assert.deepEqual(answersOf(tested, ['10.0.0.1']), [''], 'shared')
  index.state.set('pods', 'a', 'p', '')
  index.flush(1e12 + 3000)
  assert.deepEqual(answersOf(tested, ['10.0.0.1']), ['b'])
})

test('nothing is kept unless it is asked for', () => {
  const without = { ...OPTIONS, clients: false }
  const tested = openIndex(without, REGION_BYTES)
  const change: Change = { kind: 'pods', namespace: 'a', name: 'p', packed: '10.0.0.1' }
  tested.index.state.setNamespace('a', true)
  tested.index.state.set('pods', change.namespace, change.name, change.packed)
  tested.index.flush(1e12)
  assert.deepEqual(answersOf(tested, ['10.0.0.1'], without), [''])
})

test('a Pod costs a few tens of octets', () => {
  const count = 20_000
  const [without, with_] = [false, true].map((clients) => {
    const tested = openIndex({ ...OPTIONS, external: null, clients }, 2 ** 24)
    for (let i = 0; i < 50; i++) tested.index.state.setNamespace(`team-${i}`, true)
    for (let i = 0; i < count; i++) {
      tested.index.state.set(
        'pods',
        `team-${i % 50}`,
        `p${i}`,
        `10.${128 + (i >> 14)}.${(i >> 7) & 127}.${2 + (i & 127)}`,
      )
    }
    tested.index.flush(1e12, true)
    return tested.writer.stats.liveBytes
  })
  const octets = (with_ - without) / count
  assert.ok(octets < 60, `${octets.toFixed(1)} octets a Pod`)
})

test('labels: different addresses differ, and IPv4 in IPv6 is IPv4', () => {
  const any = fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
  const label = (octets: Uint8Array): string => clientLabel(octets, octets.length)
  fc.assert(
    fc.property(any, any, (a, b) => {
      assert.match(label(a), a.length === 4 ? /^[0-9a-z]{1,7}$/ : /^[0-9a-z]{1,7}$|^[0-9a-z]{28}$/)
      assert.equal(label(a) === label(b), Buffer.compare(a, b) === 0)
    }),
  )
  const mapped = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 2, 3)
  assert.equal(label(mapped), label(Uint8Array.of(10, 1, 2, 3)))
  assert.equal(label(Uint8Array.of(255, 255, 255, 255)), (2 ** 32 - 1).toString(36))
})
