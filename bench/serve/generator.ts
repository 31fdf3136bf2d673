// The load of a measurement: the load tester's engine as a closed loop over UDP, kept on a core of its own. A table is a file, as
// encodeTable() writes it; a thread that has one keeps it, so that the runs of all rounds are alike.

import { readFileSync } from 'node:fs'
import { cpuTimeNs } from '../../src/load/process-cpu.ts'
import { QueryTableBuilder } from '../../src/load/query-table.ts'
import type { RunResult } from '../../src/load/run.ts'
import { LoadSession } from '../../src/load/session.ts'
import { localRun } from '../local-run.ts'

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
  /** Each query of the table is sent once; the run ends with the table. */
  readonly once?: boolean
}

/** What it came to. */
export interface Result {
  readonly answered: number
  /** Queries sent since the run began, before counting too. */
  readonly sent: number
  /** Queries given up after a second. */
  readonly lost: number
  /** Answers by RCODE, 0..15. */
  readonly rcodes: readonly number[]
  readonly seconds: number
  /** CPU time of the processes while counting, in nanoseconds. */
  readonly serverCpuNs: number
  readonly softirqCpuNs: number
  /** CPU time of the generator's thread while counting. */
  readonly ownCpuNs: number
  /** Share of the time (0..1) in which no socket had anything: the generator waited for the server. */
  readonly idleShare: number
  /** Answers taken by one receiving call, on average. */
  readonly batch: number
}

/** Makes runs, one at a time. */
export class Generator {
  readonly #core: number
  /** By path of the table. */
  readonly #sessions = new Map<string, LoadSession>()

  constructor(core: number) {
    this.#core = core
  }

  /** @throws RunError */
  async run(run: Run): Promise<Result> {
    const session = await this.#sessionOf(run.tablePath)
    const spec = localRun(run.port, {
      schedule: { kind: 'closed', outstanding: run.outstanding },
      sockets: run.sockets,
      warmupMs: run.warmMs,
      durationMs: run.countMs,
      passes: run.once === true ? 1 : 0,
    })
    let sent = 0
    const events = {
      second: (second: { readonly sent: number }) => {
        sent += second.sent
      },
    }
    const softirqBefore = cpuTimeNs([run.softirqPid])
    const result = await session.run(spec, events, run.pids)
    const softirqNs = cpuTimeNs([run.softirqPid]) - softirqBefore
    return { ...figuresOf(result), sent, softirqCpuNs: (softirqNs * run.countMs) / (run.warmMs + run.countMs) }
  }

  /** Gives a table back that is not needed any more. */
  async forget(tablePath: string): Promise<void> {
    await this.#sessions.get(tablePath)?.close()
    this.#sessions.delete(tablePath)
  }

  async close(): Promise<void> {
    for (const path of [...this.#sessions.keys()]) await this.forget(path)
  }

  async #sessionOf(tablePath: string): Promise<LoadSession> {
    const known = this.#sessions.get(tablePath)
    if (known !== undefined) return known
    const session = await LoadSession.start(readTable(tablePath), { workers: 1, cores: [this.#core] })
    this.#sessions.set(tablePath, session)
    return session
  }
}

function figuresOf({
  answered,
  lost,
  rcodes,
  seconds,
  serverCpuNs,
  own,
}: RunResult): Omit<Result, 'sent' | 'softirqCpuNs'> {
  return {
    answered,
    lost,
    rcodes,
    seconds,
    serverCpuNs: serverCpuNs ?? Number.NaN,
    ownCpuNs: own.cpuShares[0] * seconds * 1e9,
    idleShare: own.idleShares[0],
    batch: own.receiveBatch,
  }
}

function readTable(path: string): ReturnType<QueryTableBuilder['build']> {
  const file = readFileSync(path)
  const builder = new QueryTableBuilder()
  for (let at = 0; at < file.length; at += 2 + file.readUInt16BE(at)) {
    builder.add(file.subarray(at + 2, at + 2 + file.readUInt16BE(at)))
  }
  return builder.build()
}
