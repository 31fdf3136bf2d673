// `npm run bench:load`: whether the load tester does what it says, beside servers whose delays and rates are known: how many queries
// one core offers, how true its latencies and rates are, and whether dnsperf comes to the same. The engine is kept on one core,
// the server on another. bench/load/options.ts has the options.

import { inFolder, type Outcome, runBench } from './command.ts'
import { measureBeside } from './load/beside.ts'
import { measureLatency } from './load/latency.ts'
import { measureOffered } from './load/offered.ts'
import { HELP, type Options, type Part, readOptions } from './load/options.ts'
import { measureRates } from './load/rate.ts'
import { type Finding, loadFigures, printFindings } from './load/report.ts'
import { type Bench, startBench } from './load/setting.ts'
import { compileStandIn } from './load/stand-in.ts'
import { versionsOf } from './serve/versions.ts'

const PEERS = [
  ['dnsperf', '-h'],
  ['knotd', '--version'],
] as const

const MEASURE: Readonly<Record<Part, (bench: Bench, program: string) => Promise<Finding[]>>> = {
  offered: measureOffered,
  latency: measureLatency,
  rate: measureRates,
  dnsperf: measureBeside,
}

async function measureAll(options: Options, folder: string, interrupted: AbortSignal): Promise<Outcome> {
  let bench: Bench | undefined
  try {
    const program = compileStandIn(folder)
    bench = await startBench(options, folder, interrupted)
    const findings: Finding[] = []
    for (const part of options.parts) {
      if (interrupted.aborted) break
      if (process.stderr.isTTY) process.stderr.write(`\r${part}        `)
      findings.push(...(await MEASURE[part](bench, program)))
    }
    printFindings(findings)
    const { runs, disturbed } = bench
    if (disturbed > 0)
      console.log(`\n${disturbed} of ${runs} runs had less than their core: others worked on this machine`)
    const details = { findings, samples: bench.samples }
    return { figures: loadFigures(findings), details, machine: versionsOf(PEERS), checkout: import.meta.dirname }
  } finally {
    await bench?.session.close()
    await bench?.evenSession.close()
  }
}

await runBench('load', HELP, readOptions, inFolder(measureAll))
