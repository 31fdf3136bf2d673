// The server under test: Peregrine by a Corefile with its three HTTP endpoints, on one core.

import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ZONE } from '../../src/load/queries/synthetic-cluster.ts'
import { isAlive, type PinnedProcess, startPinned, stop } from '../serve/process.ts'
import type { Query } from '../serve/queries.ts'
import { untilReady } from '../serve/verify.ts'

/** By what they are called in a Corefile. */
export const ENDPOINTS = ['metrics', 'health', 'ready'] as const
export type Endpoint = (typeof ENDPOINTS)[number]

/** A server that answers. */
export interface HttpServer {
  readonly process: PinnedProcess
  readonly dnsPort: number
  readonly urls: Readonly<Record<Endpoint, string>>
}

const ADDRESS = '127.0.0.1'
const LOAD_MS = 30_000
const TRY_MS = 20
/** Part of what each says when all is well. */
const SAYS: Readonly<Record<Endpoint, string>> = { metrics: 'coredns_dns_requests_total', health: 'OK', ready: 'OK' }

/**
 * Starts it and waits until it answers a query and each endpoint rightly.
 *
 * @param query  has an answer
 * @throws Error with its log if it does not
 */
export async function startServer(
  launcher: string,
  core: number,
  folder: string,
  manifests: string,
  query: Query,
): Promise<HttpServer> {
  const [dnsPort, metrics, health, ready] = await freePorts(4)
  const conf = join(folder, 'Corefile')
  writeFileSync(conf, corefile(dnsPort, metrics, health, ready))
  const command = [launcher, '-conf', conf, '--manifests', manifests, '--workers', '1']
  const started = startPinned(core, command, join(folder, 'log'))
  const url = (port: number, path: Endpoint) => `http://${ADDRESS}:${port}/${path}`
  const urls = { metrics: url(metrics, 'metrics'), health: url(health, 'health'), ready: url(ready, 'ready') }
  const alive = () => isAlive(started)
  let wrong = await untilReady(dnsPort, query, LOAD_MS, alive)
  for (const endpoint of ENDPOINTS) wrong ||= await untilWell(urls[endpoint], SAYS[endpoint], alive)
  if (wrong === '') return { process: started, dnsPort, urls }
  await stop(started)
  throw new Error(`the server does not answer: ${wrong}\n${readFileSync(started.logPath, 'utf8').trimEnd()}`)
}

function corefile(dnsPort: number, metrics: number, health: number, ready: number): string {
  return `.:${dnsPort} {
  bind ${ADDRESS}
  errors
  health ${ADDRESS}:${health} {
    lameduck 0s
  }
  ready ${ADDRESS}:${ready}
  kubernetes ${ZONE} in-addr.arpa ip6.arpa {
    pods insecure
    fallthrough in-addr.arpa ip6.arpa
    ttl 30
  }
  prometheus ${ADDRESS}:${metrics}
  cache 30
  loadbalance
}
`
}

/** @returns '' when it says what it should, otherwise what was wrong last */
async function untilWell(url: string, text: string, alive: () => boolean): Promise<string> {
  const end = performance.now() + LOAD_MS
  let wrong = ''
  while (performance.now() < end && alive()) {
    wrong = await wrongAt(url, text)
    if (wrong === '') return ''
    await sleep(TRY_MS)
  }
  return `${url}: ${alive() ? wrong : 'it ended'}`
}

/** @returns '' when it says what it should */
export async function wrongAt(url: string, text: string): Promise<string> {
  try {
    const response = await fetch(url)
    const body = await response.text()
    if (response.status !== 200) return `status ${response.status}`
    return body.includes(text) ? '' : `it does not say '${text}'`
  } catch (error) {
    return (error as Error).message
  }
}

/** All held at once, so that they are not the same. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) => {
          server.listen(0, ADDRESS, () => resolve((server.address() as { port: number }).port))
        }),
    ),
  )
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
