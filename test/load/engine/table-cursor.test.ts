// The way through the table: each worker has a part, nobody leaves anything out, and what belongs together stays together.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FOLLOWER, QueryTableBuilder } from '../../../src/load/query-table.ts'
import { TableCursor } from '../../../src/load/table-cursor.ts'
import { message, tableOfGroups } from './tables.ts'

/** Sizes of groups: mostly single queries and pairs. */
const anyGroups = fc.array(fc.constantFrom(1, 2, 2, 2, 3), { minLength: 1, maxLength: 30 })
const anyWorkers = fc.integer({ min: 1, max: 6 })

function take(cursor: TableCursor, count: number): number[] {
  return Array.from({ length: count }, () => {
    const { query } = cursor
    cursor.advance()
    return query
  })
}

test('the parts of the workers cover the table once, in order, and tear nothing apart', () => {
  fc.assert(
    fc.property(anyGroups, anyWorkers, (groups, workers) => {
      const table = tableOfGroups(groups)
      const parts = Array.from({ length: workers }, (_, worker) => {
        const cursor = new TableCursor(table, false, worker, workers)
        const part = take(cursor, cursor.perPass)
        assert.equal(cursor.taken, part.length)
        return part
      })
      assert.deepEqual(
        parts.flat(),
        Array.from({ length: table.count }, (_, i) => i),
      )
      for (const [first] of parts) if (first !== undefined) assert.equal(table.flags[first], 0, 'a part begins a group')
    }),
  )
})

test('of a replay workers take turns', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), anyWorkers, (count, workers) => {
      const table = tableOfGroups(new Array(count).fill(1))
      const parts = Array.from({ length: workers }, (_, worker) => {
        const cursor = new TableCursor(table, true, worker, workers)
        return take(cursor, cursor.perPass)
      })
      parts.forEach((part, worker) => {
        for (const query of part) assert.equal(query % workers, worker)
      })
      assert.deepEqual(
        parts.flat().sort((a, b) => a - b),
        Array.from({ length: count }, (_, i) => i),
      )
    }),
  )
})

test('who has no part of its own goes through all of it, and has nothing of a pass', () => {
  fc.assert(
    fc.property(anyGroups, fc.integer({ min: 1, max: 100 }), (groups, workers) => {
      const table = tableOfGroups(groups)
      for (let worker = 0; worker < workers; worker++) {
        const cursor = new TableCursor(table, false, worker, workers)
        const taken = take(cursor, table.count + 1)
        for (const query of taken) assert.ok(query >= 0 && query < table.count, `query ${query} of ${table.count}`)
        if (cursor.perPass === 0) assert.equal(new Set(taken).size, table.count)
        cursor.retreat(table.count + 1)
        assert.equal(cursor.query, taken[0])
      }
    }),
  )
})

test('what is taken back comes again', () => {
  fc.assert(
    fc.property(
      anyGroups,
      anyWorkers,
      fc.boolean(),
      fc.nat(100),
      fc.nat(64),
      (groups, workers, isReplay, way, back) => {
        const table = tableOfGroups(groups)
        for (let worker = 0; worker < workers; worker++) {
          const cursor = new TableCursor(table, isReplay, worker, workers)
          if (isReplay && cursor.perPass === 0) continue
          const taken = take(cursor, way + back)
          const { query } = cursor
          cursor.retreat(back)
          assert.equal(cursor.taken, way)
          assert.deepEqual(take(cursor, back), taken.slice(way))
          assert.equal(cursor.query, query)
          assert.equal(cursor.isFollower, table.flags[query] !== 0)
        }
      },
    ),
  )
})

test('in the order of lengths, each length of a part comes once, nothing is left out, and groups stay together', () => {
  const anyLengths = fc.array(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.constantFrom(1, 2, 3)), {
    minLength: 1,
    maxLength: 30,
  })
  fc.assert(
    fc.property(anyLengths, anyWorkers, (groups, workers) => {
      const builder = new QueryTableBuilder()
      groups.forEach(([letters, size]) => {
        for (let i = 0; i < size; i++) builder.add(message(`${'a'.repeat(letters)}.test`), i > 0)
      })
      const table = builder.build()
      const parts = Array.from({ length: workers }, (_, worker) => {
        const cursor = new TableCursor(table, false, worker, workers, true)
        return take(cursor, cursor.perPass)
      })
      assert.deepEqual(
        parts.flat().sort((a, b) => a - b),
        Array.from({ length: table.count }, (_, i) => i),
      )
      for (const part of parts) {
        part.forEach((query, i) => {
          if (table.flags[query] === FOLLOWER) assert.equal(part[i - 1], query - 1)
        })
        const runs = part.filter((query, i) => i === 0 || table.lengths[query] !== table.lengths[part[i - 1]])
        assert.equal(runs.length, new Set(part.map((query) => table.lengths[query])).size)
      }
    }),
  )
})
