// What an API server says when it refuses: Status objects, or plain text where the request did not get as far as the API.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#api-resources

import { qualifiedName, type Resource } from './resources.ts'

/** A response that is no list, no watch and no object. */
export interface Refusal {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Thrown by whoever reads a request; caught where it is answered. */
export class RefusedError extends Error {
  readonly code = 'REFUSED'
  readonly refusal: Refusal

  constructor(refusal: Refusal) {
    super(refusal.body)
    this.refusal = refusal
  }
}

interface StatusFields {
  readonly metadata?: object
  readonly message: string
  readonly reason: string
  readonly details?: object
  readonly code: number
}

const JSON_TYPE = { 'content-type': 'application/json' }
const NO_SNIFFING = { 'x-content-type-options': 'nosniff' }
const PLAIN = { 'content-type': 'text/plain; charset=utf-8', ...NO_SNIFFING }

/** A Status as it stands in a watch event too. */
export function statusJson({ metadata = {}, message, reason, details, code }: StatusFields): string {
  return JSON.stringify({
    kind: 'Status',
    apiVersion: 'v1',
    metadata,
    status: 'Failure',
    message,
    reason,
    details,
    code,
  })
}

function refusal(fields: StatusFields, headers: Readonly<Record<string, string>> = {}): Refusal {
  return { status: fields.code, headers: { ...JSON_TYPE, ...headers }, body: `${statusJson(fields)}\n` }
}

export function badRequest(message: string): Refusal {
  return refusal({ message, reason: 'BadRequest', code: 400 })
}

export const UNAUTHORIZED = refusal({ message: 'Unauthorized', reason: 'Unauthorized', code: 401 })

export function forbidden(user: string, verb: string, resource: Resource, namespace: string, name: string): Refusal {
  const { group } = resource
  const subject = `${qualifiedName(resource)}${name && ` "${name}"`}`
  const scope = namespace === '' ? 'at the cluster scope' : `in the namespace "${namespace}"`
  const message = `${subject} is forbidden: User "${user}" cannot ${verb} resource "${resource.name}" in API group "${group}" ${scope}`
  const details = { name: name || undefined, group: group || undefined, kind: resource.name }
  return refusal({ message, reason: 'Forbidden', details, code: 403 }, NO_SNIFFING)
}

/** A path that no part of the API server has. */
export const PAGE_NOT_FOUND: Refusal = { status: 404, headers: PLAIN, body: '404 page not found\n' }

/** A path below an API group that is there. */
export const NO_SUCH_RESOURCE = refusal({
  message: 'the server could not find the requested resource',
  reason: 'NotFound',
  details: {},
  code: 404,
})

export function notFound(resource: Resource, name: string): Refusal {
  const details = { name, group: resource.group || undefined, kind: resource.name }
  return refusal({ message: `${qualifiedName(resource)} "${name}" not found`, reason: 'NotFound', details, code: 404 })
}

export const METHOD_NOT_ALLOWED = refusal({
  message: 'the server does not allow this method on the requested resource',
  reason: 'MethodNotAllowed',
  details: {},
  code: 405,
})

/** A continue token from before the last compaction; `inconsistent` continues from there with what is there now. */
export function continueExpired(inconsistent: string): Refusal {
  const message =
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without the ' +
    'continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing ' +
    'with the provided token results in an inconsistent list - objects that were created, modified, or deleted between ' +
    'the time the first chunk was returned and now may show up in the list.'
  return refusal({ metadata: { continue: inconsistent }, message, reason: 'Expired', code: 410 })
}

export const VERSION_EXPIRED = refusal({
  message: 'The resourceVersion for the provided list is too old.',
  reason: 'Expired',
  code: 410,
})

/** The Status in a watch that begins before the changes that are kept. */
export function watchExpired(version: number, oldest: number): string {
  return statusJson({ message: `too old resource version: ${version} (${oldest})`, reason: 'Expired', code: 410 })
}

/** A field of the query and what is wrong with it. */
export interface Cause {
  readonly reason: 'FieldValueForbidden' | 'FieldValueNotSupported' | 'FieldValueInvalid'
  readonly message: string
  readonly field: string
}

export function invalidOptions(causes: readonly Cause[]): Refusal {
  const texts = causes.map(({ field, message }) => `${field}: ${message}`)
  const list = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`
  const message = `ListOptions.meta.k8s.io "" is invalid: ${list}`
  const details = { group: 'meta.k8s.io', kind: 'ListOptions', causes }
  return refusal({ message, reason: 'Invalid', details, code: 422 })
}

/** Priority and fairness sends it as plain text. */
export function tooManyRequests(retryAfterSeconds: number): Refusal {
  return {
    status: 429,
    headers: { ...PLAIN, 'retry-after': String(retryAfterSeconds) },
    body: 'Too many requests, please try again later.\n',
  }
}

export function internalError(cause: string): Refusal {
  const message = `Internal error occurred: ${cause}`
  return refusal({ message, reason: 'InternalError', details: { causes: [{ message: cause }] }, code: 500 })
}

export function unavailable(message: string): Refusal {
  return refusal({ message, reason: 'ServiceUnavailable', code: 503 })
}

/** A list that is to be newer than anything that is. */
export function versionTooLarge(wanted: number, current: number): Refusal {
  const message = `Timeout: Too large resource version: ${wanted}, current: ${current}`
  const causes = [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }]
  const details = { causes, retryAfterSeconds: 1 }
  return refusal({ message, reason: 'Timeout', details, code: 504 }, { 'retry-after': '1' })
}
