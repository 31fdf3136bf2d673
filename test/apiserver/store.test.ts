// The store against a slow and obvious one: every state that there was, and every change between any two of them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { GivenObject } from './object.ts'
import { Store } from './store.ts'
import { service } from './test-client.ts'

type Step = readonly [action: 'apply' | 'remove' | 'other' | 'list' | 'compact', name: number, label: number]

const anyStep: fc.Arbitrary<Step> = fc.tuple(
  fc.constantFrom('apply', 'apply', 'apply', 'remove', 'other', 'list', 'compact'),
  fc.nat(7),
  fc.nat(3),
)

/** Name -> label, of one version. */
type State = ReadonlyMap<string, string>

function stateOf(items: readonly { readonly key: string; readonly labels: Readonly<Record<string, string>> }[]): State {
  return new Map(items.map(({ key, labels }) => [key, labels.label]))
}

function assertState(actual: State, expected: State | undefined, what: string): void {
  assert.deepEqual([...actual], [...expected!].sort(), what)
}

/** Does the step; what is impossible is left out. */
function take(store: Store, [action, name, label]: Step): void {
  const key = `shop/s${name}`
  if (action === 'apply') store.apply('services', service(key, { label: String(label) }))
  else if (action === 'remove' && store.get('services', key) !== null) store.remove('services', key)
  else if (action === 'other') store.apply('namespaces', { metadata: { name: `n${name}` } })
  else if (action === 'list') store.snapshot('services')
}

test('all states since the compaction can be had again, and the changes since lead to the present', () => {
  const reached = { states: 0, compacted: 0, changes: 0 }
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 60 }), (steps) => {
      const store = new Store()
      const states = new Map<number, State>([[store.version, new Map()]])
      let compacted = 0
      for (const step of steps) {
        take(store, step)
        if (step[0] === 'compact') {
          compacted = Math.max(compacted, store.version - (step[1] % 3))
          store.compact(compacted)
        }
        states.set(store.version, stateOf(store.items('services')))
      }
      for (const [version, state] of states) {
        const items = store.itemsAt('services', version)
        if (version < compacted) {
          reached.compacted++
          assert.equal(items, null, `${version} is compacted`)
          continue
        }
        reached.states++
        assertState(stateOf(items!), state, `state ${version}`)
        const changes = store.changesSince('services', version)!
        const present = new Map(state)
        for (const { type, object } of changes) {
          reached.changes++
          if (type === 'DELETED') assert.ok(present.delete(object.key))
          else {
            assert.equal(type === 'ADDED', !present.has(object.key))
            present.set(object.key, object.labels.label)
          }
        }
        assertState(stateOf(store.items('services')), present, `changes since ${version}`)
      }
    }),
    { numRuns: 300 },
  )
  for (const [what, count] of Object.entries(reached)) assert.ok(count > 50, `${what}: ${count}`)
})

test('changes beyond the number that is kept are forgotten', () => {
  const store = new Store({ changesKept: 10 })
  const first = store.version
  for (let i = 0; i < 1500; i++) store.apply('services', service('shop/a', { i: String(i) }))
  assert.equal(store.changesSince('services', first), null)
  const oldest = store.oldest('services')
  assert.ok(oldest > first && oldest <= store.version - 10)
  assert.equal(store.changesSince('services', oldest)?.length, store.version - oldest)
  assert.equal(store.changesSince('services', oldest - 1), null)
})

test('what an API server fills in', () => {
  const store = new Store()
  const slice: GivenObject = {
    metadata: { name: 's-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 's' }, annotations: {} },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.0.0.1'] }],
  }
  const created = store.create('endpointslices', slice)
  const first = store.read('endpointslices', 'shop/s-1')!.metadata
  assert.deepEqual(Object.keys(first), [
    'name',
    'namespace',
    'uid',
    'resourceVersion',
    'generation',
    'creationTimestamp',
    'labels',
    'managedFields',
  ])
  assert.match(String(first.uid), /^[0-9a-f-]{36}$/)
  assert.match(String(first.creationTimestamp), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  assert.deepEqual([first.resourceVersion, first.generation], [String(created), 1])
  store.update('endpointslices', { ...slice, metadata: { ...slice.metadata, labels: {} } })
  const relabelled = store.read('endpointslices', 'shop/s-1')!.metadata
  assert.deepEqual([relabelled.uid, relabelled.generation], [first.uid, 1], 'labels are no specification')
  store.update('endpointslices', { ...slice, endpoints: [] })
  assert.equal(store.read('endpointslices', 'shop/s-1')!.metadata.generation, 2)
  store.remove('endpointslices', 'shop/s-1')
  store.create('endpointslices', slice)
  assert.notEqual(store.read('endpointslices', 'shop/s-1')!.metadata.uid, first.uid, 'another object of the same name')
})
