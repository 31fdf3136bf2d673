// One manifest file: everything it says, trimmed, and everything that is wrong with it. An object with an error is left
// out; the others count.

import { open, stat } from 'node:fs/promises'
import { FieldError, type Raw } from './fields.ts'
import { FileWindow } from './file-window.ts'
import { readJson } from './json-items.ts'
import { emptySources, type Sources } from './sources.ts'
import {
  isMirror,
  type Metadata,
  metadataOf,
  SharedValues,
  trimEndpoints,
  trimImport,
  trimService,
  trimSlice,
} from './trim.ts'
import { trimPod, trimWorkload } from './trim-workloads.ts'
import { type ItemSink, type Place, readYaml } from './yaml-items.ts'

/** What is wrong, and where. */
export interface Problem {
  readonly file: string
  /** From 1; 0 if it is about the file as a whole. */
  readonly document: number
  /** `Kind namespace/name`, or `item 3` of a list if that cannot be told; '' for a whole document. */
  readonly object: string
  /** Path inside the object, e.g. `spec.ports[0].port`; '' if it is about all of it. */
  readonly field: string
  readonly message: string
}

/** The maps of Sources that objects go to, by kind. */
export const SOURCE_MAPS = ['services', 'slices', 'endpoints', 'pods', 'workloads', 'imports'] as const
export type SourceMap = (typeof SOURCE_MAPS)[number]

/** An object that was left out. */
export interface BrokenObject {
  readonly map: SourceMap
  readonly key: string
  /** Index of what is wrong with it in `problems`. */
  readonly problem: number
}

/** All that was read from one file. */
export interface ManifestFile {
  readonly path: string
  readonly sources: Sources
  readonly problems: readonly Problem[]
  readonly broken: readonly BrokenObject[]
  /** Part of it could not be read at all: what is missing cannot be told. */
  readonly unreadable: boolean
  /** Objects of other kinds: how many of each. */
  readonly skippedKinds: ReadonlyMap<string, number>
}

interface Kind {
  /** Prefixes of apiVersion; Kinds of other groups may have the same name. */
  readonly groups: readonly string[]
  readonly map: SourceMap | null
  /** Its objects may have dots in their names. */
  readonly dotted: boolean
  readonly trim: (raw: Raw, metadata: Metadata, shared: SharedValues) => unknown
}

const CORE = ['v1']
const APPS = ['apps/', 'extensions/']
/** A JSON object in a file that is not called so; smaller ones are read as YAML, of which JSON is a subset. */
const JSON_LENGTH_MIN = 1 << 18

const KINDS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ['Namespace', { groups: CORE, map: null, dotted: false, trim: () => null }],
  ['Service', { groups: CORE, map: 'services', dotted: false, trim: trimService }],
  ['EndpointSlice', { groups: ['discovery.k8s.io/'], map: 'slices', dotted: true, trim: trimSlice }],
  ['Endpoints', { groups: CORE, map: 'endpoints', dotted: true, trim: trimEndpoints }],
  ['Pod', { groups: CORE, map: 'pods', dotted: true, trim: trimPod }],
  ['Deployment', workloadKind('Deployment')],
  ['StatefulSet', workloadKind('StatefulSet')],
  ['DaemonSet', workloadKind('DaemonSet')],
  ['ServiceImport', { groups: ['multicluster.x-k8s.io/'], map: 'imports', dotted: false, trim: trimImport }],
])

function workloadKind(name: 'Deployment' | 'StatefulSet' | 'DaemonSet'): Kind {
  return {
    groups: APPS,
    map: 'workloads',
    dotted: true,
    trim: (raw, metadata, shared) => trimWorkload(name, raw, metadata, shared),
  }
}

/** What is kept of a file; everything unless it says false. */
export interface Kept {
  /** False: Pods are kept only if a Service of the file may need them to have slices. In a dump none does. */
  readonly pods?: boolean
  /** False: endpoints are kept without the name of their Pod. */
  readonly podNames?: boolean
}

/**
 * Reads a file. What cannot be read is a problem in the result, never an exception.
 *
 * @param kept  what to leave out
 */
export async function readManifestFile(path: string, kept: Kept = {}): Promise<ManifestFile> {
  const collector = new Collector(path, kept)
  try {
    const { size } = await stat(path)
    const file = await open(path)
    try {
      const window = new FileWindow(file, size)
      if (path.endsWith('.json') || (size >= JSON_LENGTH_MIN && (await beginsLikeJson(path))))
        await readJson(window, collector)
      else await readYaml(window, collector)
    } finally {
      await file.close()
    }
  } catch (error) {
    collector.broken({ document: 0, item: 0 }, (error as Error).message)
  }
  // A Service behind the Pods, which needs them after all: not the order of any dump.
  return collector.regrets ? readManifestFile(path, { ...kept, pods: true }) : collector.finished()
}

async function beginsLikeJson(path: string): Promise<boolean> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256, 0)
    return /^\s*\{\s*"/.test(buffer.toString('latin1', 0, bytesRead))
  } finally {
    await file.close()
  }
}

/** One line that says where to look and what to do. */
export function formatProblem({ file, document, object, field, message }: Problem): string {
  const place = document === 0 ? '' : `, document ${document}`
  const what = object === '' ? '' : `: ${object}`
  return `${file}${place}${what}: ${field === '' ? '' : `${field} `}${message}`
}

class Collector implements ItemSink {
  readonly #path: string
  readonly #sources = emptySources()
  readonly #problems: Problem[] = []
  readonly #broken: BrokenObject[] = []
  readonly #skippedKinds = new Map<string, number>()
  readonly #keepPods: boolean
  readonly #shared: SharedValues
  #unreadable = false
  /** Decided at the first Pod. */
  #idle: boolean | null = null

  constructor(path: string, kept: Kept) {
    this.#path = path
    this.#keepPods = kept.pods ?? true
    this.#shared = new SharedValues(kept.podNames ?? true)
  }

  /** Pods have been dropped that are needed. */
  get regrets(): boolean {
    return this.#idle === true && !isDump(this.#sources)
  }

  finished(): ManifestFile {
    if (!this.#keepPods && isDump(this.#sources)) this.#sources.pods.clear()
    return {
      path: this.#path,
      sources: this.#sources,
      problems: this.#problems,
      broken: this.#broken,
      unreadable: this.#unreadable,
      skippedKinds: this.#skippedKinds,
    }
  }

  broken(place: Place, message: string): void {
    this.#unreadable = true
    this.#report(place, place.item === 0 ? '' : `item ${place.item}`, '', message)
  }

  object(value: unknown, place: Place, list: Raw | null): void {
    if (value === null || value === undefined) return
    if (typeof value !== 'object' || Array.isArray(value)) {
      this.broken(place, 'must be a mapping, as every Kubernetes object is')
      return
    }
    const raw = value as Raw
    const kind = raw.kind ?? kindOfItems(list)
    if (list === null && Array.isArray(raw.items) && (kind === undefined || String(kind).endsWith('List'))) {
      for (let i = 0; i < raw.items.length; i++) this.object(raw.items[i], { ...place, item: i + 1 }, raw)
      return
    }
    if (typeof kind !== 'string' || kind === '') {
      this.#report(place, place.item === 0 ? '' : `item ${place.item}`, 'kind', 'is missing')
      return
    }
    // A ServiceList speaks for its items, a List only for itself.
    const apiVersion = String(raw.apiVersion ?? (raw.kind === undefined ? list?.apiVersion : undefined) ?? '')
    const known = KINDS.get(kind)
    if (known !== undefined && (apiVersion === '' || known.groups.some((group) => inGroup(apiVersion, group)))) {
      this.#add(kind, known, raw, place)
    } else this.#skippedKinds.set(kind, (this.#skippedKinds.get(kind) ?? 0) + 1)
  }

  #add(kind: string, { map, dotted, trim }: Kind, raw: Raw, place: Place): void {
    let key = ''
    try {
      const metadata = metadataOf(raw, this.#shared, dotted)
      if (map === null) {
        this.#sources.namespaces.add(metadata.name)
        return
      }
      key = `${map === 'workloads' ? `${kind} ` : ''}${metadata.namespace}/${metadata.name}`
      this.#use(raw, metadata)
      const trimmed = trim(raw, metadata, this.#shared)
      if (trimmed === null || (map === 'pods' && this.#isIdle())) return
      const objects = this.#sources[map] as Map<string, unknown>
      if (objects.has(key)) this.#report(place, nameOf(kind, raw), '', 'is in this file twice; the later one counts')
      objects.set(key, trimmed)
      if (map === 'slices' && isMirror(metadata)) {
        this.#sources.mirrored.add(`${metadata.namespace}/${(trimmed as { serviceName: string }).serviceName}`)
      }
    } catch (error) {
      if (!(error instanceof FieldError)) throw error
      if (key !== '') this.#broken.push({ map: map!, key, problem: this.#problems.length })
      this.#report(place, nameOf(kind, raw), error.field, error.message)
    }
  }

  /** Whether a Pod need not even be remembered until the end: kubectl prints them last. */
  #isIdle(): boolean {
    if (this.#keepPods) return false
    this.#idle ??= isDump(this.#sources)
    return this.#idle
  }

  #use(raw: Raw, { namespace }: Metadata): void {
    this.#sources.usedNamespaces.add(namespace)
    if (!(raw.metadata as Raw).namespace) this.#sources.impliedNamespaces.add(namespace)
  }

  #report({ document }: Place, object: string, field: string, message: string): void {
    this.#problems.push({ file: this.#path, document, object, field, message })
  }
}

/** Whether all Services that select Pods have their slices beside them, as a control plane leaves them. */
function isDump({ services, slices, workloads }: Sources): boolean {
  if (slices.size === 0 || workloads.size > 0) return false
  const served = new Set<string>()
  for (const { namespace, serviceName } of slices.values()) served.add(`${namespace}/${serviceName}`)
  for (const [key, { selector }] of services) if (selector !== null && !served.has(key)) return false
  return true
}

/** The kind of the items of a ServiceList is Service; a List says nothing about them. */
function kindOfItems(list: Raw | null): string | undefined {
  const kind = list?.kind
  return typeof kind === 'string' && kind.endsWith('List') && kind !== 'List' ? kind.slice(0, -4) : undefined
}

function inGroup(apiVersion: string, group: string): boolean {
  return group.endsWith('/') ? apiVersion.startsWith(group) : apiVersion === group
}

/** As a problem names an object, as far as it has a name. */
function nameOf(kind: string, raw: Raw): string {
  const metadata = (raw.metadata ?? {}) as Raw
  if (typeof metadata !== 'object' || metadata.name === undefined) return kind
  if (kind === 'Namespace') return `${kind} ${String(metadata.name)}`
  return `${kind} ${String(metadata.namespace ?? 'default')}/${String(metadata.name)}`
}
