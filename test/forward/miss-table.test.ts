// The table of queries that wait: against a model, with threads that die at any step; full; between two real threads.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import {
  asleep,
  createBell,
  createMissTable,
  MISS_CHAIN,
  MISS_MESSAGE_MAX,
  MISS_QUESTION,
  MISS_REFRESH,
  MissReader,
  MissWriter,
  ring,
} from '../../src/forward/miss-table.ts'
import { CONTROL_SIZE, NAME_SIZE } from '../../src/io/layouts.ts'
import { Mortal } from './dying.ts'
import { pushTicket, readTicket, type WriterTask } from './miss-table-writer.ts'

const SLOTS = 8

test('a slot brings over all that was put into it', () => {
  const memory = createMissTable(SLOTS)
  const writer = new MissWriter(memory)
  const reader = new MissReader(memory)
  const lengths = [0, 12, 300, MISS_MESSAGE_MAX]
  for (const [index, length] of lengths.entries()) {
    assert.ok(writer.take())
    const octets = new Uint8Array(MISS_MESSAGE_MAX + 7).map((_, at) => at * 31 + index)
    writer.octets.fill(index + 1, writer.nameAt, writer.nameAt + NAME_SIZE)
    writer.octets.fill(index + 101, writer.controlAt, writer.controlAt + CONTROL_SIZE)
    const ipv6 = index & 1
    writer.setEnvelope(40 + index, NAME_SIZE - index, CONTROL_SIZE - index, ipv6)
    const client = new Uint8Array(16).fill(index + 7)
    const local = new Uint8Array(16).fill(index + 9)
    const addressLength = ipv6 === 1 ? 16 : 4
    writer.setPeers(client, addressLength, 65_535 - index, local, addressLength, 53 + index)
    const kind = [MISS_QUESTION, MISS_CHAIN, MISS_REFRESH][index % 3]
    writer.push(kind, index, index - 1, 70_000 + index, 1.5 + index, octets, 7, length, length + 1)
  }
  for (const [index, length] of lengths.entries()) {
    const slot = reader.take()
    assert.ok(slot >= 0)
    const { octets } = reader
    assert.equal(reader.kind(slot), [MISS_QUESTION, MISS_CHAIN, MISS_REFRESH][index % 3])
    assert.equal(reader.listener(slot), index)
    assert.equal(reader.route(slot), index - 1)
    assert.equal(reader.generation(slot), 70_000 + index)
    assert.equal(reader.descriptor(slot), 40 + index)
    assert.equal(reader.beganMs(slot), 1.5 + index)
    assert.equal(reader.size(slot), length + 1)
    assert.equal(reader.ipv6(slot), index & 1)
    assert.equal(reader.deaths(slot), 0)
    assert.equal(reader.messageLength(slot), length)
    const at = reader.messageAt(slot)
    for (let i = 0; i < length; i++) assert.equal(octets[at + i], ((i + 7) * 31 + index) & 0xff)
    assert.equal(reader.nameLength(slot), NAME_SIZE - index)
    assert.equal(reader.controlLength(slot), CONTROL_SIZE - index)
    const all = (from: number, length: number, value: number): boolean =>
      octets.subarray(from, from + length).every((octet) => octet === value)
    assert.ok(all(reader.nameAt(slot), NAME_SIZE, index + 1))
    assert.ok(all(reader.controlAt(slot), CONTROL_SIZE, index + 101))
    const addressLength = (index & 1) === 1 ? 16 : 4
    assert.equal(reader.clientLength(slot), addressLength)
    assert.equal(reader.localLength(slot), addressLength)
    assert.ok(all(reader.clientAt(slot), addressLength, index + 7))
    assert.ok(all(reader.localAt(slot), addressLength, index + 9))
    assert.equal(reader.clientPort(slot), 65_535 - index)
    assert.equal(reader.localPort(slot), 53 + index)
    reader.giveBack(slot)
  }
  assert.equal(reader.take(), -1)
})

test('a full table takes nothing more, and all of it again when it is given back, in any order', () => {
  const memory = createMissTable(SLOTS)
  const writer = new MissWriter(memory)
  const reader = new MissReader(memory)
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < SLOTS; i++) assert.ok(pushTicket(writer, round * 100 + i))
    assert.ok(!writer.take(), 'all wait')
    assert.ok(!writer.take(), 'still')
    const slots: number[] = []
    for (let slot = reader.take(); slot >= 0; slot = reader.take()) slots.push(slot)
    assert.deepEqual(
      slots.map((slot) => readTicket(reader, slot)),
      Array.from({ length: SLOTS }, (_, i) => round * 100 + i),
      'in the order of their coming',
    )
    assert.ok(!writer.take(), 'taken is not given back')
    for (const slot of slots.toSorted((a, b) => ((a * 5 + round) % SLOTS) - ((b * 5 + round) % SLOTS)))
      reader.giveBack(slot)
  }
})

/** The table, who works on it, and what must be true of it. */
class Model {
  readonly memory = createMissTable(SLOTS)
  writer = new Mortal(new MissWriter(this.memory))
  reader = new Mortal(new MissReader(this.memory))
  /** Tickets handed over, or perhaps handed over, and not seen to be taken. */
  readonly handed = new Set<number>()
  readonly doubtful = new Set<number>()
  /** Tickets in the reader's hands, by slot. */
  readonly held = new Map<number, number>()
  /** Given back, or perhaps so. */
  readonly over = new Set<number>()
  /** Deaths that may cost a slot: over one that was between two owners. */
  losses = 0
  last = 0

  push(after: number): void {
    const ticket = ++this.last
    let took = false
    const died = this.writer.try(after, (writer) => {
      took = pushTicket(writer, ticket)
    })
    if (died) {
      this.doubtful.add(ticket)
      this.losses++
      this.writer = new Mortal(new MissWriter(this.memory))
    } else if (took) this.handed.add(ticket)
    else assert.ok(this.held.size + this.handed.size + this.doubtful.size + this.losses >= SLOTS, 'there was room')
  }

  take(after: number): void {
    let slot = -1
    const died = this.reader.try(after, (reader) => {
      slot = reader.take()
    })
    if (died) this.#succeed()
    else if (slot >= 0) this.#hold(slot)
    else assert.equal(this.handed.size, 0, 'what waits is taken')
  }

  giveBack(pick: number, after: number): void {
    const slots = [...this.held.keys()]
    if (slots.length === 0) return
    const slot = slots[pick % slots.length]
    const ticket = this.held.get(slot)!
    assert.equal(readTicket(this.reader.body, slot), ticket, 'nobody writes over what is held')
    const died = this.reader.try(after, (reader) => reader.giveBack(slot))
    if (!died) {
      this.held.delete(slot)
      this.over.add(ticket)
      return
    }
    this.losses++
    this.#succeed(slot)
  }

  /** The reader has died, perhaps while it gave `leaving` back. */
  #succeed(leaving = -1): void {
    this.reader = new Mortal(new MissReader(this.memory))
    const reader = this.reader.body
    const left = reader.takeLeft()
    assert.equal(new Set(left).size, left.length)
    for (const [slot, ticket] of [...this.held]) {
      if (left.includes(slot)) continue
      assert.equal(slot, leaving, 'what was held is found again')
      this.held.delete(slot)
      this.over.add(ticket)
    }
    for (const slot of left) {
      assert.ok(reader.deaths(slot) > 0)
      if (!this.held.has(slot)) this.#hold(slot)
    }
  }

  #hold(slot: number): void {
    const ticket = readTicket(this.reader.body, slot)
    assert.ok(!this.held.has(slot), 'a slot is handed out once')
    assert.ok(!this.over.has(ticket), 'what has been given back is over')
    assert.ok(this.handed.delete(ticket) || this.doubtful.delete(ticket), 'a ticket is handed out once')
    this.held.set(slot, ticket)
  }

  /** All that was handed over comes out, and all slots are there again but those that deaths may have cost. */
  end(): void {
    for (let i = 0; i < 4 * SLOTS; i++) {
      this.take(-1)
      this.giveBack(0, -1)
    }
    assert.equal(this.handed.size, 0, 'nothing is lost')
    let room = 0
    while (this.writer.body.take()) room++
    assert.ok(room <= SLOTS)
    assert.ok(room >= SLOTS - this.losses, `${room} of ${SLOTS} slots, ${this.losses} deaths over one`)
  }
}

const after = fc.oneof({ weight: 3, arbitrary: fc.constant(-1) }, { weight: 1, arbitrary: fc.nat({ max: 24 }) })
const operation = fc.oneof(
  fc.record({ kind: fc.constant('push' as const), pick: fc.constant(0), after }),
  fc.record({ kind: fc.constant('take' as const), pick: fc.constant(0), after }),
  fc.record({ kind: fc.constant('giveBack' as const), pick: fc.nat({ max: SLOTS }), after }),
)

test('under any operations and deaths nothing is lost that need not be, and nothing handed out twice', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 120, size: 'max' }), (operations) => {
      const model = new Model()
      for (const { kind, pick, after } of operations) {
        if (kind === 'push') model.push(after)
        else if (kind === 'take') model.take(after)
        else model.giveBack(pick, after)
      }
      model.end()
    }),
    { numRuns: 600 },
  )
})

test('every single step of every operation may be the last', () => {
  for (const kind of ['push', 'take', 'giveBack'] as const) {
    for (let after = 0; after < 40; after++) {
      const model = new Model()
      for (let i = 0; i < 3; i++) model.push(-1)
      model.take(-1)
      model.take(-1)
      model.giveBack(1, -1)
      if (kind === 'push') model.push(after)
      else if (kind === 'take') model.take(after)
      else model.giveBack(0, after)
      // What the dead one had is over before anything else comes; then around the rings.
      for (let i = 0; i < 3; i++) model.giveBack(0, -1)
      for (let i = 0; i < 3 * SLOTS; i++) {
        model.take(-1)
        model.push(-1)
        model.take(-1)
        model.giveBack(0, -1)
      }
      model.take(0)
      model.end()
    }
  }
})

test('a full table keeps all that waits, also after a death over an entry of the ring', () => {
  const model = new Model()
  model.push(-1)
  model.push(-1)
  model.take(5)
  model.giveBack(0, -1)
  model.push(-1)
  model.take(-1)
  while (model.handed.size + model.held.size < SLOTS) model.push(-1)
  model.giveBack(0, -1)
  model.push(-1)
  model.end()
})

test('between two threads, of which the writer dies again and again', { timeout: 60_000 }, async () => {
  const slots = 64
  const memory = createMissTable(slots)
  const bell = createBell()
  const progress = new SharedArrayBuffer(8)
  const pushed = new Int32Array(progress)
  const bellWords = new Int32Array(bell)
  const reader = new MissReader(memory)
  const total = 20_000
  const task: WriterTask = { memory, bell, progress, total }
  let lives = 0
  let isDone = false
  let current: Worker | undefined
  const writing = (async () => {
    while (Atomics.load(pushed, 0) < total) {
      current = new Worker(new URL('./miss-table-writer.ts', import.meta.url), { workerData: task })
      lives++
      const ended = once(current, 'exit')
      // Some are ended at their share of the work, in the middle of it.
      const share = lives <= 4 ? (lives * total) / 6 : total
      while (Atomics.load(pushed, 0) < share) await sleep(1)
      if (lives <= 4) await current.terminate()
      await ended
    }
    isDone = true
    ring(bellWords, () => {})
  })()
  let last = -1
  let taken = 0
  let rounds = 0
  const held: number[] = []
  let seed = 1
  for (;;) {
    const slot = reader.take()
    if (slot >= 0) {
      const ticket = readTicket(reader, slot)
      assert.ok(ticket > last, `${ticket} after ${last}: in order, none twice`)
      last = ticket
      taken++
      held.push(slot)
    }
    // Given back in an order of its own.
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
    if (held.length > 0 && (slot < 0 || held.length > 20 || (seed & 3) === 0)) {
      const [given] = held.splice(seed % held.length, 1)
      readTicket(reader, given)
      reader.giveBack(given)
    }
    // Whoever ends the writers gets a turn.
    if (++rounds % 256 === 0) await new Promise((resolve) => setImmediate(resolve))
    if (slot >= 0 || held.length > 0) continue
    if (isDone && reader.isEmpty) break
    await Promise.race([asleep(bellWords, () => reader.isEmpty && !isDone), sleep(50)])
  }
  await writing
  assert.ok(lives > 3, `${lives} writers`)
  // A writer that dies has one ticket in hand at most: it may be lost, or have been handed over already.
  assert.ok(taken <= total + lives && taken >= total - lives, `${taken} of ${total} with ${lives} writers`)
  const writer = new MissWriter(memory)
  let room = 0
  while (writer.take()) room++
  assert.ok(room >= slots - (lives - 1), `${room} of ${slots} slots after ${lives} writers`)
})
