// Corefile text -> words. Quotes, comments, white space and environment variables end here; what a word means is not known here.

import { errorAt, type Token } from './syntax.ts'

/** A token, and what the grammar has to know besides its text. */
export interface Lexeme {
  readonly token: Token
  /** Braces act as such only as whole words without quotes. */
  readonly kind: 'word' | 'quoted' | '{' | '}'
  /** First of its line. */
  readonly startsLine: boolean
}

/** White space of Unicode but the newline. Carriage returns are gone before. */
const BLANK = '\\t\\v\\f \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000'
const BLANKS = new RegExp(`[${BLANK}]+`, 'y')
const WORD = new RegExp(`[^${BLANK}\\n#]+`, 'y')
/** Inside of a word a comment ends with the word; what follows on the line counts. */
const COMMENT_IN_WORD = new RegExp(`#[^${BLANK}\\n]*`, 'y')
const COMMENT = /#[^\n]*/y
/** A name may be anything but empty. */
const VARIABLE = /\{\$([^}]+)\}|\{%([^%]+)%\}/g

/**
 * All words of `text`, with variables replaced; a replaced text is not split again.
 *
 * @param file  what tokens give as their file
 * @throws CorefileError for a quote without end
 */
export function lexemesOf(text: string, file: string, env: NodeJS.ProcessEnv): Lexeme[] {
  const source = text.replace(/^\uFEFF/, '').replaceAll('\r', '')
  const lexemes: Lexeme[] = []
  let line = 1
  let startsLine = true
  const add = (word: string, kind: Lexeme['kind']): void => {
    lexemes.push({ token: { text: replaceVariables(word, env), file, line }, kind, startsLine })
    startsLine = false
  }
  for (let at = 0; at < source.length; ) {
    const character = source[at]
    if (character === '\n') {
      line++
      startsLine = true
      at++
    } else if (character === '#') at = endOf(COMMENT, source, at)
    else if (character === '"') {
      const end = endOfQuote(source, at)
      if (end === source.length) throw errorAt({ file, line }, 'Unexpected EOF: the quote that begins here has no end')
      const quoted = source.slice(at + 1, end)
      add(unescaped(quoted), 'quoted')
      line += newlinesIn(quoted)
      at = end + 1
    } else if (endOf(BLANKS, source, at) > at) at = endOf(BLANKS, source, at)
    else {
      const end = endOf(WORD, source, at)
      const word = source.slice(at, end)
      add(word, word === '{' || word === '}' ? word : 'word')
      at = endOf(COMMENT_IN_WORD, source, end)
    }
  }
  return lexemes
}

/** Where a match of the sticky `pattern` that begins at `at` ends; `at` if there is none. */
function endOf(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : at
}

/** Offset of the closing quote, or the text's length. */
function endOfQuote(text: string, open: number): number {
  let at = open + 1
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return Math.min(at, text.length)
}

/** `\"` is a quote; every other backslash stays, and so does what it stands before. */
function unescaped(quoted: string): string {
  return quoted.replace(/\\(.)/gs, (pair, character) => (character === '"' ? '"' : pair))
}

function newlinesIn(text: string): number {
  let count = 0
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) count++
  return count
}

/** `{$NAME}` and `{%NAME%}`; unset is empty. */
function replaceVariables(text: string, env: NodeJS.ProcessEnv): string {
  // Behind the last brace nothing ends; to look there for each beginning would take quadratic time.
  const end = text.lastIndexOf('}') + 1
  const replaced = text.slice(0, end).replace(VARIABLE, (_, dollar?: string, percent?: string) => {
    const name = dollar ?? percent ?? ''
    return Object.hasOwn(env, name) ? (env[name] ?? '') : ''
  })
  return replaced + text.slice(end)
}
