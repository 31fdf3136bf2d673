// A strict, fast reader of the YAML that kubectl prints: block mappings and sequences of plain, quoted and literal
// scalars. Whatever lies outside that subset (comments, anchors, flow collections, folded lines, octets that are not
// ASCII) is refused, never guessed at: the caller then asks the general library. Scalars resolve as the core schema of
// YAML 1.2.2 (§10.3.2) has them, so that both readers agree.
// It works on octets: a decoded dump would be a second copy of the file, and every string taken from it a slice that
// keeps the whole copy alive.

const NEWLINE = 10
const SPACE = 32
const DOUBLE_QUOTE = 34
const HASH = 35
const SINGLE_QUOTE = 39
const DASH = 45
const COLON = 58
const BACKSLASH = 92
const BAR = 124

/** Octets that may begin a plain scalar here; YAML allows more. */
const PLAIN_START = octetsOf('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./-+(')

const DECIMAL = /^(?:0|[1-9][0-9]{0,14})$/
/** Everything that the core schema may take for a number. */
const NUMBER_LIKE =
  /^(?:[-+]?(?:\.?[0-9][0-9.]*(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF))|0o[0-7]+|0x[0-9a-fA-F]+|\.nan|\.NaN|\.NAN)$/
const DOTTED_QUAD = /^[0-9]+\.[0-9]+\.[0-9.]*[0-9]$/
/** Escapes that JSON and YAML read alike. */
const JSON_ESCAPES = /^(?:[^\\]|\\["\\/bfnrt]|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4})*$/

/** Strings up to this length are looked up among those read before. */
const SHARED_LENGTH_MAX = 48
const SHARED_SLOTS = 1 << 13

/** Deeper nesting is left to the library, which has a limit of its own. */
const DEPTH_MAX = 60

/** Thrown where the text leaves the subset; one object, because making a stack trace would cost more than the reading. */
const OUTSIDE = new Error('outside the block style')

/** What `BlockReader.read` returns when the text is not in the subset. */
export const NOT_BLOCK_STYLE: unique symbol = Symbol('not in block style')

/**
 * Reads block-style mappings out of a buffer. One reader serves a whole file: it remembers short strings, so that the
 * same key or value is one string however often it occurs. Nothing it returns refers to the buffer.
 */
export class BlockReader {
  #octets: Buffer = Buffer.alloc(0)
  #at = 0
  #end = 0
  /** Column of the line that `#at` stands on, -1 behind the last. */
  #indent = 0
  #depth = 0
  #textStart = 0
  #hash = 0
  /** Where the last `read` has stopped. */
  behind = 0
  readonly #texts: (string | undefined)[] = new Array(SHARED_SLOTS)
  readonly #values: unknown[] = new Array(SHARED_SLOTS)

  /**
   * Reads one mapping, up to `end` or a line that is indented less than it: `behind` is then the offset of that line.
   *
   * @param start  offset of its first key
   * @param end  offset behind its last octet
   * @param column  column of its first key
   * @returns the mapping, or NOT_BLOCK_STYLE if anything from `start` to `behind` is not in the subset
   */
  read(octets: Buffer, start: number, end: number, column: number): Record<string, unknown> | typeof NOT_BLOCK_STYLE {
    this.#octets = octets
    this.#at = start
    this.#end = end
    this.#depth = 0
    try {
      const mapping = this.#mapping(column, this.#key())
      this.behind = this.#indent === -1 ? end : this.#at - this.#indent
      return this.#indent < column ? mapping : NOT_BLOCK_STYLE
    } catch (error) {
      if (error === OUTSIDE) return NOT_BLOCK_STYLE
      throw error
    }
  }

  /** A mapping whose first key has just been read, up to the first line that is not part of it. */
  #mapping(column: number, key: string): Record<string, unknown> {
    if (++this.#depth > DEPTH_MAX) throw OUTSIDE
    const mapping: Record<string, unknown> = {}
    for (;;) {
      // Covers the second of two equal keys, and keys that every object inherits.
      if (mapping[key] !== undefined) throw OUTSIDE
      mapping[key] = this.#valueOfKey(column)
      if (this.#indent !== column) break
      key = this.#key()
    }
    if (this.#indent > column) throw OUTSIDE
    this.#depth--
    return mapping
  }

  #sequence(column: number): unknown[] {
    if (++this.#depth > DEPTH_MAX) throw OUTSIDE
    const sequence: unknown[] = []
    do {
      this.#at += 2
      sequence.push(this.#entry(column))
    } while (this.#indent === column && this.#atDash())
    if (this.#indent > column) throw OUTSIDE
    this.#depth--
    return sequence
  }

  #entry(column: number): unknown {
    if (PLAIN_START[this.#octets[this.#at]!] === 0) return this.#markedScalar(column)
    if (this.#atDash()) throw OUTSIDE
    if (this.#plain()) return this.#mapping(column + 2, this.#keyText())
    return this.#plainValue()
  }

  /** What follows the colon. */
  #valueOfKey(column: number): unknown {
    if (this.#at < this.#end && this.#octets[this.#at] === SPACE) {
      this.#at++
      if (PLAIN_START[this.#octets[this.#at]!] === 0) return this.#markedScalar(column)
      if (this.#atDash() || this.#plain()) throw OUTSIDE
      return this.#plainValue()
    }
    this.#nextLine()
    if (this.#indent < column) return null
    if (this.#atDash()) return this.#sequence(this.#indent)
    if (this.#indent === column) return null
    return this.#mapping(this.#indent, this.#key())
  }

  #key(): string {
    if (PLAIN_START[this.#octets[this.#at]!] === 0 || this.#atDash() || !this.#plain()) throw OUTSIDE
    return this.#keyText()
  }

  /** The text that `#plain` has found, which must not be one that resolves to something else than itself. */
  #keyText(): string {
    const key = this.#shared(this.#textStart, this.#at - 1)
    if (typeof key !== 'string' || key === '__proto__') throw OUTSIDE
    return key
  }

  #plainValue(): unknown {
    const value = this.#shared(this.#textStart, this.#at)
    this.#nextLine()
    return value
  }

  /** Walks over a plain scalar. True: it is a key, `#at` is behind its colon. False: it ends the line, `#at` is there. */
  #plain(): boolean {
    const octets = this.#octets
    const end = this.#end
    let at = this.#at
    let hash = 0
    this.#textStart = at
    for (; at < end; at++) {
      const octet = octets[at]!
      if (octet === COLON) {
        if (at + 1 === end || octets[at + 1] === SPACE || octets[at + 1] === NEWLINE) {
          if (octets[at - 1] === SPACE || at - this.#textStart > 1000) throw OUTSIDE
          this.#at = at + 1
          this.#hash = hash
          return true
        }
      } else if (octet === NEWLINE) break
      else if (octet < SPACE || octet > 126 || (octet === HASH && octets[at - 1] === SPACE)) throw OUTSIDE
      hash = (Math.imul(hash, 31) + octet) | 0
    }
    if (octets[at - 1] === SPACE) throw OUTSIDE
    this.#at = at
    this.#hash = hash
    return false
  }

  /** Quoted and literal scalars and the empty collections; `#at` ends on the next line. */
  #markedScalar(column: number): unknown {
    const octet = this.#octets[this.#at]
    if (octet === DOUBLE_QUOTE) return this.#doubleQuoted()
    if (octet === SINGLE_QUOTE) return this.#singleQuoted()
    if (octet === BAR) return this.#literal(column)
    const two = this.#octets.toString('latin1', this.#at, this.#at + 2)
    if (two !== '{}' && two !== '[]') throw OUTSIDE
    this.#at += 2
    this.#nextLine()
    return two === '{}' ? {} : []
  }

  #doubleQuoted(): string {
    const start = this.#at + 1
    let escaped = false
    let at = start
    for (; this.#octetInQuotes(at) !== DOUBLE_QUOTE; at++) {
      if (this.#octets[at] !== BACKSLASH) continue
      escaped = true
      at++
    }
    this.#at = at + 1
    this.#nextLine()
    const text = this.#octets.toString('latin1', start, at)
    if (!escaped) return text
    if (!JSON_ESCAPES.test(text)) throw OUTSIDE
    return JSON.parse(`"${text}"`) as string
  }

  #singleQuoted(): string {
    const start = this.#at + 1
    let doubled = false
    let at = start
    for (; ; at++) {
      if (this.#octetInQuotes(at) !== SINGLE_QUOTE) continue
      if (at + 1 >= this.#end || this.#octets[at + 1] !== SINGLE_QUOTE) break
      doubled = true
      at++
    }
    this.#at = at + 1
    this.#nextLine()
    const text = this.#octets.toString('latin1', start, at)
    return doubled ? text.replaceAll("''", "'") : text
  }

  #octetInQuotes(at: number): number {
    const octet = at < this.#end ? this.#octets[at]! : 0
    if (octet < SPACE || octet > 126) throw OUTSIDE
    return octet
  }

  /** `|`, `|-` or `|+` and its lines (YAML 1.2.2 §8.1). */
  #literal(column: number): string {
    this.#at++
    const chomping = this.#octets[this.#at]!
    if (chomping === DASH || chomping === 43) this.#at++
    if (this.#octets[this.#at] !== NEWLINE || this.#at >= this.#end) throw OUTSIDE
    const margin = this.#spacesAt(this.#at + 1)
    if (margin <= column || this.#octets[this.#at + 1 + margin] === NEWLINE) throw OUTSIDE
    let text = ''
    let lineStart = this.#at + 1
    let contentEnd = 0
    for (;;) {
      const spaces = this.#spacesAt(lineStart)
      const blank = this.#octets[lineStart + spaces] === NEWLINE
      if (lineStart >= this.#end || (spaces < margin && !blank)) break
      const lineEnd = this.#endOfLine(lineStart + spaces)
      text += `${this.#octets.toString('latin1', Math.min(lineStart + margin, lineEnd), lineEnd)}\n`
      if (!blank || spaces > margin) contentEnd = text.length
      lineStart = lineEnd + 1
    }
    this.#at = lineStart - 1
    this.#nextLine()
    if (this.#indent > column) throw OUTSIDE
    if (chomping === 43) return text
    return text.slice(0, chomping === DASH ? contentEnd - 1 : contentEnd)
  }

  #spacesAt(start: number): number {
    let at = start
    while (at < this.#end && this.#octets[at] === SPACE) at++
    return at - start
  }

  #endOfLine(at: number): number {
    for (; at < this.#end; at++) {
      const octet = this.#octets[at]!
      if (octet === NEWLINE) return at
      if (octet < SPACE || octet > 126) throw OUTSIDE
    }
    throw OUTSIDE
  }

  /** From the end of a line to the first octet of the next. Empty lines are in the subset only at the very end. */
  #nextLine(): void {
    if (this.#at < this.#end && this.#octets[this.#at] !== NEWLINE) throw OUTSIDE
    const start = this.#at + 1
    let at = start
    while (at < this.#end && this.#octets[at] === SPACE) at++
    this.#at = at
    this.#indent = at - start
    if (at < this.#end && this.#octets[at] !== NEWLINE) return
    for (; at < this.#end; at++) if (this.#octets[at] !== NEWLINE) throw OUTSIDE
    this.#at = this.#end
    this.#indent = -1
  }

  #atDash(): boolean {
    if (this.#at >= this.#end || this.#octets[this.#at] !== DASH) return false
    const next = this.#octets[this.#at + 1]
    if (this.#at + 1 >= this.#end || next === NEWLINE) throw OUTSIDE
    return next === SPACE
  }

  /** The resolved value of the plain scalar from `start` to `end`, hashed in `#hash`. */
  #shared(start: number, end: number): unknown {
    const length = end - start
    if (length > SHARED_LENGTH_MAX) return resolve(this.#octets.toString('latin1', start, end))
    const slot = (this.#hash ^ (this.#hash >>> 13)) & (SHARED_SLOTS - 1)
    const known = this.#texts[slot]
    if (known !== undefined && known.length === length && this.#equals(known, start)) return this.#values[slot]
    const text = this.#octets.toString('latin1', start, end)
    this.#texts[slot] = text
    const value = resolve(text)
    this.#values[slot] = value
    return value
  }

  #equals(text: string, start: number): boolean {
    for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== this.#octets[start + i]) return false
    return true
  }
}

/** A plain scalar in the core schema; numbers other than short decimal ones are left to the library. */
function resolve(text: string): unknown {
  const first = text.charCodeAt(0)
  if (first > 57) return resolveWord(text)
  if (DECIMAL.test(text)) return Number(text)
  if (NUMBER_LIKE.test(text) && !DOTTED_QUAD.test(text)) throw OUTSIDE
  if (text.startsWith('---') || text.startsWith('...')) throw OUTSIDE
  return text
}

function resolveWord(text: string): unknown {
  if (text.length !== 4 && text.length !== 5) return text
  if (text === 'null' || text === 'Null' || text === 'NULL') return null
  if (text === 'true' || text === 'True' || text === 'TRUE') return true
  if (text === 'false' || text === 'False' || text === 'FALSE') return false
  return text
}

function octetsOf(text: string): Uint8Array {
  const set = new Uint8Array(256)
  for (const octet of Buffer.from(text, 'latin1')) set[octet] = 1
  return set
}
