// `peregrine serve`: from a configuration to a serving process, and to its end.

import type { ServerConfig } from '../config/server-config.ts'
import { RegionFullError } from '../index/allocator.ts'
import { createRegion } from '../index/layout.ts'
import { addressAndPort } from '../io/addresses.ts'
import { reverseName } from '../kube/address.ts'
import { watchManifests } from '../kube/feed.ts'
import { formatProblem, type Loaded } from '../kube/manifests.ts'
import type { ClusterObjects, Service } from '../kube/objects.ts'
import { collectGarbage } from '../workers/garbage.ts'
import { type Serving, startServing } from '../workers/server.ts'
import { createEngine, type Engine } from './engine.ts'

const RECLAIM_INTERVAL_MS = 1000
const SECOND_INTERRUPT = 2

/** There is nothing to serve. */
class ManifestError extends Error {
  readonly code = 'NO_MANIFESTS'
}

/** Serves until a signal ends it. @returns the exit code */
export async function serve(config: ServerConfig, log: (line: string) => void): Promise<number> {
  const stopped = stopSignal()
  const region = createRegion(config.indexBytes)
  if (config.transport !== 'dgram') await preferHugePages(region.buffer)
  const engine = createEngine(config, config.workers + 1, region)
  const { pods, endpointPodNames } = config.cluster.schema
  const kept = { pods: pods === 'verified', podNames: endpointPodNames }
  let serving: Serving | undefined
  const feed = await new Promise<{ close(): void; loaded: Loaded }>((resolve, reject) => {
    let close = (): void => {}
    let first = true
    const watcher = watchManifests(config.manifests, kept, (loaded) => {
      for (const problem of loaded.problems) log(`error: ${formatProblem(problem)}`)
      try {
        applyManifests(engine, loaded, first, log)
      } catch (error) {
        if (first) return reject(error)
        log(`error: ${(error as Error).message}; the last good state keeps serving`)
      }
      if (!first) return
      first = false
      resolve({ close: () => close(), loaded })
    })
    close = () => watcher.close()
  })
  for (const warning of feed.loaded.warnings) log(`warning: ${warning}`)
  const nothing = feed.loaded.objects.namespaces.size === 0 && feed.loaded.objects.services.size === 0
  if (nothing && feed.loaded.problems.length > 0) {
    feed.close()
    throw new ManifestError('nothing could be read from the manifests')
  }
  collectGarbage()
  const reclaim = setInterval(() => {
    engine.writer.reclaim()
    // What a full index refused is tried again: there may be room by now.
    if (engine.index.state.changeCount > 0) flushAgain(engine, log)
  }, RECLAIM_INTERVAL_MS)
  try {
    serving = await startServing({
      addresses: config.addresses,
      port: config.port,
      workers: config.workers,
      transport: config.transport,
      receiveBufferBytes: config.receiveBufferBytes,
      answerSource: engine.source,
      log,
    })
    for (const line of summary(config, engine, feed.loaded.objects, serving)) log(line)
    // Again, now that queries are answered: V8 gives back its table of strings, grown while loading, with a second collection.
    collectGarbage()
    if (serving.transport === 'io') (await import('../io/libc.ts')).trimHeap()
    log('ready')
    log(`stopping on ${await stopped}`)
    await serving.stop()
    return 0
  } finally {
    clearInterval(reclaim)
    feed.close()
  }
}

/** Before the index is touched: pages that are there already stay small. Loaded only here, for it needs koffi. */
async function preferHugePages(buffer: SharedArrayBuffer): Promise<void> {
  try {
    const { adviseHugePages } = await import('../io/huge-pages.ts')
    adviseHugePages(buffer)
  } catch {
    // Not Linux, or no koffi: the transport will say so.
  }
}

function applyManifests(engine: Engine, loaded: Loaded, first: boolean, log: (line: string) => void): void {
  const began = performance.now()
  engine.index.replace(loaded.objects)
  const { version, touched } = engine.index.flush(Date.now(), first)
  if (first || version === 0) return
  log(`changed: ${touched} objects, version ${version}, in ${(performance.now() - began).toFixed(1)} ms`)
}

function flushAgain(engine: Engine, log: (line: string) => void): void {
  try {
    engine.index.flush(Date.now())
    log('the index has room again: all changes are served')
  } catch (error) {
    if (!(error instanceof RegionFullError)) throw error
  }
}

/** Settles with the first signal's name; a second one ends the process at once. */
function stopSignal(): Promise<string> {
  return new Promise((resolve) => {
    let asked = false
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (asked) process.exit(SECOND_INTERRUPT)
        asked = true
        resolve(signal)
      })
    }
  })
}

function summary(config: ServerConfig, engine: Engine, objects: ClusterObjects, serving: Serving): string[] {
  const { cluster } = config
  const zones = [...cluster.zones, ...cluster.reverseZones].join(', ')
  let endpoints = 0
  for (const slice of objects.slices.values()) endpoints += slice.endpoints.length
  const stats = engine.writer.stats
  const count = (n: number, what: string) => `${n} ${what}${n === 1 ? '' : 's'}`
  const listeners = serving.listeners.map(({ address, port }) => addressAndPort(address, port))
  const granted = serving.listeners[0]?.receiveBufferBytes ?? 0
  const options = [`ttl ${cluster.ttl}`, `pods ${cluster.schema.pods}`, ...(cluster.schema.okd === null ? [] : ['okd'])]
  return [
    `manifests: ${config.manifests.join(', ')}`,
    `zones: ${zones} (${options.join(', ')})`,
    `names: ${stats.names} of ${count(objects.namespaces.size, 'namespace')}, ${count(objects.services.size, 'Service')}, ` +
      `${count(endpoints, 'ready endpoint')}; index ${(stats.liveBytes / 2 ** 20).toFixed(1)} MiB`,
    `listening: ${listeners.join(', ')}, UDP and TCP; ${count(config.workers, 'worker')}, transport ${serving.transport}` +
      (granted > 0 ? `, receive buffers of ${granted} octets` : ''),
    ...digLines(config, objects, serving),
  ]
}

/** Three questions that this very cluster has answers to. */
function digLines(config: ServerConfig, objects: ClusterObjects, serving: Serving): string[] {
  const [listener] = serving.listeners
  const [zone] = config.cluster.zones
  if (listener === undefined) return []
  const services = [...objects.services.values()].filter(({ namespace }) => objects.namespaces.has(namespace))
  const cluster = services.find(({ kind }) => kind === 'ClusterIP')
  const named = (service: Service) => service.ports.some(({ name }) => name !== '')
  const withPort = services.find((service) => service.kind === 'ClusterIP' && named(service))
  const headless = services.find(({ kind }) => kind === 'Headless')
  const questions: string[] = []
  const nameOf = (service: Service) => `${service.name}.${service.namespace}.svc.${zone}`
  if (cluster !== undefined) questions.push(`${nameOf(cluster)} A`)
  if (headless !== undefined) questions.push(`${nameOf(headless)} SRV`)
  else if (withPort !== undefined) {
    const port = withPort.ports.find(({ name }) => name !== '')!
    questions.push(`_${port.name}._${port.protocol.toLowerCase()}.${nameOf(withPort)} SRV`)
  }
  if (cluster !== undefined) questions.push(`${reverseName(cluster.clusterIPs[0]).join('.')} PTR`)
  if (questions.length === 0) questions.push(`${zone} SOA`)
  return questions.map((question) => `try: dig @${listener.address} -p ${listener.port} ${question}`)
}
