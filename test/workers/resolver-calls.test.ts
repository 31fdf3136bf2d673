// Queries that go to the resolver thread through the channel, and their answers: with nobody there, with one who comes, goes and comes back.

import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { MISS_CHAIN, MISS_REFRESH } from '../../src/forward/miss-table.ts'
import type { MessagePeers } from '../../src/workers/answerer.ts'
import { CallSink } from '../../src/workers/call-sink.ts'
import { CallWaiting, type ChannelMessage, type WaitingCall } from '../../src/workers/waiting.ts'

const WORKER = 3
let lastChannel = 0

/** The other end. */
class Resolver {
  readonly heard: WaitingCall[] = []
  readonly #channel: BroadcastChannel
  readonly #number: number

  constructor(channel: string, number: number) {
    this.#number = number
    this.#channel = new BroadcastChannel(channel)
    this.#channel.onmessage = ({ data }: { data: ChannelMessage }) => {
      if ('sought' in data) this.greet()
      if ('ask' in data && data.to === number) this.heard.push(data)
    }
    this.greet()
  }

  greet(): void {
    this.#channel.postMessage({ resolver: this.#number })
  }

  /** Answers with the query, QR set. */
  answer(call: WaitingCall): void {
    const waiting = new CallWaiting(call, (said) => this.#channel.postMessage(said))
    const { packet, start, length } = waiting.open()
    packet[start + 2] |= 0x80
    assert.ok(waiting.close(length))
    assert.ok(!waiting.close(length), 'once')
  }

  /** To any worker. */
  post(message: ChannelMessage): void {
    this.#channel.postMessage(message)
  }

  die(): void {
    this.#channel.close()
  }
}

let channel: string
let open: { close?(): void; die?(): void }[]

beforeEach(() => {
  channel = `test ${process.pid} ${++lastChannel}`
  open = []
})
afterEach(() => {
  for (const each of open) (each.close ?? each.die)?.call(each)
})

function resolver(number: number): Resolver {
  const made = new Resolver(channel, number)
  open.push(made)
  return made
}

function sink(stream = true, worker = WORKER): CallSink {
  const peers = {
    readPeers: (into: MessagePeers) => {
      into.client.set([192, 0, 2, 7])
      into.clientLength = 4
      into.clientPort = 4711
      into.local.set([192, 0, 2, 1])
      into.localLength = 4
      into.localPort = 53
    },
  }
  const made = new CallSink(channel, worker, stream, peers)
  open.push(made)
  return made
}

function push(into: CallSink, id: number): Promise<Uint8Array | null> {
  const message = Uint8Array.from([id >> 8, id & 255, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 99, 99])
  assert.ok(into.push(MISS_CHAIN, 1, 2, 5, null, message, 0, 12))
  return into.take()!
}

/** Whatever has been posted has arrived. */
async function arrived(): Promise<void> {
  await sleep(20)
}

function idOf(message: Uint8Array | null): number {
  assert(message !== null && message.length === 12 && (message[2] & 0x80) !== 0)
  return (message[0] << 8) | message[1]
}

test('a query arrives with all that belongs to it, and its answer comes back', async () => {
  const there = resolver(7)
  const asking = sink()
  await arrived()
  asking.ipv6 = 1
  const first = push(asking, 500)
  const second = push(asking, 501)
  assert.equal(asking.count, 2)
  assert.equal(asking.take(), null, 'given once')
  await arrived()
  assert.equal(there.heard.length, 2)
  const [call] = there.heard
  const { kind, listener, route, generation, stream, ipv6, size, deaths, from, to } = call
  assert.deepEqual(
    { kind, listener, route, generation, stream, ipv6, size, deaths, from, to },
    {
      kind: MISS_CHAIN,
      listener: 1,
      route: 2,
      generation: 5,
      stream: true,
      ipv6: 1,
      size: 12,
      deaths: 0,
      from: WORKER,
      to: 7,
    },
  )
  const { client, clientLength, clientPort, localPort } = call.peers
  assert.deepEqual([...client.subarray(0, clientLength), clientPort, localPort], [192, 0, 2, 7, 4711, 53])
  for (const each of there.heard.toReversed()) there.answer(each)
  assert.deepEqual([idOf(await first), idOf(await second)], [500, 501])
  assert.equal(asking.count, 0)
})

test('what nobody has heard is asked when somebody comes, and counts no death', async () => {
  const asking = sink()
  const answer = push(asking, 1)
  await arrived()
  const there = resolver(7)
  await arrived()
  assert.deepEqual(
    there.heard.map(({ deaths, to }) => [deaths, to]),
    [[0, 7]],
  )
  there.answer(there.heard[0])
  assert.equal(idOf(await answer), 1)
})

test('a worker that comes later finds who is there', async () => {
  const there = resolver(7)
  await arrived()
  const asking = sink()
  const answer = push(asking, 2)
  await arrived()
  assert.equal(there.heard.length, 1, 'once')
  there.answer(there.heard[0])
  assert.equal(idOf(await answer), 2)
})

test('a resolver that dies has a successor that is asked the same once more, and no answered query', async () => {
  const first = resolver(7)
  const asking = sink()
  await arrived()
  const answers = [push(asking, 1), push(asking, 2), push(asking, 3)]
  await arrived()
  first.answer(first.heard[1])
  assert.equal(idOf(await answers[1]), 2)
  first.die()
  answers.push(push(asking, 4))
  await arrived()
  const second = resolver(8)
  // It says so again when others look for it.
  second.greet()
  sink(true, WORKER + 1)
  await arrived()
  assert.deepEqual(
    second.heard.map(({ deaths, message }) => [deaths, message[1]]),
    [
      [1, 1],
      [1, 3],
      [1, 4],
    ],
  )
  second.die()
  const third = resolver(9)
  await arrived()
  assert.deepEqual(
    third.heard.map(({ deaths, message }) => [deaths, message[1]]),
    [
      [2, 1],
      [2, 3],
      [2, 4],
    ],
  )
  for (const call of third.heard) third.answer(call)
  assert.deepEqual([idOf(await answers[0]), idOf(await answers[2]), idOf(await answers[3])], [1, 3, 4])
})

test("answers to a worker's predecessor and to other workers are nobody's", async () => {
  const there = resolver(7)
  const before = sink()
  await arrived()
  const lost = push(before, 1)
  await arrived()
  before.close()
  assert.equal(await lost, null)
  const asking = sink()
  await arrived()
  const answer = push(asking, 2)
  await arrived()
  const [old, current] = there.heard
  assert.notEqual(old.ask, current.ask)
  there.answer(old)
  there.post({ answer: current.ask, to: WORKER + 1, message: Uint8Array.of(9) })
  await arrived()
  assert.equal(asking.count, 1, 'not answered')
  there.answer(current)
  assert.equal(idOf(await answer), 2)
})

test('nothing to send is nothing; a refresh waits for nothing', async () => {
  const there = resolver(7)
  const asking = sink(false)
  await arrived()
  const answer = push(asking, 1)
  const octets = new Uint8Array(12)
  assert.ok(asking.push(MISS_REFRESH, 0, 0, 1, null, octets, 0, 12))
  assert.equal(asking.count, 1)
  await arrived()
  new CallWaiting(there.heard[0], (said) => there.post(said)).close(0)
  assert.equal(await answer, null)
})

test('more than can wait is refused, and taken again when some have been answered', async () => {
  const there = resolver(7)
  const asking = sink(false)
  await arrived()
  const octets = new Uint8Array(12)
  let count = 0
  while (count < 100_000 && asking.push(MISS_CHAIN, 0, 0, 1, null, octets, 0, 12)) count++
  assert.equal(count, 8192)
  assert.equal(asking.count, 8192)
  while (there.heard.length < 1) await arrived()
  for (const call of there.heard.splice(0, 10)) there.answer(call)
  await arrived()
  const room = 8192 - asking.count
  assert.ok(room >= 1)
  assert.ok(asking.push(MISS_CHAIN, 0, 0, 1, null, octets, 0, 12))
})

test('what is never answered is given up', { timeout: 20_000 }, async () => {
  const there = resolver(7)
  const asking = sink()
  await arrived()
  const answer = push(asking, 1)
  const alive = setInterval(() => {}, 1000)
  assert.equal(await answer, null)
  clearInterval(alive)
  assert.equal(asking.count, 0)
  there.answer(there.heard[0])
  await arrived()
})
