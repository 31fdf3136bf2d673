// One timer for all: against a list that is looked through. Order within a slot does not matter; nothing is called early, twice, or never.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { monotonicMs } from '../../src/forward/clock.ts'
import { DueTimes, Timed } from '../../src/forward/due-times.ts'
import { until } from './asking.ts'

const SEED = 20_260_517

class Item extends Timed {
  readonly calledMs: number[] = []
  onDue: (nowMs: number) => void = () => {}

  override due(nowMs: number): void {
    this.calledMs.push(nowMs)
    this.onDue(nowMs)
  }
}

const anySteps = fc.array(
  fc.record({
    item: fc.nat(19),
    kind: fc.constantFrom('set', 'set', 'set', 'clear'),
    afterMs: fc.integer({ min: -50, max: 250 }),
  }),
  { maxLength: 60 },
)

test(`set, set again and clear in any order (seed ${SEED})`, async () => {
  await fc.assert(
    fc.asyncProperty(anySteps, async (steps) => {
      // 128 ms around.
      const times = new DueTimes(16)
      const items = Array.from({ length: 20 }, () => new Item())
      const expected = new Map<Item, number>()
      const startMs = monotonicMs()
      for (const { item, kind, afterMs } of steps) {
        if (kind === 'set') {
          times.set(items[item], startMs + afterMs)
          expected.set(items[item], startMs + afterMs)
        } else {
          times.clear(items[item])
          expected.delete(items[item])
        }
      }
      assert.equal(times.count, expected.size)
      await until(() => times.count === 0)
      for (const item of items) {
        const dueMs = expected.get(item)
        assert.equal(item.calledMs.length, dueMs === undefined ? 0 : 1)
        if (dueMs !== undefined) assert.ok(item.calledMs[0] >= dueMs, `${dueMs - item.calledMs[0]} ms early`)
      }
      times.close()
    }),
    { seed: SEED, numRuns: 15 },
  )
})

test('what is set anew while it is called is called again; what is cleared then is not', async () => {
  const times = new DueTimes()
  const [one, two] = [new Item(), new Item()]
  one.onDue = (nowMs) => {
    times.clear(two)
    if (one.calledMs.length < 5) times.set(one, nowMs - 1000)
  }
  times.set(two, monotonicMs() + 5)
  times.set(one, monotonicMs() + 5)
  await until(() => one.calledMs.length === 5 && times.count === 0)
  assert.ok(two.calledMs.length <= 1)
  times.close()
})

test('further off than once around the ring: not before its time', async () => {
  const times = new DueTimes()
  const [far, near] = [new Item(), new Item()]
  times.set(far, monotonicMs() + 20_000)
  times.set(near, monotonicMs() + 50)
  // The timer is not the far one's.
  await until(() => near.calledMs.length === 1, 4000)
  assert.deepEqual([far.calledMs.length, times.count], [0, 1])
  times.close()
  assert.equal(times.count, 0)
  times.set(near, monotonicMs())
  assert.equal(times.count, 0, 'closed for good')
})
