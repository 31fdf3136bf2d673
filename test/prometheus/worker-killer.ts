// Loaded into a server before everything else (`--import`): on SIGWINCH the query worker's thread is gone, as if it had crashed.

import { createRequire, syncBuiltinESMExports } from 'node:module'
import { isMainThread, type Worker } from 'node:worker_threads'

if (isMainThread) {
  const threads = createRequire(import.meta.url)('node:worker_threads')
  const started: Worker[] = []
  threads.Worker = class extends threads.Worker {
    constructor(...given: ConstructorParameters<typeof Worker>) {
      super(...given)
      const worker = this as unknown as Worker
      if (!String(given[0]).includes('piscina')) return
      started.push(worker)
      worker.once('exit', () => started.splice(started.indexOf(worker), 1))
    }
  }
  syncBuiltinESMExports()
  // Of those in pools, query workers are started first.
  process.on('SIGWINCH', () => void started[0].terminate())
}
