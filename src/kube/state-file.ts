// The last good state on disk: the region of the index as it is, and the packed objects it was made from. Read at start, the
// names are served at once; what the API server says then is compared with the objects, as after any other interruption.
//
// File: a header (JSON, padded to HEADER_BYTES), then sections that the header gives the places of
//   parts    the index region from its first word on, in the order of the region, up to the last word in use
//   objects  lines of JSON: [namespace, kind, name, packed, name, packed, ...]; a later line overrides an earlier one
//   more     parts of the region that came into use while the file was written
//   tables   int32: checksum of each GROUP_BYTES of the region, heads of the free lists, what was retired and not yet freed
// Every section has a CRC-32. A file is written beside its final name, synchronized, and renamed.

import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync, renameSync } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'
import { crc32 } from 'node:zlib'
import { LAYOUT_VERSION, type Region, restoreHeader } from '../index/layout.ts'
import type { SavedWriter } from '../index/writer.ts'
import type { Kind } from './cluster-state.ts'

export const HEADER_BYTES = 4096
/** Octets of the region that have a checksum of their own. */
export const GROUP_BYTES = 16384
const FORMAT = 1
/** Of the header, whatever the format: JSON keeps the order. */
const BEGIN = '{"peregrineState":'
const READ_BYTES = 2 ** 20

/** A line of the objects section: what has the kind `namespaces` is the namespace itself. */
export type StateLine = [namespace: string, kind: Kind | 'namespaces', ...namesAndPacked: string[]]

/** What a section takes: offset in the file, octets. */
export interface Section {
  readonly offset: number
  readonly length: number
  readonly crc: number
}

/** Offsets and lengths are in octets of the file. */
export interface StateHeader {
  readonly peregrineState: number
  readonly layout: number
  /** Of the options that names depend on. */
  readonly fingerprint: string
  readonly savedAtMs: number
  readonly regionBytes: number
  /** Octets of the region in `parts`; the others are in `more`. */
  readonly partsBytes: number
  readonly moreOffset: number
  readonly objects: Section
  readonly tables: Section
  readonly groupCount: number
  readonly freeHeadCount: number
  readonly writer: Omit<SavedWriter, 'allocator' | 'retired'> & {
    readonly next: number
    readonly liveWords: number
    readonly freedWords: number
  }
  /** Refs of the zones' apexes. */
  readonly apexes: readonly number[]
}

/** A state file that is damaged, or another server's. */
export class StateFileError extends Error {
  readonly code = 'STATE_FILE'
}

/** What has been read of a state file; the region is in place. */
export interface RestoredState {
  readonly writer: SavedWriter
  readonly apexes: readonly number[]
  readonly savedAtMs: number
  /** Reads the objects, which are in order: takes a while, and can wait. */
  readObjects(): Generator<StateLine>
  /** Also when readObjects() is never called. */
  close(): void
}

/** Of everything that the names in a state depend on, beside the cluster. */
export function fingerprintOf(options: unknown): string {
  return createHash('sha256').update(JSON.stringify(options)).digest('hex').slice(0, 32)
}

/**
 * Reads the state in `path` into `region`, which is new.
 * @returns null if there is no such file
 * @throws StateFileError for a file that is damaged, of another version, or made with other options. The region is then of no use
 */
export function readStateFile(path: string, fingerprint: string, region: Region): RestoredState | null {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new StateFileError(`cannot be read: ${(error as Error).message}`)
  }
  try {
    const header = readHeader(file)
    if (header.fingerprint !== fingerprint)
      throw new StateFileError('is of another cluster, or made with other options')
    if (header.regionBytes > region.octets.length) throw new StateFileError('holds more than --index-mb allows')
    const tables = readTables(file, header)
    checkObjects(file, header)
    readRegion(file, header, tables, region)
    const { next, liveWords, freedWords, ...writer } = header.writer
    const freeHead = tables.slice(header.groupCount, header.groupCount + header.freeHeadCount)
    const retired = tables.slice(header.groupCount + header.freeHeadCount)
    return {
      writer: { ...writer, allocator: { next, liveWords, freedWords, freeHead }, retired },
      apexes: header.apexes,
      savedAtMs: header.savedAtMs,
      readObjects: () => readObjects(file, header),
      close: () => closeSync(file),
    }
  } catch (error) {
    closeSync(file)
    if (error instanceof StateFileError) throw error
    throw new StateFileError(`cannot be read: ${(error as Error).message}`)
  }
}

/** Moves a refused file out of the way, for whoever wants to look at it. @returns its new name, '' if it could not be moved */
export function setAside(path: string): string {
  try {
    renameSync(path, `${path}.refused`)
    return `${path}.refused`
  } catch {
    return ''
  }
}

/** The header in its place: HEADER_BYTES. */
export function headerBytes(header: Omit<StateHeader, 'peregrineState' | 'layout'>): Buffer {
  const text = JSON.stringify({ peregrineState: FORMAT, layout: LAYOUT_VERSION, ...header })
  const line = `${text}\n${crc32(text)}\n`
  if (line.length > HEADER_BYTES) throw new StateFileError('has too many zones for its header')
  return Buffer.from(line.padEnd(HEADER_BYTES))
}

function readHeader(file: number): StateHeader {
  const octets = Buffer.alloc(HEADER_BYTES)
  const text = octets.toString('latin1', 0, readSync(file, octets, 0, HEADER_BYTES, 0))
  if (!text.startsWith(BEGIN)) throw new StateFileError('is no state file')
  if (text.length < HEADER_BYTES) throw new StateFileError('is damaged: it breaks off')
  const [line, crc] = text.split('\n')
  if (Number(crc) !== crc32(line)) throw new StateFileError('is damaged: its header has another checksum')
  const header: StateHeader = JSON.parse(line)
  if (header.peregrineState !== FORMAT || header.layout !== LAYOUT_VERSION) {
    throw new StateFileError(`is of another version (format ${header.peregrineState}, layout ${header.layout})`)
  }
  return header
}

function readTables(file: number, { tables }: StateHeader): Int32Array {
  const octets = readExactly(file, Buffer.from(new ArrayBuffer(tables.length)), tables.offset)
  if (crc32(octets) !== tables.crc) throw new StateFileError('is damaged: its tables have another checksum')
  return new Int32Array(octets.buffer)
}

function readRegion(file: number, header: StateHeader, crcs: Int32Array, region: Region): void {
  const { octets } = region
  for (let at = 0; at < header.regionBytes; ) {
    const [offset, end] =
      at < header.partsBytes
        ? [HEADER_BYTES + at, header.partsBytes]
        : [header.moreOffset + at - header.partsBytes, header.regionBytes]
    const chunk = octets.subarray(at, Math.min(at + READ_BYTES, end))
    readExactly(file, chunk, offset)
    at += chunk.length
  }
  for (let group = 0; group < header.groupCount; group++) {
    const from = group * GROUP_BYTES
    const crc = crc32(octets.subarray(from, Math.min(from + GROUP_BYTES, header.regionBytes)))
    if ((crc | 0) !== crcs[group])
      throw new StateFileError(`is damaged: octets ${from} and following of the index have another checksum`)
  }
  restoreHeader(region, header.writer.root)
}

function checkObjects(file: number, { objects }: StateHeader): void {
  let crc = 0
  for (const octets of objectOctets(file, objects)) crc = crc32(octets, crc)
  if (crc !== objects.crc) throw new StateFileError('is damaged: its objects have another checksum')
}

function* readObjects(file: number, { objects }: StateHeader): Generator<StateLine> {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  for (const octets of objectOctets(file, objects)) {
    const lines = (rest + decoder.write(octets)).split('\n')
    rest = lines.pop()!
    for (const line of lines) yield JSON.parse(line)
  }
}

/** The section, piece by piece, always in the same memory. */
function* objectOctets(file: number, { offset, length }: Section): Generator<Buffer> {
  const chunk = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, length))
  for (let at = 0; at < length; at += chunk.length) {
    yield readExactly(file, chunk.subarray(0, Math.min(chunk.length, length - at)), offset + at)
  }
}

function readExactly<T extends Uint8Array>(file: number, into: T, offset: number): T {
  for (let at = 0; at < into.length; ) {
    const count = readSync(file, into, at, into.length - at, offset + at)
    if (count === 0) throw new StateFileError('is damaged: it breaks off')
    at += count
  }
  return into
}
