// A thread that answers over UDP as a table says: what a server may do, and what it must not. Counts what it did.

import { createSocket, type RemoteInfo } from 'node:dgram'
import { parentPort, workerData } from 'node:worker_threads'

/** What a server did. Lists are in the order of arrival. */
export interface ServerRecord {
  readonly queries: number
  /** Messages sent. */
  readonly answers: number
  /** First label of each query. */
  readonly labels: readonly string[]
  readonly types: readonly number[]
  readonly ids: readonly number[]
  readonly ports: readonly number[]
  /** The most queries that were there without an answer at one time. */
  readonly heldMax: number
}

export type Behaviour = keyof typeof BEHAVIOURS | 'wrong in turn'

/** workerData */
export interface ServerSetting {
  readonly address: string
  readonly behaviour: Behaviour
}

const HEADER_LENGTH = 12
const QR = 0x80
const TC = 0x02
const FORMERR = 1
const DROPPED = 10
const CASE_BIT = 0x20
/** How long `hold` keeps a query. */
const HOLD_MS = 3
const LONG_LENGTH = 6000

/** RCODE by the first letter of QNAME: `x…` does not exist, `s…` fails, `r…` is refused. */
const RCODES: Readonly<Record<string, number>> = { x: 3, s: 2, r: 5 }

type Act = (query: Buffer, n: number) => readonly Uint8Array[]

/** By name: what is sent for the n-th query (0, 1, …). */
const BEHAVIOURS = {
  plain: (query) => [answer(query)],
  'drop every 10th': (query, n) => ((n + 1) % DROPPED === 0 ? [] : [answer(query)]),
  silent: () => [],
  twice: (query) => [answer(query), answer(query)],
  'wrong ID': (query) => [changed(answer(query), 0, (octet) => octet ^ 0x55)],
  'other name': (query) => [changed(answer(query), HEADER_LENGTH + 1, () => 0x21)],
  'other type': (query) => [changed(answer(query), query.length - 3, (octet) => octet ^ CASE_BIT)],
  'other name, then right': (query) => [changed(answer(query), HEADER_LENGTH + 1, () => 0x21), answer(query)],
  'cut question': (query) => [answer(query).subarray(0, query.length - 1)],
  short: (query) => [answer(query).subarray(0, HEADER_LENGTH - 1)],
  empty: () => [Buffer.alloc(0)],
  'own query': (query) => [query],
  'lower case': (query) => [Buffer.from(lower(answer(query)))],
  'FORMERR without question': (query) => [withoutQuestion(query, FORMERR)],
  'NOERROR without question': (query) => [withoutQuestion(query, 0)],
  TC: (query) => [changed(answer(query), 2, (octet) => octet | TC)],
  long: (query) => [Buffer.concat([answer(query), Buffer.alloc(LONG_LENGTH)])],
  hold: (query) => [answer(query)],
} as const satisfies Record<string, Act>

/** What a query gets in turn from a server that is `wrong in turn`; the last is right. */
export const WRONG = [
  'silent',
  'wrong ID',
  'other name',
  'other type',
  'cut question',
  'NOERROR without question',
  'short',
  'empty',
  'own query',
  'plain',
] as const satisfies readonly (keyof typeof BEHAVIOURS)[]

function actOf(behaviour: Behaviour): Act {
  if (behaviour === 'wrong in turn') return (query, n) => BEHAVIOURS[WRONG[n % WRONG.length]](query)
  return BEHAVIOURS[behaviour]
}

function answer(query: Buffer): Buffer {
  const message = Buffer.from(query)
  message[2] |= QR
  message[3] |= RCODES[String.fromCharCode(query[HEADER_LENGTH + 1] | CASE_BIT)] ?? 0
  return message
}

function changed(message: Buffer, at: number, change: (octet: number) => number): Buffer {
  message[at] = change(message[at])
  return message
}

/** Letters of the question alone. */
function lower(message: Buffer): Uint8Array {
  return message.map((octet, i) => (i > HEADER_LENGTH && octet >= 0x41 && octet <= 0x5a ? octet | CASE_BIT : octet))
}

function withoutQuestion(query: Buffer, rcode: number): Buffer {
  const message = Buffer.from(query.subarray(0, HEADER_LENGTH))
  message[2] |= QR
  message[3] |= rcode
  message[5] = 0
  return message
}

function serve({ address, behaviour }: ServerSetting): void {
  const socket = createSocket({
    type: address.includes(':') ? 'udp6' : 'udp4',
    recvBufferSize: 4 << 20,
    sendBufferSize: 4 << 20,
  })
  const act = actOf(behaviour)
  const labels: string[] = []
  const types: number[] = []
  const ids: number[] = []
  const ports: number[] = []
  let answers = 0
  let held = 0
  let heldMax = 0
  const reply = (query: Buffer, n: number, peer: RemoteInfo): void => {
    for (const message of act(query, n)) {
      socket.send(message, peer.port, peer.address)
      answers++
    }
  }
  socket.on('message', (query, peer) => {
    const n = labels.length
    labels.push(query.toString('latin1', HEADER_LENGTH + 1, HEADER_LENGTH + 1 + query[HEADER_LENGTH]))
    types.push(query.readUInt16BE(query.length - 4))
    ids.push(query.readUInt16BE(0))
    ports.push(peer.port)
    heldMax = Math.max(heldMax, ++held)
    const settle = (): void => {
      held--
      reply(query, n, peer)
    }
    if (behaviour === 'hold') setTimeout(settle, HOLD_MS)
    else settle()
  })
  socket.bind(0, address, () => parentPort?.postMessage(socket.address().port))
  parentPort?.on('message', (order: 'record' | 'close') => {
    if (order === 'close') return socket.close(() => parentPort?.close())
    const record: ServerRecord = { queries: labels.length, answers, labels, types, ids, ports, heldMax }
    parentPort?.postMessage(record)
  })
}

if (parentPort !== null) serve(workerData as ServerSetting)
