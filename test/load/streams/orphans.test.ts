// Queries without a connection, against plain lists.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Orphans } from '../../../src/load/streams/orphans.ts'

const PLACES = 3

test('they leave in the order of sending, when their time is over', () =>
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(PLACES - 1), fc.nat(5)), { maxLength: 60 }), (steps) => {
      const orphans = new Orphans(PLACES)
      const lists: (readonly [intendedMs: number, sentMs: number])[][] = Array.from({ length: PLACES }, () => [])
      let now = 0
      for (const [adds, place, ms] of steps) {
        now += ms
        if (adds) {
          orphans.add(place, now - 0.5, now)
          lists[place].push([now - 0.5, now])
        } else {
          const taken: (readonly [number, number])[] = []
          orphans.takeBefore(place, now - 5, (intendedMs, sentMs) => taken.push([intendedMs, sentMs]))
          assert.deepEqual(
            taken,
            lists[place].filter(([, sentMs]) => sentMs < now - 5),
          )
          lists[place] = lists[place].filter(([, sentMs]) => sentMs >= now - 5)
        }
        assert.equal(orphans.count(place), lists[place].length)
        assert.equal(
          orphans.total,
          lists.reduce((sum, { length }) => sum + length, 0),
        )
      }
    }),
  ))
