// The feed thread: follows the cluster's objects over one connection and posts what it hears to the main thread, trimmed and
// packed. Keeps no object. Started as a worker thread with FeedOptions for its workerData.

import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { ApiClient } from './api-client.ts'
import { runAudits } from './audit.ts'
import { Connection, ConnectionConfigError } from './connection.ts'
import { DamageLog } from './damage-log.ts'
import type { Ack, FeedOptions, ListAgain, StopMessage } from './messages.ts'
import { Outbox } from './outbox.ts'
import { PACE, Reflector } from './reflector.ts'
import { RequestMeter } from './request-totals.ts'

/** Requests have so long to end when the thread is to stop. */
const STOP_MS = 1000

/** Between two messages with totals. */
const TOTALS_MS = 1000

/** Quiet for so long after a list. */
const TIDY_MS = 1000

/** Between two pages of an audit, and objects to each: events that come meanwhile wait for a few milliseconds at most. */
const AUDIT_PAUSE_MS = 100
const AUDIT_PAGE_SIZE_MAX = 200

/** Follows until it is told to stop, and ends the thread. */
async function follow(port: MessagePort, options: FeedOptions): Promise<void> {
  const outbox = new Outbox((message) => {
    port.postMessage(message)
    if (message.type === 'list-end') tidyUpSoon()
  })
  const stopped = new AbortController()
  // The main thread starts another one: that is safer than to go on without the part that failed.
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      outbox.log(`the feed thread ends: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
      process.exit(1)
    })
  }
  let reflectors: readonly Reflector[] = []
  port.on('message', (message: Ack | ListAgain | StopMessage) => {
    if (message.type === 'ack') outbox.acknowledge()
    else if (message.type === 'stop') stopped.abort()
    else reflectors.find(({ resource }) => resource === message.resource)?.listAgain()
  })
  stopped.signal.addEventListener('abort', () => setTimeout(() => process.exit(0), STOP_MS))
  const connection = await openConnection(options, outbox)
  const { qps, burst, maxInflight } = options
  const meter = new RequestMeter()
  const client = new ApiClient(connection, { qps, burst, maxInflight }, (line) => outbox.log(line), meter)
  setInterval(() => {
    const totals = meter.takeChanged()
    if (totals !== null) outbox.post({ type: 'requested', totals })
  }, TOTALS_MS).unref()
  const damageLog = new DamageLog((line) => outbox.log(line))
  reflectors = options.resources.map((resource) => new Reflector(resource, client, outbox, damageLog, options))
  const running = reflectors.map((reflector) => reflector.run(stopped.signal))
  if (options.auditIntervalMs > 0 && reflectors.length > 0) {
    const pageSize = Math.min(options.pageSize, AUDIT_PAGE_SIZE_MAX)
    const pace = { intervalMs: options.auditIntervalMs, pauseMs: AUDIT_PAUSE_MS, pageSize, draw: PACE.draw }
    running.push(runAudits(reflectors, pace, stopped.signal))
  }
  await Promise.all(running)
  client.close()
  process.exit(0)
}

let tidying: NodeJS.Timeout | undefined

/** Lists leave tens of megabytes of garbage behind in a thread that has little to do from then on: given back when it is quiet. */
function tidyUpSoon(): void {
  clearTimeout(tidying)
  tidying = setTimeout(() => {
    const { gc } = globalThis as { gc?: (options: object) => void } // from Node's --expose-gc
    gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' })
  }, TIDY_MS)
}

async function openConnection({ connection }: FeedOptions, outbox: Outbox): Promise<Connection> {
  try {
    return await Connection.open(connection)
  } catch (error) {
    if (!(error instanceof ConnectionConfigError)) throw error
    outbox.post({ type: 'refused', reason: error.message })
    process.exit(1)
  }
}

// Loaded by the main thread too, once, when modules are compiled at install.
if (parentPort !== null) await follow(parentPort, workerData)
