// A flood of random subdomains against the running server: their upstream is dead or slow, and beside them names of the cluster and popular names
// are asked at a fixed rate. What do those notice, and what does the server need for it? By hand:
//
//     node test/attacks/flood.ts [--seconds 60] [--upstream dead|100] [--outstanding 9000] [--rate N] [--max-concurrent N] [--probe-rate 500] [--pin]
//
// `--upstream` is dead or milliseconds until NXDOMAIN; `--outstanding` what the flood has under way at any time: with more than the 4096 that may wait it
// asks as fast as it is refused. `--pin`: the server on one core, the clients on another, both before everybody else (root).

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { CorefileServer, freePort } from '../corefile/corefile-server.ts'
import type { ClientResult, ClientRun, Probed } from './flood-client.ts'
import type { UpstreamData } from './flood-upstream.ts'

export interface Flooding {
  readonly quietSeconds: number
  readonly floodSeconds: number
  /** After the flood, until all that waits has been given up, and then before it is measured again. */
  readonly restSeconds: number
  /** Of the flooded zone: milliseconds until NXDOMAIN; negative: dead. */
  readonly delayMs: number
  readonly outstanding: number
  /** 0 = no limit. */
  readonly rate: number
  readonly maxConcurrent: number
  readonly probeRate: number
  readonly isPinned: boolean
}

/** What happened before, while and after. */
export interface Flooded {
  readonly quiet: ClientResult
  readonly flood: ClientResult
  readonly after: ClientResult
  /** Resident octets: before, at the end of the flood, after the rest. */
  readonly resident: readonly [before: number, flooded: number, after: number]
  /** Queries to the upstream of the popular names while flooded: 0 if all were in the cache. */
  readonly popularAsked: number
  /** Queries to the upstream of the flooded zone. */
  readonly floodAsked: number
  /** What counters counted from the beginning to the end of the flood. */
  readonly counted: Readonly<Record<string, number>>
  /** Shares of the time of the flood, by thread. */
  readonly threads: Readonly<Record<string, number>>
  readonly exitCode: number | null
  readonly output: string
}

export const FLOOD_ZONE = 'flood.test'
const CLUSTER = ['cart.shop.svc.cluster.local', 'web.shop.svc.cluster.local']
const POPULAR = Array.from({ length: 200 }, (_, i) => `popular-${i}.example`)
const COUNTERS =
  /^(coredns_dns_responses_total|coredns_forward_max_conc\w+|coredns_cache_(?:hits|misses|evictions)_total|peregrine_socket_drops_total|peregrine_worker_restarts_total)(\{.*\})? (.*)$/

export async function flood(flooding: Flooding): Promise<Flooded> {
  const { delayMs, maxConcurrent, isPinned } = flooding
  const counts = new Int32Array(new SharedArrayBuffer(8))
  const data: UpstreamData = { delayMs, counts: counts.buffer }
  const upstream = new Worker(new URL('./flood-upstream.ts', import.meta.url), { workerData: data })
  let server: CorefileServer | undefined
  let client: ChildProcess | undefined
  try {
    const [ports] = (await once(upstream, 'message')) as [{ honest: number; flooded: number }]
    const metrics = await freePort()
    const text = corefile(ports, metrics, maxConcurrent)
    server = await CorefileServer.start({ text, before: isPinned ? before(1) : [] })
    client = startClient(isPinned)
    if (isPinned) for (const child of [server.child, client]) prefer(child)
    const running = server
    const run = (seconds: number, outstanding: number): Promise<ClientResult> =>
      request(client!, clientRun(running.port, seconds, outstanding, flooding))
    // Into the cache, and everything warm.
    for (const name of POPULAR) await running.ask({ name, type: 'A' })
    await run(Math.min(2, flooding.quietSeconds), 0)
    const quiet = await run(flooding.quietSeconds, 0)
    const residentBefore = resident(running)
    const countedBefore = await scrape(running, metrics)
    const cpuBefore = threadTimes(running)
    const [askedBefore, floodAskedBefore] = counts
    const flooded = await run(flooding.floodSeconds, flooding.outstanding)
    const cpuAfter = threadTimes(running)
    const residentFlooded = resident(running)
    const [askedAfter, floodAskedAfter] = counts
    const countedAfter = await scrape(running, metrics)
    await new Promise((resolve) => setTimeout(resolve, flooding.restSeconds * 1000))
    const after = await run(flooding.quietSeconds, 0)
    const residentAfter = resident(running)
    const exitCode = await running.stop()
    return {
      quiet,
      flood: flooded,
      after,
      resident: [residentBefore, residentFlooded, residentAfter],
      popularAsked: askedAfter - askedBefore,
      floodAsked: floodAskedAfter - floodAskedBefore,
      counted: difference(countedAfter, countedBefore, 1),
      threads: difference(cpuAfter, cpuBefore, flooding.floodSeconds),
      exitCode,
      output: running.output,
    }
  } finally {
    client?.disconnect()
    server?.kill()
    await upstream.terminate()
  }
}

function corefile(ports: { honest: number; flooded: number }, metrics: number, maxConcurrent: number): string {
  return `cluster.local {
  kubernetes
  prometheus 127.0.0.1:${metrics}
}
. {
  forward ${FLOOD_ZONE} 127.0.0.1:${ports.flooded} {
    max_concurrent ${maxConcurrent}
  }
  forward . 127.0.0.1:${ports.honest}
  cache 3600
  prometheus 127.0.0.1:${metrics}
}
`
}

function clientRun(port: number, seconds: number, outstanding: number, { rate, probeRate }: Flooding): ClientRun {
  return { port, seconds, outstanding, rate, probeRate, floodZone: FLOOD_ZONE, cluster: CLUSTER, popular: POPULAR }
}

/** A command in front of another: on one core, in a session of its own, for which prefer() speaks. */
function before(core: number): string[] {
  return ['setsid', 'taskset', '-c', String(core)]
}

/** Before everybody else on that core. The kernel weighs sessions, so that a priority among all processes would be of no use (sched(7), autogroup). */
function prefer({ pid }: ChildProcess): void {
  writeFileSync(`/proc/${pid}/autogroup`, '-15')
}

function startClient(isPinned: boolean): ChildProcess {
  const command = [...(isPinned ? before(0) : []), process.execPath, join(import.meta.dirname, 'flood-client.ts')]
  return spawn(command[0], command.slice(1), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
}

function request(client: ChildProcess, run: ClientRun): Promise<ClientResult> {
  return new Promise((resolve, reject) => {
    const ended = (): void => reject(new Error('the client ended'))
    client.once('exit', ended)
    client.once('message', (result) => {
      client.off('exit', ended)
      resolve(result as ClientResult)
    })
    client.send(run)
  })
}

function resident({ child }: CorefileServer): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'latin1'))![1]) * 1024
}

/** Seconds that threads have run, and that they could have run but for others on their core, by their names. */
function threadTimes({ child }: CorefileServer): Map<string, number> {
  const times = new Map<string, number>()
  const folder = `/proc/${child.pid}/task`
  for (const thread of readdirSync(folder)) {
    const [name, time] = ['comm', 'schedstat'].map((file) =>
      readFileSync(`${folder}/${thread}/${file}`, 'latin1').trim(),
    )
    const [ran, waited] = time.split(' ').map((ns) => Number(ns) / 1e9)
    if (ran < 0.05) continue
    times.set(`${name} ${thread} ran`, ran)
    times.set(`${name} ${thread} waited for the core`, waited)
  }
  return times
}

async function scrape(server: CorefileServer, port: number): Promise<Map<string, number>> {
  const { body } = await server.get('/metrics', port)
  const sums = new Map<string, number>()
  for (const line of body.split('\n')) {
    const [, name, labels = '', value] = COUNTERS.exec(line) ?? []
    if (name === undefined) continue
    const kept = [...labels.matchAll(/(rcode|type|zone)="([^"]*)"/g)].map(([text]) => text)
    const key = `${name}{${kept.join(',')}}`
    sums.set(key, (sums.get(key) ?? 0) + Number(value))
  }
  return sums
}

function difference(after: Map<string, number>, before: Map<string, number>, by: number): Record<string, number> {
  const changes = [...after].map(([key, value]) => [key, (value - (before.get(key) ?? 0)) / by] as const)
  return Object.fromEntries(changes.filter(([, value]) => value > 0.005))
}

function probedText({ sent, answered, wrong, p50, p99, most }: Probed): string {
  const us = (ms: number): string => `${Math.round(ms * 1000)} us`
  return `${answered} of ${sent} answered, ${wrong} wrong, half in ${us(p50)}, 99 % in ${us(p99)}, all in ${us(most)}`
}

function print({ quiet, flood: flooded, after, resident: octets, ...rest }: Flooded): void {
  for (const [what, result] of Object.entries({ quiet, flood: flooded, after })) {
    console.log(`${what}: cluster ${probedText(result.cluster)}`)
    console.log(`${what}: clients stood still for ${(result.stalledShare * 100).toFixed(1)} % of the time`)
    console.log(`${what}: popular ${probedText(result.popular)}`)
  }
  const { sent, rcodes, lost, seconds } = flooded
  console.log(`flood: ${sent} sent, ${Math.round(sent / seconds)} a second, ${lost} lost, by RCODE ${rcodes.join(' ')}`)
  console.log(`p99 of the cluster's names: ${(flooded.cluster.p99 / quiet.cluster.p99).toFixed(2)} times the quiet one`)
  console.log(`resident: ${octets.map((each) => `${Math.round(each / 2 ** 20)} MiB`).join(', ')}`)
  const { output, ...figures } = rest
  console.log(figures)
  if (/crash|restart|rror/.test(output)) console.log(output)
}

if (import.meta.main) {
  const text = (value: string) => ({ type: 'string', default: value }) as const
  const { values } = parseArgs({
    options: {
      seconds: text('60'),
      upstream: text('dead'),
      outstanding: text('9000'),
      rate: text('0'),
      'max-concurrent': text('0'),
      'probe-rate': text('500'),
      pin: { type: 'boolean', default: false },
    },
  })
  const floodSeconds = Number(values.seconds)
  print(
    await flood({
      quietSeconds: Math.min(10, floodSeconds),
      floodSeconds,
      restSeconds: 7,
      delayMs: values.upstream === 'dead' ? -1 : Number(values.upstream),
      outstanding: Number(values.outstanding),
      rate: Number(values.rate),
      maxConcurrent: Number(values['max-concurrent']),
      probeRate: Number(values['probe-rate']),
      isPinned: values.pin,
    }),
  )
}
