// The list at the head of a streaming list: ADDED events up to the bookmark that says that these were all. What follows it is a
// watch like any other.

import { ListError } from './failures.ts'
import { isFullBatch } from './list.ts'
import type { Resource } from './messages.ts'
import type { Outbox } from './outbox.ts'
import type { Packer } from './packer.ts'
import { type EventBatch, endsInitialEvents, versionOf } from './watch.ts'

export interface StreamedList {
  readonly version: string
  /** What changed while the list was read, as items of events. */
  readonly changes: readonly string[]
  readonly changedMs: number
  /** What came with the bookmark, and after it. */
  readonly rest: EventBatch
}

/** How long the server may say nothing before its list has ended, and what is done then. */
export interface Silence {
  readonly ms: number
  readonly ended: () => void
}

/**
 * Reads and posts the list that `batches` begin with, from list-begin to list-end. What follows stays to be read.
 *
 * @throws ListError if the stream ends before the list does, WatchError, MalformedEventError, what a body throws; list-end, not
 *   complete, has been posted then
 */
export async function postStreamedList(
  resource: Resource,
  batches: AsyncGenerator<EventBatch, void, void>,
  packer: Packer,
  outbox: Outbox,
  silence: Silence,
  signal: AbortSignal,
): Promise<StreamedList> {
  let complete = false
  let waiting = false
  const timer = setTimeout(() => waiting && silence.ended(), silence.ms)
  outbox.post({ type: 'list-begin', resource, audit: false })
  try {
    let items: string[] = []
    // A change may concern an object that has been listed. So from the first one on all wait for the end of the list.
    const changes: string[] = []
    let changedMs = 0
    for (;;) {
      timer.refresh()
      waiting = true
      const { value: batch } = await batches.next()
      waiting = false
      if (!batch) throw new ListError(`the streaming list of ${resource} ended in the middle`)
      const { events, error, arrivedMs } = batch
      for (let i = 0; i < events.length; i++) {
        const event = events[i]!
        if (endsInitialEvents(event)) {
          if (items.length > 0) await outbox.postItems({ type: 'list-items', resource, audit: false, items }, signal)
          complete = true
          const rest = { events: events.slice(i + 1), error, arrivedMs }
          return { version: versionOf(event, ''), changes, changedMs, rest }
        }
        if (event.type === 'BOOKMARK') continue
        if (event.type !== 'ADDED' || changes.length > 0) {
          if (changes.length === 0) changedMs = arrivedMs
          packer.appendChanged(changes, event.object, event.type === 'DELETED')
          continue
        }
        packer.appendListed(items, event.object)
        if (!isFullBatch(items)) continue
        await outbox.postItems({ type: 'list-items', resource, audit: false, items }, signal)
        items = []
      }
      if (error !== null) throw error
    }
  } finally {
    clearTimeout(timer)
    outbox.post({ type: 'list-end', resource, audit: false, complete })
  }
}
