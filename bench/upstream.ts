// What asking an upstream costs: 100,000 queries of unique names to an echo on loopback, 64 under way, over UDP and over TCP; µs of CPU of the
// asking thread's process alone, the echo being another process. Beside it, what a bare node:dgram socket takes for the same datagrams.
//
//     node bench/upstream.ts [--queries N]

import { type ChildProcess, fork } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { configure } from '../src/config/configure.ts'
import { readCorefile } from '../src/config/corefile/read.ts'
import { wireOfName } from '../src/dns/message-names.ts'
import { createForwardCounters, ForwardCounters, planForward } from '../src/forward/forward-counters.ts'
import { Forwarder } from '../src/forward/forwarder.ts'

const UNDER_WAY = 64
const ANSWER = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1])

/** The query as an answer: OPT makes room for an address. */
function answerTo(message: Buffer): Buffer {
  const question = message.subarray(0, message.indexOf(0, 12) + 5)
  const answer = Buffer.concat([question, ANSWER])
  answer[2] |= 0x80
  answer[7] = 1
  answer[11] = 0
  return answer
}

function echo(): void {
  const datagrams = createSocket('udp4')
  datagrams.on('message', (message, { port, address }) => datagrams.send(answerTo(message), port, address))
  const server = createServer((socket) => {
    let read: Buffer = Buffer.alloc(0)
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      read = read.length === 0 ? chunk : Buffer.concat([read, chunk])
      const answers: Buffer[] = []
      while (read.length > 2 && read.length >= 2 + read.readUInt16BE(0)) {
        const end = 2 + read.readUInt16BE(0)
        const answer = answerTo(read.subarray(2, end))
        answers.push(Buffer.from([answer.length >> 8, answer.length]), answer)
        read = read.subarray(end)
      }
      socket.write(Buffer.concat(answers))
    })
  })
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as { port: number }
    datagrams.bind(port, '127.0.0.1', () => process.send?.(port))
  })
  process.on('disconnect', () => process.exit())
}

function forwarder(port: number, forceTcp: boolean): Forwarder {
  const plan = planForward([`127.0.0.1:${port}`])
  const text = `. {\n forward . 127.0.0.1:${port} {\n ${forceTcp ? 'force_tcp' : ''}\n }\n}`
  const { blocks } = configure(readCorefile('Corefile', {}, text), { defaultPort: 53 })
  const [config] = blocks[0].plugins.forward ?? []
  return new Forwarder(config, { counters: new ForwardCounters(plan, createForwardCounters(plan)), log: console.log })
}

/** Starts `count` of `one`, UNDER_WAY at a time. @returns µs of CPU and of time each */
async function measured(
  count: number,
  one: (n: number, done: () => void) => void,
): Promise<[cpu: number, time: number]> {
  const cpu = process.cpuUsage()
  const startedMs = performance.now()
  await new Promise<void>((resolve) => {
    let started = 0
    let ended = 0
    const next = (): void => {
      if (started < count) one(started++, done)
    }
    const done = (): void => {
      if (++ended === count) resolve()
      else next()
    }
    for (let i = 0; i < UNDER_WAY; i++) next()
  })
  const { user, system } = process.cpuUsage(cpu)
  return [(user + system) / count, ((performance.now() - startedMs) * 1000) / count]
}

async function asked(port: number, count: number, forceTcp: boolean): Promise<void> {
  const asking = forwarder(port, forceTcp)
  let failures = 0
  const ask = (n: number, done: () => void): void => {
    const question = Uint8Array.of(...wireOfName(`n${n}.example.com.`), 0, 1, 0, 1)
    const flags = { recursionDesired: true, checkingDisabled: false, dnssecOk: false, stream: false }
    asking.ask({ question, type: 1, ...flags }, ({ kind }) => {
      if (kind === 'failure') failures++
      done()
    })
  }
  await measured(count / 10, ask)
  report(forceTcp ? 'TCP' : 'UDP', await measured(count, ask), failures)
  asking.close()
}

async function bare(port: number, count: number): Promise<void> {
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => socket.connect(port, '127.0.0.1', resolve))
  const waiting: (() => void)[] = []
  socket.on('message', () => waiting.shift()?.())
  const query = Buffer.concat([Buffer.alloc(12), wireOfName('n12345.example.com.'), Buffer.from([0, 1, 0, 1])])
  const ask = (_: number, done: () => void): void => {
    waiting.push(done)
    socket.send(query)
  }
  await measured(count / 10, ask)
  report('bare node:dgram', await measured(count, ask), 0)
  socket.close()
}

function report(what: string, [cpu, time]: [number, number], failures: number): void {
  console.log(`${what.padEnd(16)} ${cpu.toFixed(2)} µs of CPU, ${time.toFixed(2)} µs; ${failures} failures`)
}

if (process.send !== undefined) echo()
else {
  const { values } = parseArgs({ options: { queries: { type: 'string', default: '100000' } } })
  const count = Number(values.queries)
  const child: ChildProcess = fork(fileURLToPath(import.meta.url))
  const port = await new Promise<number>((resolve) => child.once('message', (found) => resolve(Number(found))))
  for (let round = 0; round < 3; round++) {
    await bare(port, count)
    await asked(port, count, false)
    await asked(port, count, true)
  }
  child.disconnect()
}
