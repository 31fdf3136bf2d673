// Follows one resource: lists it, watches it from there, and lists it again when the watch cannot be resumed. Passes on what it is
// told and keeps nothing of it. (The name is client-go's.)

import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ApiResponse } from './api-client.ts'
import { Backoff, type Draw } from './backoff.ts'
import type { DamageLog } from './damage-log.ts'
import { isExpired, isUnreachable, MalformedEventError, refusalOf, ShortWatchError, WatchError } from './failures.ts'
import { postList } from './list.ts'
import type { FeedOptions, Resource } from './messages.ts'
import type { Outbox } from './outbox.ts'
import { Packer } from './packer.ts'
import { Pulse } from './pulse.ts'
import { type Api, Requests } from './requests.ts'
import type { Selection } from './resources.ts'
import { postStreamedList } from './streaming-list.ts'
import { triggerTimeOf } from './trigger-time.ts'
import { type EventBatch, eventBatches, versionOf } from './watch.ts'

export type ReflectorOptions = Selection & Pick<FeedOptions, 'pageSize' | 'streamingLists'>

/** Times to wait, and the dice. */
export interface Pace {
  /** Delays after a refusal. */
  readonly refusedMs: { readonly first: number; readonly most: number }
  /** Delays before a list that becomes too old as soon as it is read. */
  readonly relistMs: { readonly first: number; readonly most: number }
  /** From the start of one attempt to that of the next if the connection fails. The client has a pace of its own besides. */
  readonly cutMs: { readonly first: number; readonly most: number }
  /** A watch that ends sooner, without an event, is no success. */
  readonly shortWatchMs: number
  /** A server that says nothing for so long in the middle of a streaming list does not know what was asked of it. */
  readonly streamingSilenceMs: number
  readonly draw: Draw
}

const DRAWS = 2 ** 32

export const PACE: Pace = {
  refusedMs: { first: 800, most: 30_000 },
  relistMs: { first: 100, most: 5000 },
  cutMs: { first: 50, most: 200 },
  shortWatchMs: 1000,
  streamingSilenceMs: 30_000,
  draw: () => randomInt(DRAWS) / DRAWS,
}

/** As client-go asks, so that not all watches of a cluster end together. */
const WATCH_SECONDS_LEAST = 300
const WATCH_SECONDS_SPREAD = 300

/** Answers to a streaming list that say that the server does not know of such. */
const UNKNOWN_REQUEST: readonly number[] = [400, 405, 422, 501]
const FORBIDDEN = 403

export class Reflector {
  readonly resource: Resource
  readonly #requests: Requests
  readonly #outbox: Outbox
  readonly #damageLog: DamageLog
  readonly #packer: Packer
  readonly #pageSize: number
  readonly #pace: Pace
  readonly #pulse: Pulse
  readonly #refused: Backoff
  readonly #relist: Backoff
  readonly #cut: Backoff
  readonly #synced = Promise.withResolvers<void>()
  #streams: boolean
  /** Where the next watch begins; '' if only a list helps. */
  #version = ''
  #listedAt = Number.NEGATIVE_INFINITY
  /** A watch has told something, or lasted, since then. */
  #fruitful = false
  /** The watch of this attempt was answered. */
  #opened = false
  /** The version from which a watch last said what is no event. */
  #malformedVersion = ''
  #steady: AbortController | null = null
  /** Ends what is under way: it is not to be trusted. */
  #distrust = new AbortController()

  constructor(
    resource: Resource,
    api: Api,
    outbox: Outbox,
    damageLog: DamageLog,
    options: ReflectorOptions,
    pace: Pace = PACE,
  ) {
    this.resource = resource
    this.#requests = new Requests(resource, api, options)
    this.#outbox = outbox
    this.#damageLog = damageLog
    this.#packer = new Packer(resource, options, (line) => damageLog.add(line))
    this.#pageSize = options.pageSize
    this.#streams = options.streamingLists
    this.#pace = pace
    this.#pulse = new Pulse(resource, outbox, () => api.heardAt())
    this.#refused = new Backoff(pace.refusedMs.first, pace.refusedMs.most, pace.draw)
    this.#relist = new Backoff(pace.relistMs.first, pace.relistMs.most, pace.draw)
    this.#cut = new Backoff(pace.cutMs.first, pace.cutMs.most, pace.draw)
  }

  /** Fulfilled when the first list is complete. */
  get synced(): Promise<void> {
    return this.#synced.promise
  }

  /** A signal while a watch, or the next attempt at one, follows a complete list; aborted when that ends. Null if it has. */
  get steady(): AbortSignal | null {
    return this.#steady?.signal ?? null
  }

  /**
   * Follows the resource until `signal` is aborted.
   *
   * @throws only what is a fault of ours
   */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const startedAt = performance.now()
      this.#opened = false
      this.#distrust = new AbortController()
      const attempt = AbortSignal.any([signal, this.#distrust.signal])
      try {
        if (this.#version !== '') await this.#watch(attempt)
        else if (this.#streams) await this.#listAndWatch(attempt)
        else await this.#list(attempt)
      } catch (error) {
        if (signal.aborted) break
        if (this.#distrust.signal.aborted) {
          this.#version = ''
          this.#gap()
          continue
        }
        const delayMs = this.#delayAfter(error, startedAt)
        if (delayMs > 0) await sleep(delayMs, undefined, { signal }).catch(() => undefined)
      }
    }
    this.#gap()
  }

  /** The watch was found to have kept something from us, as one does that waits for a future which another server had: a new list. */
  listAgain(): void {
    this.#distrust.abort()
  }

  /**
   * Lists beside the watch, so that what a watch kept from us comes to light.
   *
   * @throws what a list throws
   */
  async audit(pageSize: number, pauseMs: number, signal: AbortSignal): Promise<void> {
    await postList(this.#requests, this.#packer, this.#outbox, { audit: true, pageSize, pauseMs, signal })
  }

  async #list(signal: AbortSignal): Promise<void> {
    const options = { audit: false, pageSize: this.#pageSize, pauseMs: 0, signal }
    this.#listed(await postList(this.#requests, this.#packer, this.#outbox, options))
  }

  #listed(version: string): void {
    this.#version = version
    this.#listedAt = performance.now()
    this.#fruitful = false
    this.#cut.reset()
    this.#steady ??= new AbortController()
    this.#synced.resolve()
    this.#pulse.alive()
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { body } = await this.#requests.watch(this.#version, this.#watchSeconds(), signal)
    await this.#follow(eventBatches(body))
  }

  async #listAndWatch(signal: AbortSignal): Promise<void> {
    const silent = new AbortController()
    const response = await this.#askStreamingList(AbortSignal.any([signal, silent.signal]))
    if (response === null) return this.#list(signal)
    const { resource } = this
    const batches = eventBatches(response.body)
    const silence = { ms: this.#pace.streamingSilenceMs, ended: () => silent.abort() }
    try {
      const list = await postStreamedList(resource, batches, this.#packer, this.#outbox, silence, signal)
      this.#listed(list.version)
      const { changes, changedMs } = list
      if (changes.length > 0) this.#outbox.post({ type: 'events', resource, items: changes, arrivedMs: changedMs })
      await this.#follow(batches, list.rest)
    } catch (error) {
      if (!silent.signal.aborted || signal.aborted) throw error
      this.#stopStreaming('does not end one')
    } finally {
      await batches.return()
    }
  }

  /** @returns null if this list had better be a paged one */
  async #askStreamingList(signal: AbortSignal): Promise<ApiResponse | null> {
    try {
      return await this.#requests.streamingList(this.#watchSeconds(), signal)
    } catch (error) {
      const status = refusalOf(error)?.status ?? 0
      if (UNKNOWN_REQUEST.includes(status)) this.#stopStreaming(`answers one with ${status}`)
      // Who may list and not watch gets to see a list at least.
      else if (status !== FORBIDDEN) throw error
      return null
    }
  }

  #stopStreaming(why: string): void {
    this.#streams = false
    this.#outbox.log(`${this.resource} will be listed page by page: the API server has no streaming lists (it ${why})`)
  }

  /** Passes on what a watch says, beginning with what has been read of it already. */
  async #follow(batches: AsyncGenerator<EventBatch, void, void>, read: EventBatch | null = null): Promise<void> {
    const openedAt = performance.now()
    let told = false
    this.#opened = true
    this.#steady ??= new AbortController()
    this.#pulse.opened()
    try {
      if (read !== null) told = this.#pass(read)
      for await (const batch of batches) told = this.#pass(batch) || told
    } finally {
      this.#pulse.closed()
      if (performance.now() - openedAt >= this.#pace.shortWatchMs) this.#succeeded()
    }
    if (!told && performance.now() - openedAt < this.#pace.shortWatchMs) throw new ShortWatchError()
  }

  /** @returns whether anything has changed */
  #pass({ events, error, arrivedMs }: EventBatch): boolean {
    const { resource } = this
    const items: string[] = []
    const triggers: number[] = []
    for (const event of events) {
      this.#version = versionOf(event, this.#version)
      if (event.type === 'BOOKMARK') continue
      const before = items.length
      this.#packer.appendChanged(items, event.object, event.type === 'DELETED')
      if (resource === 'endpointslices' && items.length > before) triggers.push(triggerTimeOf(event.object))
    }
    const triggeredMs = triggers.some((ms) => ms > 0) ? triggers : undefined
    if (items.length > 0) {
      this.#outbox.post({ type: 'events', resource, items, arrivedMs, ...(triggeredMs && { triggeredMs }) })
    }
    if (events.length > 0) this.#succeeded()
    if (error !== null) throw error
    this.#pulse.alive()
    return items.length > 0
  }

  #succeeded(): void {
    this.#fruitful = true
    this.#refused.reset()
    this.#relist.reset()
    this.#cut.reset()
  }

  /** What was heard so far may not be all. */
  #gap(): void {
    this.#steady?.abort()
    this.#steady = null
  }

  #fail(reason: string): void {
    this.#pulse.fail(reason)
    this.#gap()
  }

  /** Decides what comes next. @returns milliseconds to wait before that */
  #delayAfter(error: unknown, startedAt: number): number {
    if (isExpired(error) && this.#version !== '') return this.#expired(error as Error)
    if (isUnreachable(error)) {
      // A watch that was cut is resumed; only if that fails too something is wrong.
      if (!this.#opened) this.#fail((error as Error).message)
      return Math.max(0, startedAt + this.#cut.next() - performance.now())
    }
    if (error instanceof ShortWatchError) return this.#refused.next()
    if (error instanceof MalformedEventError) return this.#malformed(error)
    // Errors without a code are faults of ours.
    if ((error as { code?: unknown }).code === undefined) throw error
    const message = (error as Error).message
    this.#fail(error instanceof WatchError ? `the watch of ${this.resource} was ended: ${message}` : message)
    return Math.max(this.#refused.next(), refusalOf(error)?.retryAfterMs ?? 0)
  }

  #expired(error: Error): number {
    const again = this.#fruitful || performance.now() - this.#listedAt >= this.#pace.shortWatchMs
    this.#version = ''
    this.#gap()
    this.#outbox.log(`${this.resource} must be listed again: ${error.message}`)
    // A list that is too old as soon as it is read would be read again and again.
    return again ? 0 : this.#relist.next()
  }

  #malformed(error: MalformedEventError): number {
    const reason = `the watch of ${this.resource} says what is no event: ${error.message}`
    this.#damageLog.add(reason)
    if (this.#version !== '' && this.#version !== this.#malformedVersion) {
      this.#malformedVersion = this.#version
      return this.#cut.next()
    }
    this.#version = ''
    this.#fail(reason)
    return this.#relist.next()
  }

  #watchSeconds(): number {
    return WATCH_SECONDS_LEAST + Math.floor(this.#pace.draw() * WATCH_SECONDS_SPREAD)
  }
}
