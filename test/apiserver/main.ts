// The stand-in as a process of its own, for benchmarks: a generated cluster, and commands on standard input.
// `node test/apiserver/main.ts --services 10000 --endpoints 10 [--port N] [--headless 0.2] [--pods N] [--protocol h2]`
// Prints one line of JSON with the url and the path of a kubeconfig, then one line for each thing that happens. Commands are
// lines of JSON, done one after another; each is answered by {"event":"done",…}:
//   {"do":"changes","rate":1000,"seconds":10,"headless":true}   replaces addresses of endpoints at an even pace, while other
//       commands are done; each change is reported with the time at which it was made, just before it goes to the sockets
//       (`atMs`: performance.timeOrigin + performance.now()), the name that it changes and the address it has from then on
//   {"do":"change","service":17} {"do":"add","service":10001} {"do":"remove","service":17} {"do":"scale","service":17,"endpoints":0}
//   {"do":"cut"} {"do":"stop","forget":true} {"do":"start"} {"do":"compact"} {"do":"end-watches"} {"do":"goaway"}
//   {"do":"stats"} {"do":"cpu"} {"do":"quit"}
// It ends when standard input does.

import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type ChangedEndpoint, Cluster } from './cluster.ts'
import { KubeconfigFolder } from './kubeconfig.ts'
import { type ApiServer, type ApiServerOptions, type Cut, startApiServer } from './server.ts'
import { Store } from './store.ts'

export interface Command {
  readonly do: string
  readonly rate?: number
  readonly seconds?: number
  readonly headless?: boolean
  readonly service?: number
  readonly endpoints?: number
  readonly how?: Cut
  readonly forget?: boolean
}

/** One change, as it is reported. */
export interface ChangeReport extends ChangedEndpoint {
  readonly event: 'change'
  readonly atMs: number
}

/** So that the versions of all objects at the start have as many digits: that is what a cluster in use has. */
const FIRST_VERSION = 1_000_000

/** performance.timeOrigin is the same clock in all processes. */
export function wallMs(): number {
  return performance.timeOrigin + performance.now()
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      services: { type: 'string', default: '1000' },
      endpoints: { type: 'string', default: '10' },
      headless: { type: 'string', default: '0.2' },
      dual: { type: 'string', default: '0' },
      several: { type: 'string', default: '0' },
      pods: { type: 'string', default: '0' },
      port: { type: 'string', default: '0' },
      protocol: { type: 'string', default: 'both' },
      streaming: { type: 'string', default: 'on' },
      bookmark: { type: 'string', default: '60000' },
    },
  })
  const store = new Store({ version: FIRST_VERSION })
  const cluster = new Cluster(store, {
    services: Number(values.services),
    endpointsPerService: Number(values.endpoints),
    headlessShare: Number(values.headless),
    dualStackShare: Number(values.dual),
    severalSlicesShare: Number(values.several),
    pods: Number(values.pods),
  })
  cluster.load()
  const server = await startApiServer({
    store,
    port: Number(values.port),
    protocol: values.protocol as ApiServerOptions['protocol'],
    streamingLists: values.streaming as ApiServerOptions['streamingLists'],
    bookmarkMs: Number(values.bookmark),
  })
  const folder = new KubeconfigFolder()
  const kubeconfig = folder.writeSimple(server.url)
  say({ event: 'listening', url: server.url, port: server.port, kubeconfig, pid: process.pid })
  try {
    for await (const line of createInterface({ input: process.stdin })) {
      if (line.trim() !== '' && !(await obey(JSON.parse(line), server, cluster))) break
    }
  } finally {
    process.stdin.destroy()
    folder.remove()
    await server.close()
  }
}

/** @returns false to end */
async function obey(command: Command, server: ApiServer, cluster: Cluster): Promise<boolean> {
  const { service = 0 } = command
  switch (command.do) {
    case 'changes':
      void changes(command, cluster).then(() => done(command, server))
      return true
    case 'change':
      say(reported(() => cluster.changeEndpoint(service)))
      break
    case 'add':
      cluster.addService(service)
      break
    case 'remove':
      cluster.removeService(service)
      break
    case 'scale':
      cluster.scale(service, command.endpoints ?? 0)
      break
    case 'cut':
      server.cut(command.how)
      break
    case 'stop':
      await server.stop({ how: command.how, forget: command.forget })
      break
    case 'start':
      await server.start()
      break
    case 'compact':
      cluster.store.compact()
      break
    case 'end-watches':
      server.endWatches()
      break
    case 'goaway':
      server.goaway()
      break
    case 'stats':
    case 'cpu':
      break
    case 'quit':
      return false
    default:
      throw new Error(`there is no command ${JSON.stringify(command.do)}`)
  }
  done(command, server)
  return true
}

function done(command: Command, server: ApiServer): void {
  const { user, system } = process.cpuUsage()
  const requests = Object.fromEntries(server.requests)
  const { version } = server.store
  say({ event: 'done', do: command.do, atMs: wallMs(), cpuMs: (user + system) / 1000, version, requests })
}

/** At an even pace: a tick does what is due by then, so that no delay adds up. */
async function changes({ rate = 100, seconds = 10, headless = false }: Command, cluster: Cluster): Promise<void> {
  const total = Math.round(rate * seconds)
  const start = performance.now()
  for (let made = 0; made < total; ) {
    const due = Math.min(total, 1 + Math.floor(((performance.now() - start) / 1000) * rate))
    let lines = ''
    for (; made < due; made++) lines += `${JSON.stringify(reported(() => cluster.changeNext(headless)))}\n`
    process.stdout.write(lines)
    const nextMs = start + (made / rate) * 1000 - performance.now()
    await delay(Math.max(0, nextMs))
  }
}

function reported(change: () => ChangedEndpoint): ChangeReport {
  const atMs = wallMs()
  return { event: 'change', atMs, ...change() }
}

function say(event: object): void {
  process.stdout.write(`${JSON.stringify(event)}\n`)
}

if (process.argv[1] === import.meta.filename) await main()
