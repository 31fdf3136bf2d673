// The upstream of a measurement of forwarding: NSD with our zones behind relay.c, which delays and counts.

import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { cpuTimeNs, processTree } from '../../src/load/process-cpu.ts'
import { nsdCommand, type ZoneFile } from '../serve/nsd.ts'
import { isAlive, lacking, startPinned, stop } from '../serve/process.ts'
import type { Query } from '../serve/queries.ts'
import { untilReady } from '../serve/verify.ts'

/** What the relay saw since it last began anew. */
export interface Counts {
  readonly queries: number
  /** Different questions among them. */
  readonly names: number
  /** Queries for a question whose answer was still on its way. */
  readonly repeatsInFlight: number
  readonly answers: number
  /** Packets that the relay could not send or hold; 0 or the figures are worth nothing. */
  readonly dropped: number
}

/** A running upstream. */
export interface Upstream {
  /** Where to forward to, on 127.0.0.1. */
  readonly port: number
  /** What the relay saw, once no more queries come; after it the relay counts anew. */
  settle(): Promise<Counts>
  /** Delay of the answers to come. */
  delay(ms: number): Promise<void>
  /** Processor time of relay and NSD so far, in nanoseconds. */
  cpuNs(): number
  stop(): Promise<void>
}

/** How long answers are held back. */
export const DELAY_MS = 1

/** Answers as short as they can be. */
const NSD_OPTIONS = ['receive-buffer-size: 8388608', 'send-buffer-size: 8388608', 'minimal-responses: yes']
const ADDRESS = '127.0.0.1'
const READY_MS = 10_000
const CONTROL_MS = 2_000
/** No query in so long: they are over. */
const QUIET_MS = 150
/** Waited for that at most. */
const SETTLE_MS = 3_000

/** '' = an upstream can run here, otherwise why not. */
export function upstreamMissing(): string {
  return lacking('nsd') || lacking('cc')
}

/**
 * Starts NSD on `port`, the relay on `port` + 1 and its control on `port` + 2, all on one core and served before the
 * generator, which never sleeps, whenever both want it.
 *
 * @param probe  a query that the zones answer
 * @throws Error when it does not answer rightly
 */
export async function startUpstream(
  folder: string,
  port: number,
  core: number,
  zones: readonly ZoneFile[],
  probe: Query,
): Promise<Upstream> {
  mkdirSync(folder)
  const program = join(folder, 'relay')
  execFileSync('cc', ['-O2', '-o', program, join(import.meta.dirname, 'relay.c')])
  const relayPort = port + 1
  const ports = [relayPort, port, port + 2].map(String)
  const first = ['nice', '-n', '-15']
  const nsd = startPinned(core, [...first, ...nsdCommand(folder, port, zones, NSD_OPTIONS)], join(folder, 'nsd.out'))
  const relay = startPinned(core, [...first, program, ...ports, String(DELAY_MS * 1000)], join(folder, 'relay.out'))
  const running = [nsd, relay]
  const upstream = {
    port: relayPort,
    settle: () => settle(port + 2),
    delay: async (ms: number) => void (await command(port + 2, `delay ${ms * 1000}`)),
    cpuNs: () => cpuTimeNs(running.flatMap((each) => processTree(each.pid))),
    stop: async () => void (await Promise.all(running.map((each) => stop(each)))),
  }
  const wrong = await untilReady(relayPort, probe, READY_MS, () => running.every(isAlive))
  if (wrong === '') return upstream
  await upstream.stop()
  throw new Error(`the upstream does not answer: ${wrong}`)
}

/** A server that shares its core goes on with what it was asked when nobody listens any more. */
async function settle(controlPort: number): Promise<Counts> {
  const end = Date.now() + SETTLE_MS
  let known = -1
  while (Date.now() < end) {
    const { queries } = readCounts(await command(controlPort, 'count'))
    if (queries === known) break
    known = queries
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS))
  }
  return readCounts(await command(controlPort, 'anew'))
}

async function command(port: number, text: string): Promise<string> {
  const socket = createSocket('udp4')
  try {
    socket.send(text, port, ADDRESS)
    const [reply] = await once(socket, 'message', { signal: AbortSignal.timeout(CONTROL_MS) })
    return String(reply)
  } finally {
    socket.close()
  }
}

function readCounts(text: string): Counts {
  const [queries, names, repeatsInFlight, answers, dropped] = text.split(' ').map(Number)
  return { queries, names, repeatsInFlight, answers, dropped }
}
