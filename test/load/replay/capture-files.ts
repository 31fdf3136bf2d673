// Captures put into a folder that goes with the test, and what was read of them in a form that can be compared.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { queryMessage } from '../../../src/load/query-table.ts'
import { type Capture, type CaptureLimits, readCapture } from '../../../src/load/replay/capture.ts'

const folder = mkdtempSync(join(tmpdir(), 'peregrine-captures-'))
after(() => rmSync(folder, { recursive: true }))

let files = 0

/** Of a file that is not there yet. */
export function newPath(): string {
  return join(folder, `${files++}.pcap`)
}

export function written(octets: Uint8Array): string {
  const path = newPath()
  writeFileSync(path, octets)
  return path
}

export function readOf(octets: Uint8Array, limits?: CaptureLimits): Promise<Capture> {
  return readCapture(written(octets), limits)
}

/** The messages in the order of the table, as hexadecimal digits. */
export function messagesOf({ table }: Capture): string[] {
  return Array.from({ length: table.count }, (_, index) => Buffer.from(queryMessage(table, index)).toString('hex'))
}

export function timesOf({ table }: Capture): number[] | null {
  return table.times === null ? null : [...table.times]
}

/** What was skipped, without zeros. */
export function skippedOf({ skipped }: Capture): Record<string, number> {
  return Object.fromEntries(Object.entries(skipped).filter(([, count]) => count > 0))
}
