// `npm run bench:watch`: a server that follows a generated cluster, from outside: how long it takes to start, what it holds in memory,
// how soon a change is in its answers, and what lists that are read again and outages of the API server do to it.
// bench/watch/options.ts has the options. The stand-in API server, the server and the clients share the machine, and each figure includes
// the way through TLS and the kernel: they are upper bounds.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Outcome, runBench } from './command.ts'
import { Bench, READY_MS } from './watch/bench.ts'
import { watchFigures } from './watch/figures.ts'
import { measureQuiet } from './watch/memory.ts'
import { HELP, type Options, readOptions } from './watch/options.ts'
import { measureHalfOpen, measureOutage } from './watch/outage.ts'
import { measureRelists } from './watch/relist.ts'
import { compareSizes, type Figure, printFigures, printNotes } from './watch/report.ts'
import { measureColdStarts, measureStateStarts } from './watch/starts.ts'
import { measureUpdates } from './watch/updates.ts'
import { OtherProcesses } from './watch/usage.ts'

/** Of one server's life. */
const PARTS = ['quiet', 'updates', 'relist', 'outage', 'state file']

const SIZE_RATIO_MAX = 1.2

async function measureAll(options: Options): Promise<Outcome> {
  const figures: Figure[] = []
  for (const services of options.services) figures.push(...(await measure(options, services)))
  const compared = compareSizes(figures, SIZE_RATIO_MAX)
  if (compared.length > 0) printFigures('Independent of size', compared)
  figures.push(...compared)
  printNotes()
  return { figures: watchFigures(figures), details: { parts: figures } }
}

async function measure(options: Options, services: number): Promise<readonly Figure[]> {
  const others = new OtherProcesses()
  const bench = await Bench.open(options, services)
  try {
    await measureColdStarts(bench)
    await measureRunning(bench)
    // It is the same at all sizes.
    if (services === options.services[0]) await measureHalfOpen(bench)
  } finally {
    await bench.close()
  }
  const endpoints = services * options.endpointsPerService
  bench.figures.add('machine', 'cores that other processes used meanwhile', '', others.cores)
  printFigures(`${services} Services, ${endpoints} endpoints`, bench.figures.list)
  return bench.figures.list
}

/** All that one server goes through in its life. */
async function measureRunning(bench: Bench): Promise<void> {
  if (!PARTS.some((part) => bench.wants(part))) return
  const stateDir = join(bench.folder, 'state')
  mkdirSync(stateDir)
  const server = await bench.startServer({ stateDir, watchesLoop: true })
  await server.ready(READY_MS)
  await measureQuiet(bench, server, stateDir)
  await measureUpdates(bench, server)
  await measureRelists(bench, server)
  await measureOutage(bench, server)
  await measureStateStarts(bench, server, stateDir)
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
await runBench('watch', HELP, readOptions, measureAll)
