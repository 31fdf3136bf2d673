// Paged lists: consistent ones (no resourceVersion is asked for), a page at a time, each posted as it comes. The pages of one list
// show one state. Not here: streaming lists, which are watches (watch.ts).

import { constants } from 'node:buffer'
import { setTimeout as sleep } from 'node:timers/promises'
import { isExpired, ListError } from './failures.ts'
import type { Outbox } from './outbox.ts'
import type { Packer } from './packer.ts'
import type { Requests } from './requests.ts'

/** Objects to a message, at most. */
export const BATCH_OBJECTS = 500
const FIELDS = 3

/** A list that takes longer than its continue tokens live begins again, with larger pages, so often. */
const TRIES_MAX = 4
const PAGES_GROW = 4

export interface ListOptions {
  readonly audit: boolean
  /** Objects to a page. */
  readonly pageSize: number
  /** Milliseconds between the end of a page and the request of the next. */
  readonly pauseMs: number
  readonly signal: AbortSignal
}

/**
 * Lists a resource, from list-begin to list-end.
 *
 * @returns the resourceVersion of the list
 * @throws what a request throws, and ListError; list-end, not complete, has been posted then
 */
export async function postList(
  requests: Requests,
  packer: Packer,
  outbox: Outbox,
  options: ListOptions,
): Promise<string> {
  const { resource } = requests
  const { audit } = options
  for (let tries = 1, { pageSize } = options; ; tries++, pageSize *= PAGES_GROW) {
    outbox.post({ type: 'list-begin', resource, audit })
    try {
      const version = await postPages(requests, packer, outbox, { ...options, pageSize })
      outbox.post({ type: 'list-end', resource, audit, complete: true })
      return version
    } catch (error) {
      outbox.post({ type: 'list-end', resource, audit, complete: false })
      if (!isExpired(error) || tries === TRIES_MAX) throw error
      outbox.log(`the list of ${resource} took longer than its pages are kept, it begins again with larger ones`)
    }
  }
}

async function postPages(
  requests: Requests,
  packer: Packer,
  outbox: Outbox,
  { audit, pageSize, pauseMs, signal }: ListOptions,
): Promise<string> {
  const { resource } = requests
  for (let token = ''; ; ) {
    const { body } = await requests.page(pageSize, token, signal)
    const page = pageOf(await textOf(body), resource)
    for (let from = 0; from < page.objects.length; from += BATCH_OBJECTS) {
      const items: string[] = []
      const end = Math.min(from + BATCH_OBJECTS, page.objects.length)
      for (let i = from; i < end; i++) packer.appendListed(items, page.objects[i])
      if (items.length > 0) await outbox.postItems({ type: 'list-items', resource, audit, items }, signal)
    }
    if (page.token === '') return page.version
    token = page.token
    if (pauseMs > 0) await sleep(pauseMs, undefined, { signal })
  }
}

interface Page {
  readonly objects: readonly unknown[]
  readonly version: string
  /** '' after the last page. */
  readonly token: string
}

/** @throws ListError */
function pageOf(text: string, resource: string): Page {
  let page: { metadata?: { resourceVersion?: unknown; continue?: unknown } | null; items?: unknown } | null
  try {
    page = JSON.parse(text)
  } catch (error) {
    throw new ListError(`the list of ${resource} is not JSON: ${(error as Error).message}`)
  }
  const version = page?.metadata?.resourceVersion
  const token = page?.metadata?.continue ?? ''
  // Go writes an empty list as null here and there.
  const objects = page?.items ?? []
  if (typeof version !== 'string' || version === '' || typeof token !== 'string' || !Array.isArray(objects)) {
    throw new ListError(`the list of ${resource} lacks its items or its metadata`)
  }
  return { objects, version, token }
}

/**
 * A whole body as text.
 *
 * @throws ListError if it is longer than a string can be (512 MiB), and what the body throws
 */
async function textOf(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of body) {
    chunks.push(chunk)
    length += chunk.length
    if (length > constants.MAX_STRING_LENGTH) {
      throw new ListError(
        `a page of a list is longer than ${constants.MAX_STRING_LENGTH} octets: ask for fewer objects`,
      )
    }
  }
  return (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length)).toString()
}

/** Whether so many fields of items fill a message. */
export function isFullBatch(items: readonly string[]): boolean {
  return items.length >= BATCH_OBJECTS * FIELDS
}
