// RDATA between tokens and octets: a reader of tokens, a writer and a reader of octets. RFC 1035 §5.1.
// Not here: which fields a type has (record-text-fields.ts).

import { LABEL_LENGTH_MAX, labelsOfText, NAME_LENGTH_MAX, NameError, textOfWire, wireLength } from './name.ts'
import { RecordTextError, unescaped } from './record-text-scanner.ts'

const RDATA_LENGTH_MAX = 65535
const DOT = 0x2e
const BACKSLASH = 0x5c

/** What relative names are relative to. */
export interface Origin {
  /** As textOfWire has it. */
  readonly text: string
  /** Letter case as written. */
  readonly wire: Uint8Array
}

/** Room for a name. */
const scratch = new Uint8Array(NAME_LENGTH_MAX + 1)

/** @throws RecordTextError; a missing final dot is taken as written */
export function originOf(text: string): Origin {
  const length = writeName(text.endsWith('.') ? text : `${text}.`, ROOT_ORIGIN, scratch, 0)
  const wire = scratch.slice(0, length)
  return { text: textOfWire(wire), wire }
}

/** The root. */
export const ROOT_ORIGIN: Origin = { text: '.', wire: new Uint8Array(1) }

/**
 * The absolute name that a token means, in presentation format as textOfWire has it.
 * @throws RecordTextError
 */
export function nameText(token: string, origin: Origin): string {
  if (token === '@') return origin.text
  writeName(token, origin, scratch, 0)
  // Most names are as textOfWire has them.
  if (/^[!#-'*-:<-[\]-~]+$/.test(token)) {
    if (token.charCodeAt(token.length - 1) === DOT) return token
    return origin.text === '.' ? `${token}.` : `${token}.${origin.text}`
  }
  return textOfWire(scratch)
}

/**
 * Writes the name that a token means at target[at], which has room for 255 octets more.
 * @returns the first octet behind it
 * @throws RecordTextError
 */
function writeName(token: string, origin: Origin, target: Uint8Array, at: number): number {
  if (token === '@') return writeOrigin(origin, token, target, at, at)
  if (token.includes('\\')) return writeEscapedName(token, origin, target, at)
  if (token === '.') {
    target[at] = 0
    return at + 1
  }
  const start = at
  let lengthAt = at++
  for (let i = 0; i < token.length; i++) {
    const octet = token.charCodeAt(i)
    if (octet !== DOT) {
      if (octet > 255) throw new RecordTextError(`name '${token}' has a character that is no octet`)
      if (at - start >= NAME_LENGTH_MAX) throw new RecordTextError(`name '${token}' is over ${NAME_LENGTH_MAX} octets`)
      target[at++] = octet
      continue
    }
    closeLabel(token, target, lengthAt, at)
    lengthAt = at++
  }
  if (lengthAt === at - 1 && at - 1 > start) {
    target[lengthAt] = 0
    return at - start > NAME_LENGTH_MAX ? tooLong(token) : at
  }
  closeLabel(token, target, lengthAt, at)
  return writeOrigin(origin, token, target, start, at)
}

function closeLabel(token: string, target: Uint8Array, lengthAt: number, at: number): void {
  const length = at - lengthAt - 1
  if (length === 0) throw new RecordTextError(`name '${token}' has an empty label`)
  if (length > LABEL_LENGTH_MAX) throw new RecordTextError(`name '${token}' has a label of over 63 octets`)
  target[lengthAt] = length
}

function writeEscapedName(token: string, origin: Origin, target: Uint8Array, at: number): number {
  const start = at
  for (const label of labelsOf(token)) {
    target[at++] = label.length
    for (let i = 0; i < label.length; i++) target[at++] = label.charCodeAt(i)
  }
  if (!isAbsolute(token)) return writeOrigin(origin, token, target, start, at)
  target[at] = 0
  return at + 1
}

function labelsOf(token: string): string[] {
  try {
    const labels = labelsOfText(token)
    if (wireLength(labels) <= NAME_LENGTH_MAX) return labels
  } catch (error) {
    if (error instanceof NameError) throw new RecordTextError(error.message)
    throw error
  }
  return tooLong(token)
}

function isAbsolute(token: string): boolean {
  let backslashes = 0
  for (let i = token.length - 2; i >= 0 && token.charCodeAt(i) === BACKSLASH; i--) backslashes++
  return token.charCodeAt(token.length - 1) === DOT && backslashes % 2 === 0
}

function writeOrigin(origin: Origin, token: string, target: Uint8Array, start: number, at: number): number {
  const { wire } = origin
  if (at - start + wire.length > NAME_LENGTH_MAX) return tooLong(token)
  for (let i = 0; i < wire.length; i++) target[at++] = wire[i]
  return at
}

function tooLong(token: string): never {
  throw new RecordTextError(`name '${token}' is over ${NAME_LENGTH_MAX} octets`)
}

/** Takes the tokens of one record's RDATA from the front. */
export class TokenReader {
  readonly #tokens: readonly string[]
  readonly #quoted: readonly boolean[]
  readonly origin: Origin
  #index: number

  constructor(tokens: readonly string[], quoted: readonly boolean[], index: number, origin: Origin) {
    this.#tokens = tokens
    this.#quoted = quoted
    this.#index = index
    this.origin = origin
  }

  more(): boolean {
    return this.#index < this.#tokens.length
  }

  /** @throws RecordTextError if there is none */
  next(what: string): string {
    if (this.#index >= this.#tokens.length) throw new RecordTextError(`${what} is missing`)
    return this.#tokens[this.#index++]
  }

  /** Is `\#`, unquoted, next: the generic form of RFC 3597 §5? Takes it then. */
  takesGeneric(): boolean {
    const generic = this.#tokens[this.#index] === '\\#' && !this.#quoted[this.#index]
    if (generic) this.#index++
    return generic
  }

  /** All tokens that are left, in one. */
  rest(what: string): string {
    let text = this.next(what)
    while (this.more()) text += this.next(what)
    return text
  }

  /** A decimal number, 0 to `max`. */
  number(what: string, max: number): number {
    const token = this.next(what)
    const value = /^\d{1,10}$/.test(token) ? Number(token) : -1
    if (value < 0 || value > max) throw new RecordTextError(`'${token}' is no ${what} (0 to ${max})`)
    return value
  }
}

/** Gathers the octets of one record's RDATA; used for one record after the other. */
export class RdataWriter {
  /** Room for a name behind the longest RDATA. */
  readonly #octets = new Uint8Array(RDATA_LENGTH_MAX + NAME_LENGTH_MAX + 1)
  #at = 0

  /** Begins anew. */
  clear(): void {
    this.#at = 0
  }

  uint8(value: number): void {
    this.#need(1)
    this.#octets[this.#at++] = value
  }

  uint16(value: number): void {
    this.#need(2)
    this.#octets[this.#at++] = value >>> 8
    this.#octets[this.#at++] = value
  }

  /** @param value  0..2^32-1 */
  uint32(value: number): void {
    this.uint16(value >>> 16)
    this.uint16(value)
  }

  octets(octets: Uint8Array): void {
    this.#need(octets.length)
    this.#octets.set(octets, this.#at)
    this.#at += octets.length
  }

  /** One character an octet. */
  text(text: string): void {
    this.#need(text.length)
    for (let i = 0; i < text.length; i++) this.#octets[this.#at++] = text.charCodeAt(i)
  }

  /** A character string (RFC 1035 §3.3), escapes as in a token. */
  string(token: string): void {
    const text = unescaped(token)
    if (text.length > 255) throw new RecordTextError(`a string of ${text.length} octets, over 255`)
    this.uint8(text.length)
    this.text(text)
  }

  name(token: string, origin: Origin): void {
    this.#at = writeName(token, origin, this.#octets, this.#at)
    this.#need(0)
  }

  /** What was written, in memory of its own. */
  take(): Uint8Array {
    return this.#octets.slice(0, this.#at)
  }

  #need(length: number): void {
    if (this.#at + length > RDATA_LENGTH_MAX) throw new RecordTextError(`RDATA is over ${RDATA_LENGTH_MAX} octets`)
  }
}

/** Takes fields of RDATA from the front. Throws RecordTextError where they break off: the record is then printed in the generic form. */
export class RdataReader {
  readonly #rdata: Uint8Array
  #at = 0

  constructor(rdata: Uint8Array) {
    this.#rdata = rdata
  }

  left(): number {
    return this.#rdata.length - this.#at
  }

  uint8(): number {
    return this.octets(1)[0]
  }

  uint16(): number {
    return this.uint8() * 256 + this.uint8()
  }

  uint32(): number {
    return this.uint16() * 65536 + this.uint16()
  }

  octets(length: number): Uint8Array {
    if (length > this.left()) throw new RecordTextError('RDATA breaks off')
    this.#at += length
    return this.#rdata.subarray(this.#at - length, this.#at)
  }

  /** What is left, one octet at least. */
  rest(): Uint8Array {
    if (this.left() === 0) throw new RecordTextError('RDATA breaks off')
    return this.octets(this.left())
  }

  /** In presentation format, with a final dot. */
  name(): string {
    const start = this.#at
    for (let length = -1; length !== 0; ) {
      length = this.uint8()
      if (length > LABEL_LENGTH_MAX) throw new RecordTextError('a name in RDATA is compressed')
      this.octets(length)
      if (this.#at - start > NAME_LENGTH_MAX) throw new RecordTextError('a name in RDATA is over 255 octets')
    }
    return zoneFileName(textOfWire(this.#rdata, start))
  }
}

/** A name as textOfWire has it, what a zone file takes for something else escaped besides. */
export function zoneFileName(name: string): string {
  return /["();$]/.test(name) ? name.replace(/["();]/g, '\\$&').replace(/^\$/, '\\$&') : name
}

/** Octets in quotes. */
export function quotedText(octets: Uint8Array): string {
  let text = '"'
  for (const octet of octets) {
    if (octet === 0x22 || octet === 0x5c) text += `\\${String.fromCharCode(octet)}`
    else if (octet < 0x20 || octet > 0x7e) text += `\\${String(octet).padStart(3, '0')}`
    else text += String.fromCharCode(octet)
  }
  return `${text}"`
}
