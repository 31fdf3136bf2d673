// `peregrine serve`: from a configuration to a serving process, and to its end.

import type { ServerConfig } from '../config/server-config.ts'
import { serveCluster } from './serve-cluster.ts'
import { serveManifests } from './serve-manifests.ts'

const SECOND_INTERRUPT = 2

/** Serves until a signal ends it. @returns the exit code */
export async function serve(config: ServerConfig, log: (line: string) => void): Promise<number> {
  const process = { config, log, stopped: stopSignal() }
  const { source } = config
  return source.kind === 'api' ? await serveCluster(process, source.feed) : await serveManifests(process, source.paths)
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
