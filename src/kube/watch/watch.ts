// The events of one watch request: a JSON document a line, read chunk by chunk. What becomes of them is reflector.ts.

import { constants } from 'node:buffer'
import type { Raw } from '../fields.ts'
import { MalformedEventError, WatchError } from './failures.ts'
import { LineSplitter } from './line-splitter.ts'

const INITIAL_EVENTS_END = 'k8s.io/initial-events-end'

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'
  readonly object: Raw
}

/** The events that one chunk completed. */
export interface EventBatch {
  readonly events: readonly WatchEvent[]
  /** What ends the watch after these events; null if nothing does. */
  readonly error: WatchError | MalformedEventError | null
  /** performance.timeOrigin + performance.now() when the octets came in. */
  readonly arrivedMs: number
}

/**
 * The events of a watch, chunk by chunk, also of chunks that complete none. Ends with the body, or after a batch with an error. A
 * line that the body's end cuts is left out: a watch from the last event's resourceVersion will say it again.
 *
 * @throws what the body throws
 */
export async function* eventBatches(body: AsyncIterable<Buffer>): AsyncGenerator<EventBatch, void, void> {
  const splitter = new LineSplitter(constants.MAX_STRING_LENGTH)
  for await (const chunk of body) {
    const batch = batchOf(chunk, splitter)
    yield batch
    if (batch.error !== null) return
  }
}

function batchOf(chunk: Buffer, splitter: LineSplitter): EventBatch {
  const arrivedMs = performance.timeOrigin + performance.now()
  const events: WatchEvent[] = []
  try {
    for (const line of splitter.linesOf(chunk)) if (line.length > 0) events.push(eventOf(line))
    return { events, error: null, arrivedMs }
  } catch (error) {
    if (error instanceof WatchError || error instanceof MalformedEventError) return { events, error, arrivedMs }
    if (error instanceof RangeError) return { events, error: new MalformedEventError(error.message), arrivedMs }
    throw error
  }
}

/** @throws WatchError if the line is an ERROR event, MalformedEventError if it is none at all */
function eventOf(line: Buffer): WatchEvent {
  let event: { type?: unknown; object?: unknown } | null
  try {
    event = JSON.parse(line.toString())
  } catch (error) {
    throw new MalformedEventError((error as Error).message)
  }
  const type = event?.type
  const object = event?.object
  if (typeof object !== 'object' || object === null) throw new MalformedEventError('an event has no object')
  if (type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED' || type === 'BOOKMARK') {
    return { type, object: object as Raw }
  }
  if (type === 'ERROR') throw new WatchError(object as Raw)
  throw new MalformedEventError(`an event has the unknown type ${JSON.stringify(type)?.slice(0, 40)}`)
}

/** The resourceVersion that an event brings a watch to; `known` if it says none. */
export function versionOf({ object }: WatchEvent, known: string): string {
  const version = (object.metadata as Raw | null | undefined)?.resourceVersion
  return typeof version === 'string' && version !== '' ? version : known
}

/** Whether an event is the bookmark that ends the list at the head of a streaming list. */
export function endsInitialEvents({ type, object }: WatchEvent): boolean {
  if (type !== 'BOOKMARK') return false
  const annotations = (object.metadata as Raw | null | undefined)?.annotations as Raw | null | undefined
  return annotations?.[INITIAL_EVENTS_END] === 'true'
}
