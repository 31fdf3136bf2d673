// How true rates are: what the engine says that it sent, and what arrived by the clock of a server that counts.

import type { Finding } from './report.ts'
import { type Bench, run } from './setting.ts'
import { StandIn } from './stand-in.ts'

const RATES = [1000, 50_000, 200_000]
/** Percent. */
const GOAL = { least: -0.5, most: 0.5 }

/** Measures in rounds. */
export async function measureRates(bench: Bench, program: string): Promise<Finding[]> {
  const { options } = bench
  const findings: Finding[] = []
  for (const rate of RATES) {
    const sent: number[] = []
    const arrived: number[] = []
    const late: number[] = []
    for (let round = 0; round < options.rounds && !bench.signal.aborted; round++) {
      const standIn = await StandIn.start(program, options.serverCore, options.port, { mode: 'delay', number: 0 })
      try {
        const what = `${rate} a second`
        const schedule = { kind: 'open', rate } as const
        const begin = () => standIn.forget()
        const result = await run(bench, { what, round, port: standIn.port, schedule, seconds: options.seconds, begin })
        const known = await standIn.tell()
        bench.samples.push({ what: `${what}, known`, round, known })
        sent.push((result.sent / options.seconds / rate - 1) * 100)
        arrived.push(((known.count + known.drops - 1) / (known.span / 1e9) / rate - 1) * 100)
        late.push((result.late / result.sent) * 100)
      } finally {
        await standIn.stop()
      }
    }
    const name = `${rate.toLocaleString('en')} a second`
    const common = { part: 'rate', unit: '%', better: 'lower', note: '' } as const
    findings.push({ ...common, what: `${name}, sent, off`, values: sent, goal: GOAL })
    findings.push({ ...common, what: `${name}, arrived, off`, values: arrived, goal: GOAL })
    findings.push({ ...common, what: `${name}, late by more than 1 ms`, values: late, goal: null })
  }
  return findings
}
