// Writes state files (state-file.ts) while the server goes on: everything once, side by side with changes, then what has changed
// meanwhile, again, until so little is left that it is written in one go between two changes. No change waits for the disk.

import assert from 'node:assert'
import { writeSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { PART_WORDS_LOG2 } from '../index/allocator.ts'
import { LIFE_BYTES } from '../index/layout.ts'
import type { IndexWriter } from '../index/writer.ts'
import type { ClusterIndex } from './cluster-index.ts'
import type { ClusterState, Kind } from './cluster-state.ts'
import { replaceFile } from './replaced-file.ts'
import { GROUP_BYTES, HEADER_BYTES, headerBytes, type StateLine } from './state-file.ts'

const PART_BYTES = 4 << PART_WORDS_LOG2
const CHUNK_BYTES = 2 ** 20
const ROUNDS_MAX = 6
/** What has come in is published after a few milliseconds: so long a save waits for it, a round. */
const PAUSE_MS = 5
/** So much may be written in one go: 10 to 20 ms. */
const REST_BYTES = 8 * 2 ** 20
/** Longest time that the thread is kept from its other work. */
const SLICE_MS = 2
/** Elements to a line. */
const LINE_LENGTH = 1000
/** Characters, about, that are put together without a break. */
const PIECE_LENGTH = 2 ** 18
const KINDS: readonly Kind[] = ['services', 'imports', 'slices', 'pods']

/** What is saved. */
export interface Saved {
  readonly writer: IndexWriter
  readonly index: ClusterIndex
}

/** Saving takes a moment in which nothing changes, and there was none. Another try may succeed. */
export class BusyError extends Error {
  readonly code = 'STATE_BUSY'
}

/**
 * Writes the state, as it is shortly before the promise settles, to `path`, in place of what was there. One at a time: the next
 * call must wait for that.
 * @param patient  give up (BusyError) rather than hold changes up for more than a few milliseconds
 * @throws what the file system threw; `path` is then what it was
 */
export async function saveState(path: string, fingerprint: string, saved: Saved, patient: boolean): Promise<void> {
  const save = new Save(saved)
  try {
    await replaceFile(path, (file) => save.write(file, fingerprint, patient))
  } finally {
    save.end()
  }
}

/** Adjacent parts of the region, in octets. */
interface Run {
  readonly at: number
  readonly length: number
}

class Save {
  #file!: FileHandle
  readonly #writer: IndexWriter
  readonly #index: ClusterIndex
  readonly #octets: Uint8Array
  readonly #changed: Uint8Array
  /** Octets of the region that stand in front of the objects. */
  readonly #partsBytes: number
  /** Of each group of the region, as it was when it was written last. */
  readonly #crcs: number[] = []
  readonly #objectsOffset: number
  #objectsCrc = 0
  /** Where the file ends so far. */
  #end: number
  readonly #changes: StateLine[] = []

  constructor({ writer, index }: Saved) {
    assert(index.state.onChange === null, 'one save at a time')
    this.#writer = writer
    this.#index = index
    this.#octets = writer.region.octets
    this.#changed = writer.changedParts
    this.#partsBytes = this.#usedBytes()
    this.#objectsOffset = HEADER_BYTES + this.#partsBytes
    this.#end = this.#objectsOffset
    this.#changed.fill(0)
    index.state.onChange = (kind, namespace, name, packed) => this.#changes.push([namespace, kind, name, packed])
  }

  end(): void {
    this.#index.state.onChange = null
  }

  async write(file: FileHandle, fingerprint: string, patient: boolean): Promise<void> {
    this.#file = file
    for (let at = 0; at < this.#partsBytes; at += CHUNK_BYTES) {
      await this.#writeRun({ at, length: Math.min(CHUNK_BYTES, this.#partsBytes - at) })
    }
    for (const lines of objectLines(this.#index.state)) await this.#writeLines(lines)
    for (let round = 0; !this.#isNearlyDone(round, patient); round++) {
      await this.#writeChanged()
      await this.#writeLines(this.#changes.splice(0))
      if (!this.#isStill) await pause(PAUSE_MS)
    }
    this.#writeRest(fingerprint)
  }

  /** The index is in step with the objects. */
  get #isStill(): boolean {
    return this.#writer.isIdle && this.#index.state.changeCount === 0
  }

  #isNearlyDone(round: number, patient: boolean): boolean {
    const restBytes =
      this.#changedRuns().reduce((sum, { length }) => sum + length, 0) + this.#usedBytes() - this.#partsBytes
    if (this.#isStill && (restBytes <= REST_BYTES || (!patient && round >= ROUNDS_MAX))) return true
    if (round >= 2 * ROUNDS_MAX || (patient && round >= ROUNDS_MAX)) {
      throw new BusyError('the state changes faster than it can be saved')
    }
    return false
  }

  /** Thousands of small pieces, mostly: to hand each to another thread would take longer than to write it. */
  async #writeChanged(): Promise<void> {
    let beganMs = performance.now()
    for (const run of this.#changedRuns()) {
      writeAll(this.#file.fd, this.#take(run), HEADER_BYTES + run.at)
      if (performance.now() - beganMs < SLICE_MS) continue
      await new Promise((resolve) => setImmediate(resolve))
      beganMs = performance.now()
    }
  }

  /** What is left, in one go: nothing changes meanwhile. */
  #writeRest(fingerprint: string): void {
    const { fd } = this.#file
    for (const run of this.#changedRuns()) writeAll(fd, this.#take(run), HEADER_BYTES + run.at)
    const lines = Buffer.from(textOf(this.#changes))
    this.#objectsCrc = crc32(lines, this.#objectsCrc)
    writeAll(fd, lines, this.#end)
    const moreOffset = this.#end + lines.length
    const regionBytes = this.#usedBytes()
    const more = { at: this.#partsBytes, length: regionBytes - this.#partsBytes }
    writeAll(fd, this.#take(more), moreOffset)
    const tablesOffset = moreOffset + more.length

    const { allocator, retired, ...writer } = this.#writer.save()
    const { freeHead, ...counts } = allocator
    const tables = Buffer.from(Int32Array.from([...this.#crcs, ...freeHead, ...retired]).buffer)
    writeAll(fd, tables, tablesOffset)
    const header = headerBytes({
      fingerprint,
      savedAtMs: Date.now(),
      regionBytes,
      partsBytes: this.#partsBytes,
      moreOffset,
      objects: { offset: this.#objectsOffset, length: moreOffset - this.#objectsOffset, crc: this.#objectsCrc },
      tables: { offset: tablesOffset, length: tables.length, crc: crc32(tables) },
      groupCount: this.#crcs.length,
      freeHeadCount: freeHead.length,
      writer: { ...writer, ...counts },
      apexes: this.#index.apexes,
    })
    writeAll(fd, header, 0)
  }

  /** Whole parts that have been in use. */
  #usedBytes(): number {
    const bytes = Math.ceil(this.#writer.stats.reservedBytes / PART_BYTES) * PART_BYTES
    return Math.min(Math.max(bytes, this.#partsBytes ?? 0), this.#octets.length)
  }

  /** What has changed since it was written, of what stands in front of the objects. */
  #changedRuns(): Run[] {
    const runs: Run[] = []
    const end = this.#partsBytes / PART_BYTES
    for (let part = this.#changed.indexOf(1); part >= 0 && part < end; part = this.#changed.indexOf(1, part)) {
      const from = part
      while (part < end && part - from < CHUNK_BYTES / PART_BYTES && this.#changed[part] === 1) part++
      runs.push({ at: from * PART_BYTES, length: (part - from) * PART_BYTES })
    }
    return runs
  }

  async #writeRun(run: Run): Promise<void> {
    const octets = this.#take(run)
    for (let done = 0; done < octets.length; ) {
      done += (await this.#file.write(octets, done, octets.length - done, HEADER_BYTES + run.at + done)).bytesWritten
    }
  }

  /**
   * The octets of a run, which counts as written: what changes in it from now on will be written again, even while these octets
   * are on their way. Not a copy, but for what belongs to the running process.
   */
  #take({ at, length }: Run): Uint8Array {
    this.#changed.fill(0, at / PART_BYTES, (at + length) / PART_BYTES)
    for (let group = Math.floor(at / GROUP_BYTES); group * GROUP_BYTES < at + length; group++) {
      const end = Math.min((group + 1) * GROUP_BYTES, Math.max(this.#partsBytes, at + length))
      this.#crcs[group] = crc32(this.#content(group * GROUP_BYTES, end)) | 0
    }
    return this.#content(at, at + length)
  }

  #content(from: number, to: number): Uint8Array {
    if (from >= LIFE_BYTES) return this.#octets.subarray(from, to)
    return this.#octets.slice(from, to).fill(0, 0, LIFE_BYTES - from)
  }

  async #writeLines(lines: readonly StateLine[]): Promise<void> {
    if (lines.length === 0) return
    const octets = Buffer.from(textOf(lines))
    this.#objectsCrc = crc32(octets, this.#objectsCrc)
    const offset = this.#end
    this.#end += octets.length
    for (let done = 0; done < octets.length; ) {
      done += (await this.#file.write(octets, done, octets.length - done, offset + done)).bytesWritten
    }
  }
}

function textOf(lines: readonly StateLine[]): string {
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('')
}

/** All objects, in pieces; what changes while they are handed out may be missing or old. */
function* objectLines(state: ClusterState): Generator<StateLine[]> {
  let lines: StateLine[] = Array.from(state.namespaces(), (namespace) => [namespace, 'namespaces', '', '+'])
  for (const kind of KINDS) {
    let line: StateLine | undefined
    let length = 0
    for (const [namespace, name, packed] of state.objects(kind)) {
      if (line === undefined || line[0] !== namespace || line.length > LINE_LENGTH) {
        line = [namespace, kind]
        lines.push(line)
      }
      line.push(name, packed)
      length += packed.length
      if (length < PIECE_LENGTH) continue
      yield lines
      lines = []
      line = undefined
      length = 0
    }
  }
  yield lines
}

function writeAll(fd: number, octets: Uint8Array, offset: number): void {
  for (let done = 0; done < octets.length; ) done += writeSync(fd, octets, done, octets.length - done, offset + done)
}
