// A region without room: the last good version keeps answering, the error says what to do, smaller changes go on, and what
// was refused is there as soon as there is room.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RegionFullError } from '../../src/index/allocator.ts'
import { createRegion, entryBlock, rootTrie, rootVersion } from '../../src/index/layout.ts'
import { find } from '../../src/index/lookup.ts'
import { holdNewest, holdNothing } from '../../src/index/reader.ts'
import { IndexWriter } from '../../src/index/writer.ts'
import { ClusterIndex } from '../../src/kube/cluster-index.ts'
import type { Endpoint, EndpointSlice, Service } from '../../src/kube/objects.ts'
import { packService, packSlice } from '../../src/kube/packed.ts'
import { PLAIN } from '../kube/schema-fixture.ts'
import { existing, queryFor, read, write } from './oracle.ts'

const REGION_OCTETS = 256 * 1024

function openIndex(readers = 1): {
  writer: IndexWriter
  index: ClusterIndex
  lookUp: (name: string) => string | undefined
} {
  const writer = new IndexWriter(createRegion(REGION_OCTETS), { readerCount: readers, poison: true })
  const index = new ClusterIndex(writer, {
    zones: ['cluster.local'],
    multiclusterZones: [],
    reverseZones: ['in-addr.arpa'],
    ttl: 5,
    namespaces: null,
    schema: PLAIN,
    listenAddresses: [],
  })
  index.state.setNamespace('shop', true)
  index.flush(1000)
  const lookUp = (name: string): string | undefined => {
    const root = holdNewest(writer.region, 0)
    const { hash, meta, keyWords } = queryFor({ zone: 0, labels: name.split('.') })
    const entry = find(writer.region.words, rootTrie(writer.region.words, root), hash, meta, keyWords)
    const found = entry === 0 ? undefined : read(writer.region, entryBlock(writer.region.words, entry))
    holdNothing(writer.region, 0)
    return found
  }
  return { writer, index, lookUp }
}

function service(name: string): Service {
  return {
    namespace: 'shop',
    name,
    kind: 'Headless',
    clusterIPs: [],
    externalName: '',
    ports: [],
    externalAddresses: [],
    createdAt: 1,
  }
}

/** `count` endpoints, each of whose addresses consists of `octet`s but for its last two. */
function slice(name: string, octet: number, count: number): EndpointSlice {
  const endpoints: Endpoint[] = Array.from({ length: count }, (_, i) => ({
    address: `10.${octet}.${i >> 8}.${i & 255}`,
    hostname: '',
    podName: '',
    zone: '',
  }))
  return { namespace: 'shop', name, serviceName: name, importName: '', cluster: '', ports: [], endpoints, createdAt: 1 }
}

function put(index: ClusterIndex, name: string, octet: number, count: number): void {
  index.state.set('services', 'shop', name, packService(service(name)))
  index.state.set('slices', 'shop', name, packSlice(slice(name, octet, count)))
}

function drop(index: ClusterIndex, name: string): void {
  index.state.set('services', 'shop', name, '')
  index.state.set('slices', 'shop', name, '')
}

const isFull = (error: unknown): boolean => {
  assert.ok(error instanceof RegionFullError)
  assert.match(error.message, /limit of \d+ MiB.*--index-mb/)
  return true
}

test('a change that does not fit leaves the last version, smaller ones go on, and it comes when there is room', () => {
  const { writer, index, lookUp } = openIndex()
  put(index, 'cart', 1, 2)
  put(index, 'big', 2, 150)
  index.flush(2000)
  const before = lookUp('big.shop.svc')
  const { version, liveBytes } = writer.stats

  put(index, 'huge', 3, 2000)
  put(index, 'big', 2, 2000)
  for (let i = 0; i < 3; i++) {
    assert.throws(() => index.flush(3000), isFull)
    assert.equal(lookUp('huge.shop.svc'), undefined)
    assert.equal(lookUp('big.shop.svc'), before, 'the last version keeps answering')
    assert.equal(writer.stats.liveBytes, liveBytes, 'nothing is left behind')
    assert.equal(writer.stats.version, version)
  }

  // Others are not held up by it.
  put(index, 'pay', 4, 1)
  assert.throws(() => index.flush(4000), isFull)
  assert.equal(lookUp('pay.shop.svc')?.startsWith('1 '), true)
  drop(index, 'cart')
  assert.throws(() => index.flush(5000), isFull)
  assert.equal(lookUp('cart.shop.svc'), undefined)

  // Less is wanted: all of it is there.
  put(index, 'huge', 3, 20)
  put(index, 'big', 2, 10)
  assert.ok(index.flush(6000).version > 0)
  assert.equal(lookUp('huge.shop.svc')?.split(' ').length, 21)
  assert.equal(lookUp('big.shop.svc')?.split(' ').length, 11)
  assert.deepEqual(index.flush(7000), { version: 0, touched: 0 })
})

test('what was refused is published when others have made room', () => {
  const { index, lookUp } = openIndex()
  put(index, 'old', 1, 700)
  index.flush(1000)
  put(index, 'new', 2, 700)
  assert.throws(() => index.flush(2000), isFull)
  assert.equal(lookUp('new.shop.svc'), undefined)
  drop(index, 'old')
  // Together the two do not fit; one after another they do.
  assert.ok(index.flush(3000).version > 0)
  assert.equal(lookUp('old.shop.svc'), undefined)
  assert.equal(lookUp('new.shop.svc')?.split(' ').length, 701)
})

test('names of a region that has been full are those of one that has not', () => {
  const { writer, index } = openIndex()
  const roomy = openIndex()
  for (let round = 0; round < 40; round++) {
    for (let i = 0; i < 6; i++) {
      const count = 1 + ((round * 7 + i * 131) % 170)
      for (const { index: each } of [{ index }, roomy]) put(each, `s${i}`, i, count)
    }
    if (round % 5 === 4) for (const { index: each } of [{ index }, roomy]) drop(each, `s${round % 6}`)
    // Too much in between, every time.
    put(index, 'huge', 9, 3000)
    assert.throws(() => index.flush(round), isFull)
    drop(index, 'huge')
    index.flush(round)
    roomy.index.flush(round)
    assert.equal(writer.stats.names, roomy.writer.stats.names)
    assert.equal(writer.stats.liveBytes, roomy.writer.stats.liveBytes)
  }
})

test('memory that a reader has held is there for the next transaction, without a publication in between', () => {
  const writer = new IndexWriter(createRegion(REGION_OCTETS), { readerCount: 1, poison: true })
  const apexes = [writer.addZone()]
  const place = { zone: 0, labels: ['a'] }
  const large = (value: number): void =>
    write(writer, apexes, place, [{ kind: 'addresses', ipv6: false, values: Array<number>(6000).fill(value) }])
  large(1)
  writer.publish(1)
  const root = holdNewest(writer.region, 0)
  large(2)
  writer.publish(2)
  assert.throws(() => large(3), RegionFullError)
  writer.abort()
  assert.equal(rootVersion(writer.region.words, root), 1, 'still readable')
  holdNothing(writer.region, 0)
  large(3)
  assert.equal(writer.publish(3), 3)
  assert.equal(writer.stats.limboBytes, 0)
})

test('names in a region that is used up can be taken away', () => {
  const writer = new IndexWriter(createRegion(REGION_OCTETS), { readerCount: 1, poison: true })
  const apexes = [writer.addZone()]
  writer.publish(1)
  const { liveBytes } = writer.stats
  const placeAt = (i: number) => ({ zone: 0, labels: [`name-${i}`] })
  let count = 0
  // To the brim: large ones first, then small ones into what is left, one to a publication.
  for (const records of [100, 10, 1]) {
    const fill = (): void => {
      for (; count < 100_000; count++) {
        const values = Array<number>(records).fill(1)
        write(writer, apexes, placeAt(count), [{ kind: 'addresses', ipv6: false, values }])
        writer.publish(1)
      }
    }
    assert.throws(fill, RegionFullError)
    writer.abort()
  }
  while (count-- > 0) {
    writer.clearBlock(existing(writer, apexes, placeAt(count)))
    writer.publish(1)
  }
  assert.equal(writer.stats.liveBytes, liveBytes)
})
