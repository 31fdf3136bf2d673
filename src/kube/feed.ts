// Follows manifests: whatever happens to the files and folders, the consumer gets the whole new state, in which every
// object that has not changed is the same object as before. A broken file leaves what it last said in force.

import { type FSWatcher, watch } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { dirname, sep } from 'node:path'
import { type Kept, type ManifestFile, type Problem, readManifestFile, SOURCE_MAPS } from './manifest-file.ts'
import { assemble, type FoundManifests, findManifests, type Loaded, type ManifestOptions } from './manifests.ts'
import type { ClusterObjects } from './objects.ts'

/** A save is often several events; quiet for so long, it is over. */
const QUIET_MS = 20
/** But no longer than this behind the first event. */
const PATIENCE_MS = 60
/** Where the system cannot watch a folder, it is looked at so often. */
const POLL_MS = 50
/** An editor may empty a file before it writes it: an empty one is believed when it has stayed so. */
const EMPTY_MS = 50

const RETAINED = 'its last good state is served'

/** A running watch. */
export interface ManifestWatch {
  /** Ends it; nothing is delivered any more. */
  close(): void
}

/**
 * Loads manifests and goes on watching them. `onLoaded` is called with the first state and then after each change, at
 * most 100 ms after the save for files of ordinary size. An exception that it throws is not caught.
 *
 * @throws RangeError later, out of a timer, if an address range of `options` is none: check them with loadManifests
 */
export function watchManifests(
  paths: readonly string[],
  options: ManifestOptions,
  onLoaded: (loaded: Loaded) => void,
): ManifestWatch {
  const feed = new ManifestFeed(paths, options, onLoaded)
  feed.look()
  return feed
}

/** A file as it was when it was last read. */
interface KnownFile {
  readonly stamp: string
  readonly file: ManifestFile
  /** It was found empty, but its last state still counts. */
  readonly doubted: boolean
}

class ManifestFeed implements ManifestWatch {
  readonly #paths: readonly string[]
  readonly #options: ManifestOptions
  readonly #onLoaded: (loaded: Loaded) => void
  #files = new Map<string, KnownFile>()
  readonly #watchers = new Map<string, { readonly watcher: FSWatcher; readonly identity: string }>()
  #last: Loaded | null = null
  #lastSearch = ''
  #timer: NodeJS.Timeout | null = null
  #firstEventMs = 0
  #busy = false
  #again = false
  #polling = false
  #closed = false

  constructor(paths: readonly string[], options: ManifestOptions, onLoaded: (loaded: Loaded) => void) {
    this.#paths = paths
    this.#options = options
    this.#onLoaded = onLoaded
  }

  close(): void {
    this.#closed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    for (const { watcher } of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
  }

  /** Looks at everything, one look at a time. */
  look(): void {
    this.#timer = null
    this.#firstEventMs = 0
    if (this.#busy) {
      this.#again = true
      return
    }
    this.#busy = true
    void this.#lookOnce().finally(() => {
      this.#busy = false
      if (this.#closed) return
      if (this.#again) {
        this.#again = false
        this.look()
      } else if (this.#polling && this.#timer === null) this.#schedule(POLL_MS)
    })
  }

  async #lookOnce(): Promise<void> {
    const found = await findManifests(this.#paths)
    const watchersAdded = await this.#watch(found)
    const { files, changed } = await this.#read(found)
    if (this.#closed) return
    // What happened before a watcher was in place has caused no event.
    if (watchersAdded) this.#again = true
    const search = JSON.stringify(found.problems)
    if (this.#last !== null && !changed && search === this.#lastSearch) return
    this.#files = files
    this.#lastSearch = search
    const problems = found.problems.map((problem) => (this.#knows(problem.file) ? retained(problem) : problem))
    const loaded = assemble(
      [...files.values()].map(({ file }) => file),
      problems,
      this.#options,
    )
    if (this.#last !== null) keepEqual(this.#last.objects, loaded.objects)
    this.#last = loaded
    this.#onLoaded(loaded)
  }

  /** All files as they are now; those that have not changed are not read. */
  async #read(found: FoundManifests): Promise<{ files: Map<string, KnownFile>; changed: boolean }> {
    const files = new Map<string, KnownFile>()
    let changed = false
    for (const path of found.files) {
      const known = this.#files.get(path)
      const now = await currentFile(path, known, this.#options)
      files.set(path, now)
      if (now !== known) changed = true
      if (now.doubted && !known?.doubted) this.#schedule(EMPTY_MS)
    }
    for (const [path, known] of this.#files) {
      if (files.has(path)) continue
      // A path that was asked for and is gone: a mistake, or a file between two names. Others have been deleted.
      if (found.problems.some(({ file }) => path === file || path.startsWith(file + sep))) files.set(path, known)
      else changed = true
    }
    return { files, changed }
  }

  #knows(path: string): boolean {
    for (const file of this.#files.keys()) if (file === path || file.startsWith(path + sep)) return true
    return false
  }

  /**
   * Watches folders, never files: a file that is replaced by another keeps its name but not its watcher.
   *
   * @returns whether there are new ones
   */
  async #watch(found: FoundManifests): Promise<boolean> {
    const folders = new Set(found.folders)
    for (const path of [...found.files, ...this.#paths]) {
      folders.add(dirname(path))
      // A link changes with what it leads to.
      folders.add(dirname(await realpath(path).catch(() => path)))
    }
    const identified = await Promise.all(
      [...folders].map(async (folder) => [folder, await identityOf(folder)] as const),
    )
    if (this.#closed) return false
    const wanted = new Map(identified.filter(([, identity]) => identity !== ''))
    for (const [folder, { watcher, identity }] of this.#watchers) {
      if (wanted.get(folder) === identity) continue
      watcher.close()
      this.#watchers.delete(folder)
    }
    this.#polling = wanted.size < folders.size
    let added = false
    for (const [folder, identity] of wanted) {
      if (this.#watchers.has(folder)) continue
      if (this.#watchFolder(folder, identity)) added = true
      else this.#polling = true
    }
    return added
  }

  /** False: there are no watches left, or the file system has none. */
  #watchFolder(folder: string, identity: string): boolean {
    try {
      const watcher = watch(folder, () => this.#event())
      watcher.on('error', () => {
        watcher.close()
        if (this.#watchers.get(folder)?.watcher === watcher) this.#watchers.delete(folder)
        this.#event()
      })
      this.#watchers.set(folder, { watcher, identity })
      return true
    } catch {
      return false
    }
  }

  #event(): void {
    const nowMs = performance.now()
    if (this.#firstEventMs === 0) this.#firstEventMs = nowMs
    this.#schedule(Math.min(QUIET_MS, Math.max(0, this.#firstEventMs + PATIENCE_MS - nowMs)))
  }

  #schedule(delayMs: number): void {
    if (this.#closed) return
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.look(), delayMs)
  }
}

/** Tells a folder from another that has taken its name, and perhaps its inode; '' if there is none. */
async function identityOf(folder: string): Promise<string> {
  const found = await stat(folder, { bigint: true }).catch(() => null)
  return found === null ? '' : `${found.dev} ${found.ino} ${found.birthtimeNs}`
}

async function currentFile(path: string, known: KnownFile | undefined, kept: Kept): Promise<KnownFile> {
  const found = await stat(path, { bigint: true }).catch(() => null)
  const stamp = found === null ? 'gone' : `${found.dev} ${found.ino} ${found.size} ${found.mtimeNs} ${found.ctimeNs}`
  if (known !== undefined && known.stamp === stamp && !known.doubted) return known
  if (known !== undefined && found?.size === 0n && known.stamp !== stamp && hasObjects(known.file)) {
    return { stamp, file: known.file, doubted: true }
  }
  const read = await readManifestFile(path, kept)
  return { stamp, file: known === undefined ? read : withLastGood(known.file, read), doubted: false }
}

function hasObjects({ sources }: ManifestFile): boolean {
  return sources.namespaces.size > 0 || SOURCE_MAPS.some((map) => sources[map].size > 0)
}

/** What a file says now, and what it said before where it is broken. */
function withLastGood(last: ManifestFile, now: ManifestFile): ManifestFile {
  if (now.unreadable && !last.unreadable) return { ...last, problems: now.problems.map(retained), broken: [] }
  const problems = [...now.problems]
  for (const { map, key, problem } of now.broken) {
    const source = last.sources[map].get(key)
    if (source === undefined) continue
    ;(now.sources[map] as Map<string, unknown>).set(key, source)
    problems[problem] = retained(problems[problem]!)
  }
  for (const map of SOURCE_MAPS) keepEqualEntries<unknown>(last.sources[map], now.sources[map])
  return { ...now, problems }
}

function retained(problem: Problem): Problem {
  return problem.message.endsWith(RETAINED) ? problem : { ...problem, message: `${problem.message}; ${RETAINED}` }
}

/** What the control plane filled in anew but alike is the same object again. */
function keepEqual(last: ClusterObjects, now: ClusterObjects): void {
  for (const map of ['services', 'slices', 'pods', 'imports'] as const) {
    keepEqualEntries<unknown>(last[map], now[map] as Map<string, unknown>)
  }
}

function keepEqualEntries<T>(last: ReadonlyMap<string, T>, now: Map<string, T>): void {
  for (const [key, value] of now) {
    const before = last.get(key)
    if (before !== undefined && before !== value && JSON.stringify(before) === JSON.stringify(value))
      now.set(key, before)
  }
}
