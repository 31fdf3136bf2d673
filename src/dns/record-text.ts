// One record as zone-file text, and back. RFC 1035 §5, RFC 3597 §5 for types and RDATA without a text of their own.
// Not here: whole files (zone-file.ts), fields of RDATA (record-text-fields.ts).

import type { ResourceRecord } from './message.ts'
import { wireOfName } from './message-names.ts'
import { textOfWire } from './name.ts'
import { hexOctets } from './record-text-encodings.ts'
import { FIELDS, periodSeconds } from './record-text-fields.ts'
import { EntryScanner, octetText, RecordTextError } from './record-text-scanner.ts'
import { nameText, originOf, RdataReader, RdataWriter, TokenReader, zoneFileName } from './record-text-tokens.ts'
import { className, classNumber, TYPES, typeName, typeNumber } from './record-types.ts'

export { RecordTextError } from './record-text-scanner.ts'

/** What a record has that says nothing itself. */
export interface RecordDefaults {
  /** What relative names are relative to. */
  readonly origin: string
  /** Seconds. */
  readonly ttl: number
  readonly class: number
}

/** Owner, TTL, class and type of an entry, and where its RDATA begins. */
export interface RecordHead {
  /** null = none written. */
  readonly ttl: number | null
  /** null = none written. */
  readonly class: number | null
  readonly type: number
  /** Index of the first token of RDATA. */
  readonly rdataIndex: number
}

const LAST_META_TYPE = 255
const FIRST_META_TYPE = 249
const UINT16_MAX = 65535

const writer = new RdataWriter()

/**
 * The record that a text in zone-file form says: `OWNER [TTL] [CLASS] TYPE RDATA`, TTL and class in either order, parentheses and comments as in a file.
 * @throws RecordTextError
 */
export function parseRecord(text: string, defaults: RecordDefaults): ResourceRecord {
  const scanner = new EntryScanner(octetText(text))
  if (!scanner.next()) throw new RecordTextError('no record')
  const { tokens, quoted } = scanner
  const origin = originOf(octetText(defaults.origin))
  const owner = nameText(tokens[0], origin)
  const head = parseHead(tokens, 1)
  const rdata = parseRdata(head.type, new TokenReader(tokens, quoted, head.rdataIndex, origin))
  const record = { owner, type: head.type, class: head.class ?? defaults.class, ttl: head.ttl ?? defaults.ttl, rdata }
  if (scanner.next()) throw new RecordTextError('more than one record')
  return record
}

/**
 * Reads what stands between the owner and RDATA, from tokens[index] on.
 * @throws RecordTextError
 */
export function parseHead(tokens: readonly string[], index: number): RecordHead {
  let ttl: number | null = null
  let recordClass: number | null = null
  for (; index < tokens.length; index++) {
    const token = tokens[index]
    const first = token.charCodeAt(0)
    if (ttl === null && first >= 0x30 && first <= 0x39) {
      ttl = periodSeconds(token)
      if (ttl < 0) throw new RecordTextError(`'${token}' is no TTL`)
      continue
    }
    const number: number = recordClass === null ? classNumber(token) : -1
    if (number >= 0) {
      recordClass = number
      continue
    }
    const type = typeNumber(token)
    if (type < 0) throw new RecordTextError(`'${token}' is no type`)
    if (type === TYPES.OPT || (type >= FIRST_META_TYPE && type <= LAST_META_TYPE)) {
      throw new RecordTextError(`${typeName(type)} is no type of records`)
    }
    return { ttl, class: recordClass, type, rdataIndex: index + 1 }
  }
  throw new RecordTextError('type is missing')
}

/**
 * RDATA of a type out of its tokens, all of which must be used.
 * @throws RecordTextError
 */
export function parseRdata(type: number, tokens: TokenReader): Uint8Array {
  writer.clear()
  if (tokens.takesGeneric()) {
    const length = tokens.number('length', UINT16_MAX)
    const octets = tokens.more() ? hexOctets(tokens.rest('digits')) : new Uint8Array(0)
    if (octets.length !== length) throw new RecordTextError(`${octets.length} octets of RDATA, not ${length}`)
    writer.octets(octets)
    return writer.take()
  }
  const fields = FIELDS.get(type)
  if (fields === undefined) throw new RecordTextError(`RDATA of ${typeName(type)} is written as \\# LENGTH DIGITS`)
  for (let i = 0; i < fields.length; i++) fields[i].parse(tokens, writer)
  if (tokens.more()) throw new RecordTextError(`'${tokens.next('')}' is too much for ${typeName(type)}`)
  return writer.take()
}

/**
 * The record in zone-file form, on one line, with single blanks: parseRecord() gives it back.
 * @throws NameError if the owner is no name
 */
export function recordText(record: ResourceRecord): string {
  const { owner, ttl, type } = record
  const name = zoneFileName(textOfWire(wireOfName(owner)))
  return `${name} ${ttl} ${className(record.class)} ${typeName(type)} ${rdataText(type, record.rdata)}`
}

/** RDATA in presentation format; in the generic form (RFC 3597 §5) if it is malformed or its type has no other. */
export function rdataText(type: number, rdata: Uint8Array): string {
  const fields = FIELDS.get(type)
  if (fields !== undefined) {
    try {
      const reader = new RdataReader(rdata)
      const tokens: string[] = []
      for (const field of fields) field.print(reader, tokens)
      if (reader.left() === 0) return tokens.join(' ')
    } catch (error) {
      if (!(error instanceof RecordTextError)) throw error
    }
  }
  return `\\# ${rdata.length} ${Buffer.from(rdata).toString('hex').toUpperCase()}`.trimEnd()
}
