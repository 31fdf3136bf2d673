// `peregrine load` with an engine that only says it has sent anything: what it is told to do, what is made of what it says, and the
// exit codes. The server is there to be found, and answers nothing else.

import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Flags } from '../../src/cli/flags.ts'
import { type Engine, type LoadParts, load } from '../../src/cli/load.ts'
import { loadPlan } from '../../src/cli/load-plan.ts'
import { isPortable } from '../../src/cli/load-transport.ts'
import { SUPPORTED } from '../../src/io/layouts.ts'
import { createHistogram } from '../../src/load/histogram.ts'
import type { QueryTable } from '../../src/load/query-table.ts'
import { queryMessage } from '../../src/load/query-table.ts'
import type { RunResult, RunSpec, Second } from '../../src/load/run.ts'
import type { RunEvents, SessionOptions } from '../../src/load/session.ts'
import { freePort } from '../server/server-process.ts'

const folder = mkdtempSync(join(tmpdir(), 'peregrine-load-'))
const EXAMPLES = join(import.meta.dirname, '../../examples')
const QUERIES = join(folder, 'queries')
const server = createSocket('udp4')
let address = ''

before(async () => {
  writeFileSync(QUERIES, 'cart.shop.svc.cluster.local A\nweb.example.com AAAA\n')
  server.on('message', (query, { port }) => {
    query[2] |= 0x80
    server.send(query, port, '127.0.0.1')
  })
  server.bind(0, '127.0.0.1')
  await once(server, 'listening')
  address = `127.0.0.1:${server.address().port}`
})

after(() => {
  server.close()
  rmSync(folder, { recursive: true })
})

/** What a run comes to. */
interface Said {
  readonly sent?: number
  readonly lost?: number
  /** Of every answer. */
  readonly latencyMs?: number
  /** Sent late: more than a hundredth makes a run invalid. */
  readonly late?: number
  readonly interrupted?: boolean
}

function counts({ sent = 10_000, lost = 0, latencyMs = 1, late = 0 }: Said) {
  const latency = createHistogram()
  if (sent > lost) latency.recordValueWithCount(latencyMs * 1e6, sent - lost)
  if (lost > 0) latency.recordValueWithCount(5e9, lost)
  const zero = { truncated: 0, unexpected: 0, mismatched: 0, malformed: 0, octetsSent: 0, octetsReceived: 0 }
  const rcodes = new Array<number>(16).fill(0).with(0, sent - lost)
  return { sent, answered: sent - lost, lost, late, ...zero, connections: 0, rcodes, errors: {}, latency }
}

function resultOf(spec: RunSpec, said: Said): RunResult {
  const seconds = spec.durationMs / 1000
  const sent = spec.schedule.kind === 'open' ? Math.round(spec.schedule.rate * seconds) : undefined
  const counted = counts({ sent, ...said })
  return {
    spec,
    ...counted,
    startedAt: new Date(0).toISOString(),
    seconds,
    unsent: 0,
    unsampled: 0,
    rawLatency: counted.latency,
    lateness: createHistogram(),
    series: [],
    own: { cpuShares: [1], idleShares: [0.5], receiveDrops: 0, udpErrors: {}, receiveBatch: 1 },
    serverCpuNs: null,
    interrupted: said.interrupted ?? false,
  }
}

/** An engine that does what a function says. */
class StandIn implements Engine {
  table: QueryTable | null = null
  options: SessionOptions | null = null
  readonly specs: RunSpec[] = []
  readonly pids: (readonly number[])[] = []
  isClosed = false
  readonly #act: (spec: RunSpec, events: RunEvents, signal: AbortSignal) => Said | Promise<Said>

  constructor(act: (spec: RunSpec, events: RunEvents, signal: AbortSignal) => Said | Promise<Said>) {
    this.#act = act
  }

  async run(
    spec: RunSpec,
    events: RunEvents = {},
    pids: readonly number[] = [],
    signal?: AbortSignal,
  ): Promise<RunResult> {
    this.specs.push(spec)
    this.pids.push(pids)
    const said = await this.#act(spec, events, signal!)
    const second: Second = { index: 0, seconds: 1, offered: 1000, ...counts(said) }
    events.second?.(second)
    return resultOf(spec, said)
  }

  async close(): Promise<void> {
    this.isClosed = true
  }
}

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  readonly engine: StandIn
  /** Exit codes of ends that wait for nothing. */
  readonly quits: number[]
}

/** @param text  words; `@` stands for the server, with --server before the first if it is not named */
async function run(text: string, act: ConstructorParameters<typeof StandIn>[0] = () => ({})): Promise<Ended> {
  const engine = new StandIn(act)
  let stdout = ''
  let stderr = ''
  const quits: number[] = []
  const parts: LoadParts = {
    start: async (table, options) => Object.assign(engine, { table, options }),
    stdout: { write: (part: string) => (stdout += part) },
    stderr: { write: (part: string) => (stderr += part) },
    env: {},
    quit: (code) => void quits.push(code),
  }
  const words = (/(?:^| )@/.test(text) ? text : `@ ${text}`).split(' ').filter((word) => word !== '')
  const args = words.flatMap((word) => (word === '@' ? ['--server', address] : [word.replace('QUERIES', QUERIES)]))
  const code = await load(Flags.parse(args), parts)
  return { code, stdout, stderr, engine, quits }
}

test('what the engine is told', async () => {
  const plain = await run('--queries QUERIES')
  assert.equal(plain.code, 0)
  const [{ target, ...spec }] = plain.engine.specs
  assert.deepEqual(target, {
    label: address,
    address: '127.0.0.1',
    port: server.address().port,
    transport: 'udp',
    serverName: '',
    path: '',
    verifiesCertificate: true,
  })
  assert.deepEqual(spec, {
    schedule: { kind: 'closed', outstanding: 128 },
    sockets: 128,
    warmupMs: 1000,
    durationMs: 10_000,
    timeoutMs: 5000,
    lateMs: 1,
    gso: false,
    sleeps: false,
    isStamped: true,
    isPortable: false,
    sampleEvery: 0,
    passes: 0,
  })
  assert.equal(plain.engine.table?.count, 2)
  assert.equal(plain.engine.isClosed, true)
  const other = await run(
    `--queries QUERIES --rate 500 --duration 2s --warmup 0 --timeout 1s --sockets 3 --workers 2 --cores 0,1 --gso --sleep --timestamps worker --pid ${process.pid}`,
  )
  const [told] = other.engine.specs
  assert.deepEqual(
    [
      told.schedule,
      told.durationMs,
      told.warmupMs,
      told.timeoutMs,
      told.sockets,
      told.gso,
      told.sleeps,
      told.isStamped,
    ],
    [{ kind: 'open', rate: 500 }, 2000, 0, 1000, 3, true, true, false],
  )
  assert.deepEqual(other.engine.options, { workers: 2, cores: [0, 1] })
  assert.ok(other.engine.pids[0].includes(process.pid))
})

test('datagrams by node:dgram, where nothing else can be had or when it is asked for', async () => {
  const { engine, stderr } = await run('--queries QUERIES --transport dgram')
  assert.deepEqual([engine.specs[0].isPortable, /node:dgram/.test(stderr)], [true, false])
  const { targets } = loadPlan(Flags.parse(['--server', address]), {})
  const said: string[] = []
  const expected = SUPPORTED ? [false, 0] : [true, 1]
  assert.deepEqual(
    [await isPortable({ transport: 'auto', targets, gso: false }, (line) => said.push(line)), said.length],
    expected,
  )
})

test('how long a run lasts that ends with its queries', async () => {
  const closed = await run('--queries QUERIES --passes 3')
  assert.match(closed.stdout, /^all queries 3 times, 128 sockets, /m)
  assert.deepEqual([closed.engine.specs[0].durationMs, closed.engine.specs[0].passes], [86_400_000, 3])
  const open = await run('--queries QUERIES --passes 30 --rate 40')
  assert.deepEqual([open.engine.specs[0].durationMs, open.engine.specs[0].passes], [2500, 30]) // 60 queries, and a second for what is late
})

test('the mix of the example, when nothing is said', async () => {
  const { engine, stderr, stdout, code } = await run('--count 500 --rate 100')
  assert.equal(code, 0)
  assert.match(stderr, /^queries: for the names of examples\/, as npm start serves them; /)
  assert.match(stdout, /queries: 500 queries drawn from the application in examples\//)
  assert.equal(engine.table?.count, 500)
  const messages = Array.from({ length: 500 }, (_, i) => Buffer.from(queryMessage(engine.table!, i)))
  assert.ok(messages.some((message) => message.includes('\x04cart\x04shop\x03svc\x07cluster\x05local')))
})

test('a made-up cluster, and manifests', async () => {
  const madeUp = await run('--services 20 --endpoints 40 --count 300')
  assert.match(madeUp.stdout, /queries: 300 queries .*20 Services and 40 endpoints/)
  const manifests = await run(`--manifests ${EXAMPLES} --count 300`)
  assert.match(manifests.stdout, /queries: 300 queries drawn from the manifests in .*examples/)
  assert.doesNotMatch(manifests.stderr, /^queries:/m)
})

const CODES: [args: string, said: Said, code: number, stderr?: RegExp][] = [
  ['', {}, 0],
  ['', { lost: 5000 }, 0], // no bound was stated
  ['--max-loss 1', { lost: 100 }, 0], // exactly
  ['--max-loss 1', { lost: 101 }, 1, /1\.01 % of the queries were lost, more than 1 %$/m],
  ['--max-loss 0', {}, 0],
  ['--max-loss 0', { lost: 1 }, 1, /0\.01 % of the queries were lost, more than 0 %$/m],
  ['--max-p99 10ms', { latencyMs: 9 }, 0],
  ['--max-p99 10ms', { latencyMs: 11 }, 1, /the p99 is 11\.0 ms, more than 10\.0 ms$/m],
  ['--max-p99 10ms', { lost: 99 }, 0],
  ['--max-p99 10ms', { lost: 200 }, 1, /the p99 is 5\.00 s/], // what was lost took as long as it was waited for
  ['--max-p99 10ms --max-loss 1', { lost: 101, latencyMs: 11 }, 1, /were lost[\s\S]*the p99 is/],
  ['', { late: 5000 }, 0],
  ['--max-p99 10ms', { late: 5000 }, 1, /the result is invalid, so that the bounds cannot be said to hold$/m],
  ['--max-loss 1', { sent: 0 }, 1, /nothing was measured$/m],
  ['', { sent: 0 }, 0],
]

test('exit codes: bounds, and results that say nothing', async () => {
  for (const [args, said, code, stderr = /^$/] of CODES) {
    const ended = await run(`--queries QUERIES --quiet --json ${args}`, () => ({ sent: 10_000, ...said }))
    assert.equal(ended.code, code, `${args} ${JSON.stringify(said)}: ${ended.stderr}`)
    assert.match(ended.stderr, code === 0 ? /^$/ : /^peregrine: /)
    if (code === 1) assert.match(ended.stderr, stderr)
    assert.equal(JSON.parse(ended.stdout).sent, said.sent ?? 10_000)
  }
})

describe('what is printed', () => {
  test('a summary, and progress beside it', async () => {
    const { stdout, stderr } = await run('--queries QUERIES --rate 1000')
    assert.match(stdout, /1,000 queries a second \(open loop\)[\s\S]*Latency/)
    assert.match(
      stderr,
      /over UDP: 1,000 queries a second \(open loop\)\n {5}1 s {2}10,000 answered\/s of 1,000, lost 0/,
    )
    const quiet = await run('--queries QUERIES --rate 1000 --quiet')
    assert.equal(quiet.stderr, '')
    assert.match(quiet.stdout, /Latency/)
  })

  test('one JSON object', async () => {
    const { stdout } = await run('--queries QUERIES --rate 1000 --json')
    assert.equal(stdout.split('\n').length, 2, 'one line, as nobody looks at it')
    const report = JSON.parse(stdout)
    assert.deepEqual([report.kind, report.qps, report.lost], ['run', 1000, 0])
  })

  test('lines of JSON, in a file or instead of the summary', async () => {
    const path = join(folder, 'lines')
    const toFile = await run(`--queries QUERIES --json-lines ${path}`)
    assert.match(toFile.stdout, /Latency/)
    const [line, end] = readFileSync(path, 'utf8').split('\n')
    assert.deepEqual([JSON.parse(line).server, JSON.parse(line).run, end], [address, 1, ''])
    const { stdout, stderr } = await run('--queries QUERIES --quiet --json-lines -')
    assert.equal(JSON.parse(stdout).sent, 10_000)
    assert.match(stderr, /Latency/)
  })

  test('a page', async () => {
    const path = join(folder, 'report.html')
    await run(`--queries QUERIES --html ${path}`)
    assert.match(readFileSync(path, 'utf8'), /^<!doctype html>/i)
  })

  test('metrics while it runs, and not afterwards', async () => {
    let page = ''
    const port = await freePort()
    const url = `http://127.0.0.1:${port}/metrics`
    const { stderr } = await run(`@ @ --queries QUERIES --rounds 1 --metrics ${port}`, async () => {
      page = await (await fetch(url)).text()
      return {}
    })
    assert.match(page, /^peregrine_load_sent_total\{server="127\.0\.0\.1:\d+"\} 10000$/m)
    assert.match(stderr, /^metrics: http:\/\/127\.0\.0\.1:\d+\/metrics$/m)
    await assert.rejects(fetch(url))
  })
})

test('servers in turn', async () => {
  const { engine, code, stderr, stdout } = await run(
    '@ @ --queries QUERIES --rounds 2 --rate 1000 --warmup 0 --duration 2s',
  )
  assert.equal(code, 0)
  assert.equal(engine.specs.length, 4)
  assert.deepEqual(stderr.match(/^round \d of \d/gm), ['round 1 of 2', 'round 1 of 2', 'round 2 of 2', 'round 2 of 2'])
  assert.match(stdout, /2 servers in turn, 2 rounds/)
  const slow = await run('@ @ --queries QUERIES --rounds 1 --rate 1000 --max-p99 5ms --json --quiet', () => ({
    latencyMs: 9,
  }))
  assert.equal(slow.code, 1)
  assert.equal(
    slow.stderr.match(/^peregrine: 127\.0\.0\.1:\d+: the p99 is 9\.\d+ ms, more than 5\.00 ms$/gm)?.length,
    2,
  )
})

test('a search for the capacity', async () => {
  const args = '--queries QUERIES --find-capacity --trial 10ms --warmup 0'
  const { code, stderr, stdout } = await run(`${args} --start-rate 1000 --max-rate 2000 --json`)
  assert.equal(code, 0, stderr)
  assert.equal(JSON.parse(stdout).capacity_qps, 2000)
  assert.match(stderr, /^trial 1 \(step\): .*: 1,000 queries a second \(open loop\)$/m)
  assert.match(stderr, /^last trial: 2,000 queries a second, within bounds$/m)
  const none = await run(`${args} --start-rate 4 --json`, () => ({ lost: 100, sent: 1000 }))
  assert.equal(none.code, 1)
  assert.match(none.stderr, /^last trial: 1 queries a second, out of bounds$/m)
  assert.match(none.stderr, /^peregrine: no rate was found at which the server stays within the bounds$/m)
})

test('answers are checked against manifests', async () => {
  const samples =
    (right: boolean) =>
    async (_spec: RunSpec, events: RunEvents): Promise<Said> => {
      const response = Uint8Array.from(cart)
      // 10.0.0.1 is nobody's; the right answer says where the manifests have it.
      if (right) return {}
      await events.samples?.([{ index: 0, response }])
      return {}
    }
  const query = Buffer.from(
    '\x00\x00\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04cart\x04shop\x03svc\x07cluster\x05local\x00\x00\x01\x00\x01',
    'latin1',
  )
  const cart = Buffer.concat([
    query,
    Buffer.from('\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x05\x00\x04\x0a\x00\x00\x01', 'latin1'),
  ])
  cart[2] |= 0x84
  cart[7] = 1
  server.removeAllListeners('message')
  server.on('message', (asked, { port }) => {
    const again = Buffer.from(cart)
    again.set(asked.subarray(0, 2))
    server.send(again, port, '127.0.0.1')
  })
  const args = `--queries QUERIES --manifests ${EXAMPLES} --quiet --json`
  const wrong = await run(`${args} --verify`, samples(false))
  assert.equal(wrong.code, 1)
  assert.equal(wrong.stderr, 'peregrine: 1 answers are wrong\n')
  const { verification } = JSON.parse(wrong.stdout)
  assert.deepEqual([verification.checked, verification.wrong], [1, 1])
  assert.equal(verification.answers[0].question, 'cart.shop.svc.cluster.local. A')
  assert.equal(verification.answers[0].truth, 'manifests')
  // A check that checks nothing is not passed.
  const none = await run(`${args} --verify`, samples(true))
  assert.deepEqual([none.code, none.stderr], [1, 'peregrine: not one answer could be checked\n'])
  assert.equal(wrong.engine.specs[0].sampleEvery, 1)
})

describe('interrupts', () => {
  const untilAborted = (quits: () => void) => async (_spec: RunSpec, _events: RunEvents, signal: AbortSignal) => {
    setTimeout(quits, 10)
    while (!signal.aborted) await sleep(5)
    return { interrupted: true }
  }

  test('the first ends the run, and what there is is told', async () => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      const ended = await run(
        '--queries QUERIES --quiet',
        untilAborted(() => process.emit(signal)),
      )
      assert.deepEqual([ended.code, ended.quits], [0, []])
      assert.match(ended.stdout, /Interrupted after/)
    }
  })

  test('the second ends the process at once, with 2', async () => {
    const twice = (): void => {
      process.emit('SIGINT')
      process.emit('SIGINT')
    }
    const ended = await run('--queries QUERIES --quiet', untilAborted(twice))
    assert.deepEqual(ended.quits, [2])
  })

  test('before there is anything to tell the first does, too', async () => {
    const before = process.listenerCount('SIGINT')
    const running = run('--queries QUERIES --quiet')
    process.emit('SIGINT')
    assert.deepEqual((await running).quits, [2])
    assert.equal(process.listenerCount('SIGINT'), before, 'afterwards signals do what they did before')
  })
})
