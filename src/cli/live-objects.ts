// A live cluster's objects, read once: for commands that look at a cluster and end.

import type { FeedConfig, ServerConfig } from '../config/server-config.ts'
import { unpackAll } from '../kube/cluster-state.ts'
import { LiveFeed } from '../kube/live-feed.ts'
import type { ClusterObjects } from '../kube/objects.ts'
import { createEngine } from './engine.ts'

/** Not everything could be read in time. */
class ListError extends Error {
  readonly code = 'NOT_LISTED'
}

/**
 * Lists everything that names are made of, as `serve` would at its start.
 * @param log  takes what there is to say about the connection
 * @throws ListError if not all is known after the startup timeout, FeedError if the kubeconfig is no good
 */
export async function readLiveObjects(
  config: ServerConfig,
  feedConfig: FeedConfig,
  log: (line: string) => void,
): Promise<ClusterObjects> {
  const { index } = createEngine(config, 1)
  const listed = Promise.withResolvers<void>()
  const callbacks = {
    log,
    onSynced: listed.resolve,
    onFailed: listed.reject,
    onListed: () => {},
    onPublished: () => {},
  }
  const feed = new LiveFeed({ ...feedConfig, auditIntervalMs: 0 }, index, false, callbacks)
  const timer = setTimeout(() => {
    const missing = Object.entries(feed.status.resources).filter(([, { complete }]) => !complete)
    const names = missing.map(([name, { failing }]) => (failing === '' ? name : `${name} (${failing})`))
    const { startupTimeoutMs } = feedConfig
    listed.reject(new ListError(`not listed within ${startupTimeoutMs} ms (--startup_timeout): ${names.join(', ')}`))
  }, feedConfig.startupTimeoutMs)
  try {
    feed.start()
    await listed.promise
    return unpackAll(index.state)
  } finally {
    clearTimeout(timer)
    await feed.stop()
  }
}
