// A file stage over zones given as text, without files.

import type { ResourceRecord } from '../../src/dns/message.ts'
import { parseRecord } from '../../src/dns/record-text.ts'
import { createFileStage, type FileSource, type FileZone } from '../../src/plugins/file.ts'
import { zoneLabels } from '../../src/zones/labels.ts'
import { zoneNodes } from '../../src/zones/zone-nodes.ts'
import { ZoneStore } from '../../src/zones/zone-store.ts'
import { type HeldStage, holdStage } from '../plugins/stage-answer.ts'

export interface TestZone {
  readonly origin: string
  /** null: not loaded. */
  readonly records: readonly ResourceRecord[] | null
  readonly fallthrough?: readonly string[]
}

/** Records of lines such as `www 60 A 10.0.0.1`; what is relative is so to `origin`. */
export function recordsOf(origin: string, text: string): ResourceRecord[] {
  const lines = text.split('\n').filter((line) => /^\s*[^\s;]/.test(line))
  return lines.map((line) => parseRecord(line.trim(), { origin, ttl: 300, class: 1 }))
}

export function fileStage(zones: readonly TestZone[], plugin: 'file' | 'auto' = 'file'): HeldStage {
  const store = new ZoneStore({ capacity: 2 ** 20, readerCount: 1 })
  const sources = zones.map(({ origin, records, fallthrough = [] }): FileZone => {
    const writer = store.addZone()
    if (records !== null) store.replace(writer, zoneNodes(zoneLabels(origin), records).nodes)
    return { labels: zoneLabels(origin), number: writer.number, fallthrough: fallthrough.map(zoneLabels) }
  })
  store.finishLoading()
  const source: FileSource = { plugin, region: store.region.buffer, zones: sources }
  return holdStage(source, createFileStage)
}

/** A zone that is replaced again and again, with memory that is overwritten as soon as it is free. */
export function livingZone(origin: string): {
  readonly stage: HeldStage
  replace(records: readonly ResourceRecord[]): void
} {
  const store = new ZoneStore({ capacity: 2 ** 18, readerCount: 1, poison: true })
  const writer = store.addZone()
  store.finishLoading()
  const zones: FileZone[] = [{ labels: zoneLabels(origin), number: writer.number, fallthrough: [] }]
  const source: FileSource = { plugin: 'file', region: store.region.buffer, zones }
  return {
    stage: holdStage(source, createFileStage),
    replace: (records) => store.replace(writer, zoneNodes(zoneLabels(origin), records).nodes),
  }
}
