// `peregrine load`: from a command line to a report. What is asked for: load-plan.ts.

import { lookup } from 'node:dns/promises'
import { readFileSync } from 'node:fs'
import { findCapacity } from '../load/capacity.ts'
import { compareServers } from '../load/comparison.ts'
import { LoadInputError } from '../load/input-error.ts'
import type { LineWriter } from '../load/live/json-lines.ts'
import type { Live } from '../load/live/live.ts'
import { machineFacts } from '../load/machine.ts'
import type { Outcome, Report, Trial } from '../load/outcome.ts'
import { probe } from '../load/probe.ts'
import { serverProcesses } from '../load/process-cpu.ts'
import { type QueryTable, queryMessage } from '../load/query-table.ts'
import { rehearse } from '../load/rehearsal.ts'
import { countText } from '../load/report/number-text.ts'
import { isBatched, type RunSpec, type Target } from '../load/run.ts'
import type { Runner, SessionOptions } from '../load/session.ts'
import { guardTarget, type NamedTarget, resolveTarget } from '../load/target.ts'
import { judge } from '../load/validity.ts'
import { ReferenceServer } from '../load/verify/reference-server.ts'
import type { Truth } from '../load/verify/truth.ts'
import { FlagError, type Flags } from './flags.ts'
import { LoadCluster } from './load-cluster.ts'
import { Interrupts } from './load-interrupt.ts'
import { LoadMetrics } from './load-metrics.ts'
import { LoadOutput, type OutputStreams } from './load-output.ts'
import { type LoadPlan, loadPlan, type WritePlan, writePlan } from './load-plan.ts'
import { type LoadQueries, loadQueries } from './load-queries.ts'
import { isPortable } from './load-transport.ts'
import { loadUsage } from './load-usage.ts'
import { brokenBounds } from './load-verdict.ts'
import { modelTruth, Verifiers } from './load-verify.ts'
import { type Course, UNTIL_DONE_MS, WatchedRunner, type Watchers } from './load-watch.ts'

/** An engine with its threads. */
export interface Engine extends Runner {
  close(): Promise<void>
}

/** What a test may put in the place of the real thing. */
export interface LoadParts extends OutputStreams {
  /** @param like  what runs will be like */
  readonly start: (table: QueryTable, options: SessionOptions, like: RunSpec) => Promise<Engine>
  /** Ends the process at once. */
  readonly quit: (code: number) => void
}

const FAILED = 1
const WRONG_INPUT = 2
/** A query sent this much after it was to be sent is late. */
const LATE_MS = 1
/** Queries that a server is tried with. */
const PROBES = 3
const SLACK_MS = 1000
/** After this time it is said what is waited for. */
const PATIENCE_MS = 1000
/** Errors of the user's input, by their codes. */
const INPUT_CODES: ReadonlySet<unknown> = new Set(['BAD_LOAD_INPUT', 'BAD_QUERY', 'BAD_CONNECTION'])

/** Loads a server and tells what came of it. @returns the exit code @throws what went wrong on our side */
export async function load(flags: Flags, parts: Partial<LoadParts> = {}): Promise<number> {
  const whole: LoadParts = {
    start: startEngine,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    quit: (code) => process.exit(code),
    ...parts,
  }
  if (flags.has('help') || flags.has('h')) return print(whole, loadUsage())
  try {
    const writing = writePlan(flags)
    if (writing !== null) return await write(writing, whole)
    return await new Command(loadPlan(flags, whole.env), whole).run()
  } catch (error) {
    if (!isWrongInput(error)) throw error
    whole.stderr.write(`peregrine: ${error.message}\n`)
    return WRONG_INPUT
  }
}

function isWrongInput(error: unknown): error is Error {
  return error instanceof FlagError || (error instanceof Error && INPUT_CODES.has((error as { code?: unknown }).code))
}

function print({ stdout }: LoadParts, text: string): number {
  stdout.write(text)
  return 0
}

async function write({ size, manifests, zoneFile }: WritePlan, parts: LoadParts): Promise<number> {
  const { writeManifests, writeZone } = await import('../load/queries/synthetic-cluster.ts')
  const write = (flag: string, path: string, make: () => string): void => {
    try {
      make()
      parts.stdout.write(`${path}: ${size.services} Services, ${size.endpoints} endpoints\n`)
    } catch (error) {
      throw new LoadInputError(`flag --${flag}: ${(error as Error).message}`)
    }
  }
  if (manifests !== '') write('write-manifests', manifests, () => writeManifests(size, manifests))
  if (zoneFile !== '') write('write-zone', zoneFile, () => writeZone(size, zoneFile))
  return 0
}

async function startEngine(table: QueryTable, options: SessionOptions, like: RunSpec): Promise<Engine> {
  const { LoadSession } = await import('../load/session.ts')
  const session = await LoadSession.start(table, options)
  try {
    if (isBatched(like)) await rehearse(session, like)
    return session
  } catch (error) {
    await session.close()
    throw error
  }
}

/** One load, from its plan to its report. */
class Command {
  readonly #plan: LoadPlan
  readonly #parts: LoadParts
  readonly #output: LoadOutput
  readonly #cluster: LoadCluster
  readonly #interrupts: Interrupts
  #isPortable = false

  constructor(plan: LoadPlan, parts: LoadParts) {
    this.#plan = plan
    this.#parts = parts
    const quit = (code: number): void => {
      this.#live.close()
      parts.quit(code)
    }
    // Who reads the first line and leaves wants no more: not even to be told of it.
    this.#output = new LoadOutput(plan.output, parts, () => quit(FAILED))
    this.#interrupts = new Interrupts(quit)
    this.#cluster = new LoadCluster(plan, (line) => this.#live.say(line))
  }

  get #live(): Live {
    return this.#output.live
  }

  async run(): Promise<number> {
    const { output } = this.#plan
    let lines: LineWriter | null = null
    let metrics: LoadMetrics | null = null
    try {
      const targets = await this.#targets()
      const queries = await loadQueries(this.#plan, this.#cluster)
      if (!output.quiet) for (const remark of queries.remarks) this.#live.say(remark)
      await this.#probeAll(targets, queries.table)
      const pids = this.#plan.pids.map(serverProcesses)
      this.#isPortable = await isPortable(this.#plan, (line) => this.#live.say(line))
      const truth = await this.#truth(queries.table)
      lines = this.#output.lines()
      metrics = await this.#metrics(targets)
      const verifiers = truth === null ? null : new Verifiers(queries.table, targets, truth, this.#plan.isStrict)
      const watchers = { live: this.#live, lines, metrics, verifiers }
      const report = await this.#load(targets, queries, pids, watchers)
      this.#live.close()
      return await this.#output.tell(report)
    } finally {
      this.#live.close()
      this.#interrupts.close()
      lines?.close()
      await metrics?.close()
    }
  }

  /** Every server, looked up and let pass. */
  async #targets(): Promise<Target[]> {
    const targets: Target[] = []
    for (const named of this.#plan.targets) targets.push(await this.#target(named))
    return targets
  }

  async #target(named: NamedTarget): Promise<Target> {
    const { targetOptions, isVouchedFor } = this.#plan
    const resolved = await resolveTarget(named, targetOptions, lookUp)
    if (isVouchedFor) return resolved.target
    try {
      guardTarget(resolved)
    } catch (error) {
      // It may be an address of the cluster: that takes reading it.
      if (!this.#cluster.isLive) throw error
      guardTarget(resolved, await this.#cluster.addresses())
    }
    return resolved.target
  }

  async #probeAll(targets: readonly Target[], table: QueryTable): Promise<void> {
    for (const target of targets) await probe(target, probes(table), { tries: PROBES })
  }

  async #truth(table: QueryTable): Promise<Truth | null> {
    const { truth, model } = this.#plan
    if (truth === null) return null
    if (truth.kind === 'model') return await modelTruth(model, this.#cluster, (line) => this.#live.say(line))
    return await ReferenceServer.start(await this.#target(truth.server), {}, probes(table)[0])
  }

  async #metrics(targets: readonly Target[]): Promise<LoadMetrics | null> {
    const { metrics: address, quiet } = this.#plan.output
    if (address === null) return null
    const metrics = new LoadMetrics(targets.map(({ label }) => label))
    try {
      const port = await metrics.listen(address)
      if (!quiet) this.#live.say(`metrics: http://${addressText(address.host)}:${port}/metrics`)
    } catch (error) {
      throw new LoadInputError(`flag --metrics: ${(error as Error).message}`)
    }
    return metrics
  }

  /** Makes the runs, and a report of them. */
  async #load(
    targets: readonly Target[],
    queries: LoadQueries,
    pids: readonly (readonly number[])[],
    watchers: Watchers,
  ): Promise<Report> {
    const { bounds, workers, cores } = this.#plan
    const startedAt = new Date().toISOString()
    const machine = machineFacts()
    const specs = targets.map((target, index) => this.#spec(target, index, queries.table))
    const engine = await this.#parts.start(queries.table, { workers, cores }, specs[0])
    this.#interrupts.isUnderWay = true
    let outcome: Outcome
    try {
      outcome = await this.#outcome(engine, specs, queries, pids, watchers)
    } finally {
      await engine.close()
    }
    const verification = watchers.verifiers === null ? null : await this.#settled(watchers.verifiers)
    const broken = brokenBounds(outcome, bounds)
    return {
      command: ['peregrine', ...process.argv.slice(2)],
      version: packageVersion(),
      startedAt,
      queries: queries.description,
      queryCount: queries.table.count,
      machine,
      outcome,
      bounds,
      broken,
      verification,
    }
  }

  async #outcome(
    engine: Engine,
    specs: readonly RunSpec[],
    { table }: LoadQueries,
    pids: readonly (readonly number[])[],
    watchers: Watchers,
  ): Promise<Outcome> {
    const { mode } = this.#plan
    const { signal } = this.#interrupts
    const runner = (course: Omit<Course, 'queryCount'>): Runner =>
      new WatchedRunner(engine, watchers, { ...course, queryCount: table.count })
    if (mode.kind === 'run') {
      const result = await runner({ runs: 1, step: () => '' }).run(specs[0], {}, pids[0], signal)
      return { kind: 'run', result, validity: judge(result) }
    }
    if (mode.kind === 'comparison') {
      const step = (run: number): string => `round ${Math.ceil(run / specs.length)} of ${mode.rounds}`
      const course = { runs: mode.rounds * specs.length, step }
      return await compareServers(runner(course), specs, mode.rounds, {}, pids, signal)
    }
    let phase = ''
    const course = { runs: null, step: (run: number): string => `trial ${run} (${phase})` }
    const events = {
      trialStarts(_rate: number, name: string): void {
        phase = name
      },
      trial: (trial: Trial): void => watchers.live.note(`last trial: ${trialText(trial)}`),
    }
    return await findCapacity(runner(course), specs[0], mode.options, events, pids[0], signal)
  }

  #spec(target: Target, index: number, table: QueryTable): RunSpec {
    const { mode, durationMs, passes, warmupMs, timeoutMs, gso, isStamped, sleeps, sampleEvery, sockets } = this.#plan
    const isUdp = target.transport === 'udp'
    // A search gives its trials schedules and lengths of their own.
    const schedule = mode.kind === 'capacity' ? { kind: 'open' as const, rate: mode.options.startRate } : mode.schedule
    return {
      target,
      schedule,
      sockets: sockets[index],
      warmupMs,
      durationMs: durationMs ?? untilDone(schedule, table, passes),
      timeoutMs,
      lateMs: LATE_MS,
      gso,
      sleeps,
      isStamped: isStamped && isUdp && !this.#isPortable,
      isPortable: this.#isPortable && isUdp,
      sampleEvery,
      passes,
    }
  }

  async #settled(verifiers: Verifiers): Promise<Report['verification']> {
    const timer = setTimeout(() => this.#live.say('asking again about answers that differ'), PATIENCE_MS)
    try {
      return await verifiers.settle()
    } finally {
      clearTimeout(timer)
    }
  }
}

function trialText({ rate, passed, validity }: Trial): string {
  const verdict = !validity.isValid ? 'it says nothing' : passed ? 'within bounds' : 'out of bounds'
  return `${countText(rate)} queries a second, ${verdict}`
}

/** All addresses; IPv4 first, for `localhost` is 127.0.0.1 to most servers. */
async function lookUp(host: string): Promise<string[]> {
  return (await lookup(host, { all: true, order: 'ipv4first' })).map(({ address }) => address)
}

/** A few queries from all over the table. */
function probes(table: QueryTable): Uint8Array[] {
  return Array.from({ length: PROBES }, (_, i) => queryMessage(table, Math.floor((i * table.count) / PROBES)))
}

/** How long a run may last that ends with its queries: a little longer than the schedule says, for what is sent late. */
function untilDone(schedule: RunSpec['schedule'], table: QueryTable, passes: number): number {
  const queries = table.count * passes
  const last = table.times?.at(-1)
  let lengthMs = UNTIL_DONE_MS
  if (schedule.kind === 'open') lengthMs = (queries * 1000) / schedule.rate
  else if (schedule.kind === 'replay' && last !== undefined) lengthMs = (last * passes) / schedule.speed
  return Math.min(UNTIL_DONE_MS, Math.ceil(lengthMs) + SLACK_MS)
}

function addressText(host: string): string {
  if (host === '') return '0.0.0.0'
  return host.includes(':') ? `[${host}]` : host
}

function packageVersion(): string {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version
}
