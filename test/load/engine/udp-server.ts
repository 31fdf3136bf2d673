// A UDP server in a thread of its own, beside threads that never sleep.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Behaviour, ServerRecord, ServerSetting } from './server-thread.ts'

export interface UdpServer {
  readonly port: number
  /** What it did so far: with everything that was sent to it before. */
  record(): Promise<ServerRecord>
}

/** Starts a server, has it used, and ends it. */
export async function withServer<Value>(
  behaviour: Behaviour,
  use: (server: UdpServer) => Promise<Value>,
  address = '127.0.0.1',
): Promise<Value> {
  const workerData: ServerSetting = { address, behaviour }
  const worker = new Worker(new URL('./server-thread.ts', import.meta.url), { workerData })
  const ask = async <Reply>(order: 'record' | ''): Promise<Reply> => {
    if (order !== '') worker.postMessage(order)
    const [reply] = await once(worker, 'message')
    return reply as Reply
  }
  try {
    const port = await ask<number>('')
    return await use({ port, record: () => ask<ServerRecord>('record') })
  } finally {
    worker.postMessage('close')
    await once(worker, 'exit')
  }
}
