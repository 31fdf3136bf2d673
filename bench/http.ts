// `npm run bench:http`: the server's HTTP endpoints under load, on one core with the client on another: how many requests they
// answer, how soon, and, with queries beside, what each does to the other. bench/http/options.ts has the options.

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { cpuTimeNs, processTree } from '../src/load/process-cpu.ts'
import { SIZES, writeManifests } from '../src/load/queries/synthetic-cluster.ts'
import { inFolder, type Outcome, runBench } from './command.ts'
import { HELP, type Options, readOptions } from './http/options.ts'
import { type HttpSample, httpFigures, printTables } from './http/report.ts'
import { request } from './http/requests.ts'
import { type Endpoint, type HttpServer, startServer } from './http/server.ts'
import { pinAll, stop } from './serve/process.ts'
import { drawQueries } from './serve/queries.ts'
import { SteadyLoad } from './watch/load.ts'
import type { Expected } from './watch/names.ts'

/** What is measured. */
interface Bench {
  readonly options: Options
  readonly server: HttpServer
  readonly names: readonly Expected[]
}

const SIZE = SIZES[0]
const TABLE_COUNT = 16_384
/** Connections, compilers and caches get warm. */
const WARM_S = 0.5

async function measureAll(options: Options, folder: string, interrupted: AbortSignal): Promise<Outcome> {
  let server: HttpServer | undefined
  try {
    const queries = drawQueries(SIZE, 'positive', TABLE_COUNT, options.seed).filter(({ qtype }) => qtype === 'A')
    const names = queries.map(({ qname, addresses }) => ({ qname, rcode: 0, count: addresses.length, address: 0 }))
    const manifests = writeManifests(SIZE, join(folder, 'manifests'))
    pinAll(options.clientCore, [process.pid])
    server = await startServer(options.launcher, options.serverCore, folder, manifests, queries[0])
    const samples = await measureRounds({ options, server, names }, interrupted)
    printTables(samples)
    return { figures: httpFigures(samples), details: { samples: samples.map(withoutHistograms) } }
  } finally {
    if (server) await stop(server.process)
  }
}

async function measureRounds(bench: Bench, interrupted: AbortSignal): Promise<HttpSample[]> {
  const { options, server } = bench
  const rates = options.dnsRate === 0 ? [0] : [0, options.dnsRate]
  for (const endpoint of options.endpoints) await request(server.urls[endpoint], options.connections, WARM_S)
  const samples: HttpSample[] = []
  for (let round = 0; round < options.rounds; round++) {
    for (const rate of rates) {
      for (const endpoint of rate === 0 ? options.endpoints : (['', ...options.endpoints] as const)) {
        if (interrupted.aborted) return samples
        samples.push(await measure(bench, endpoint, rate, round))
      }
    }
    if (process.stderr.isTTY) process.stderr.write(`\rround ${round + 1} of ${options.rounds} `)
  }
  return samples
}

async function measure(bench: Bench, endpoint: Endpoint | '', dnsRate: number, round: number): Promise<HttpSample> {
  const { options, server, names } = bench
  const load = dnsRate === 0 ? null : await SteadyLoad.start(server.dnsPort, names, dnsRate)
  const pids = processTree(server.process.pid)
  const cpuBefore = cpuTimeNs(pids)
  const begunMs = performance.now()
  const http = endpoint === '' ? null : await request(server.urls[endpoint], options.connections, options.seconds)
  if (http === null) await sleep(options.seconds * 1000)
  const serverCpuNs = cpuTimeNs(pids) - cpuBefore
  const seconds = (performance.now() - begunMs) / 1000
  const queries = (await load?.stop()) ?? null
  return { endpoint, dnsRate, round, http, queries, serverCpuNs, seconds }
}

function withoutHistograms({ http, queries, ...sample }: HttpSample): object {
  return {
    ...sample,
    http: http && { ...http, latency: undefined },
    queries: queries && { ...queries, latency: undefined },
  }
}

await runBench('http', HELP, readOptions, inFolder(measureAll))
