// An API server in memory for the reflector: each request is answered by the next entry of a script, in pieces as the test
// wants them. No sockets, no HTTP.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { ApiResponse, RequestOptions } from '../../../src/kube/watch/api-client.ts'
import { ApiError } from '../../../src/kube/watch/api-error.ts'
import { ConnectionError } from '../../../src/kube/watch/connection-error.ts'
import type { FeedMessage } from '../../../src/kube/watch/messages.ts'
import { Outbox } from '../../../src/kube/watch/outbox.ts'
import { PACE, type Pace } from '../../../src/kube/watch/reflector.ts'
import type { Api } from '../../../src/kube/watch/requests.ts'

/** How a body goes on after its chunks: it ends, is cut, or stays open until the request is aborted. */
export type Ending = 'end' | 'cut' | 'open'

export interface Answer {
  /** Octets, in the pieces they arrive in. */
  readonly chunks?: readonly (string | Buffer)[]
  readonly ending?: Ending
  /** Instead of an answer. */
  readonly error?: Error
  /** What the request must ask for; any text of its path, unescaped. */
  readonly asked?: readonly string[]
}

/** Waits of a few milliseconds at most, without jitter. */
export const FAST: Pace = {
  ...PACE,
  refusedMs: { first: 1, most: 4 },
  relistMs: { first: 1, most: 4 },
  cutMs: { first: 1, most: 2 },
  shortWatchMs: 20,
  streamingSilenceMs: 50,
  draw: () => 0.5,
}

/** Answers in the order of the script; when it has ended, `finished` is called and requests stay open. */
export class ScriptedApi implements Api {
  readonly paths: string[] = []
  readonly #script: Answer[]
  readonly #finished: () => void
  lastHeardAt = Number.NEGATIVE_INFINITY

  constructor(script: readonly Answer[], finished: () => void = () => undefined) {
    this.#script = [...script]
    this.#finished = finished
  }

  heardAt(): number {
    return this.lastHeardAt
  }

  async request(path: string, { signal }: RequestOptions): Promise<ApiResponse> {
    const asked = decodeURIComponent(path.replaceAll('+', ' '))
    this.paths.push(asked)
    const answer = this.#script.shift()
    if (answer === undefined) {
      this.#finished()
      return { status: 200, body: bodyOf([], 'open', signal!) }
    }
    for (const text of answer.asked ?? []) assert.ok(asked.includes(text), `${asked} asks for ${text}`)
    if (answer.error !== undefined) throw answer.error
    return { status: 200, body: bodyOf(answer.chunks ?? [], answer.ending ?? 'end', signal!) }
  }
}

async function* bodyOf(
  chunks: readonly (string | Buffer)[],
  ending: Ending,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, void> {
  for (const chunk of chunks) {
    signal.throwIfAborted()
    yield Buffer.from(chunk)
  }
  if (ending === 'cut') throw new ConnectionError('the connection was cut')
  if (ending === 'open') {
    await new Promise((_, reject) => {
      if (signal.aborted) reject(signal.reason)
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
  }
}

/** A refusal with a Status object, as the client throws it. */
export function refused(status: number, reason: string, message = reason, retryAfterSeconds = 0): ApiError {
  const body = JSON.stringify({ kind: 'Status', reason, message, details: { retryAfterSeconds } })
  const asked = { verb: 'list', group: '', resource: 'services' } as const
  return new ApiError({ status, headers: {}, body, asked, path: '/api/v1/services', source: 'a test' })
}

/** The body of a recorded exchange. */
export function recordedBody(name: string): Buffer {
  const text = readFileSync(new URL(`../../fixtures/apiserver/${name}.txt`, import.meta.url), 'utf8')
  return Buffer.from(text.slice(text.indexOf('\n\n') + 2))
}

/** An outbox whose messages are kept; list items are acknowledged as they come. */
export function keptMessages(): { outbox: Outbox; messages: FeedMessage[] } {
  const messages: FeedMessage[] = []
  const outbox = new Outbox((message) => {
    messages.push(message)
    if (message.type === 'list-items') queueMicrotask(() => outbox.acknowledge())
  })
  return { outbox, messages }
}

/** Messages in short: one line each, without times and without what only says how it goes. */
export function told(messages: readonly FeedMessage[]): string[] {
  const lines: string[] = []
  for (const message of messages) {
    if (message.type === 'log' || message.type === 'alive' || message.type === 'refused') continue
    if (message.type === 'requested') continue
    const { type, resource } = message
    if (type === 'failing') lines.push(`${resource} failing: ${message.reason}`)
    else if (type === 'events') lines.push(`${resource} ${itemsText(message.items)}`)
    else if (type === 'list-items') lines.push(`${resource} ${mark(message.audit)} ${itemsText(message.items)}`)
    else if (type === 'list-begin') lines.push(`${resource} ${mark(message.audit)} begin`)
    else lines.push(`${resource} ${mark(message.audit)} ${message.complete ? 'complete' : 'dropped'}`)
  }
  return lines
}

function mark(audit: boolean): string {
  return audit ? 'audit' : 'list'
}

function itemsText(items: readonly string[]): string {
  const texts: string[] = []
  for (let i = 0; i < items.length; i += 3) {
    texts.push(`${items[i]}/${items[i + 1]}=${JSON.stringify(items[i + 2]).slice(1, -1)}`)
  }
  return texts.join(' ')
}

/** A document as a watch sends it. */
export function eventLine(type: string, object: unknown): string {
  return `${JSON.stringify({ type, object })}\n`
}

/** A Service of one port; as much of it as counts. */
export function service(name: string, version: number | string, clusterIP = '10.0.0.1'): Record<string, unknown> {
  return {
    metadata: { namespace: 'shop', name, uid: name, resourceVersion: String(version) },
    spec: { type: 'ClusterIP', clusterIP, clusterIPs: [clusterIP], ports: [{ name: 'http', port: 80 }] },
  }
}

/** One page of a list. */
export function page(objects: readonly unknown[], version: number | string, token = ''): string {
  const metadata = { resourceVersion: String(version), ...(token === '' ? {} : { continue: token }) }
  return JSON.stringify({ kind: 'List', apiVersion: 'v1', metadata, items: objects })
}
