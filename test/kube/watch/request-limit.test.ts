// How many requests a second and at a time: who waits, for how long, and what becomes of the turn of one who gives up.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { delay, Places, TokenBucket } from '../../../src/kube/watch/request-limit.ts'

const STOPPED = new Error('stopped')

async function isWaiting(promise: Promise<unknown>): Promise<boolean> {
  const waiting = Symbol('waiting')
  return (await Promise.race([promise, new Promise((resolve) => setImmediate(resolve, waiting))])) === waiting
}

test('a bucket: its burst at once, then a steady rate', async () => {
  const bucket = new TokenBucket(10, 3)
  const start = performance.now()
  const taken = Array.from({ length: 8 }, async () => {
    await bucket.take()
    return performance.now() - start
  })
  for (const each of taken.slice(0, 3)) assert.equal(await isWaiting(each), false)
  assert.equal(await isWaiting(taken[7]), true)
  const at = await Promise.all(taken)
  // One each 100 ms after the third; a timer of Node may be a millisecond early.
  for (let n = 3; n < 8; n++) assert.ok(at[n] >= (n - 2) * 100 - 2, `${n}: ${at[n]} ms`)
})

test('a bucket: a rate of zero is no limit, a burst of zero is one', async () => {
  const bucket = new TokenBucket(0, 0)
  for (let n = 0; n < 1000; n++) assert.equal(await isWaiting(bucket.take()), false)
  const slow = new TokenBucket(0.001, 0)
  await slow.take()
  const stop = new AbortController()
  const next = slow.take(undefined, stop.signal)
  assert.equal(await isWaiting(next), true)
  stop.abort(STOPPED)
  await assert.rejects(next, STOPPED)
})

test('a bucket: who gives up leaves the token to the next', async () => {
  const bucket = new TokenBucket(20, 1)
  await bucket.take()
  const stop = new AbortController()
  const given = Array.from({ length: 100 }, () => bucket.take(stop.signal))
  stop.abort(STOPPED)
  for (const each of await Promise.allSettled(given)) assert.equal(each.status, 'rejected')
  const start = performance.now()
  await bucket.take()
  // 50 ms; it would be five seconds after all those.
  assert.ok(performance.now() - start < 2000)
})

test('places: first come, first served', async () => {
  const places = new Places(2)
  const order: string[] = []
  await places.take()
  await places.take()
  const stop = new AbortController()
  const a = places.take().then(() => order.push('a'))
  const gone = places.take(stop.signal)
  const b = places.take().then(() => order.push('b'))
  stop.abort(STOPPED)
  await assert.rejects(gone, STOPPED)
  assert.equal(await isWaiting(a), true)
  places.leave()
  await a
  assert.equal(await isWaiting(b), true)
  places.leave()
  await b
  assert.deepEqual(order, ['a', 'b'])
  places.leave()
  places.leave()
  assert.equal(await isWaiting(places.take()), false)
  await assert.rejects(places.take(AbortSignal.abort(STOPPED)), STOPPED)
  assert.equal(await isWaiting(places.take()), false, 'a place was not lost')
  assert.equal(await isWaiting(places.take()), true)
})

test('places: zero is any number', async () => {
  const places = new Places(0)
  for (let n = 0; n < 1000; n++) assert.equal(await isWaiting(places.take()), false)
})

test('a delay ends early by any of its signals, and takes its listeners off', async () => {
  const [one, other] = [new AbortController(), new AbortController()]
  const long = delay(60_000, one.signal, undefined, other.signal)
  other.abort(STOPPED)
  await assert.rejects(long, STOPPED)
  await assert.rejects(delay(60_000, one.signal, other.signal), STOPPED)
  await delay(1, one.signal)
  one.abort()
})
