// How many query workers this process can really use: cores by affinity and quota, memory by the cgroup's limit.

import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

const WORKERS_MAX = 62
const BASE_BYTES = 90 * 2 ** 20 // a server with a small cluster and no query workers
const WORKER_BYTES = 12 * 2 ** 20

/** 1..62. `availableParallelism` knows affinity and the cgroup's CPU quota. */
export function usableWorkers(): number {
  const cores = Math.min(availableParallelism(), WORKERS_MAX)
  const limit = memoryLimit()
  const affordable = Math.floor((limit - BASE_BYTES) / WORKER_BYTES)
  return Math.max(1, Math.min(cores, affordable))
}

/** Octets this cgroup may take (version 2, then 1), Infinity without a limit. */
function memoryLimit(): number {
  for (const file of ['/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes']) {
    try {
      const limit = Number(readFileSync(file, 'utf8'))
      if (Number.isFinite(limit) && limit > 0) return limit
    } catch {
      // Not this version, or no cgroup: the next one may know.
    }
  }
  return Number.POSITIVE_INFINITY
}
