// What serving has in common, wherever the records come from: memory, sockets and workers, and tidying up.

import type { ServerConfig } from '../config/server-config.ts'
import { createRegion, type Region } from '../index/layout.ts'
import type { AnswerSource } from '../workers/answer.ts'
import { collectGarbage } from '../workers/garbage.ts'
import { type Serving, startServing } from '../workers/server.ts'

/** What serving from any source needs. */
export interface ServerProcess {
  readonly config: ServerConfig
  readonly log: (line: string) => void
  /** Settles with the name of the first signal that ends the process. */
  readonly stopped: Promise<string>
}

/** Memory for the index, reserved; in huge pages where the system has them. */
export async function reserveRegion(config: ServerConfig): Promise<Region> {
  const region = createRegion(config.indexBytes)
  if (config.transport === 'dgram') return region
  try {
    // Before the index is touched: pages that are there already stay small. Loaded only here, for it needs koffi.
    const { adviseHugePages } = await import('../io/huge-pages.ts')
    adviseHugePages(region.buffer)
  } catch {
    // Not Linux, or no koffi: the transport will say so.
  }
  return region
}

/** Opens the sockets and starts the workers. `meanwhile`: see startServing(). */
export function openServing(
  { config, log }: ServerProcess,
  source: AnswerSource,
  meanwhile?: () => void,
): Promise<Serving> {
  return startServing(
    {
      binds: config.addresses.map((address) => ({ address, port: config.port, listener: 0 })),
      workers: config.workers,
      transport: config.transport,
      receiveBufferBytes: config.receiveBufferBytes,
      answerSource: source,
      log,
    },
    meanwhile,
  )
}

/** Gives back what loading has left behind. */
export async function tidyUp(serving: Serving): Promise<void> {
  // Again, now that queries are answered: V8 gives back its table of strings, grown while loading, with a second collection.
  collectGarbage()
  if (serving.transport === 'io') (await import('../io/libc.ts')).trimHeap()
}
