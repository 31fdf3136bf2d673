// Zone-file text cut into entries and tokens: parentheses, comments, quotes, escapes. RFC 1035 §5.1.
// Not here: what the tokens mean (record-text.ts, zone-file.ts).

/** Text that is no record, or RDATA that has no text but the generic one. */
export class RecordTextError extends Error {
  readonly code = 'BAD_RECORD'
}

const TAB = 0x09
const NEWLINE = 0x0a
const RETURN = 0x0d
const BLANK = 0x20
const QUOTE = 0x22
const OPEN = 0x28
const CLOSE = 0x29
const SEMICOLON = 0x3b
const EQUALS = 0x3d
const BACKSLASH = 0x5c

/** The text with each character an octet: what is not ASCII becomes UTF-8. */
export function octetText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
  return /[^\x00-\x7f]/.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text
}

/** Octets of a token, its escapes (\X, \DDD) taken away. One character an octet. */
export function unescaped(token: string): string {
  if (!token.includes('\\')) return token
  return token.replace(/\\(\d{3}|[\s\S]|$)/g, (_, code: string) => {
    if (code === '') throw new RecordTextError(`'${token}' ends in a backslash`)
    if (code.length === 1) return code
    if (Number(code) > 255) throw new RecordTextError(`'${token}': escape \\${code} is over 255`)
    return String.fromCharCode(Number(code))
  })
}

/**
 * Walks over a text, an entry at a time: a line, or several within parentheses. Lines with nothing on them are passed over.
 * What next() found stands in the fields until it is called again.
 */
export class EntryScanner {
  readonly #text: string
  #at = 0
  #lineAt = 1
  /** Tokens of the entry, escapes as written, quotes around a whole token taken away. */
  readonly tokens: string[] = []
  /** Was the token in quotes? */
  readonly quoted: boolean[] = []
  /** Did the entry begin with white space: the owner is that of the record before? */
  blankOwner = false
  /** Line of its first token, from 1. In an error: where it was noticed. */
  line = 1

  /** @param text  one character an octet (see octetText) */
  constructor(text: string) {
    this.#text = text
  }

  /**
   * @returns false at the end of the text
   * @throws RecordTextError for parentheses or quotes that do not match; `line` then says where
   */
  next(): boolean {
    const text = this.#text
    const end = text.length
    let at = this.#at
    let depth = 0
    let lineStart = true
    this.tokens.length = 0
    this.quoted.length = 0
    this.blankOwner = false
    while (at < end) {
      const octet = text.charCodeAt(at)
      if (octet === BLANK || octet === TAB || octet === RETURN) {
        if (lineStart && this.tokens.length === 0) this.blankOwner = true
        at++
      } else if (octet === NEWLINE) {
        at++
        this.#lineAt++
        if (depth > 0) continue
        if (this.tokens.length > 0) {
          this.#at = at
          return true
        }
        lineStart = true
        this.blankOwner = false
        continue
      } else if (octet === SEMICOLON) {
        at = text.indexOf('\n', at)
        if (at < 0) at = end
      } else if (octet === OPEN) {
        depth++
        at++
      } else if (octet === CLOSE) {
        if (--depth < 0) this.#fail("a ')' without its '('")
        at++
      } else {
        if (this.tokens.length === 0) this.line = this.#lineAt
        at = octet === QUOTE ? this.#quotedToken(at + 1) : this.#token(at)
      }
      lineStart = false
    }
    this.#at = end
    if (depth > 0) this.#fail("a '(' without its ')'")
    return this.tokens.length > 0
  }

  /** @returns behind the token */
  #token(at: number): number {
    const text = this.#text
    const start = at
    for (; at < text.length; at++) {
      const octet = text.charCodeAt(at)
      if (octet > SEMICOLON && octet !== BACKSLASH) continue
      if (octet === BACKSLASH) {
        at++
        if (text.charCodeAt(at) === NEWLINE || at >= text.length) this.#fail('a backslash at the end of a line')
        continue
      }
      if (octet <= BLANK) {
        if (octet === BLANK || octet === TAB || octet === NEWLINE || octet === RETURN) break
      } else if (octet === QUOTE) {
        // key="value" of SVCB is one token; any other quote begins the next.
        if (text.charCodeAt(at - 1) !== EQUALS) break
        at = this.#closingQuote(at + 1)
      } else if (octet === OPEN || octet === CLOSE || octet === SEMICOLON) break
    }
    this.tokens.push(text.slice(start, at))
    this.quoted.push(false)
    return at
  }

  #quotedToken(at: number): number {
    const end = this.#closingQuote(at)
    this.tokens.push(this.#text.slice(at, end))
    this.quoted.push(true)
    return end + 1
  }

  #closingQuote(at: number): number {
    const text = this.#text
    for (; at < text.length; at++) {
      const octet = text.charCodeAt(at)
      if (octet === QUOTE) return at
      if (octet === BACKSLASH) at++
      if (text.charCodeAt(at) === NEWLINE) break
    }
    return this.#fail('a quote without its other')
  }

  #fail(message: string): never {
    this.line = this.#lineAt
    throw new RecordTextError(message)
  }
}
