// Cuts a template in Go's language (text/template) into text and the tokens of its actions, trim markers and comments applied.

/** A template that does not parse, or that fails when it is carried out. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError'
  readonly code = 'TEMPLATE'
}

/** `text` is what the token stands for: of a string without quotes, of a field without its dot, of a variable with its `$`. */
export interface Token {
  readonly kind: TokenKind
  readonly text: string
  /** Blanks stand before it: `.A .B` are two arguments, `.A.B` is one. */
  readonly isApart: boolean
}

export type TokenKind =
  | 'text'
  | 'open'
  | 'close'
  | 'identifier'
  | 'field'
  | 'variable'
  | 'dot'
  | 'number'
  | 'string'
  | 'character'
  | '|'
  | '('
  | ')'
  | ':='
  | '='
  | ','
  | 'end'

const OPEN = '{{'
const CLOSE = '}}'
const BLANK = /[ \t\r\n]/
const COMMENT = /\/\*[\s\S]*?\*\/(?:([ \t\r\n]+-)?\}\})?/y
const RIGHT_TRIM = /[ \t\r\n]+-\}\}/y
const BLANKS = /[ \t\r\n]+/y
const WORD = /[\p{L}_][\p{L}\p{Nd}_]*/uy
const NUMBER = /[+-]?(?:0[xX][\da-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?)/y
const STRING = /"(?:[^"\\\n]|\\[^\n])*"/y
const RAW_STRING = /`[^`]*`/y
const CHARACTER = /'(?:[^'\\\n]|\\[^\n][^'\n]*)'/y
/** What may stand behind a word. */
const WORD_END = /[ \t\r\n.,|:=()]|\}\}|$/y

/** All tokens of a template; the last is of kind 'end'. @throws TemplateError */
export function tokensOf(source: string): Token[] {
  const lexer = new Lexer(source)
  return lexer.all()
}

class Lexer {
  readonly #source: string
  readonly #tokens: Token[] = []
  #at = 0

  constructor(source: string) {
    this.#source = source
  }

  all(): Token[] {
    let trims = false
    for (;;) {
      const open = this.#source.indexOf(OPEN, this.#at)
      let text = this.#source.slice(this.#at, open < 0 ? undefined : open)
      if (trims) text = text.replace(/^[ \t\r\n]+/, '')
      if (open >= 0 && this.#isLeftTrim(open)) text = text.replace(/[ \t\r\n]+$/, '')
      if (text !== '') this.#push('text', text)
      if (open < 0) break
      this.#at = open + OPEN.length + (this.#isLeftTrim(open) ? 2 : 0)
      trims = this.#comment() ?? this.#action()
    }
    this.#push('end', '')
    return this.#tokens
  }

  #isLeftTrim(open: number): boolean {
    return this.#source[open + 2] === '-' && BLANK.test(this.#source[open + 3] ?? '')
  }

  /** @returns whether it trims what follows; null: there is none */
  #comment(): boolean | null {
    const begin = this.#isLeftTrimBlank() ? this.#match(BLANKS) : ''
    if (!this.#source.startsWith('/*', this.#at)) {
      this.#at -= begin?.length ?? 0
      return null
    }
    COMMENT.lastIndex = this.#at
    const found = COMMENT.exec(this.#source)
    if (found === null) throw new TemplateError('unclosed comment')
    if (!found[0].endsWith(CLOSE)) throw new TemplateError('comment ends before closing delimiter')
    this.#at = COMMENT.lastIndex
    return found[1] !== undefined
  }

  #isLeftTrimBlank(): boolean {
    return BLANK.test(this.#source[this.#at] ?? '') && this.#source[this.#at - 2] === '-'
  }

  /** @returns whether it trims what follows */
  #action(): boolean {
    this.#push('open', OPEN)
    for (;;) {
      if (this.#match(RIGHT_TRIM) !== null) {
        this.#push('close', CLOSE)
        return true
      }
      const isApart = this.#match(BLANKS) !== null
      if (this.#source.startsWith(CLOSE, this.#at)) {
        this.#at += CLOSE.length
        this.#push('close', CLOSE)
        return false
      }
      if (this.#at >= this.#source.length) throw new TemplateError('unclosed action')
      this.#tokens.push(this.#nextToken(isApart))
    }
  }

  #nextToken(isApart: boolean): Token {
    const character = this.#source[this.#at]
    const next = this.#source[this.#at + 1] ?? ''
    if (character === ':' && next === '=') return this.#take(':=', 2, isApart)
    switch (character) {
      case '|':
      case '(':
      case ')':
      case '=':
      case ',':
        return this.#take(character, 1, isApart)
      case '"':
        return { kind: 'string', text: unquoted(this.#need(STRING, 'unterminated quoted string')), isApart }
      case '`':
        return { kind: 'string', text: this.#need(RAW_STRING, 'unterminated raw quoted string').slice(1, -1), isApart }
      case "'":
        return this.#character(isApart)
      case '$':
        this.#at++
        return this.#word('variable', `$${this.#match(WORD) ?? ''}`, isApart)
      case '.':
        if (/\d/.test(next)) return this.#number(isApart)
        this.#at++
        return this.#dot(isApart)
    }
    if (/[\d+-]/.test(character)) return this.#number(isApart)
    const word = this.#match(WORD)
    if (word === null) throw new TemplateError(`unexpected ${JSON.stringify(character)} in command`)
    return this.#word('identifier', word, isApart)
  }

  #dot(isApart: boolean): Token {
    const name = this.#match(WORD)
    return name === null ? this.#word('dot', '.', isApart) : this.#word('field', name, isApart)
  }

  #word(kind: TokenKind, text: string, isApart: boolean): Token {
    WORD_END.lastIndex = this.#at
    if (!WORD_END.test(this.#source)) throw new TemplateError(`bad character ${JSON.stringify(this.#source[this.#at])}`)
    return { kind, text, isApart }
  }

  #number(isApart: boolean): Token {
    const text = this.#match(NUMBER)
    if (text === null || /[\p{L}\p{Nd}_.]/u.test(this.#source[this.#at] ?? ''))
      throw new TemplateError(`bad number syntax: ${JSON.stringify(text ?? this.#source[this.#at])}`)
    return { kind: 'number', text, isApart }
  }

  #character(isApart: boolean): Token {
    const text = this.#need(CHARACTER, 'unterminated character constant')
    const inner = text === `'\\''` ? "'" : unquoted(`"${text.slice(1, -1).replaceAll('"', '\\"')}"`)
    if ([...inner].length !== 1) throw new TemplateError(`malformed character constant: ${text}`)
    return { kind: 'character', text: inner, isApart }
  }

  #need(pattern: RegExp, otherwise: string): string {
    const found = this.#match(pattern)
    if (found === null) throw new TemplateError(otherwise)
    return found
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#source)
    if (found === null) return null
    this.#at = pattern.lastIndex
    return found[0]
  }

  #take(kind: TokenKind, length: number, isApart: boolean): Token {
    this.#at += length
    return { kind, text: kind, isApart }
  }

  #push(kind: TokenKind, text: string): void {
    this.#tokens.push({ kind, text, isApart: false })
  }
}

const ESCAPE = /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{3})|([\s\S]))/g
const ESCAPED: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
}

/** What a quoted string of Go's stands for. */
function unquoted(quoted: string): string {
  return quoted.slice(1, -1).replace(ESCAPE, (found, octet, short, long, octal, character) => {
    const number = Number.parseInt(octet ?? short ?? long ?? octal, octal === undefined ? 16 : 8)
    const isValid = character === undefined ? number <= 0x10ffff : Object.hasOwn(ESCAPED, character)
    if (!isValid) throw new TemplateError(`unknown escape ${found} in ${quoted}`)
    return character === undefined ? String.fromCodePoint(number) : ESCAPED[character]
  })
}
