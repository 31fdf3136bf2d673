// `npm run bench:load`: whether the load tester does what it says, beside servers whose delays and rates are known: how many queries
// one core offers, how true its latencies and rates are, and whether dnsperf comes to the same. The engine is kept on one core,
// the server on another. bench/load/options.ts has the options.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { measureBeside } from './load/beside.ts'
import { measureLatency } from './load/latency.ts'
import { measureOffered } from './load/offered.ts'
import { HELP, type Part, readOptions } from './load/options.ts'
import { measureRates } from './load/rate.ts'
import { type Finding, loadFigures, printFindings } from './load/report.ts'
import { type Bench, startBench } from './load/setting.ts'
import { compileStandIn } from './load/stand-in.ts'
import { keepResults, makeResults } from './results.ts'
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

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2))
  if (!options) return console.log(HELP)
  const folder = mkdtempSync(join(tmpdir(), 'peregrine-bench-'))
  const interrupted = new AbortController()
  process.once('SIGINT', () => interrupted.abort())
  process.once('SIGTERM', () => interrupted.abort())
  let bench: Bench | undefined
  try {
    const program = compileStandIn(folder)
    bench = await startBench(options, folder, interrupted.signal)
    const findings: Finding[] = []
    for (const part of options.parts) {
      if (interrupted.signal.aborted) break
      if (process.stderr.isTTY) process.stderr.write(`\r${part}        `)
      findings.push(...(await MEASURE[part](bench, program)))
    }
    printFindings(findings)
    const { runs, disturbed } = bench
    if (disturbed > 0)
      console.log(`\n${disturbed} of ${runs} runs had less than their core: others worked on this machine`)
    const results = makeResults('load', loadFigures(findings), undefined, versionsOf(PEERS))
    keepResults(results, options.jsonPath, options.isRecorded, { options, findings, samples: bench.samples })
  } finally {
    await bench?.session.close()
    await bench?.evenSession.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

await main().catch((error: Error) => {
  console.error(`bench:load: ${error.message}`)
  process.exitCode = 1
})
