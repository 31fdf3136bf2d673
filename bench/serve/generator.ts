// The load: a closed loop over connected UDP sockets, in a process of its own on a core of its own, told by messages from
// its parent what to run. Query packets stand in memory once, each behind a ready mmsghdr and iovec, so that sending any
// run of them is one system call and no work here. Sockets are polled in turn and never slept on: whoever sleeps costs
// the server a wake-up for each answer, and the loop would measure that.

import { readFileSync } from 'node:fs'
import * as layouts from '../../src/io/layouts.ts'
import * as libc from '../../src/io/libc.ts'
import { cpuTimeNs } from '../../src/load/process-cpu.ts'

/** One measurement. Times are in milliseconds. */
export interface Run {
  /** As encodeTable (queries.ts) wrote it. */
  readonly tablePath: string
  readonly port: number
  readonly sockets: number
  /** Queries under way at any time, over all sockets; 1..65536. */
  readonly outstanding: number
  /** Before counting begins. */
  readonly warmMs: number
  readonly countMs: number
  /** The processes whose CPU time is taken. */
  readonly pids: readonly number[]
  /** The kernel's thread for deferred packet work on the server's core, or 0. */
  readonly softirqPid: number
}

/** What it came to. */
export interface Result {
  readonly answered: number
  /** Queries sent since the run began, before counting too. */
  readonly sent: number
  /** Queries given up after LOST_AFTER_MS without any answer on their socket. */
  readonly lost: number
  /** Answers by RCODE, 0..15. */
  readonly rcodes: readonly number[]
  readonly seconds: number
  /** CPU time of the processes while counting, in nanoseconds. */
  readonly serverCpuNs: number
  readonly softirqCpuNs: number
  /** CPU time of this process while counting. */
  readonly ownCpuNs: number
  /** Share of the time (0..1) in which no socket had anything: the generator waited for the server. */
  readonly idleShare: number
  /** Answers taken by one receiving call, on average. */
  readonly batch: number
}

const RECEIVE_SLOTS = 64
const SLOT_CAPACITY = 2048
const SOCKET_BUFFER = 4 * 1024 * 1024
const LOST_AFTER_MS = 50
const now = () => performance.now()

interface Table {
  /** Address of the first mmsghdr; `count` of them are adjacent. */
  readonly headers: number
  readonly count: number
}

interface Receiver {
  /** Address of the first of RECEIVE_SLOTS adjacent mmsghdr. */
  readonly headers: number
  /** The packets, SLOT_CAPACITY octets each. */
  readonly bytes: Uint8Array
}

const tables = new Map<string, Table>()
const receiver = makeReceiver()

process.on('message', (run: Run) => {
  const result = measure(run)
  process.send?.(result)
})
process.on('disconnect', () => process.exit(0))

function loadTable(path: string): Table {
  const known = tables.get(path)
  if (known) return known
  const file = readFileSync(path)
  let count = 0
  for (let at = 0; at < file.length; at += 2 + file.readUInt16BE(at)) count++
  const vectorsOffset = count * layouts.HEADER_SIZE
  const packetsOffset = vectorsOffset + count * layouts.VECTOR_SIZE
  const length = packetsOffset + file.length
  const memory = libc.mapMemory(length)
  const view = libc.viewMemory(memory, length)
  const words = new Uint32Array(view, 0, packetsOffset / 4)
  new Uint8Array(view, packetsOffset).set(file)
  for (let i = 0, at = 0; i < count; i++) {
    const vector = vectorsOffset + i * layouts.VECTOR_SIZE
    const packetLength = file.readUInt16BE(at)
    layouts.writeVector(words, vector / 4, memory + packetsOffset + at + 2, packetLength)
    layouts.writeHeader(words, (i * layouts.HEADER_SIZE) / 4, 0, 0, memory + vector, 0, 0)
    at += 2 + packetLength
  }
  const table = { headers: memory, count }
  tables.set(path, table)
  return table
}

function makeReceiver(): Receiver {
  const vectorsOffset = RECEIVE_SLOTS * layouts.HEADER_SIZE
  const packetsOffset = vectorsOffset + RECEIVE_SLOTS * layouts.VECTOR_SIZE
  const length = packetsOffset + RECEIVE_SLOTS * SLOT_CAPACITY
  const memory = libc.mapMemory(length)
  const view = libc.viewMemory(memory, length)
  const words = new Uint32Array(view)
  for (let slot = 0; slot < RECEIVE_SLOTS; slot++) {
    const vector = vectorsOffset + slot * layouts.VECTOR_SIZE
    layouts.writeVector(words, vector / 4, memory + packetsOffset + slot * SLOT_CAPACITY, SLOT_CAPACITY)
    layouts.writeHeader(words, (slot * layouts.HEADER_SIZE) / 4, 0, 0, memory + vector, 0, 0)
  }
  return { headers: memory, bytes: new Uint8Array(view, packetsOffset) }
}

function openClient(port: number): number {
  const scratch = libc.mapMemory(64)
  const view = libc.viewMemory(scratch, 64)
  const socket = libc.openSocket(layouts.AF_INET, layouts.SOCK_DGRAM)
  new Uint32Array(view)[0] = SOCKET_BUFFER
  libc.setOption(socket, layouts.SOL_SOCKET, layouts.SO_RCVBUF, scratch, 4)
  const length = layouts.writeName(new Uint8Array(view), 0, new Uint8Array([127, 0, 0, 1]), port, 0)
  const verdict = libc.connectSocket(socket, scratch, length)
  if (verdict < 0) throw new libc.SystemError('connect', -verdict)
  libc.unmapMemory(scratch, 64)
  return socket
}

function measure(run: Run): Result {
  const table = loadTable(run.tablePath)
  // Never more sockets than queries under way: an idle socket would only be polled in vain.
  const socketCount = Math.min(run.sockets, run.outstanding)
  const load = makeLoad(table, run, socketCount)
  try {
    return loop(run, load)
  } finally {
    for (const socket of load.sockets) libc.closeDescriptor(socket)
  }
}

/** The state of one run; the arrays are by socket. */
interface Load {
  readonly table: Table
  /** Next query of the table. */
  cursor: number
  readonly sockets: Int32Array
  /** Queries that may be sent now. */
  readonly room: Int32Array
  /** Queries without an answer yet. */
  readonly pending: Int32Array
  /** When the last answer came. */
  readonly heardAt: Float64Array
  readonly rcodes: Float64Array
  sent: number
  answered: number
  receives: number
  lost: number
}

function makeLoad(table: Table, run: Run, socketCount: number): Load {
  return {
    table,
    cursor: 0,
    sockets: Int32Array.from({ length: socketCount }, () => openClient(run.port)),
    room: new Int32Array(socketCount).fill(Math.floor(run.outstanding / socketCount)),
    pending: new Int32Array(socketCount),
    heardAt: new Float64Array(socketCount).fill(now()),
    rcodes: new Float64Array(16),
    sent: 0,
    answered: 0,
    receives: 0,
    lost: 0,
  }
}

/** The loop itself: ends by the clock whatever the server does. */
function loop(run: Run, load: Load): Result {
  let clock = now()
  const warmUntil = clock + run.warmMs
  while (clock < warmUntil) {
    sweep(load, clock)
    clock = now()
  }
  load.rcodes.fill(0)
  load.answered = load.receives = load.lost = 0
  const ownCpu = ownCpuNs()
  const softirqCpu = cpuTimeNs([run.softirqPid])
  const serverCpu = cpuTimeNs(run.pids)
  const countFrom = now()
  const idleMs = countUntil(load, countFrom + run.countMs)
  const serverCpuNs = cpuTimeNs(run.pids) - serverCpu
  const elapsedMs = now() - countFrom
  return {
    answered: load.answered,
    sent: load.sent,
    lost: load.lost,
    rcodes: [...load.rcodes],
    seconds: elapsedMs / 1000,
    serverCpuNs,
    softirqCpuNs: cpuTimeNs([run.softirqPid]) - softirqCpu,
    ownCpuNs: ownCpuNs() - ownCpu,
    idleShare: idleMs / elapsedMs,
    batch: load.receives === 0 ? 0 : load.answered / load.receives,
  }
}

/** @returns milliseconds in which no socket had an answer */
function countUntil(load: Load, end: number): number {
  let idleMs = 0
  let previous = now()
  while (previous < end) {
    const heard = sweep(load, previous)
    const clock = now()
    if (heard === 0) idleMs += clock - previous
    previous = clock
  }
  return idleMs
}

/** Visits every socket once. @returns answers taken */
function sweep(load: Load, clock: number): number {
  let heard = 0
  for (let s = 0; s < load.sockets.length; s++) {
    if (load.pending[s] > 0) heard += takeAnswers(load, s, clock)
    if (load.room[s] > 0) sendMore(load, s)
  }
  load.answered += heard
  return heard
}

function takeAnswers(load: Load, s: number, clock: number): number {
  const received = libc.receiveMessages(load.sockets[s], receiver.headers, RECEIVE_SLOTS)
  if (received <= 0) {
    if (clock - load.heardAt[s] > LOST_AFTER_MS) giveUp(load, s, clock)
    return 0
  }
  for (let slot = 0; slot < received; slot++) load.rcodes[receiver.bytes[slot * SLOT_CAPACITY + 3] & 15]++
  load.receives++
  // An answer given up before may still come: room never grows beyond what was taken from it.
  const settled = Math.min(received, load.pending[s])
  load.pending[s] -= settled
  load.room[s] += settled
  load.heardAt[s] = clock
  return received
}

function giveUp(load: Load, s: number, clock: number): void {
  load.lost += load.pending[s]
  load.room[s] += load.pending[s]
  load.pending[s] = 0
  load.heardAt[s] = clock
}

function sendMore(load: Load, s: number): void {
  const wanted = Math.min(load.room[s], load.table.count - load.cursor)
  const first = load.table.headers + load.cursor * layouts.HEADER_SIZE
  const sent = libc.sendMessages(load.sockets[s], first, wanted)
  if (sent <= 0) return
  load.cursor = (load.cursor + sent) % load.table.count
  load.sent += sent
  load.pending[s] += sent
  load.room[s] -= sent
}

function ownCpuNs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) * 1000
}
