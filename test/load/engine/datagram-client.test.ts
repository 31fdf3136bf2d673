// The client's side of datagrams over loopback: batches, segments that the kernel cuts (UDP_SEGMENT) and puts together
// (UDP_GRO), messages that are too long, errors.

import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Inbound, Outbound, Watches } from '../../../src/io/datagram-client.ts'
import { EAGAIN, ECONNREFUSED, SUPPORTED } from '../../../src/io/layouts.ts'
import { closeDescriptor, type SystemError } from '../../../src/io/libc.ts'
import { openClient } from '../../../src/io/sockets.ts'
import { withPair } from './socket-pair.ts'

const skip = SUPPORTED ? false : 'not a platform of the batched transport'
const BUFFER = 1 << 20
const CAPACITY = 512
const EBADF = 9
const PATIENCE_MS = 5000

/** Octets that say whose they are. */
function payload(number: number, length: number): number[] {
  return Array.from({ length }, (_, i) => (number * 7 + i) & 255)
}

function write(outbound: Outbound, slot: number, octets: readonly number[]): void {
  outbound.bytes.set(octets, outbound.wordOffset(slot) * 4)
  outbound.setLength(slot, octets.length)
}

function read(inbound: Inbound, slot: number): number[] {
  const at = inbound.offset(slot)
  return [...inbound.bytes.subarray(at, at + inbound.length(slot))]
}

function withSlots(inbound: Inbound, outbound: Outbound, use: () => void): void {
  try {
    use()
  } finally {
    inbound.free()
    outbound.free()
  }
}

/** A plain socket that takes datagrams one by one. */
async function plainSocket(): Promise<{ socket: Socket; port: number; got: number[][] }> {
  const socket = createSocket('udp4')
  const got: number[][] = []
  socket.on('message', (message) => got.push([...message]))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return { socket, port: (socket.address() as AddressInfo).port, got }
}

async function until(condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition() && waited < PATIENCE_MS; waited += 5) await sleep(5)
}

test('batches arrive as they were written, in order, in both directions', { skip }, async () => {
  await withPair({}, (first, second) => {
    const outbound = new Outbound(8, CAPACITY)
    const inbound = new Inbound(8, CAPACITY, false)
    withSlots(inbound, outbound, () => {
      for (const [from, to] of [
        [first, second],
        [second, first],
      ]) {
        const sent = [0, 1, 12, 13, 100, 511, 512, 2].map((length, i) => payload(i, length))
        sent.forEach((octets, slot) => {
          write(outbound, slot, octets)
        })
        assert.equal(outbound.send(from, 8), 8)
        assert.equal(inbound.receive(to), 8)
        assert.deepEqual(
          sent.map((_, slot) => read(inbound, slot)),
          sent,
        )
        assert.ok(sent.every((_, slot) => !inbound.isCut(slot) && inbound.segmentLength(slot) === 0))
        assert.equal(inbound.receive(to), -EAGAIN)
        // A part of the slots; more than there are is as many as there are.
        assert.equal(outbound.send(from, 3), 3)
        assert.equal(outbound.send(from, 1000), 8)
        assert.equal(inbound.receive(to), 8)
        assert.equal(inbound.receive(to), 3)
      }
    })
  })
})

test('offsets are those of words', { skip }, () => {
  const outbound = new Outbound(3, CAPACITY)
  const inbound = new Inbound(3, CAPACITY, true)
  withSlots(inbound, outbound, () => {
    for (const slot of [0, 1, 2]) assert.equal(inbound.offset(slot) % 4, 0)
    outbound.words[outbound.wordOffset(2)] = 0x04030201
    assert.deepEqual(
      [...outbound.bytes.subarray(outbound.wordOffset(2) * 4, outbound.wordOffset(2) * 4 + 4)],
      [1, 2, 3, 4],
    )
    assert.equal(outbound.wordOffset(1) - outbound.wordOffset(0), CAPACITY / 4)
  })
})

test('segments arrive as single datagrams', { skip }, async () => {
  const { socket, port, got } = await plainSocket()
  const client = openClient('127.0.0.1', port, BUFFER, false)
  const outbound = new Outbound(64, CAPACITY)
  try {
    const sent: number[][] = []
    for (const [count, length] of [
      [5, 33],
      [1, 40],
      [64, 29],
      [2, 512],
    ]) {
      for (let slot = 0; slot < count; slot++) {
        sent.push(payload(sent.length, length))
        write(outbound, slot, sent[sent.length - 1])
      }
      assert.equal(outbound.sendSegments(client, count, length), count)
    }
    // What is sent one by one in between is as before.
    write(outbound, 0, [1, 2, 3])
    sent.push([1, 2, 3])
    assert.equal(outbound.send(client, 1), 1)
    await until(() => got.length >= sent.length)
    assert.deepEqual(got, sent)
  } finally {
    outbound.free()
    closeDescriptor(client)
    socket.close()
  }
})

test('segments that the kernel put together are told apart', { skip }, async () => {
  await withPair({ coalesces: true }, (first, second) => {
    const outbound = new Outbound(16, CAPACITY)
    const inbound = new Inbound(4, 16_384, true)
    withSlots(inbound, outbound, () => {
      const sent: number[][] = []
      const lengths: number[] = []
      for (const [count, length] of [
        [5, 33],
        [1, 40],
        [16, 29],
      ]) {
        for (let slot = 0; slot < count; slot++) {
          sent.push(payload(sent.length, length))
          write(outbound, slot, sent[sent.length - 1])
        }
        assert.equal(outbound.sendSegments(first, count, length), count)
        lengths.push(length)
      }
      const got: number[][] = []
      const segments: number[] = []
      for (let count = inbound.receive(second); count > 0; count = inbound.receive(second)) {
        for (let slot = 0; slot < count; slot++) {
          const segment = inbound.segmentLength(slot)
          const octets = read(inbound, slot)
          segments.push(segment)
          for (let at = 0; at < octets.length; at += segment || octets.length)
            got.push(octets.slice(at, segment === 0 ? undefined : at + segment))
        }
      }
      assert.deepEqual(got, sent)
      // A single one may say its own length or nothing.
      assert.deepEqual([segments[0], segments[2]], [33, 29])
      // The same slots take a message without anything said about it.
      write(outbound, 0, [1, 2, 3])
      assert.equal(outbound.send(first, 1), 1)
      assert.equal(inbound.receive(second), 1)
      assert.equal(inbound.segmentLength(0), 0)
      assert.deepEqual(read(inbound, 0), [1, 2, 3])
      // And one with it again.
      for (let slot = 0; slot < 3; slot++) write(outbound, slot, payload(slot, 20))
      assert.equal(outbound.sendSegments(first, 3, 20), 3)
      assert.equal(inbound.receive(second), 1)
      assert.deepEqual([inbound.length(0), inbound.segmentLength(0)], [60, 20])
    })
  })
})

test('a message that is too long is cut, and says so', { skip }, async () => {
  await withPair({}, (first, second) => {
    const outbound = new Outbound(2, CAPACITY)
    const inbound = new Inbound(2, 64, false)
    withSlots(inbound, outbound, () => {
      write(outbound, 0, payload(1, 100))
      write(outbound, 1, payload(2, 64))
      assert.equal(outbound.send(first, 2), 2)
      assert.equal(inbound.receive(second), 2)
      assert.deepEqual([inbound.length(0), inbound.isCut(0)], [64, true])
      assert.deepEqual(read(inbound, 0), payload(1, 64))
      assert.deepEqual([inbound.length(1), inbound.isCut(1)], [64, false])
      assert.deepEqual(read(inbound, 1), payload(2, 64))
    })
  })
})

test('who has something is found by one look at all', { skip }, async () => {
  await withPair({}, (first, second) => {
    const outbound = new Outbound(1, CAPACITY)
    const inbound = new Inbound(1, CAPACITY, false)
    const watches = new Watches([first, second])
    withSlots(inbound, outbound, () => {
      assert.equal(watches.look(0), 0)
      write(outbound, 0, [1])
      outbound.send(first, 1)
      assert.equal(watches.look(1000), 1)
      assert.deepEqual([watches.isReady(0), watches.isReady(1)], [false, true])
      outbound.send(second, 1)
      assert.equal(watches.look(0), 2)
      inbound.receive(second)
      assert.equal(watches.look(0), 1)
      assert.deepEqual([watches.isReady(0), watches.isReady(1)], [true, false])
    })
    watches.free()
  })
})

test('errors are negative numbers: nobody there, a socket that is closed', { skip }, async () => {
  const { socket, port } = await plainSocket()
  socket.close()
  await once(socket, 'close')
  const client = openClient('127.0.0.1', port, BUFFER, false)
  const outbound = new Outbound(1, CAPACITY)
  const inbound = new Inbound(1, CAPACITY, false)
  const watches = new Watches([client])
  withSlots(inbound, outbound, () => {
    write(outbound, 0, [1])
    assert.equal(outbound.send(client, 1), 1)
    assert.equal(watches.look(1000), 1)
    assert.equal(watches.isReady(0), true)
    assert.equal(inbound.receive(client), -ECONNREFUSED)
    assert.equal(inbound.receive(client), -EAGAIN)
    outbound.send(client, 1)
    assert.equal(watches.look(1000), 1)
    assert.equal(outbound.sendSegments(client, 1, 1), -ECONNREFUSED)
    closeDescriptor(client)
    assert.equal(outbound.send(client, 1), -EBADF)
    assert.equal(outbound.sendSegments(client, 1, 1), -EBADF)
    assert.equal(inbound.receive(client), -EBADF)
  })
  watches.free()
})

test('a socket has an address of its family, and needs one that is an address', { skip }, () => {
  assert.throws(
    () => openClient('localhost', 53, BUFFER, false),
    ({ code }: SystemError) => code === 'EINVAL',
  )
  closeDescriptor(openClient('::1', 53, BUFFER, false))
})
