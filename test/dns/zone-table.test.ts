// The longest zone of a name, against one look at each zone.
// PEREGRINE_SEED: the seed.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { textOfWire } from '../../src/dns/name.ts'
import { Query, readName } from '../../src/dns/question.ts'
import { ZoneTable } from '../../src/dns/zone-table.ts'
import { encodeName, labels } from './messages.ts'

const SEED = Number(process.env.PEREGRINE_SEED ?? Date.now() % 0x7fffffff)

function table(zones: readonly (readonly string[])[]): ZoneTable {
  const rest = { ttl: 5, pods: false, wildcards: false, keepsBrokenChains: false }
  return new ZoneTable(zones.map((zone) => ({ labels: zone, ...rest })))
}

/** The zone found for a name behind other octets, at the very end of its memory; -1 for none. The same in the table's home. */
function find(zones: ZoneTable, name: readonly Uint8Array[]): number {
  const wire = encodeName({ labels: name, pointer: -1 })
  const packet = new Uint8Array(wire.length + 17).fill(0x61)
  packet.set(wire, 17)
  const query = new Query()
  readName(query, packet, 17, packet.length)
  const found = zones.find(query, packet, 17)
  zones.setHome(packet)
  assert.equal(zones.find(query, packet, 17), found)
  return found
}

function text(zone: readonly string[]): string {
  return zone.length === 0 ? '.' : `${zone.join('.')}.`
}

const cases: [zones: string[], name: string, zone: string][] = [
  [['cluster.local'], 'cluster.local', 'cluster.local'],
  [['cluster.local'], 'a.b.cluster.local', 'cluster.local'],
  [['cluster.local'], 'CLUSTER.Local', 'cluster.local'],
  [['CLUSTER.local'], 'x.cluster.LOCAL', 'CLUSTER.local'],
  [['cluster.local'], 'local', 'none'], // a parent of a zone
  [['cluster.local'], '', 'none'], // the root
  [['cluster.local'], 'xcluster.local', 'none'], // whole labels only
  [['cluster.local'], 'cluster.local.example', 'none'],
  [['cluster.local', 'sub.cluster.local'], 'a.sub.cluster.local', 'sub.cluster.local'],
  [['sub.cluster.local', 'cluster.local'], 'a.sub.cluster.local', 'sub.cluster.local'],
  [['sub.cluster.local', 'cluster.local'], 'a.sab.cluster.local', 'cluster.local'],
  [['aaa.bbb', 'bbb.aaa', 'aab.bbb', 'a.aa.bb'], 'x.bbb.aaa', 'bbb.aaa'], // all as long as one another
  [['aaa.bbb', 'bbb.aaa', 'aab.bbb', 'a.aa.bb'], 'x.aaa.bbb', 'aaa.bbb'],
  [['aaa.bbb', 'bbb.aaa', 'aab.bbb', 'a.aa.bb'], 'a.aa.bb', 'a.aa.bb'],
  [['aaa.bbb', 'bbb.aaa'], 'bbb.bbb', 'none'],
  [['', 'local'], 'example.org', ''], // the root zone holds all
  [['', 'local'], '', ''],
  [['', 'local'], 'x.local', 'local'],
  [['in-addr.arpa', '10.in-addr.arpa'], '1.2.3.10.in-addr.arpa', '10.in-addr.arpa'],
  [['in-addr.arpa', '10.in-addr.arpa'], '1.2.3.110.in-addr.arpa', 'in-addr.arpa'],
  [[], 'cluster.local', 'none'],
]

test('table', () => {
  for (const [zones, name, zone] of cases) {
    const found = find(table(zones.map((text) => (text === '' ? [] : text.split('.')))), labels(name))
    assert.equal(found < 0 ? 'none' : zones[found], zone, `${name} in ${zones}`)
  }
})

// Few labels of few letters, so that most names have several candidates.
const anyLabel = fc.constantFrom('a', 'b', 'ab', 'A', 'AB', 'ba', 'a.b', '')
const anyLabels = fc
  .array(anyLabel, { maxLength: 5 })
  .map((parts) => parts.filter((part) => part !== '').map((part) => (part === 'a.b' ? 'a\u00ff' : part)))

test(`any zones, any names (seed ${SEED})`, () => {
  let found = 0
  const fold = (labels: readonly string[]): string =>
    JSON.stringify(labels.map((label) => label.replace(/[A-Z]/g, (c) => c.toLowerCase())))
  const property = fc.property(fc.array(anyLabels, { maxLength: 8 }), anyLabels, (zones, name) => {
    const holding = zones.filter(
      (zone) => fold(name.slice(name.length - zone.length)) === fold(zone) && zone.length <= name.length,
    )
    const longest = Math.max(-1, ...holding.map((zone) => zone.length))
    const zone = find(
      table(zones),
      name.map((label) => Buffer.from(label, 'latin1')),
    )
    if (longest < 0) assert.equal(zone, -1)
    else {
      assert.ok(zone >= 0, 'a zone holds it')
      assert.equal(zones[zone].length, longest)
      assert.ok(holding.includes(zones[zone]))
      found++
    }
  })
  fc.assert(property, { numRuns: 5000, seed: SEED })
  assert.ok(found > 1000, `${found} names lay in a zone`)
})

test('what a zone says of itself', () => {
  const zones = new ZoneTable([
    { labels: ['Cluster', 'local'], ttl: 5, pods: true, wildcards: false, keepsBrokenChains: false },
    { labels: [], ttl: 0, pods: false, wildcards: true, keepsBrokenChains: true },
    { labels: ['arpa'], ttl: 3600, pods: false, wildcards: false, keepsBrokenChains: false },
  ])
  const all = [0, 1, 2]
  assert.deepEqual(
    all.map((zone) => textOfWire(zones.wire(zone))),
    ['cluster.local.', text([]), 'arpa.'],
  )
  assert.deepEqual(
    all.map((zone) => zones.nameLength(zone)),
    [15, 1, 6],
  )
  assert.deepEqual(
    all.map((zone) => zones.labelCount(zone)),
    [2, 0, 1],
  )
  assert.deepEqual(
    all.map((zone) => zones.ttl(zone)),
    [5, 0, 3600],
  )
  assert.deepEqual(
    all.map((zone) => zones.synthesizes(zone)),
    [true, true, false],
  )
  assert.deepEqual(
    all.map((zone) => zones.hasPods(zone)),
    [true, false, false],
  )
  assert.deepEqual(
    all.map((zone) => zones.hasWildcards(zone)),
    [false, true, false],
  )
  assert.deepEqual(
    all.map((zone) => zones.keepsBrokenChains(zone)),
    [false, true, false],
  )
})
