// The words of a Corefile one after another, as if everything imported stood where `import` stands. Snippets are kept here.

import { type ImportFiles, importPath, matchesOf } from './import-files.ts'
import type { Lexeme } from './lexemes.ts'
import { type CorefileError, errorAt, type Token } from './syntax.ts'

const SNIPPET_EXPANSIONS_MAX = 10_000
const IMPORTED_FILES_MAX = 100_000
/** Words of a Corefile with all it imports: snippets that import each other twice grow fast. */
const WORDS_MAX = 1_000_000

/** Words of one source, and how far they are read. */
interface Frame {
  readonly lexemes: readonly Lexeme[]
  at: number
  /** What was imported: `snippet NAME` or `file PATH`. */
  readonly name: string
  /** Where reading goes on afterwards. */
  readonly next: Frame | null
  /** Where its `import` stood. It may have been the last word there, so this is not `next`. */
  readonly importedBy: Frame | null
}

interface Snippet {
  readonly at: Token
  readonly lexemes: readonly Lexeme[]
}

export class LexemeStream {
  /** Lines for the log. */
  readonly warnings: string[] = []
  readonly #files: ImportFiles
  readonly #snippets = new Map<string, Snippet>()
  #top: Frame | null
  #last: Token
  #expansions = 0
  #imports = 0
  #words = 0

  constructor(files: ImportFiles, path: string, lexemes: readonly Lexeme[]) {
    this.#files = files
    this.#top = { lexemes, at: 0, name: `file ${path}`, next: null, importedBy: null }
    this.#last = { text: '', file: path, line: 1 }
  }

  /** The next word, or null at the end. */
  peek(): Lexeme | null {
    while (this.#top !== null && this.#top.at === this.#top.lexemes.length) this.#top = this.#top.next
    return this.#top?.lexemes[this.#top.at] ?? null
  }

  /** The next word if it is on the line of the last one. */
  peekOnLine(): Lexeme | null {
    const lexeme = this.peek()
    return lexeme === null || lexeme.startsLine ? null : lexeme
  }

  /** The next word where a name is due: every `import` there is done first. */
  peekName(): Lexeme | null {
    let lexeme = this.peek()
    while (lexeme?.kind === 'word' && lexeme.token.text === 'import') {
      this.#import()
      lexeme = this.peek()
    }
    return lexeme
  }

  /** Takes the word that was peeked at. */
  take(): Lexeme {
    const lexeme = this.peek()
    if (lexeme === null) throw this.endOfFile('a word')
    this.#top!.at++
    this.#last = lexeme.token
    if (++this.#words > WORDS_MAX) throw errorAt(lexeme.token, `over ${WORDS_MAX} words, imports included`)
    return lexeme
  }

  /** @param missing  what should have come */
  endOfFile(missing: string): CorefileError {
    return errorAt(this.#last, `Unexpected EOF, expecting ${missing}`)
  }

  /** Keeps what stands between the braces of `(name) { … }`. The opening one is already taken. */
  define(at: Token): void {
    const name = at.text.slice(1, -1)
    const former = this.#snippets.get(name)
    if (former !== undefined) {
      throw errorAt(at, `snippet '${name}' is defined twice; the first time at ${former.at.file}:${former.at.line}`)
    }
    const lexemes: Lexeme[] = []
    for (let depth = 1; ; ) {
      if (this.peek() === null) throw this.endOfFile(`'}' of snippet '${name}', which begins at ${at.file}:${at.line}`)
      const lexeme = this.take()
      if (lexeme.kind === '{') depth++
      if (lexeme.kind === '}' && --depth === 0) break
      lexemes.push(lexemes.length === 0 ? { ...lexeme, startsLine: true } : lexeme)
    }
    this.#snippets.set(name, { at, lexemes })
  }

  #import(): void {
    const by = this.#top
    const at = this.take().token
    const argument = this.peekOnLine()
    if (argument === null || argument.kind === '{' || argument.kind === '}') throw wrongCount(at)
    const what = this.take().token
    if (this.peekOnLine() !== null) throw wrongCount(what)
    const snippet = this.#snippets.get(what.text)
    if (snippet !== undefined) {
      if (++this.#expansions > SNIPPET_EXPANSIONS_MAX)
        throw errorAt(at, `over ${SNIPPET_EXPANSIONS_MAX} imports of snippets`)
      this.#push(`snippet ${what.text}`, snippet.lexemes, by, at)
    } else this.#importFiles(what, by)
  }

  #importFiles(what: Token, by: Frame | null): void {
    const matches = matchesOf(what)
    if (matches?.length === 0) {
      this.warnings.push(`${what.file}:${what.line}: No files matching import glob pattern: ${what.text}`)
    }
    const found = (matches ?? [importPath(what)]).map((path) => {
      if (++this.#imports > IMPORTED_FILES_MAX) throw errorAt(what, `over ${IMPORTED_FILES_MAX} imports of files`)
      return { path, lexemes: this.#files.imported(path, what) }
    })
    // The last one first: reading goes on at the top.
    for (const { path, lexemes } of found.reverse()) this.#push(`file ${path}`, lexemes, by, what)
  }

  #push(name: string, lexemes: readonly Lexeme[], by: Frame | null, at: Token): void {
    for (let frame = by; frame !== null; frame = frame.importedBy) {
      if (frame.name === name) throw errorAt(at, `${name} imports itself`)
    }
    this.#top = { lexemes, at: 0, name, next: this.#top, importedBy: by }
  }
}

/** @param after  the word behind which something is missing, or one that is too much */
export function wrongCount(after: Token, hint = ''): CorefileError {
  return errorAt(after, `Wrong argument count or unexpected line ending after '${after.text}'${hint && `: ${hint}`}`)
}
