// Queries under way beside a list of them: launched, found, settled and given up in any order.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Flights, NO_FLIGHT } from '../../../src/load/flights.ts'

const IDS = 65_536

interface Query {
  readonly id: number
  readonly query: number
  readonly intendedMs: number
  readonly sentMs: number
  isSettled: boolean
}

/** The obvious one: of each socket what was launched, from the oldest one under way on. */
class ListOfFlights {
  readonly lists: Query[][]
  readonly nextIds: number[]

  constructor(firstIds: readonly number[]) {
    this.lists = firstIds.map(() => [])
    this.nextIds = [...firstIds]
  }

  launch(socket: number, query: number, intendedMs: number, sentMs: number): void {
    const id = this.nextIds[socket]
    this.nextIds[socket] = (id + 1) % IDS
    this.lists[socket].push({ id, query, intendedMs, sentMs, isSettled: false })
  }

  settle(socket: number, query: Query): void {
    query.isSettled = true
    while (this.lists[socket][0]?.isSettled) this.lists[socket].shift()
  }

  underWay(socket: number): Query[] {
    return this.lists[socket].filter(({ isSettled }) => !isSettled)
  }
}

type Step =
  | { readonly kind: 'launch'; readonly socket: number; readonly count: number; readonly gapMs: number }
  | { readonly kind: 'settle'; readonly socket: number; readonly pick: number }
  | { readonly kind: 'expire'; readonly agoMs: number }

const SOCKETS = 3
const anySocket = fc.nat(SOCKETS - 1)
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('launch' as const), socket: anySocket, count: fc.nat(20), gapMs: fc.nat(3) }),
  fc.record({ kind: fc.constant('settle' as const), socket: anySocket, pick: fc.nat(100) }),
  fc.record({ kind: fc.constant('expire' as const), agoMs: fc.integer({ min: 1, max: 40 }) }),
)
/** First IDs, those before the wrap among them. */
const anyFirstIds = fc.array(fc.oneof(fc.nat(IDS - 1), fc.integer({ min: IDS - 70, max: IDS - 1 })), {
  minLength: SOCKETS,
  maxLength: SOCKETS,
})
const seen = { full: 0, wrapped: 0, kept: 0, expired: 0 }

function checkAgainst(flights: Flights, list: ListOfFlights): void {
  let total = 0
  for (let socket = 0; socket < SOCKETS; socket++) {
    const underWay = list.underWay(socket)
    total += underWay.length
    assert.equal(flights.pending[socket], underWay.length)
    assert.equal(flights.room(socket), flights.capacity - list.lists[socket].length)
    if (list.lists[socket].length > underWay.length) seen.kept++
    for (const each of underWay) {
      const place = flights.find(socket, each.id)
      assert.notEqual(place, NO_FLIGHT)
      const { query, intendedMs, sentMs } = each
      assert.deepEqual(
        [flights.queryAt(place), flights.intendedAt(place), flights.sentAt(place)],
        [query, intendedMs, sentMs],
      )
    }
    const ids = new Set(underWay.map(({ id }) => id))
    // All around what is under way, and what is far away.
    for (let i = -70; i < 70; i++) {
      const id = (list.nextIds[socket] + i + IDS) % IDS
      if (!ids.has(id)) assert.equal(flights.find(socket, id), NO_FLIGHT)
    }
  }
  assert.equal(flights.underWay, total)
}

test('flights are found, settled and given up as in a list of them', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 64 }),
      anyFirstIds,
      fc.array(anyStep, { maxLength: 40 }),
      (wanted, firstIds, steps) => {
        const flights = new Flights(SOCKETS, wanted, (socket) => firstIds[socket])
        const list = new ListOfFlights(firstIds)
        assert.ok(flights.capacity >= wanted && flights.capacity < 2 * wanted)
        let nowMs = 0
        let launched = 0
        for (const step of steps) {
          if (step.kind === 'launch') {
            nowMs += step.gapMs
            const count = Math.min(step.count, flights.room(step.socket))
            if (count < step.count) seen.full++
            for (let i = 0; i < count; i++) {
              assert.equal(flights.idOf(step.socket, 0), list.nextIds[step.socket])
              assert.equal(flights.idOf(step.socket, 2), (list.nextIds[step.socket] + 2) % IDS)
              if (list.nextIds[step.socket] === 0) seen.wrapped++
              flights.launch(step.socket, launched, nowMs - 0.5, nowMs)
              list.launch(step.socket, launched, nowMs - 0.5, nowMs)
              launched++
            }
          } else if (step.kind === 'settle') {
            const underWay = list.underWay(step.socket)
            if (underWay.length === 0) continue
            const query = underWay[step.pick % underWay.length]
            flights.settle(step.socket, flights.find(step.socket, query.id))
            list.settle(step.socket, query)
          } else {
            expire(flights, list, nowMs - step.agoMs)
          }
          checkAgainst(flights, list)
        }
      },
    ),
    { numRuns: 300 },
  )
  for (const [what, times] of Object.entries(seen)) assert.ok(times > 0, `no run came to: ${what}`)
})

function expire(flights: Flights, list: ListOfFlights, beforeMs: number): void {
  for (let socket = 0; socket < SOCKETS; socket++) {
    for (;;) {
      const oldest = list.underWay(socket)[0]
      const place = flights.overdue(socket, beforeMs)
      if (oldest === undefined || oldest.sentMs >= beforeMs) {
        assert.equal(place, NO_FLIGHT)
        break
      }
      assert.equal(flights.queryAt(place), oldest.query)
      flights.settle(socket, place)
      list.settle(socket, oldest)
      seen.expired++
    }
  }
}

test('all IDs may be under way on one socket, and come round again and again', () => {
  const flights = new Flights(1, 1_000_000, () => 60_000)
  assert.equal(flights.capacity, IDS)
  for (let i = 0; i < IDS; i++) flights.launch(0, i, i, i)
  assert.equal(flights.room(0), 0)
  // The youngest and the oldest are neighbours now.
  assert.equal(flights.queryAt(flights.find(0, 60_000)), 0)
  assert.equal(flights.queryAt(flights.find(0, 59_999)), IDS - 1)
  for (let i = 0; i < 2 * IDS; i++) {
    const id = (60_000 + i) % IDS
    flights.settle(0, flights.find(0, id))
    assert.equal(flights.find(0, id), NO_FLIGHT)
    assert.equal(flights.idOf(0, 0), id)
    flights.launch(0, i, i, i)
    assert.equal(flights.queryAt(flights.find(0, id)), i)
  }
  assert.equal(flights.underWay, IDS)
})

test('sequence numbers go round at 2^32', () => {
  // No socket is that old: one begins close to the end of the numbers.
  const flights = new Flights(1, 8, () => 2 ** 32 - 3)
  for (let i = 0; i < 100; i++) {
    const id = flights.idOf(0, 0)
    flights.launch(0, i, i, i)
    flights.launch(0, i + 1000, i, i)
    assert.equal(flights.room(0), 6)
    assert.equal(flights.queryAt(flights.find(0, (id + 1) % IDS)), i + 1000)
    flights.settle(0, flights.find(0, (id + 1) % IDS))
    assert.equal(flights.overdue(0, i), NO_FLIGHT)
    assert.equal(flights.queryAt(flights.overdue(0, i + 1)), i)
    flights.settle(0, flights.find(0, id))
    assert.equal(flights.room(0), 8)
  }
})
