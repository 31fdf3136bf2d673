// A thread that fills a ring as fast as it can: for log-ring.test.ts.

import { parentPort, workerData } from 'node:worker_threads'
import { LogEntry, LogRingWriter } from '../../src/workers/log-ring.ts'

const { memory, count } = workerData as { memory: SharedArrayBuffer; count: number }
const writer = new LogRingWriter(memory)
const entry = new LogEntry()
const packet = new Uint8Array(12 + 259)
entry.clientLength = 4
entry.replied = 1
const client = new Uint8Array(4)
let pushed = 0
for (let i = 0; i < count; i++) {
  entry.questionLength = 5 + (i % 250)
  entry.seconds = i
  entry.size = i & 0xffff
  packet.fill(i & 0xff, 12)
  client.fill(i & 0xff)
  if (writer.push(entry, client, 0, client, 0, packet, 0)) pushed++
}
parentPort?.postMessage(pushed)
