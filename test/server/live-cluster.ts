// A stand-in API server in this process, and servers of names that follow it as processes of their own: for tests of what users
// see at the start, after a failure, and with each option.

import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { KubeconfigFolder } from '../apiserver/kubeconfig.ts'
import type { GivenObject, Json } from '../apiserver/object.ts'
import type { ResourceName } from '../apiserver/resources.ts'
import { type ApiServer, type ApiServerOptions, startApiServer } from '../apiserver/server.ts'
import { freePort, ServerProcess } from './server-process.ts'
import { encodeQuery, FLAG, readResponse } from './wire.ts'

/** Nothing that is waited for takes so long, on a machine that is busy with other things. */
export const WAIT_MS = 30_000
const POLL_MS = 10
const STATE_NAME = 'state.peregrine'

/** One object, and what it is one of. */
export type LiveObject = readonly [resource: ResourceName, object: GivenObject]

export interface LaunchOptions {
  /** Default: that of the stand-in; '' for none. */
  readonly kubeconfig?: string
  /** Whether the folder for state is used. */
  readonly keepsState?: boolean
  readonly env?: Record<string, string>
}

export class LiveCluster {
  readonly api: ApiServer
  readonly folder = new KubeconfigFolder()
  readonly kubeconfig: string
  readonly stateDir = mkdtempSync(join(tmpdir(), 'peregrine-state-'))
  readonly #servers: ServerProcess[] = []

  static async start(options: ApiServerOptions = {}): Promise<LiveCluster> {
    return new LiveCluster(await startApiServer(options))
  }

  constructor(api: ApiServer) {
    this.api = api
    this.kubeconfig = this.folder.writeSimple(api.url)
  }

  get stateFile(): string {
    return join(this.stateDir, STATE_NAME)
  }

  /** Starts a server and does not wait for anything. */
  async launch(flags: readonly string[] = [], options: LaunchOptions = {}): Promise<ServerProcess> {
    const { kubeconfig = this.kubeconfig, keepsState = false, env } = options
    const source = kubeconfig === '' ? [] : ['--kubeconfig', kubeconfig]
    const state = ['--state-dir', keepsState ? this.stateDir : 'off']
    const server = new ServerProcess({
      manifests: [],
      flags: [...source, '--listen', '127.0.0.1', ...state, ...flags],
      port: await freePort(),
      env,
    })
    this.#servers.push(server)
    return server
  }

  /** Starts a server that knows everything. */
  async serve(flags: readonly string[] = [], options: LaunchOptions = {}): Promise<ServerProcess> {
    return await (await this.launch(flags, options)).ready()
  }

  put(...objects: readonly LiveObject[]): void {
    for (const [resource, object] of objects) this.api.store.apply(resource, object)
  }

  /** Ends every server that is still there, at once. */
  async close(): Promise<void> {
    for (const server of this.#servers) {
      server.disconnect()
      server.child.kill('SIGKILL')
    }
    await this.api.close()
    this.folder.remove()
    rmSync(this.stateDir, { recursive: true, force: true })
  }

  /** Names of the files in the folder for state. */
  stateFiles(): string[] {
    return existsSync(this.stateDir) ? readdirSync(this.stateDir).sort() : []
  }
}

// ---- objects ----

export function namespace(name: string, labels: Record<string, string> = {}) {
  return ['namespaces', { metadata: { name, labels }, spec: {}, status: { phase: 'Active' } }] as const
}

/** `clusterIPs`: none for a headless Service. */
export function service(key: string, clusterIPs: readonly string[], labels: Record<string, string> = {}) {
  const [namespaceName, name] = key.split('/')
  const all = clusterIPs.length === 0 ? ['None'] : clusterIPs
  const ports = [{ name: 'http', port: 80, protocol: 'TCP' }]
  const metadata = { name, namespace: namespaceName, labels }
  return ['services', { metadata, spec: { type: 'ClusterIP', clusterIP: all[0], clusterIPs: all, ports } }] as const
}

/** Endpoints as `10.0.0.1`, `10.0.0.1 hostname`, `10.0.0.1 -` (not ready); `pod`: the name of the Pod behind the i-th. */
export function slice(
  key: string,
  owner: string,
  endpoints: readonly string[],
  { labels = {}, pods = [] }: { labels?: Record<string, string>; pods?: readonly string[] } = {},
) {
  const [namespaceName, name] = key.split('/')
  return [
    'endpointslices',
    {
      metadata: { name, namespace: namespaceName, labels: { 'kubernetes.io/service-name': owner, ...labels } },
      addressType: 'IPv4',
      endpoints: endpoints.map((text, i): Json => {
        const [address, mark] = text.split(' ')
        const hostname = mark === '-' ? undefined : mark
        const targetRef = pods[i] === undefined ? undefined : { kind: 'Pod', name: pods[i] }
        return { addresses: [address], conditions: { ready: mark !== '-' }, hostname, targetRef }
      }),
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    },
  ] as const
}

export function pod(key: string, addresses: readonly string[], more: Json = {}, labels: Record<string, string> = {}) {
  const [namespaceName, name] = key.split('/')
  const podIPs = addresses.map((ip) => ({ ip }))
  const status = { phase: addresses.length === 0 ? 'Pending' : 'Running', podIP: addresses[0], podIPs }
  return ['pods', { metadata: { name, namespace: namespaceName, labels, ...more }, spec: {}, status }] as const
}

/** A Service with a cluster IP, and a headless one with two endpoints. */
export const SHOP = [
  namespace('shop'),
  service('shop/cart', ['10.96.0.10']),
  slice('shop/cart-1', 'cart', ['10.1.0.1']),
  service('shop/pg', []),
  slice('shop/pg-1', 'pg', ['10.1.0.11 pg-0', '10.1.0.12 pg-1']),
]

// ---- questions ----

/** `~` stands for `.svc.cluster.local`, `^` for `.pod.cluster.local`, `!` for `.in-addr.arpa` behind an address turned round. */
export function full(name: string): string {
  if (name.endsWith('!')) return `${name.slice(0, -1).split('.').reverse().join('.')}.in-addr.arpa`
  return name.replace(/~$/, '.svc.cluster.local').replace(/\^$/, '.pod.cluster.local')
}

/**
 * What a server says: `A 10.0.0.1 A 10.0.0.2` (sorted), `NODATA`, `NXDOMAIN`, `SERVFAIL`, or `silence`. Whatever it says must
 * have AA set; a negative answer has the SOA of the zone.
 */
export async function answer(server: ServerProcess, name: string, type = 'A'): Promise<string> {
  const octets = await server.exchange(encodeQuery({ name: full(name), type, id: nextId() }), false, 1000)
  if (octets === undefined) return 'silence'
  const response = readResponse(octets)
  assert.ok((response.flags & FLAG.AA) !== 0, `AA is set in the answer to ${name} ${type}`)
  const records = response.answer.map(
    (record) => `${record.type} ${record.data.replace(/\.svc\.cluster\.local\.$/, '~')}`,
  )
  if (records.length > 0) return records.sort().join(' ')
  assert.deepEqual(
    response.authority.map((record) => record.type),
    ['SOA'],
    `a SOA comes with the answer to ${name} ${type}`,
  )
  return response.rcode === 'NOERROR' ? 'NODATA' : response.rcode
}

let lastId = 0
function nextId(): number {
  lastId = (lastId % 0xfff0) + 1
  return lastId
}

/** Name and, if it is not A, type: `cart.shop~`, `cart.shop~ AAAA`; and what is answered. */
export type Answers = Readonly<Record<string, string>>

/** @throws AssertionError with everything that the server has printed */
export async function assertAnswers(server: ServerProcess, expected: Answers, what = ''): Promise<void> {
  assert.deepEqual(await answers(server, Object.keys(expected)), expected, `${what}; it printed:\n${server.output}`)
}

/** Asks until it says all that, for half a minute at most. */
export async function becomes(server: ServerProcess, expected: Answers, what = ''): Promise<void> {
  const wanted = JSON.stringify(expected)
  for (const deadline = performance.now() + WAIT_MS; performance.now() < deadline; await sleep(POLL_MS)) {
    if (JSON.stringify(await answers(server, Object.keys(expected))) === wanted) return
  }
  await assertAnswers(server, expected, what)
}

async function answers(server: ServerProcess, questions: readonly string[]): Promise<Answers> {
  const all: Record<string, string> = {}
  for (const question of questions) {
    const [name, type] = question.split(' ')
    all[question] = await answer(server, name, type)
  }
  return all
}

/** Waits until something holds. */
export async function until(holds: () => boolean, what: string, limitMs = WAIT_MS): Promise<void> {
  for (const deadline = performance.now() + limitMs; performance.now() < deadline; await sleep(POLL_MS)) {
    if (holds()) return
  }
  assert.fail(`${what}, within ${limitMs} ms`)
}
