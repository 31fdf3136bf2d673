// Off-path spoofing against the running server: one query waits, its upstream says nothing, and forged answers come with the upstream's address and port
// as their source. How many are taken for true? Forgeries reach whatever else is open on 127.0.0.1: by hand, in a network namespace,
// unshare -n sh -c 'ip link set lo up; exec node test/attacks/spoof.ts [--forgeries N] [--known-ports] [--randomize-case] [--seconds S]'

import { createSocket } from 'node:dgram'
import { createServer, type Server, type Socket } from 'node:net'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { CorefileServer } from '../corefile/corefile-server.ts'
import { encodeQuery } from '../server/wire.ts'
import { ASKED, CONTROL_WORDS, type Forged, type ForgerData, type Forging, localPortRange, STOP } from './forger.ts'

/** 25 letters. */
export const NAME = 'www.a-bank-of-some-renown.example'
const FORGED = [203, 0, 113, 66] as const
const TRUE = [192, 0, 2, 1] as const
const IDS = 65_536

/** What is to be done, and how the server is set up. */
export interface Spoofing {
  readonly forgeries: number
  readonly knowsPorts: boolean
  readonly randomizeCase: boolean
  /** At most. */
  readonly seconds: number
}

/** What happened. */
export interface Spoofed extends Forged {
  /** Times that the client asked: again when it had an answer. */
  readonly queries: number
  /** Datagrams that the upstream was asked by. */
  readonly asked: number
  /** Answers to the client: forged ones, true ones (over TCP, when ports were given up), failures. */
  readonly forged: number
  readonly honest: number
  readonly failed: number
  /** Whether a forgery that has everything right is taken: otherwise the others prove nothing. */
  readonly isControlTaken: boolean
}

/** Runs one attack. With known ports the upstream answers over TCP, otherwise never. */
export async function spoof(spoofing: Spoofing): Promise<Spoofed> {
  const { forgeries, knowsPorts, randomizeCase, seconds } = spoofing
  const control = new Int32Array(new SharedArrayBuffer(4 * CONTROL_WORDS))
  const tcp = knowsPorts ? await listen() : null
  const data: ForgerData = { name: NAME, address: FORGED, port: tcp?.port ?? 0, control: control.buffer }
  const forger = new Worker(new URL('./forger.ts', import.meta.url), { workerData: data })
  const heard = async <T>(): Promise<T> =>
    await new Promise((resolve, reject) => forger.once('message', resolve).once('error', reject))
  let server: CorefileServer | undefined
  let client: Client | undefined
  try {
    server = await start((await heard<{ port: number }>()).port, randomizeCase)
    client = new Client(server.port)
    client.ask()
    await until(() => control[ASKED] > 0)
    const began = heard<Forged>()
    forger.postMessage({ count: forgeries, knowsPorts, knowsAll: false } satisfies Forging)
    const timer = setTimeout(() => Atomics.store(control, STOP, 1), seconds * 1000)
    const result = await began
    clearTimeout(timer)
    const { queries, counts } = client
    const [forged, honest, failed] = counts
    const asked = control[ASKED]
    const isControlTaken = await checks(client, control, forger)
    return { ...result, queries, asked, forged, honest, failed, isControlTaken }
  } finally {
    client?.close()
    await forger.terminate()
    tcp?.server.close()
    // Not asked to end: it would wait for the upstream's answer.
    server?.kill()
  }
}

/** Sends a forgery that has everything right until one is taken: the query it is for may be over by then. */
async function checks(client: Client, control: Int32Array, forger: Worker): Promise<boolean> {
  const before = client.counts[0]
  for (let tries = 0; tries < 50 && client.counts[0] === before; tries++) {
    const asked = control[ASKED]
    await until(() => control[ASKED] > asked)
    forger.postMessage({ count: 1, knowsPorts: false, knowsAll: true } satisfies Forging)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return client.counts[0] > before
}

async function start(upstream: number, randomizeCase: boolean): Promise<CorefileServer> {
  const text = `. {
  forward . 127.0.0.1:${upstream} {
    max_fails 0
    ${randomizeCase ? 'randomize_case' : ''}
  }
}
`
  return await CorefileServer.start({ text })
}

/** Asks one question, again and again, one at a time. */
class Client {
  queries = 0
  /** Forged, true, failed. */
  readonly counts = [0, 0, 0]
  readonly #socket = createSocket('udp4')
  readonly #port: number
  #timer: NodeJS.Timeout | undefined

  constructor(port: number) {
    this.#port = port
    this.#socket.on('message', (message, from) => {
      // Forgeries reach this socket as well as any other.
      if (from.port !== port) return
      const isAddress = (address: readonly number[]): boolean => message.includes(Uint8Array.from(address))
      const what = (message[3] & 15) !== 0 ? 2 : isAddress(FORGED) ? 0 : isAddress(TRUE) ? 1 : 2
      this.counts[what]++
      this.ask()
    })
  }

  ask(): void {
    clearTimeout(this.#timer)
    this.queries++
    this.#socket.send(encodeQuery({ name: NAME, type: 'A', id: this.queries & 0xffff }), this.#port, '127.0.0.1')
    // A lost datagram is not the end.
    this.#timer = setTimeout(() => this.ask(), 10_000)
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#socket.removeAllListeners('message')
    this.#socket.close()
  }
}

/** The upstream over TCP, where nobody can forge: the answer is right. */
async function listen(): Promise<{ server: Server; port: number }> {
  const server = createServer((socket: Socket) => {
    let read = Buffer.alloc(0)
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      read = Buffer.concat([read, chunk])
      while (read.length >= 2 && read.length >= 2 + read.readUInt16BE(0)) {
        const end = 2 + read.readUInt16BE(0)
        socket.write(answerTo(read.subarray(2, end)))
        read = read.subarray(end)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { server: server.unref(), port: (server.address() as { port: number }).port }
}

function answerTo(query: Buffer): Buffer {
  let end = 12
  while (query[end] > 0) end += query[end] + 1
  end += 5
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...TRUE])
  const message = Buffer.concat([Buffer.alloc(2), query.subarray(0, end), record])
  message.writeUInt16BE(message.length - 2, 0)
  message.writeUInt16BE(0x8180, 4)
  for (const [at, count] of [
    [6, 1],
    [8, 1],
    [10, 0],
    [12, 0],
  ] as const)
    message.writeUInt16BE(count, at)
  return message
}

async function until(what: () => boolean): Promise<void> {
  for (const endMs = performance.now() + 30_000; !what(); await new Promise((resolve) => setTimeout(resolve, 5))) {
    if (performance.now() > endMs) throw new Error(`never: ${what}`)
  }
}

function bits(count: number): string {
  return `2^${Math.log2(count).toFixed(1)}`
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      forgeries: { type: 'string', default: '10000000' },
      seconds: { type: 'string', default: '600' },
      'known-ports': { type: 'boolean', default: false },
      'randomize-case': { type: 'boolean', default: false },
    },
  })
  const knowsPorts = values['known-ports']
  const randomizeCase = values['randomize-case']
  const forgeries = Number(values.forgeries)
  const result = await spoof({ forgeries, knowsPorts, randomizeCase, seconds: Number(values.seconds) })
  const [first, last] = localPortRange()
  const letters = NAME.replace(/[^a-z]/g, '').length
  const ports = last - first + 1
  const entropy = (knowsPorts ? 1 : ports) * IDS * (randomizeCase ? 2 ** letters : 1)
  console.log(result)
  console.log(
    `ports ${bits(ports)}, ids ${bits(IDS)}, case of ${letters} letters ${bits(2 ** letters)}: this one ${bits(entropy)}`,
  )
}
