// How long a start takes: from the API server, and from the state file.

import { statSync } from 'node:fs'
import { join } from 'node:path'
import { type Bench, LARGE, MEDIUM, READY_MS } from './bench.ts'
import { atMost } from './report.ts'
import type { ServerProcess } from './server.ts'
import { cpuSeconds, memoryOf } from './usage.ts'

const COLD = 'cold start'
const STATE = 'state file'
const STATE_STARTS_LEAST = 3

/** A server without a state, page by page and with streams. */
export async function measureColdStarts(bench: Bench): Promise<void> {
  if (!bench.wants(COLD)) return
  const starts = startsFor(bench)
  for (const streamingLists of [false, true]) {
    const lists = streamingLists ? 'streaming lists' : 'paged lists'
    const found = {
      ready: [] as number[],
      answer: [] as number[],
      cpu: [] as number[],
      api: [] as number[],
      peak: [] as number[],
    }
    for (let i = 0; i < starts; i++) {
      const before = await bench.api.send({ do: 'cpu' })
      const server = await bench.startServer({ streamingLists })
      const answered = server.firstAnswer(bench.names.steady, READY_MS)
      found.ready.push((await server.ready(READY_MS)) / 1000)
      found.cpu.push(cpuSeconds(server.pid))
      found.answer.push((await answered) / 1000)
      found.peak.push(memoryOf(server.pid).peak)
      found.api.push(((await bench.api.send({ do: 'cpu' })).cpuMs - before.cpuMs) / 1000)
      await server.stop()
    }
    const seconds = bench.services === LARGE ? 10 : bench.services === MEDIUM ? 1.5 : 0
    const { figures } = bench
    figures.add(COLD, `${lists}: ready`, 's', found.ready, seconds > 0 ? atMost(seconds) : null)
    figures.add(COLD, `${lists}: first right answer`, 's', found.answer)
    figures.add(COLD, `${lists}: CPU of the server until ready`, 's', found.cpu)
    figures.add(COLD, `${lists}: CPU of the API server`, 's', found.api)
    figures.add(COLD, `${lists}: peak of memory`, 'MiB', found.peak)
  }
}

/** `server` has saved what it knows in `stateDir`, and is ended. */
export async function measureStateStarts(bench: Bench, server: ServerProcess, stateDir: string): Promise<void> {
  if (!bench.wants(STATE)) return
  const beganMs = performance.now()
  await server.stop()
  const stopSeconds = (performance.now() - beganMs) / 1000
  const sizeMib = statSync(join(stateDir, 'state.peregrine')).size / 2 ** 20
  const answers: number[] = []
  const ready: number[] = []
  for (let i = 0; i < Math.max(STATE_STARTS_LEAST, startsFor(bench)); i++) {
    const again = await bench.startServer({ stateDir })
    answers.push((await again.firstAnswer(bench.names.steady, READY_MS)) / 1000)
    // Confirmation takes as long as a list, and is the same each time.
    if (i === 0) ready.push((await again.ready(READY_MS)) / 1000)
    await again.stop()
  }
  const { figures } = bench
  figures.add(STATE, 'size', 'MiB', sizeMib)
  figures.add(STATE, 'stop of a server, with its last save', 's', stopSeconds)
  figures.add(STATE, 'first right answer', 's', answers, bench.services === LARGE ? atMost(0.5) : null)
  figures.add(STATE, 'confirmed by the API server: ready', 's', ready)
}

function startsFor({ services, options }: Bench): number {
  return Math.max(1, Math.min(options.starts, Math.round((options.starts * MEDIUM) / services)))
}
