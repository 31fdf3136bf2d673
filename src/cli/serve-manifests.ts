// Serving from manifests: loaded before the first query, then followed as they change.

import { RegionFullError } from '../index/allocator.ts'
import { watchManifests } from '../kube/feed.ts'
import { formatProblem, type Loaded } from '../kube/manifests.ts'
import { collectGarbage } from '../workers/garbage.ts'
import { createEngine, type Engine } from './engine.ts'
import { openServing, reserveRegion, type ServerProcess, tidyUp } from './server-process.ts'
import { digLines, listeningLine, namesLine, zonesLine } from './summary.ts'

const RECLAIM_INTERVAL_MS = 1000

/** There is nothing to serve. */
class ManifestError extends Error {
  readonly code = 'NO_MANIFESTS'
}

/** Serves until a signal ends it. @returns the exit code @throws ManifestError if nothing can be read */
export async function serveManifests(process: ServerProcess, paths: readonly string[]): Promise<number> {
  const { config, log } = process
  const engine = createEngine(config, config.workers + 1, await reserveRegion(config))
  const feed = await firstLoad(process, paths, engine)
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
    const serving = await openServing(process, engine.source)
    log(`manifests: ${paths.join(', ')}`)
    for (const line of [zonesLine(config), namesLine(engine), listeningLine(config, serving)]) log(line)
    for (const line of digLines(config, engine, serving)) log(line)
    await tidyUp(serving)
    log('ready')
    log(`stopping on ${await process.stopped}`)
    await serving.stop()
    return 0
  } finally {
    clearInterval(reclaim)
    feed.close()
  }
}

/** Settles when the manifests have been loaded for the first time; then they are followed. */
function firstLoad(
  { config, log }: ServerProcess,
  paths: readonly string[],
  engine: Engine,
): Promise<{ close(): void; loaded: Loaded }> {
  const { pods, endpointPodNames } = config.cluster.schema
  const kept = { pods: pods === 'verified', podNames: endpointPodNames }
  return new Promise((resolve, reject) => {
    let close = (): void => {}
    let first = true
    const watcher = watchManifests(paths, kept, (loaded) => {
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
