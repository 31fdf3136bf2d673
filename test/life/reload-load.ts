// Reloads, one after another, while queries come at half of what the server can do: `node test/life/reload-load.ts --rounds 1000 [--all]`.
// Every reload changes something: blocks and ports come and go, the cluster's index is built anew; with --all plugins are put before
// the names that are asked for, too. What is forwarded is asked beside it, at a pace that an upstream in this process can follow. None may
// cost or change one answer. Ends with 1 if one did.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { OtherProcesses } from '../../bench/watch/usage.ts'
import { CorefileServer, freePort } from '../corefile/corefile-server.ts'
import { Blast, type BlastReport } from './blast.ts'
import { type HttpPorts, httpPorts, OWN_QUESTIONS, USUAL_QUESTIONS, usualBlock } from './corefiles.ts'
import { Load, type LoadReport } from './load.ts'
import { metricOf, metricsPage } from './metrics.ts'

export interface ReloadLoadOptions {
  readonly rounds: number
  /** Corefiles with plugins on whole messages, too. */
  readonly all?: boolean
  /** Of the capacity, 0..1. */
  readonly share?: number
  /** Between two reloads, milliseconds. */
  readonly pauseMs?: number
  readonly workers?: number
  /** Told how it goes, now and then. */
  readonly say?: (line: string) => void
}

export interface ReloadLoadReport {
  readonly rounds: number
  /** Queries a second: what it can do, and what it was asked. */
  readonly capacity: number
  readonly rate: number
  readonly blast: BlastReport
  /** Beside it, over TCP and UDP, from sockets of their own. */
  readonly load: LoadReport
  /** From the signal to the line that says it is done: median and most, milliseconds. */
  readonly reloadMs: readonly [median: number, most: number]
  /** The slowest answer, milliseconds: median of the rounds, and most. */
  readonly slowestMs: readonly [median: number, most: number]
  /** Resident memory before and after, octets. */
  readonly resident: readonly [before: number, after: number]
  /** Datagrams that the kernel dropped because a receive buffer was full: who has no core for long enough loses what comes meanwhile. */
  readonly socketDrops: number
  /** Cores that others used meanwhile. */
  readonly others: number
  /** All queries that were counted, and were sent. */
  readonly counted: readonly [counted: number, sent: number]
}

const CAPACITY_MS = 300
const CAPACITY_RUNS = 4
const PAUSE_MS = 30
/** One a core is what a server has unless told otherwise; each has a receive buffer of its own. */
const WORKERS = availableParallelism()
const SAY_EVERY = 50

interface Ports extends HttpPorts {
  readonly first: number
  readonly second: number
}

type Variant = (ports: Ports) => string

// What is loaded in turn. The load's questions have the same answers in all of them.

/** Answered out of an index, in place. */
const PLAIN: readonly Variant[] = [
  (ports) => usualBlock(ports),
  (ports) => `${usualBlock(ports)}corp.example {\n  whoami\n}\n`,
  (ports) => `${usualBlock(ports)}corp.example:${ports.first} {\n  whoami\n}\n`,
  (ports) => `${usualBlock(ports)}corp.example:${ports.second} {\n  bind 127.0.0.1\n  whoami\n}\n`,
  (ports) => usualBlock(ports).replace('pods insecure', 'pods disabled'),
  (ports) => `${usualBlock(ports)}new.example {\n  hosts {\n    192.0.2.99 a.new.example\n  }\n}\n`,
  (ports) => `${usualBlock(ports)}new.example {\n  acl {\n    block\n  }\n  log\n  chaos\n}\n`,
]

/** With plugins on whole messages before all that is asked: a fraction of the speed. */
const ALL: readonly Variant[] = [
  ...PLAIN,
  (ports) => usualBlock(ports, 'acl {\n        block net 192.0.2.0/24\n    }'),
  (ports) => usualBlock(ports, 'rewrite name exact old.example static.example'),
  (ports) => usualBlock(ports, 'log . {\n        class error\n    }'),
]

/** @throws AssertionError if a reload fails */
export async function reloadUnderLoad(options: ReloadLoadOptions): Promise<ReloadLoadReport> {
  const { rounds, all = false, share = 0.5, pauseMs = PAUSE_MS, workers = WORKERS, say = () => {} } = options
  const variants = all ? ALL : PLAIN
  const others = new OtherProcesses()
  const ports = { ...(await httpPorts()), first: await freePort(), second: await freePort() }
  const server = await CorefileServer.start({ text: variants[0](ports), workers })
  try {
    const blast = await Blast.make(server.port, OWN_QUESTIONS)
    const texts = variants.map((variant) => variant(ports))
    const found = await capacities(server, blast, texts)
    // Those of PLAIN all do the same work for what is asked: what one of them got more of was luck with the cores.
    const capacity = all ? Math.min(...found) : found.toSorted((a, b) => a - b)[found.length >> 1]
    say(`queries a second: ${found.map(Math.round).join(', ')}`)
    const load = new Load({ port: server.port, questions: USUAL_QUESTIONS, rate: 100, tcpRate: 50 })
    const rate = capacity * share
    blast.rate = rate
    await sleep(200)
    blast.takeSlowestMs()
    const before = residentOctets(server)
    const reloadMs: number[] = []
    const slowestMs: number[] = []
    for (let round = 1; round <= rounds; round++) {
      reloadMs.push(await reload(server, texts[round % texts.length]))
      await sleep(pauseMs)
      slowestMs.push(blast.takeSlowestMs())
      if (round % SAY_EVERY === 0) say(progress(round, blast.report, load.report, residentOctets(server)))
    }
    const [blasted, loaded] = [await blast.stop(), await load.stop()]
    const after = residentOctets(server)
    const page = await metricsPage(server, ports.metrics)
    const counted = metricOf(page, 'coredns_dns_requests_total')
    assert.equal(await server.stop(), 0)
    return {
      rounds,
      capacity: Math.round(capacity),
      rate: Math.round(rate),
      blast: blasted,
      load: loaded,
      reloadMs: medianAndMost(reloadMs),
      slowestMs: medianAndMost(slowestMs),
      resident: [before, after],
      others: Math.round(others.cores * 100) / 100,
      socketDrops: metricOf(page, 'peregrine_socket_drops_total'),
      counted: [counted, OWN_QUESTIONS.length + blasted.sent + loaded.sent],
    }
  } finally {
    if (server.isRunning) server.kill()
  }
}

/** @returns from the signal until it says that it is done, milliseconds */
async function reload(server: CorefileServer, text: string): Promise<number> {
  const from = server.mark
  server.write(text)
  const began = performance.now()
  server.signal('SIGUSR1')
  const line = await server.line(/Reloading complete|failed/, from)
  assert.match(line, /Reloading complete/)
  return performance.now() - began
}

/** What it can do by some Corefiles, each. */
async function capacities(server: CorefileServer, blast: Blast, texts: readonly string[]): Promise<number[]> {
  const found: number[] = []
  for (const text of texts) {
    await reload(server, text)
    // The best of some: threads that share a core for a moment say nothing.
    let best = 0
    for (let i = 0; i < CAPACITY_RUNS; i++) best = Math.max(best, await blast.capacity(CAPACITY_MS))
    found.push(best)
  }
  return found
}

function progress(round: number, blast: BlastReport, load: LoadReport, resident: number): string {
  const lost = blast.lost + load.lost
  const wrong = blast.wrong + load.wrong
  const mebibytes = (resident / 2 ** 20).toFixed(0)
  return `${round} rounds, ${blast.answered + load.answered} answers, ${lost} lost, ${wrong} wrong, ${mebibytes} MiB`
}

function medianAndMost(values: readonly number[]): [number, number] {
  const sorted = values.toSorted((a, b) => a - b)
  return [sorted[sorted.length >> 1], sorted.at(-1)!].map((value) => Math.round(value * 10) / 10) as [number, number]
}

function residentOctets({ child }: CorefileServer): number {
  const status = readFileSync(`/proc/${child.pid}/status`, 'latin1')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '1000' },
      all: { type: 'boolean', default: false },
      share: { type: 'string', default: '0.5' },
      workers: { type: 'string', default: String(WORKERS) },
      pause: { type: 'string', default: String(PAUSE_MS) },
    },
  })
  const report = await reloadUnderLoad({
    rounds: Number(values.rounds),
    all: values.all,
    share: Number(values.share),
    workers: Number(values.workers),
    pauseMs: Number(values.pause),
    say: (line) => console.log(line),
  })
  console.log(report)
  const { blast, load } = report
  process.exitCode = blast.lost + blast.wrong + load.lost + load.wrong === 0 ? 0 : 1
}
