// Master files: whole zones as text. RFC 1035 §5, RFC 2308 §4 for $TTL; $GENERATE as BIND has it.
// Not here: single records (record-text.ts); whether the zone makes sense beyond its SOA, and duplicate records.

import { dirname, isAbsolute, join } from 'node:path'
import type { ResourceRecord } from './message.ts'
import { parseHead, parseRdata } from './record-text.ts'
import { periodSeconds } from './record-text-fields.ts'
import { EntryScanner, octetText, RecordTextError } from './record-text-scanner.ts'
import { nameText, type Origin, originOf, TokenReader } from './record-text-tokens.ts'
import { CLASSES, className, TYPES } from './record-types.ts'
import { generatedToken, generatedValues } from './zone-file-generate.ts'

/** What a file holds. */
export interface ZoneFile {
  readonly soa: ResourceRecord
  /** All records of the zone in the order of the file, the SOA (once) among them. */
  readonly records: readonly ResourceRecord[]
  /** A line for each record that was left out because it is outside of the zone: `FILE:LINE: …`. */
  readonly ignored: readonly string[]
}

/** How to read a text. */
export interface ZoneTextOptions {
  /** Name of the zone: what its SOA must have as owner, and what names are relative to at the beginning. */
  readonly origin: string
  /** For messages, and for `include`. */
  readonly file: string
  /** The file that `$INCLUDE path` in the file `from` means, and its text; what it throws becomes an error at that line. */
  include(path: string, from: string): { readonly file: string; readonly text: string }
}

/** A file that cannot be read as a zone. Its message is `FILE:LINE: …`. */
export class ZoneFileError extends Error {
  readonly code = 'BAD_ZONE_FILE'
  readonly file: string
  /** From 1; 0 = the file as a whole. */
  readonly line: number

  constructor(file: string, line: number, message: string) {
    super(line === 0 ? `${file}: ${message}` : `${file}:${line}: ${message}`)
    this.file = file
    this.line = line
  }
}

const INCLUDE_DEPTH_MAX = 7
const INCLUDES_MAX = 1000
const TTL_DEFAULT = 3600
const BACKSLASH = 0x5c
const DOLLAR = 0x24

/**
 * Reads a zone from a file and those that it includes. Paths in `$INCLUDE` are relative to the file they stand in.
 * @param readFile  the text of a file, in UTF-8; what it throws for `path` itself is passed on as it is
 * @throws ZoneFileError
 */
export function readZoneFile(path: string, origin: string, readFile: (path: string) => string): ZoneFile {
  const include = (included: string, from: string) => {
    const file = isAbsolute(included) ? included : join(dirname(from), included)
    return { file, text: readFile(file) }
  }
  return parseZoneText(readFile(path), { origin, file: path, include })
}

/**
 * Reads a zone from text.
 *
 * A record without TTL has that of `$TTL`, else that of the record before, else the last number of the SOA, else an hour.
 * @throws ZoneFileError for what cannot be read, for a zone without SOA at its name or with two, and for a second class
 */
export function parseZoneText(text: string, options: ZoneTextOptions): ZoneFile {
  return new ZoneParser(options).parse(text)
}

class ZoneParser {
  readonly #options: ZoneTextOptions
  readonly #zone: Origin
  /** Of the zone, with a dot before it, in lower case; '.' of the root. */
  readonly #suffix: string
  readonly #records: ResourceRecord[] = []
  readonly #ignored: string[] = []
  #soa: ResourceRecord | null = null
  #class = -1
  /** Of `$TTL`; -1 = none. */
  #defaultTtl = -1
  /** Of the record before, if it had one of its own; -1 = none. */
  #lastTtl = -1
  #includeCount = 0

  constructor(options: ZoneTextOptions) {
    this.#options = options
    try {
      this.#zone = originOf(octetText(options.origin))
    } catch (error) {
      throw this.#located(error, options.file, 0)
    }
    this.#suffix = this.#zone.text === '.' ? '.' : `.${this.#zone.text.toLowerCase()}`
  }

  parse(text: string): ZoneFile {
    const { file } = this.#options
    this.#parseFile(text, file, this.#zone, 0)
    if (this.#soa === null) throw new ZoneFileError(file, 0, `no SOA record of ${this.#zone.text}`)
    return { soa: this.#soa, records: this.#records, ignored: this.#ignored }
  }

  #parseFile(text: string, file: string, origin: Origin, depth: number): void {
    const scanner = new EntryScanner(octetText(text.startsWith('\ufeff') ? text.slice(1) : text))
    let owner = ''
    try {
      while (scanner.next()) {
        const { tokens } = scanner
        if (!scanner.blankOwner && tokens[0].charCodeAt(0) === DOLLAR && !scanner.quoted[0]) {
          origin = this.#directive(scanner, file, origin, depth)
          continue
        }
        if (!scanner.blankOwner) owner = nameText(tokens[0], origin)
        else if (owner === '') throw new RecordTextError('no owner, and no record before')
        this.#record(owner, tokens, scanner.quoted, scanner.blankOwner ? 0 : 1, origin, file, scanner.line)
      }
    } catch (error) {
      throw this.#located(error, file, scanner.line)
    }
  }

  /** @returns the origin from now on */
  #directive(scanner: EntryScanner, file: string, origin: Origin, depth: number): Origin {
    const { tokens } = scanner
    const count = tokens.length - 1
    switch (tokens[0].toUpperCase()) {
      case '$ORIGIN':
        if (count !== 1) throw new RecordTextError('$ORIGIN NAME')
        return originOf(nameText(tokens[1], origin))
      case '$TTL':
        this.#defaultTtl = count === 1 ? periodSeconds(tokens[1]) : -1
        if (this.#defaultTtl < 0) throw new RecordTextError('$TTL SECONDS')
        return origin
      case '$INCLUDE':
        if (count < 1 || count > 2) throw new RecordTextError('$INCLUDE FILE [ORIGIN]')
        this.#include(tokens[1], file, count === 2 ? originOf(nameText(tokens[2], origin)) : origin, depth)
        return origin
      case '$GENERATE':
        if (count < 4) throw new RecordTextError('$GENERATE START-STOP[/STEP] OWNER [TTL] [CLASS] TYPE RDATA')
        this.#generate(scanner, file, origin)
        return origin
      default:
        throw new RecordTextError(`'${tokens[0]}' is no directive; a name that begins so is written \\${tokens[0]}`)
    }
  }

  #include(path: string, from: string, origin: Origin, depth: number): void {
    if (depth === INCLUDE_DEPTH_MAX) throw new RecordTextError(`$INCLUDE over ${INCLUDE_DEPTH_MAX} deep`)
    if (++this.#includeCount > INCLUDES_MAX) throw new RecordTextError(`over ${INCLUDES_MAX} times $INCLUDE`)
    let included: { readonly file: string; readonly text: string }
    try {
      included = this.#options.include(path, from)
    } catch (error) {
      throw new RecordTextError(`$INCLUDE ${path}: ${error instanceof Error ? error.message : error}`)
    }
    this.#parseFile(included.text, included.file, origin, depth + 1)
  }

  #generate({ tokens, quoted, line }: EntryScanner, file: string, origin: Origin): void {
    for (const value of generatedValues(tokens[1])) {
      const generated = tokens.slice(2).map((token) => generatedToken(token, value))
      this.#record(nameText(generated[0], origin), generated, quoted.slice(2), 1, origin, file, line)
    }
  }

  #record(
    owner: string,
    tokens: readonly string[],
    quoted: readonly boolean[],
    index: number,
    origin: Origin,
    file: string,
    line: number,
  ): void {
    const head = parseHead(tokens, index)
    const { type } = head
    const rdata = parseRdata(type, new TokenReader(tokens, quoted, head.rdataIndex, origin))
    if (head.ttl !== null) this.#lastTtl = head.ttl
    const recordClass = head.class ?? (this.#class < 0 ? CLASSES.IN : this.#class)
    if (this.#class < 0) this.#class = recordClass
    if (recordClass !== this.#class) {
      throw new RecordTextError(`class ${className(recordClass)} in a zone of class ${className(this.#class)}`)
    }
    const ttl = head.ttl ?? this.#usualTtl(type === TYPES.SOA ? rdata : null)
    const record: ResourceRecord = { owner, type, class: recordClass, ttl, rdata }
    if (!this.#isInZone(owner)) this.#ignored.push(`${file}:${line}: ${owner} is not in ${this.#zone.text}`)
    else if (type !== TYPES.SOA || this.#isFirstSoa(record)) this.#records.push(record)
  }

  #usualTtl(soaRdata: Uint8Array | null): number {
    if (this.#defaultTtl >= 0) return this.#defaultTtl
    if (this.#lastTtl >= 0) return this.#lastTtl
    const rdata = soaRdata ?? this.#soa?.rdata
    return rdata === undefined || rdata.length < 22 ? TTL_DEFAULT : Buffer.from(rdata).readUInt32BE(rdata.length - 4)
  }

  #isInZone(owner: string): boolean {
    const suffix = this.#suffix
    if (suffix === '.' || owner.length < suffix.length) return suffix === '.' || this.#isApex(owner)
    const start = owner.length - suffix.length
    if (!owner.endsWith(suffix) && owner.slice(start).toLowerCase() !== suffix) return false
    // The dot must not belong to a label.
    let backslashes = 0
    while (owner.charCodeAt(start - 1 - backslashes) === BACKSLASH) backslashes++
    return backslashes % 2 === 0
  }

  #isApex(owner: string): boolean {
    return owner.length === this.#zone.text.length && owner.toLowerCase() === this.#zone.text.toLowerCase()
  }

  /** @returns false if the same SOA came before: files that end as they began, like a transfer */
  #isFirstSoa(record: ResourceRecord): boolean {
    if (!this.#isApex(record.owner)) throw new RecordTextError(`SOA of ${record.owner} in ${this.#zone.text}`)
    if (this.#soa === null) {
      this.#soa = record
      return true
    }
    if (Buffer.compare(this.#soa.rdata, record.rdata) !== 0) throw new RecordTextError('a second SOA')
    return false
  }

  #located(error: unknown, file: string, line: number): unknown {
    return error instanceof RecordTextError ? new ZoneFileError(file, line, error.message) : error
  }
}
