// What can go wrong with a list or a watch, told apart by what follows from it. The errors of requests are the client's.

/** What the server answered is no list, or is more than can be read: the list must begin again. */
export class ListError extends Error {
  readonly code = 'BAD_LIST'

  constructor(message: string) {
    super(message)
    this.name = 'ListError'
  }
}

/** A line of a watch is no event. What was said before it counts. */
export class MalformedEventError extends Error {
  readonly code = 'BAD_EVENT'

  constructor(message: string) {
    super(message)
    this.name = 'MalformedEventError'
  }
}

/** A watch ended with an event of type ERROR. */
export class WatchError extends Error {
  readonly code = 'WATCH_ERROR'
  readonly status: number
  readonly reason: string
  readonly retryAfterMs: number
  /** The resourceVersion is too old: only a list helps. */
  readonly expired: boolean

  /** @param object  the event's object, a Status */
  constructor(object: Readonly<Record<string, unknown>>) {
    const { message, reason, code, details } = object
    super(typeof message === 'string' && message !== '' ? message : 'the server gave no message')
    this.name = 'WatchError'
    this.status = typeof code === 'number' ? code : 0
    this.reason = typeof reason === 'string' ? reason : ''
    const seconds = (details as { retryAfterSeconds?: unknown } | null | undefined)?.retryAfterSeconds
    this.retryAfterMs = typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : 0
    this.expired = this.status === 410 || this.reason === 'Expired' || this.reason === 'Gone'
  }
}

/** The server is there, but does not answer this request. */
export class UnansweredError extends Error {
  readonly code = 'UNANSWERED'

  constructor(verb: string, resource: string) {
    super(`cannot ${verb} ${resource}: the API server does not answer`)
    this.name = 'UnansweredError'
  }
}

/** A watch was ended as soon as it began, without a word. */
export class ShortWatchError extends Error {
  readonly code = 'SHORT_WATCH'

  constructor() {
    super('the server ended the watch at once')
    this.name = 'ShortWatchError'
  }
}

/** A refusal of the server, by status or by an event. */
export interface Refusal {
  readonly status: number
  readonly retryAfterMs: number
  readonly expired: boolean
}

/** The server's refusal; null if it is something else that went wrong. */
export function refusalOf(error: unknown): Refusal | null {
  const { code } = error as { code?: unknown }
  return code === 'API_REFUSED' || code === 'WATCH_ERROR' ? (error as Refusal) : null
}

/** Whether a resourceVersion or a continue token is too old. */
export function isExpired(error: unknown): boolean {
  return refusalOf(error)?.expired ?? false
}

/** Whether the connection failed, was cut or fell silent. */
export function isUnreachable(error: unknown): boolean {
  return (error as { code?: unknown }).code === 'API_UNREACHABLE'
}
