// `--manifests`: files and folders of manifests, and dumps of whole clusters, as the objects that names are made from.
// Not here: how one file is read (manifest-file.ts), and following changes (feed.ts).

import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { RangeFullError } from './address-range.ts'
import { type ControlPlaneOptions, completeObjects } from './control-plane.ts'
import { type ManifestFile, type Problem, readManifestFile, SOURCE_MAPS } from './manifest-file.ts'
import type { ClusterObjects } from './objects.ts'
import { emptySources, type Sources } from './sources.ts'

export { formatProblem, type Problem } from './manifest-file.ts'

/** How manifests are read and completed. */
export interface ManifestOptions extends ControlPlaneOptions {
  /**
   * False: Pods of a dump that has slices for its Services are not kept, since nothing but `pods verified` asks for
   * them. Default: true.
   */
  readonly pods?: boolean
  /** False: endpoints are kept without the name of their Pod, which only `endpoint_pod_names` asks for. Default: true. */
  readonly podNames?: boolean
}

/** All that the given paths say. */
export interface Loaded {
  readonly objects: ClusterObjects
  /** Errors: each has left something out, or made something of the last state stay. */
  readonly problems: readonly Problem[]
  /** What is no error but worth a line: kinds that were skipped, namespaces that are missing. */
  readonly warnings: readonly string[]
  /** Objects of kinds that make no names: how many of each. */
  readonly skippedKinds: ReadonlyMap<string, number>
}

const MANIFEST_NAME = /^[^.].*\.(?:yaml|yml|json)$/i
/** Folders below a path, and files in all of them. */
const FOLDER_DEPTH_MAX = 32

/**
 * Reads files and folders (recursively; *.yaml, *.yml and *.json, but nothing whose name begins with a dot). A path
 * that cannot be read is a problem in the result; only our own mistakes and bad options throw.
 *
 * @throws RangeError if an address range of `options` is none
 */
export async function loadManifests(paths: readonly string[], options: ManifestOptions = {}): Promise<Loaded> {
  const { files, problems } = await findManifests(paths)
  const read: ManifestFile[] = []
  for (const file of files) read.push(await readManifestFile(file, options))
  return assemble(read, problems, options)
}

/** What is found at the given paths. */
export interface FoundManifests {
  /** In the order of the paths, those of a folder sorted, each once. */
  readonly files: readonly string[]
  readonly folders: readonly string[]
  /** Paths that are not there, or may not be read. */
  readonly problems: readonly Problem[]
}

/** Looks for manifest files. A file that is named itself may be called anything. */
export async function findManifests(paths: readonly string[]): Promise<FoundManifests> {
  const files = new Set<string>()
  const folders = new Set<string>()
  const problems: Problem[] = []
  for (const path of paths) {
    try {
      if ((await stat(path)).isDirectory()) await findInFolder(path, files, folders, 0)
      else files.add(path)
    } catch (error) {
      problems.push({ file: path, document: 0, object: '', field: '', message: (error as Error).message })
    }
  }
  return { files: [...files], folders: [...folders], problems }
}

async function findInFolder(folder: string, files: Set<string>, folders: Set<string>, depth: number): Promise<void> {
  folders.add(folder)
  for (const entry of (await readdir(folder)).sort()) {
    if (entry.startsWith('.')) continue
    const path = join(folder, entry)
    // Through links, as mounted ConfigMaps have them; one that leads nowhere is an editor's lock, not a manifest.
    const found = await stat(path).catch(() => null)
    if (found === null) continue
    if (found.isDirectory()) {
      if (depth < FOLDER_DEPTH_MAX) await findInFolder(path, files, folders, depth + 1)
    } else if (found.isFile() && MANIFEST_NAME.test(entry)) files.add(path)
  }
}

/**
 * Puts files together and completes them. Of two objects with the same name the later counts, which is said.
 *
 * @param problems  of the search for files; those of the files come behind them
 */
export function assemble(
  files: readonly ManifestFile[],
  problems: readonly Problem[],
  options: ManifestOptions,
): Loaded {
  const all = [...problems]
  const skippedKinds = new Map<string, number>()
  for (const file of files) {
    all.push(...file.problems)
    for (const [kind, count] of file.skippedKinds) skippedKinds.set(kind, (skippedKinds.get(kind) ?? 0) + count)
  }
  const sources = files.length === 1 ? files[0]!.sources : merged(files, all)
  const skipped = skippedLine(skippedKinds)
  try {
    const { objects, warnings } = completeObjects(sources, options)
    return { objects, problems: all, warnings: skipped === '' ? warnings : [...warnings, skipped], skippedKinds }
  } catch (error) {
    if (!(error instanceof RangeFullError)) throw error
    all.push({ file: '(all files)', document: 0, object: '', field: '', message: error.message })
    const stripped = { ...sources, workloads: new Map(), services: stated(sources) }
    const { objects, warnings } = completeObjects(stripped, options)
    return { objects, problems: all, warnings, skippedKinds }
  }
}

/** The Services as they are, with nothing to be filled in. */
function stated(sources: Sources): Sources['services'] {
  const services: Sources['services'] = new Map()
  for (const [key, source] of sources.services) services.set(key, { ...source, missingFamilies: [] })
  return services
}

function merged(files: readonly ManifestFile[], problems: Problem[]): Sources {
  const all = emptySources()
  for (const { path, sources } of files) {
    for (const set of ['namespaces', 'usedNamespaces', 'impliedNamespaces', 'mirrored'] as const) {
      for (const value of sources[set]) all[set].add(value)
    }
    for (const map of SOURCE_MAPS) {
      const target = all[map] as Map<string, unknown>
      for (const [key, source] of sources[map]) {
        if (target.has(key)) problems.push(duplicate(path, map, key, files))
        target.set(key, source)
      }
    }
  }
  return all
}

function duplicate(path: string, map: keyof Sources, key: string, files: readonly ManifestFile[]): Problem {
  const first = files.find(({ sources }) => (sources[map] as Map<string, unknown>).has(key))!
  const kind = KIND_OF_MAP[map as keyof typeof KIND_OF_MAP]
  const message = `is in ${first.path} as well; the one in this file counts`
  return { file: path, document: 0, object: kind === '' ? key : `${kind} ${key}`, field: '', message }
}

const KIND_OF_MAP = {
  services: 'Service',
  slices: 'EndpointSlice',
  endpoints: 'Endpoints',
  pods: 'Pod',
  workloads: '',
  imports: 'ServiceImport',
} as const

function skippedLine(skippedKinds: ReadonlyMap<string, number>): string {
  if (skippedKinds.size === 0) return ''
  const kinds = [...skippedKinds].sort(([a], [b]) => (a < b ? -1 : 1)).map(([kind, count]) => `${count} ${kind}`)
  const count = [...skippedKinds.values()].reduce((sum, one) => sum + one, 0)
  return `skipped ${count} ${count === 1 ? 'object' : 'objects'} that make no names: ${kinds.join(', ')}`
}
