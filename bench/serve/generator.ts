// The load of a measurement: the load tester's engine as a closed loop over UDP, kept on a core of its own. A thread that has a table
// keeps it, so that the runs of all rounds are alike.

import { cpuTimeNs } from '../../src/load/process-cpu.ts'
import type { QueryTable } from '../../src/load/query-table.ts'
import type { RunResult } from '../../src/load/run.ts'
import { LoadSession } from '../../src/load/session.ts'
import { localRun } from '../local-run.ts'

/** One measurement. Times are in milliseconds. */
export interface Run {
  readonly table: QueryTable
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
  readonly #sessions = new Map<QueryTable, LoadSession>()

  constructor(core: number) {
    this.#core = core
  }

  /** @throws RunError */
  async run(run: Run): Promise<Result> {
    const session = await this.#sessionOf(run.table)
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

  async close(): Promise<void> {
    for (const session of this.#sessions.values()) await session.close()
    this.#sessions.clear()
  }

  async #sessionOf(table: QueryTable): Promise<LoadSession> {
    const known = this.#sessions.get(table)
    if (known !== undefined) return known
    const session = await LoadSession.start(table, { workers: 1, cores: [this.#core] })
    this.#sessions.set(table, session)
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
