// Answers a list: which state it shows, which page of it, and its JSON, written piece by piece.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks

import type { StoredObject } from './object.ts'
import type { ListOptions } from './options.ts'
import type { Outgoing } from './outgoing.ts'
import { type Resource, typePrefix } from './resources.ts'
import type { Selector } from './selectors.ts'
import {
  badRequest,
  continueExpired,
  internalError,
  type Refusal,
  RefusedError,
  VERSION_EXPIRED,
  versionTooLarge,
} from './status.ts'
import { type Items, positionOf, type Store } from './store.ts'

/** One resource of one namespace, or ('') of all. */
export interface Target {
  readonly resource: Resource
  readonly namespace: string
}

interface Page {
  readonly version: number
  readonly items: Items
  /** First and behind last of `items`, if there is no selector. */
  readonly from: number
  readonly to: number
  readonly continueToken: string
  /** -1: not said. */
  readonly remaining: number
}

const PIECE_OCTETS = 256 * 1024
const INCONSISTENT = -1

/** @throws RefusedError */
export async function answerList(store: Store, target: Target, options: ListOptions, out: Outgoing): Promise<void> {
  const page = pageOf(store, target, options)
  const { resource } = target
  const [head, tail] = frame(resource, page)
  const prefix = Buffer.from(resource.custom ? `{${typePrefix(resource)}` : '{')
  let octets = head.length + tail.length + Math.max(0, page.to - page.from - 1)
  for (let i = page.from; i < page.to; i++) octets += prefix.length + page.items[i].length
  out.beginBody(octets)
  await writeItems(out, head, page, prefix, tail)
  out.end()
}

/** Waits until the state is as new as the list demands. @throws RefusedError if it is not in time */
export async function awaitVersion(store: Store, { resource }: Target, wanted: number, waitMs: number): Promise<void> {
  if (wanted <= store.version) return
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer)
      stop()
      resolve()
    }
    const timer = setTimeout(done, waitMs)
    const stop = store.listen(resource.name, ({ version }) => {
      if (version >= wanted) done()
    })
  })
  if (wanted > store.version) throw new RefusedError(versionTooLarge(wanted, store.version))
}

function pageOf(store: Store, target: Target, options: ListOptions): Page {
  const { namespace } = target
  const [version, items, start] = stateOf(store, target, options)
  const all = rangeOf(items, namespace)
  const from = start === '' ? all.from : Math.max(all.from, positionOf(items, start))
  // What comes from the watch cache comes whole, and in no order.
  if (options.version === 0) {
    const cached = rotated(items.slice(all.from, all.to)).filter(options.selector ?? (() => true))
    return { version, items: cached, from: 0, to: cached.length, continueToken: '', remaining: -1 }
  }
  const limit = options.limit || Infinity
  if (options.selector !== null) return selected(version, items, from, all.to, limit, target, options.selector)
  const to = Math.min(all.to, from + limit)
  const remaining = all.to - to
  const continueToken = remaining === 0 ? '' : tokenAfter(version, items[to - 1], namespace)
  return { version, items, from, to, continueToken, remaining: remaining === 0 ? -1 : remaining }
}

/** With a selector: a page may be the last and its token say otherwise, as what is left is not looked at. */
function selected(
  version: number,
  items: Items,
  from: number,
  end: number,
  limit: number,
  { namespace }: Target,
  selector: Selector,
): Page {
  const found: StoredObject[] = []
  let at = from
  for (; at < end && found.length < limit; at++) if (selector(items[at])) found.push(items[at])
  const continueToken = at === end ? '' : tokenAfter(version, items[at - 1], namespace)
  return { version, items: found, from: 0, to: found.length, continueToken, remaining: -1 }
}

/** The version that the list says, the objects, and the key to start from. */
function stateOf(store: Store, { resource, namespace }: Target, options: ListOptions): [number, Items, string] {
  const { name } = resource
  const { version, match, limit, continueToken } = options
  if (continueToken !== '') {
    if (version !== null && version !== 0) {
      throw new RefusedError(badRequest('specifying resource version is not allowed when using continue'))
    }
    const token = readToken(continueToken)
    const start = namespace === '' ? token.start : `${namespace}/${token.start}`
    if (token.version === INCONSISTENT) return [store.version, store.snapshot(name), start]
    const items = token.version > store.version ? null : store.itemsAt(name, token.version)
    if (items === null) throw new RefusedError(continueExpired(encodeToken(INCONSISTENT, token.start)))
    return [token.version, items, start]
  }
  if (version === 0) return [store.versionOf(name), store.items(name), '']
  const exact = version !== null && (match === 'Exact' || (match === '' && limit > 0))
  if (!exact) return [store.version, store.snapshot(name), '']
  if (version > store.version) {
    const cause = 'rpc error: code = OutOfRange desc = etcdserver: mvcc: required revision is a future revision'
    throw new RefusedError(internalError(cause))
  }
  const items = store.itemsAt(name, version)
  if (items === null) throw new RefusedError(VERSION_EXPIRED)
  return [version, items, '']
}

/** The objects of a namespace are neighbours. */
export function rangeOf(items: Items, namespace: string): { readonly from: number; readonly to: number } {
  if (namespace === '') return { from: 0, to: items.length }
  // '0' is the character behind '/'.
  return { from: positionOf(items, `${namespace}/`), to: positionOf(items, `${namespace}0`) }
}

function rotated(items: Items): StoredObject[] {
  const middle = items.length >> 1
  return [...items.slice(middle), ...items.slice(0, middle)]
}

function tokenAfter(version: number, { key }: StoredObject, namespace: string): string {
  const start = namespace === '' ? key : key.slice(namespace.length + 1)
  return encodeToken(version, `${start}\u0000`)
}

function encodeToken(version: number, start: string): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: version, start })).toString('base64url')
}

function readToken(token: string): { readonly version: number; readonly start: string } {
  const illegal = token.search(/[^\w-]/)
  if (illegal >= 0 || token.length % 4 === 1)
    throw invalidToken(`illegal base64 data at input byte ${base64End(token)}`)
  let fields: { v?: unknown; rv?: unknown; start?: unknown }
  try {
    fields = JSON.parse(Buffer.from(token, 'base64url').toString())
  } catch {
    throw invalidToken('invalid character in JSON')
  }
  if (fields.v !== 'meta.k8s.io/v1') throw invalidToken('server does not recognize this encoded version')
  if (typeof fields.rv !== 'number' || fields.rv === 0) throw invalidToken('incorrect encoded start resourceVersion')
  if (typeof fields.start !== 'string' || fields.start === '') throw invalidToken('encoded start key empty')
  return { version: fields.rv, start: fields.start }
}

function base64End(token: string): number {
  const illegal = token.search(/[^\w-]/)
  return illegal >= 0 ? illegal : token.length - 1
}

function invalidToken(cause: string): RefusedError {
  const refusal: Refusal = badRequest(`invalid continue token: continue key is not valid: ${cause}`)
  return new RefusedError(refusal)
}

/** The JSON before and behind the items. */
function frame({ custom, apiVersion, kind }: Resource, page: Page): [Buffer, Buffer] {
  const { version, continueToken, remaining } = page
  const rest = remaining < 0 ? {} : { remainingItemCount: remaining }
  if (custom) {
    const metadata = JSON.stringify({ continue: continueToken, ...rest, resourceVersion: String(version) })
    const end = `],"kind":"${kind}List","metadata":${metadata}}\n`
    return [Buffer.from(`{"apiVersion":"${apiVersion}","items":[`), Buffer.from(end)]
  }
  const metadata = { resourceVersion: String(version), continue: continueToken || undefined, ...rest }
  const start = `{"kind":"${kind}List","apiVersion":"${apiVersion}","metadata":${JSON.stringify(metadata)},"items":[`
  return [Buffer.from(start), Buffer.from(']}\n')]
}

/** The whole body, in pieces that all use the same memory. */
async function writeItems(out: Outgoing, head: Buffer, page: Page, prefix: Buffer, tail: Buffer): Promise<void> {
  const { items, from, to } = page
  let piece = Buffer.allocUnsafe(PIECE_OCTETS)
  let at = head.copy(piece)
  for (let i = from; i < to && !out.closed; i++) {
    const item = items[i]
    const octets = item.length + prefix.length + 1
    if (at + octets > piece.length) {
      if (at > 0) await out.write(piece.subarray(0, at))
      at = 0
      if (octets > piece.length) piece = Buffer.allocUnsafe(octets)
    }
    if (i > from) piece[at++] = 0x2c // ','
    at += prefix.copy(piece, at)
    at = item.write(piece, at)
  }
  if (out.closed) return
  await out.write(piece.subarray(0, at))
  await out.write(tail)
}
