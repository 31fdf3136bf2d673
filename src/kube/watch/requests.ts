// What is asked of the API server for one resource, as it is written on the wire. How the answers are read is in list.ts and
// watch.ts.

import type { ApiClient, ApiResponse } from './api-client.ts'
import { UnansweredError } from './failures.ts'
import type { Resource } from './messages.ts'
import { RESOURCES, type ResourceKind, type Selection } from './resources.ts'

/** As much of the client as is used here. */
export type Api = Pick<ApiClient, 'request' | 'heardAt'>

/** A page of which nothing comes for so long will not come. A watch is silent as long as nothing changes. */
const LIST_SILENCE_MS = 8000

/** An API server ends what takes longer than a minute by itself. */
const ANSWER_MS = 70_000

export class Requests {
  readonly resource: Resource
  readonly api: Api
  readonly #kind: ResourceKind
  readonly #selectors: Readonly<Record<string, string>>

  constructor(resource: Resource, api: Api, selection: Selection) {
    this.resource = resource
    this.api = api
    this.#kind = RESOURCES[resource]
    this.#selectors = this.#kind.selectors(selection)
  }

  /** One page of a consistent list; the first if `token` is ''. */
  page(limit: number, token: string, signal: AbortSignal): Promise<ApiResponse> {
    const query = { limit: String(limit), ...(token === '' ? {} : { continue: token }) }
    return this.#request('list', query, signal, LIST_SILENCE_MS)
  }

  /** All that happened since `version`, and what happens from now on, for `seconds`. */
  watch(version: string, seconds: number, signal: AbortSignal): Promise<ApiResponse> {
    const query = { watch: '1', allowWatchBookmarks: 'true', resourceVersion: version, timeoutSeconds: String(seconds) }
    return this.#request('watch', query, signal, 0)
  }

  /** All that there is, as events, a bookmark, and then what happens from now on, for `seconds`. */
  streamingList(seconds: number, signal: AbortSignal): Promise<ApiResponse> {
    const query = {
      watch: '1',
      allowWatchBookmarks: 'true',
      sendInitialEvents: 'true',
      resourceVersionMatch: 'NotOlderThan',
      timeoutSeconds: String(seconds),
    }
    return this.#request('watch', query, signal, 0)
  }

  async #request(
    verb: 'list' | 'watch',
    query: Record<string, string>,
    signal: AbortSignal,
    silenceMs: number,
  ): Promise<ApiResponse> {
    const { path, group } = this.#kind
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(new UnansweredError(verb, this.resource)), ANSWER_MS)
    const options = {
      verb,
      group,
      resource: this.resource,
      signal: AbortSignal.any([signal, late.signal]),
      silenceMs,
    }
    try {
      return await this.api.request(`${path}?${new URLSearchParams({ ...this.#selectors, ...query })}`, options)
    } finally {
      clearTimeout(timer)
    }
  }
}
