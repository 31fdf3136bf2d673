// An object as the stand-in keeps it: JSON that is ready to send but for its resourceVersion, and the little that lists and
// watches select by. Fills in what an API server fills in; does not validate.

import { randomUUID } from 'node:crypto'
import type { Resource } from './resources.ts'

export type Labels = Readonly<Record<string, string>>

/** Any JSON object. */
export type Json = Record<string, unknown>

/** An object as a script gives it: what it says is kept, what it does not say is filled in. */
export interface GivenObject extends Json {
  readonly metadata: Json & { readonly name: string; readonly namespace?: string; readonly labels?: Labels }
}

export interface StoredObject {
  /** `namespace/name`, or `name` where there are no namespaces: its place in the order of lists. */
  readonly key: string
  /** resourceVersion. */
  readonly version: number
  readonly labels: Labels
  /** status.phase, '' if it has none. */
  readonly phase: string
  /** Octets that `write` writes. */
  readonly length: number
  /** Writes the JSON from behind the opening brace (`"metadata":{…},…}`), without kind and apiVersion; returns the end. */
  write(target: Buffer, at: number): number
  /** The same object with another resourceVersion. */
  at(version: number): StoredObject
}

/** An object in JSON that was given whole. */
export class JsonObject implements StoredObject {
  readonly key: string
  readonly version: number
  readonly labels: Labels
  readonly phase: string
  readonly length: number
  readonly #head: Buffer
  readonly #tail: Buffer
  readonly #versionText: string

  /** head and tail: the JSON before and after the digits of the resourceVersion; an empty tail: there are none. */
  constructor(of: Pick<StoredObject, 'key' | 'version' | 'labels' | 'phase'>, head: Buffer, tail: Buffer) {
    this.key = of.key
    this.version = of.version
    this.labels = of.labels
    this.phase = of.phase
    this.#head = head
    this.#tail = tail
    this.#versionText = tail.length === 0 ? '' : String(of.version)
    this.length = head.length + this.#versionText.length + tail.length
  }

  write(target: Buffer, at: number): number {
    at += this.#head.copy(target, at)
    at += target.write(this.#versionText, at, 'latin1')
    return at + this.#tail.copy(target, at)
  }

  at(version: number): StoredObject {
    return new JsonObject({ key: this.key, version, labels: this.labels, phase: this.phase }, this.#head, this.#tail)
  }
}

/** The whole object, with kind and apiVersion. */
export function parseStored(resource: Resource, stored: StoredObject): GivenObject {
  const buffer = Buffer.allocUnsafe(stored.length)
  stored.write(buffer, 0)
  const { metadata, ...rest } = JSON.parse(`{${buffer.toString()}`)
  return { kind: resource.kind, apiVersion: resource.apiVersion, metadata, ...rest }
}

export function keyOf(resource: Resource, metadata: { readonly name: string; readonly namespace?: string }): string {
  return resource.namespaced ? `${metadata.namespace ?? 'default'}/${metadata.name}` : metadata.name
}

/**
 * A given object as it is kept. uid, creationTimestamp, generation and managedFields are those that it states, else those of
 * `previous`, else new ones.
 */
export function storedFrom(resource: Resource, given: GivenObject, previous: GivenObject | null): JsonObject {
  const { kind: _kind, apiVersion: _apiVersion, metadata: stated, ...rest } = given
  const { resourceVersion: _version, ...metadata } = stated
  const key = keyOf(resource, stated)
  const filled = filledIn(resource, { ...metadata, ...namespaceOf(key) }, rest, previous)
  if (resource.name === 'services') rest.status ??= { loadBalancer: {} }
  const text = JSON.stringify({ metadata: filled, ...rest }).slice(1)
  return split(text, { key, version: 0, labels: stated.labels ?? {}, phase: phaseOf(rest.status) })
}

/** JSON that need not be what the resource demands, from behind the opening brace; it may lack a resourceVersion. */
export function storedFromText(key: string, text: string): JsonObject {
  return split(text, { key, version: 0, labels: {}, phase: '' })
}

function split(text: string, of: Pick<StoredObject, 'key' | 'version' | 'labels' | 'phase'>): JsonObject {
  const found = /"resourceVersion":"\d*/.exec(text)
  if (found === null) return new JsonObject(of, Buffer.from(text), Buffer.alloc(0))
  const end = found.index + found[0].length
  const head = text.slice(0, found.index) + found[0].replace(/\d+$/, '')
  return new JsonObject(of, Buffer.from(head), Buffer.from(text.slice(end)))
}

function phaseOf(status: unknown): string {
  const phase = (status as Json | undefined)?.phase
  return typeof phase === 'string' ? phase : ''
}

function namespaceOf(key: string): { namespace?: string } {
  return key.includes('/') ? { namespace: key.slice(0, key.indexOf('/')) } : {}
}

/** In the order in which an API server writes the fields. */
function filledIn(resource: Resource, stated: GivenObject['metadata'], rest: Json, previous: GivenObject | null): Json {
  const now = `${new Date().toISOString().slice(0, 19)}Z`
  const before = previous?.metadata
  const { name, generateName, namespace, uid, generation, creationTimestamp, ...others } = stated
  const { deletionTimestamp, deletionGracePeriodSeconds, labels, annotations, ownerReferences, finalizers } = others
  const generations = resource.generations ? nextGeneration(rest, previous) : undefined
  return {
    name,
    generateName,
    namespace,
    uid: uid ?? before?.uid ?? randomUUID(),
    resourceVersion: '',
    generation: generation ?? generations,
    creationTimestamp: creationTimestamp ?? before?.creationTimestamp ?? now,
    deletionTimestamp,
    deletionGracePeriodSeconds,
    labels: unlessEmpty(labels),
    annotations: unlessEmpty(annotations),
    ownerReferences,
    finalizers,
    managedFields: others.managedFields ?? [managedBy(resource, stated, rest, now)],
  }
}

/** An API server leaves out what is empty. */
function unlessEmpty(value: unknown): unknown {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0 ? undefined : value
}

/** One more if anything but metadata and status is another. */
function nextGeneration(rest: Json, previous: GivenObject | null): number {
  if (previous === null) return 1
  const { kind: _kind, apiVersion: _apiVersion, metadata, status: _status, ...before } = previous
  const { status: _now, ...after } = rest
  return Number(metadata.generation ?? 1) + (JSON.stringify(before) === JSON.stringify(after) ? 0 : 1)
}

function managedBy(resource: Resource, metadata: Json, rest: Json, time: string): Json {
  const { status: _status, ...owned } = rest
  const fields: Json = {}
  const { labels, annotations, ownerReferences } = metadata
  const stated = { annotations: unlessEmpty(annotations), labels: unlessEmpty(labels), ownerReferences }
  const ofMetadata = fieldSets(stated, 1)
  if (Object.keys(ofMetadata).length > 0) owned.metadata = 0
  for (const name of Object.keys(owned).sort()) {
    fields[`f:${name}`] = name === 'metadata' ? ofMetadata : name === 'spec' ? fieldSets(owned.spec as Json, 0) : {}
  }
  return {
    manager: 'unknown',
    operation: 'Update',
    apiVersion: resource.apiVersion,
    time,
    fieldsType: 'FieldsV1',
    fieldsV1: fields,
  }
}

/** Fields that the API server fills in are nobody's. */
function isAllocated(name: string, value: unknown): boolean {
  if (name === 'clusterIP') return value !== 'None'
  return ['clusterIPs', 'ipFamilies', 'ipFamilyPolicy', 'nodePort'].includes(name)
}

/** Fields below metadata or spec: mappings by their keys if `depth` is 1, ports by number and protocol, all else as a whole. */
function fieldSets(value: Json, depth: number): Json {
  const sets: Json = {}
  for (const name of Object.keys(value ?? {}).sort()) {
    const field = value[name]
    if (field === undefined || isAllocated(name, field)) continue
    if (name === 'ports' && Array.isArray(field)) sets[`f:${name}`] = portSets(field)
    else if (depth > 0 && typeof field === 'object' && field !== null && !Array.isArray(field)) {
      sets[`f:${name}`] = { '.': {}, ...fieldSets(field as Json, 0) }
    } else sets[`f:${name}`] = {}
  }
  return sets
}

function portSets(ports: readonly Json[]): Json {
  const sets: Json = { '.': {} }
  for (const port of ports) {
    const key = JSON.stringify({ port: port?.port, protocol: port?.protocol ?? 'TCP' })
    sets[`k:${key}`] = { '.': {}, ...fieldSets(port ?? {}, 0) }
  }
  return sets
}
