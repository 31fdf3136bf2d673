// The query of a list or a watch, read and checked as an API server does (ValidateListOptions of its meta package).
// https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions

import type { Resource } from './resources.ts'
import { fieldSelector, labelSelector, type Selector, SelectorError } from './selectors.ts'
import { badRequest, type Cause, invalidOptions, RefusedError } from './status.ts'

/** `on`; `off`: known and refused, as Kubernetes 1.27 to 1.31 do by default; `unknown`: as 1.26, which has no such thing. */
export type StreamingLists = 'on' | 'off' | 'unknown'

export interface ListOptions {
  readonly watch: boolean
  /** 0: no limit. */
  readonly limit: number
  readonly continueToken: string
  /** Null: none given. */
  readonly version: number | null
  readonly match: string
  /** Null: everything. */
  readonly selector: Selector | null
  readonly bookmarks: boolean
  /** Null: not said. */
  readonly sendInitialEvents: boolean | null
  /** 0: as the server likes. */
  readonly timeoutSeconds: number
}

const MATCH = 'resourceVersionMatch'
const NOT_OLDER = 'NotOlderThan'

/** @throws RefusedError with what is wrong with the query */
export function readOptions(resource: Resource, query: URLSearchParams, streaming: StreamingLists): ListOptions {
  const options: ListOptions = {
    watch: flag(query, 'watch') ?? false,
    limit: number(query, 'limit'),
    continueToken: query.get('continue') ?? '',
    version: versionOf(query),
    match: query.get(MATCH) ?? '',
    selector: selectorOf(resource, query),
    bookmarks: flag(query, 'allowWatchBookmarks') ?? false,
    sendInitialEvents: streaming === 'unknown' ? null : flag(query, 'sendInitialEvents'),
    timeoutSeconds: number(query, 'timeoutSeconds'),
  }
  const causes = options.watch ? watchCauses(options, streaming) : listCauses(options)
  if (causes.length > 0) throw new RefusedError(invalidOptions(causes))
  return options
}

function forbiddenField(field: string, text: string): Cause {
  return { reason: 'FieldValueForbidden', message: `Forbidden: ${text}`, field }
}

function unsupportedMatch(match: string, supported: string): Cause {
  const message = `Unsupported value: ${JSON.stringify(match)}: supported values: ${supported}`
  return { reason: 'FieldValueNotSupported', message, field: MATCH }
}

function listCauses({ match, version, continueToken, sendInitialEvents }: ListOptions): Cause[] {
  const causes: Cause[] = []
  if (sendInitialEvents !== null) {
    causes.push(forbiddenField('sendInitialEvents', 'sendInitialEvents is forbidden for list'))
  }
  if (match === '') return causes
  if (version === null) {
    causes.push(forbiddenField(MATCH, 'resourceVersionMatch is forbidden unless resourceVersion is provided'))
  }
  if (continueToken !== '') {
    causes.push(forbiddenField(MATCH, 'resourceVersionMatch is forbidden when continue is provided'))
  }
  if (match !== 'Exact' && match !== NOT_OLDER) causes.push(unsupportedMatch(match, '"Exact", "NotOlderThan", ""'))
  if (match === 'Exact' && version === 0) {
    causes.push(forbiddenField(MATCH, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
  }
  return causes
}

function watchCauses({ match, version, sendInitialEvents }: ListOptions, streaming: StreamingLists): Cause[] {
  const causes: Cause[] = []
  if (streaming === 'unknown') {
    if (match === '') return causes
    causes.push(forbiddenField(MATCH, 'resourceVersionMatch is forbidden for watch'))
    if (version === null) {
      causes.push(forbiddenField(MATCH, 'resourceVersionMatch is forbidden unless resourceVersion is provided'))
    }
    return causes
  }
  if (sendInitialEvents !== null && match !== NOT_OLDER) {
    causes.push(forbiddenField(MATCH, 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'))
  }
  if (sendInitialEvents !== null && streaming === 'off') {
    const text = 'sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled'
    causes.push(forbiddenField('sendInitialEvents', text))
  }
  if (match !== '' && sendInitialEvents === null) {
    causes.push(
      forbiddenField(MATCH, 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided'),
    )
  }
  if (match !== '' && match !== NOT_OLDER) causes.push(unsupportedMatch(match, '"NotOlderThan"'))
  return causes
}

/** As the API conventions have it: anything but an explicit no is a yes. */
function flag(query: URLSearchParams, name: string): boolean | null {
  const value = query.get(name)
  if (value === null) return null
  return value.toLowerCase() !== 'false' && value !== '0'
}

function number(query: URLSearchParams, name: string): number {
  const value = query.get(name) ?? ''
  if (value === '') return 0
  if (/^-?\d+$/.test(value)) return Math.max(0, Number(value))
  throw new RefusedError(badRequest(`strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`))
}

function versionOf(query: URLSearchParams): number | null {
  const value = query.get('resourceVersion') ?? ''
  if (value === '') return null
  if (/^\d+$/.test(value)) return Number(value)
  const message = `Invalid value: ${JSON.stringify(value)}: strconv.ParseUint: parsing ${JSON.stringify(value)}: invalid syntax`
  throw new RefusedError(invalidOptions([{ reason: 'FieldValueInvalid', message, field: 'resourceVersion' }]))
}

function selectorOf(resource: Resource, query: URLSearchParams): Selector | null {
  try {
    const labels = labelSelector(query.get('labelSelector') ?? '')
    const fields = fieldSelector(resource, query.get('fieldSelector') ?? '')
    if (labels === null || fields === null) return labels ?? fields
    return (object) => labels(object) && fields(object)
  } catch (error) {
    if (error instanceof SelectorError) throw new RefusedError(badRequest(error.message))
    throw error
  }
}
