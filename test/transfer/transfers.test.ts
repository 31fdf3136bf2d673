// The main thread's part (server/transfers.ts): what a worker gets through its port, in turn and no faster than it takes it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { createLogger } from '../../src/admin/logger.ts'
import { decodeMessage, type ResourceRecord } from '../../src/dns/message.ts'
import { parseRecord } from '../../src/dns/record-text.ts'
import type { TransferQuery } from '../../src/dns/transfer-messages.ts'
import type { Cluster } from '../../src/server/cluster.ts'
import { type TransferSources, Transfers } from '../../src/server/transfers.ts'
import { MESSAGES_AHEAD, TAKEN } from '../../src/workers/transfer.ts'

const DEFAULTS = { origin: 'example.org.', ttl: 300, class: 1 }
const SOA = parseRecord('@ SOA ns host 7 3600 600 86400 60', DEFAULTS)
const QUERY: TransferQuery = {
  id: 1,
  recursionDesired: false,
  checkingDisabled: false,
  question: { name: 'example.org.', type: 252, class: 1 },
  edns: null,
}

/** Records of a zone that takes about `count` messages. */
function* zoneOf(count: number): Generator<ResourceRecord, void, void> {
  yield SOA
  for (let i = 0; i < count; i++) yield { ...SOA, type: 16, rdata: new Uint8Array(20_000) }
  yield SOA
}

/** Block 0 has a cluster, block 1 a file, block 2 nothing. */
function sourcesOf(zone: Iterable<ResourceRecord> | null, complete = true): TransferSources {
  const index = { complete, transfer: (name: string) => (name === 'example.org.' ? zone : null) }
  const cluster = { engine: { index } } as unknown as Cluster
  const statics = {
    zones: [{ block: 1, zone: 'example.org.', serial: 7, plugin: 'file' }],
    axfrRecords: () => zone ?? [],
  }
  return { configuration: { blocks: [] }, clusters: [cluster, null, null], statics } as unknown as TransferSources
}

const lines: string[] = []

function transfersOf(sources: TransferSources): Transfers {
  lines.length = 0
  const transfers = new Transfers(createLogger((line) => void lines.push(line.trim())))
  transfers.add(1, sources)
  return transfers
}

/** A worker's end of a transfer. */
class Worker {
  readonly received: (Uint8Array | null)[] = []
  isClosed = false
  readonly port: MessagePort

  constructor(transfers: Transfers, block = 0, zone = 'example.org.', configuration = 1) {
    const { port1, port2 } = new MessageChannel()
    this.port = port1
    port1.unref()
    port1.on('message', (message) => void this.received.push(message))
    port1.on('close', () => {
      this.isClosed = true
    })
    const request = { configuration, block, zone, serial: null, query: QUERY, client: '192.0.2.1' }
    transfers.open({ transfer: request, port: port2 })
  }

  /** Waits for so many messages, end included, or the close of the port. */
  async until(count: number): Promise<void> {
    for (let tries = 0; tries < 2000 && this.received.length < count && !this.isClosed; tries++) await sleep(2)
  }

  /** Takes all there is. @returns the RCODE and how many messages */
  async all(): Promise<string> {
    for (let taken = 0; this.received.at(-1) !== null && !this.isClosed; ) {
      await this.until(taken + 1)
      for (; taken < this.received.length; taken++) this.port.postMessage(TAKEN)
    }
    this.port.close()
    const [first] = this.received
    const rcode = first ? decodeMessage(first, 0, first.length).rcode : 'nothing'
    return this.received.at(-1) === null ? `${rcode} in ${this.received.length - 1}` : `${rcode}, broken off`
  }
}

test('a zone of a cluster, of a file, and what is none', async () => {
  const complete = transfersOf(sourcesOf([...zoneOf(3)]))
  assert.equal(await new Worker(complete, 0).all(), '0 in 3')
  assert.equal(await new Worker(complete, 1).all(), '0 in 3')
  assert.equal(await new Worker(complete, 2).all(), '5 in 1')
  assert.equal(await new Worker(complete, 0, 'example.net.').all(), '5 in 1')
  assert.equal(await new Worker(complete, 1, 'example.net.').all(), '5 in 1')
  assert.deepEqual(
    lines,
    Array.from(
      { length: 2 },
      () => '[INFO] plugin/transfer: AXFR of zone example.org. with serial 7 to 192.0.2.1: 5 records',
    ),
  )
})

test('SERVFAIL while not everything is known, for a cluster without an index, and for a configuration that is gone', async () => {
  assert.equal(await new Worker(transfersOf(sourcesOf([...zoneOf(1)], false)), 0).all(), '2 in 1')
  const sources = { ...sourcesOf([...zoneOf(1)]), clusters: [{ engine: null } as unknown as Cluster] }
  assert.equal(await new Worker(transfersOf(sources), 0).all(), '2 in 1')
  assert.equal(await new Worker(transfersOf(sourcesOf([])), 0, 'example.org.', 2).all(), '2 in 1')
})

test('a worker that takes nothing gets a few messages, and no more are made', async () => {
  let made = 0
  const zone = (function* () {
    for (const record of zoneOf(100)) {
      made++
      yield record
    }
  })()
  const transfers = transfersOf(sourcesOf(zone))
  const worker = new Worker(transfers)
  await worker.until(MESSAGES_AHEAD)
  await sleep(50)
  assert.equal(worker.received.length, MESSAGES_AHEAD)
  assert.ok(made < 2 * MESSAGES_AHEAD + 2, `${made} records were made`)
  worker.port.postMessage(TAKEN)
  await worker.until(MESSAGES_AHEAD + 1)
  await sleep(20)
  assert.equal(worker.received.length, MESSAGES_AHEAD + 1)
  worker.port.close()
  for (let tries = 0; tries < 500 && transfers.count > 0; tries++) await sleep(2)
  assert.equal(transfers.count, 0, 'a worker that goes away ends it')
})

test('transfers take turns', async () => {
  const transfers = transfersOf(sourcesOf({ [Symbol.iterator]: () => zoneOf(20) }))
  const order: number[] = []
  const workers = [0, 1, 2].map((number) => {
    const worker = new Worker(transfers)
    worker.port.on('message', () => void order.push(number))
    return worker
  })
  assert.deepEqual(await Promise.all(workers.map((worker) => worker.all())), ['0 in 20', '0 in 20', '0 in 20'])
  assert.deepEqual(new Set(order.slice(0, 9)), new Set([0, 1, 2]))
})

test('there are only so many at a time', async () => {
  const transfers = transfersOf(sourcesOf({ [Symbol.iterator]: () => zoneOf(20) }))
  const workers = Array.from({ length: 40 }, () => new Worker(transfers))
  await Promise.all(workers.map((worker) => worker.until(1)))
  const refused = workers.filter(({ received: [first] }) => decodeMessage(first!, 0, first!.length).rcode === 2)
  assert.equal(refused.length, 24)
  const ends = await Promise.all(workers.map((worker) => worker.all()))
  assert.equal(ends.filter((end) => end === '0 in 20').length, 16)
  assert.equal(await new Worker(transfers).all(), '0 in 20', 'then there is room again')
})

test('zones that take long to remember leave time for other things; who has gone meanwhile costs nothing', async () => {
  let opened = 0
  const slow = (): Iterable<ResourceRecord> => {
    opened++
    for (const end = performance.now() + 30; performance.now() < end; );
    return [...zoneOf(1)]
  }
  const sources = sourcesOf([])
  const index = { complete: true, transfer: slow }
  const transfers = transfersOf({ ...sources, clusters: [{ engine: { index } } as unknown as Cluster] })
  const workers = Array.from({ length: 8 }, () => new Worker(transfers))
  const beganMs = performance.now()
  for (const worker of workers.slice(4)) worker.port.close()
  assert.deepEqual(await Promise.all(workers.slice(0, 4).map((worker) => worker.all())), Array(4).fill('0 in 1'))
  assert.ok(performance.now() - beganMs > 3 * 30 * 4)
  for (let tries = 0; tries < 500 && transfers.count > 0; tries++) await sleep(2)
  assert.deepEqual([opened, transfers.count], [4, 0])
})

test('a zone that cannot be had', async () => {
  const index = { complete: true, transfer: () => assert.fail('told to fail') }
  const sources = { ...sourcesOf([]), clusters: [{ engine: { index } } as unknown as Cluster] }
  assert.equal(await new Worker(transfersOf(sources)).all(), 'nothing, broken off')
  assert.deepEqual(lines, ['[ERROR] plugin/transfer: told to fail'])
})

test('a failure while records are made breaks the transfer off', async () => {
  const zone = (function* () {
    yield* zoneOf(3)
    throw new Error('told to fail')
  })()
  const transfers = transfersOf(sourcesOf(zone))
  assert.equal(await new Worker(transfers).all(), '0, broken off')
  assert.deepEqual(lines, ['[ERROR] plugin/transfer: told to fail'])
  assert.equal(transfers.count, 0)
})

test('a thread that makes messages has time for other things', async () => {
  const transfers = transfersOf(sourcesOf({ [Symbol.iterator]: () => zoneOf(300) }))
  const worker = new Worker(transfers)
  let turns = 0
  const counting = setInterval(() => turns++, 0)
  assert.equal(await worker.all(), '0 in 300')
  clearInterval(counting)
  assert.ok(turns > 10, `${turns} turns of a timer`)
})
