// Blocks that refer to a name: it lives as long as they do, and is found through them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BlockBuilder } from '../../src/index/block.ts'
import { blockReference, createRegion, firstLabel } from '../../src/index/layout.ts'
import { IndexWriter } from '../../src/index/writer.ts'

test('what is referred to stays, and is gone with the last that refers to it', () => {
  const region = createRegion(2 ** 16)
  const writer = new IndexWriter(region, { readerCount: 1, poison: true })
  const zone = writer.addZone()
  writer.publish(1)
  const empty = writer.stats
  const target = writer.child(zone, 'target')
  const builder = new BlockBuilder()
  for (const label of ['a', 'b']) writer.setBlock(writer.child(zone, label), builder.refer(target))
  writer.publish(2)
  const referred = (label: string): string =>
    firstLabel(region, blockReference(region.words, writer.blockOf(writer.existingChild(zone, label))))
  assert.deepEqual([referred('a'), referred('b')], ['target', 'target'])
  writer.clearBlock(writer.existingChild(zone, 'a'))
  writer.publish(3)
  assert.equal(writer.existingChild(zone, 'a'), 0)
  assert.equal(referred('b'), 'target')
  writer.setBlock(writer.existingChild(zone, 'b'), builder.refer(writer.foreignName(['elsewhere'])))
  writer.publish(4)
  assert.equal(referred('b'), 'elsewhere')
  writer.clearBlock(writer.existingChild(zone, 'b'))
  writer.publish(5)
  assert.deepEqual([writer.stats.liveBytes, writer.stats.names], [empty.liveBytes, empty.names])
})
