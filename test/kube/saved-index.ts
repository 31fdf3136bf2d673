// An index that is saved and opened again, as a server that is restarted does it.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createRegion, FIRST_FREE, type Region } from '../../src/index/layout.ts'
import { IndexWriter, type SavedWriter } from '../../src/index/writer.ts'
import { ClusterIndex, type ClusterIndexOptions } from '../../src/kube/cluster-index.ts'
import { fingerprintOf, type RestoredState, readStateFile } from '../../src/kube/state-file.ts'
import { saveState } from '../../src/kube/state-saver.ts'
import { type Change, changesOf, type TestIndex } from './cluster-changes.ts'

export const FINGERPRINT = fingerprintOf('a test')

/** A folder that is gone when the test ends. */
export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'peregrine-state-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** What a state file must say: all as it was when the saver asked for the last of it. */
export interface Snapshot {
  readonly content: Int32Array
  readonly saved: SavedWriter
  readonly objects: readonly Change[]
}

/**
 * Saves.
 * @param asked  called when the saver looks whether there is still something to wait for
 * @returns how things were at the end of it
 */
export async function save(path: string, test: TestIndex, patient = true, asked?: () => void): Promise<Snapshot> {
  const { writer, index } = test
  let snapshot: Snapshot | undefined
  const noticing = Object.create(writer, {
    region: { value: writer.region },
    changedParts: { value: writer.changedParts },
    isIdle: {
      get: () => {
        asked?.()
        return writer.isIdle
      },
    },
    stats: { get: () => writer.stats },
    save: {
      value: () => {
        const saved = writer.save()
        const content = writer.region.words.slice(FIRST_FREE, saved.allocator.next)
        snapshot = { content, saved, objects: changesOf(index.state) }
        return saved
      },
    },
  }) as IndexWriter
  await saveState(path, FINGERPRINT, { writer: noticing, index }, patient)
  assert.ok(snapshot !== undefined)
  return snapshot
}

/** Reads the objects of a state, in order. */
export function* objectsIn(restored: RestoredState): Generator<Change> {
  for (const [namespace, kind, ...rest] of restored.readObjects()) {
    for (let i = 0; i < rest.length; i += 2) yield { kind, namespace, name: rest[i], packed: rest[i + 1] }
  }
}

/** Opens the state in `path` in a region of `octets`, and goes on with it. */
export function reopen(path: string, options: ClusterIndexOptions, octets: number): TestIndex {
  const region = createRegion(octets)
  const restored = readStateFile(path, FINGERPRINT, region)
  assert.ok(restored !== null, 'there is a file')
  return goOn(region, restored, options)
}

export function goOn(region: Region, restored: RestoredState, options: ClusterIndexOptions): TestIndex {
  const writer = IndexWriter.restore(region, { readerCount: 2, poison: true }, restored.writer)
  const index = new ClusterIndex(writer, options, restored.apexes)
  for (const { kind, namespace, name, packed } of objectsIn(restored)) {
    index.state.restore(kind, namespace, name, packed)
  }
  restored.close()
  assert.equal(index.state.changeCount, 0, 'nothing of it is news')
  index.settled()
  return { writer, index }
}
