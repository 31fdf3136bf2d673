// The stream worker: TCP, on Node's event loop, as one endless Piscina task.

import type { ListenOptions } from 'node:net'
import { threadId } from 'node:worker_threads'
import { STREAM_LIMITS, type StreamLimits, StreamServer } from '../io/streams.ts'
import type { AnswerSource } from './answer.ts'
import {
  ANSWERED_COUNTER,
  CONNECTIONS_COUNTER,
  ControlBlock,
  RECEIVED_COUNTER,
  REFUSED_COUNTER,
  SILENT_COUNTER,
  STOPPED,
  TIMEOUTS_COUNTER,
  WAITING,
} from './control.ts'
import { collectGarbage } from './garbage.ts'
import { GuardedAnswerer } from './guard.ts'

/** What the stream worker is handed. */
export interface StreamTask {
  readonly worker: number
  readonly control: SharedArrayBuffer
  /** Listening descriptors, or addresses to listen on itself. They are the worker's: it closes them. */
  readonly listen: readonly ListenOptions[]
  readonly answererModule: string
  readonly source: AnswerSource
  readonly limits?: StreamLimits
}

/** Loads what the task will need, before there is a socket to serve. */
export async function prepare(answererModule: string): Promise<void> {
  await import(answererModule)
}

/** Serves until told to stop; then answers what has arrived, closes everything and returns. */
export default async function serveStreams(task: StreamTask): Promise<void> {
  const control = new ControlBlock(task.control, task.worker)
  control.threadId = threadId
  collectGarbage()
  const answerer = await GuardedAnswerer.load(task.answererModule, task.source, task.worker, control)
  const server = new StreamServer(
    (packet, start, length, capacity) => answerer.answer(packet, start, length, capacity, true),
    {
      accepted: () => control.add(CONNECTIONS_COUNTER, 1),
      refused: () => control.add(REFUSED_COUNTER, 1),
      timedOut: () => control.add(TIMEOUTS_COUNTER, 1),
      message: (answered) => {
        control.add(RECEIVED_COUNTER, 1)
        control.add(answered ? ANSWERED_COUNTER : SILENT_COUNTER, 1)
      },
    },
    task.limits ?? STREAM_LIMITS,
  )
  for (const where of task.listen) await server.listen(where)
  control.state = WAITING
  await control.stopped()
  await server.stop()
  control.state = STOPPED
}
