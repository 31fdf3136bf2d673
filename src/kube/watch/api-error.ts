// What an API server refuses, in words that say what to do about it: the Status object that came with it, and the rule of
// RBAC that is missing. Not here: connections that fail (connection-error.ts), and what is done next (the reflector).

import type { IncomingHttpHeaders } from 'node:http'

/** Characters of a server's own message that are passed on. */
const MESSAGE_LENGTH_MAX = 300

/** What a request was about. */
export interface Asked {
  readonly verb: 'list' | 'watch' | 'get'
  /** '' for the core group. */
  readonly group: string
  /** Plural. */
  readonly resource: string
}

/** An answer that is not 2xx. */
export interface Refusal {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** The first octets of the body: a Status object, or any text. */
  readonly body: string
  readonly asked: Asked
  /** Path without the query. */
  readonly path: string
  /** Where the credentials are from. */
  readonly source: string
}

/** The fields of a Status object that matter here; all are there. */
interface Status {
  readonly reason: string
  readonly message: string
  readonly retryAfterSeconds: number
}

/** The API server refused a request; its message is one sentence, with the rule to add where rights are missing. */
export class ApiError extends Error {
  readonly code = 'API_REFUSED'
  /** HTTP status, 300..599. */
  readonly status: number
  /** `reason` of the Status object, '' without one. */
  readonly reason: string
  /** Milliseconds to wait as the server wishes; 0: it has no wish. */
  readonly retryAfterMs: number
  /** The resourceVersion or the continue token is too old: list anew. */
  readonly expired: boolean

  constructor(refusal: Refusal) {
    const status = statusOf(refusal.body)
    super(sentence(refusal, status))
    this.status = refusal.status
    this.reason = status.reason
    this.retryAfterMs = 1000 * Math.max(status.retryAfterSeconds, retryAfterSeconds(refusal.headers['retry-after']))
    this.expired = refusal.status === 410 || status.reason === 'Expired' || status.reason === 'Gone'
  }
}

function sentence(refusal: Refusal, status: Status): string {
  const { asked, source } = refusal
  const name = fullName(asked)
  const said = status.message === '' ? '' : `: ${status.message}`
  switch (refusal.status) {
    case 401:
      return `cannot ${asked.verb} ${name}: the API server does not accept the credentials (${source})${said}`
    case 403:
      return `cannot ${asked.verb} ${name}: ${status.reason === 'Forbidden' ? advice(asked, status.message) : `forbidden${said}`}`
    case 404:
      return `cannot ${asked.verb} ${name}: ${missing(refusal)}`
    default:
      return `cannot ${asked.verb} ${name}: the API server says ${refusal.status}${status.reason === '' ? '' : ` ${status.reason}`}${said}`
  }
}

/** The rule that is missing, to be pasted, and whom it is for: the server knows how it calls us. */
function advice({ group, resource }: Asked, message: string): string {
  const rule = `{apiGroups: [${group === '' ? '""' : group}], resources: [${resource}], verbs: [list, watch]}`
  const user = /User "([^"]+)"/.exec(message)?.[1] ?? ''
  if (user === 'system:anonymous') return 'the request came without credentials, and the cluster allows nothing without'
  const kind = user.startsWith('system:serviceaccount:') ? 'serviceaccount' : 'user'
  const subject = user === '' ? 'the user of these credentials' : `${kind} ${user}`
  return `grant it with a ClusterRole rule ${rule} bound to ${subject}`
}

function missing({ asked: { group, resource }, path }: Refusal): string {
  if (group === '') return `the server has no ${path}: it is no API server, or another path belongs before it`
  const version = path.split('/apis/')[1]?.split('/')[1] ?? ''
  const api = `${group}${version === '' ? '' : `/${version}`}`
  if (group.endsWith('.k8s.io') && !group.includes('.x-')) return `the API server does not serve ${api}: is it too old?`
  return `the API server does not serve ${api}: the CustomResourceDefinition ${resource}.${group} is not installed`
}

function fullName({ group, resource }: Asked): string {
  return group === '' ? resource : `${resource}.${group}`
}

/** Reads a Status object; of any other text the first line is the message. */
function statusOf(body: string): Status {
  let value: unknown = null
  try {
    value = JSON.parse(body)
  } catch {
    // Proxies and Go's own 404 speak plain text.
  }
  const fields = recordOf(value)
  if (fields.kind !== 'Status') return { reason: '', message: clean(body), retryAfterSeconds: 0 }
  const seconds = recordOf(fields.details).retryAfterSeconds
  return {
    reason: typeof fields.reason === 'string' ? clean(fields.reason) : '',
    message: typeof fields.message === 'string' ? clean(fields.message) : '',
    retryAfterSeconds: typeof seconds === 'number' && seconds > 0 ? seconds : 0,
  }
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

/** One line without control characters, not too long: it goes into a log. */
function clean(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out.
  const line = text.trim().replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')
  return line.length > MESSAGE_LENGTH_MAX ? `${line.slice(0, MESSAGE_LENGTH_MAX)}…` : line
}

/** RFC 9110 §10.2.3: seconds, or a date. */
function retryAfterSeconds(header: string | undefined): number {
  if (header === undefined) return 0
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000
  return Number.isNaN(seconds) ? 0 : Math.max(seconds, 0)
}
