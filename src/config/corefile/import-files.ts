// The files a Corefile is made of: which ones a pattern of `import` names, what is in them, and one fingerprint over all of it.

import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { type Lexeme, lexemesOf } from './lexemes.ts'
import { CorefileError, errorAt, type Token } from './syntax.ts'

/** Octets of one file. A ConfigMap holds one MiB. */
const FILE_BYTES_MAX = 16 * 1024 * 1024

/** Reads each file once, however often it is imported. */
export class ImportFiles {
  /** In the order in which they were first read. */
  readonly paths: string[] = []
  readonly #env: NodeJS.ProcessEnv
  readonly #hash = createHash('sha512')
  readonly #read = new Map<string, readonly Lexeme[]>()

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env
  }

  /**
   * The words of the Corefile itself. To be called first.
   *
   * @param text  its content if it is not to be read from `path`
   * @throws CorefileError
   */
  corefile(path: string, text: string | undefined): readonly Lexeme[] {
    let content: string | Uint8Array
    try {
      content = text ?? readFileSync(path)
    } catch (error) {
      throw new CorefileError(`loading Corefile '${path}': ${reason(error)}`)
    }
    if (content.length > FILE_BYTES_MAX)
      throw new CorefileError(`loading Corefile '${path}': over ${FILE_BYTES_MAX} octets`)
    return this.#add(path, content)
  }

  /** The words of a file that `at` imports. @throws CorefileError at that token */
  imported(path: string, at: Token): readonly Lexeme[] {
    const known = this.#read.get(path)
    if (known !== undefined) return known
    let content: Uint8Array
    try {
      const status = statSync(path)
      if (status.isDirectory()) throw errorAt(at, `cannot import '${path}': it is a directory`)
      if (!status.isFile()) throw errorAt(at, `cannot import '${path}': it is no regular file`)
      if (status.size > FILE_BYTES_MAX) throw errorAt(at, `cannot import '${path}': over ${FILE_BYTES_MAX} octets`)
      content = readFileSync(path)
    } catch (error) {
      if (error instanceof CorefileError) throw error
      throw errorAt(at, `cannot import '${path}': ${reason(error)}`)
    }
    return this.#add(path, content)
  }

  /** SHA-512 of all that was read so far, in hexadecimal. For a Corefile that imports nothing it is what sha512sum prints. */
  fingerprint(): string {
    return this.#hash.copy().digest('hex')
  }

  #add(path: string, content: string | Uint8Array): readonly Lexeme[] {
    // Names and sizes count too, lest a line that moves from one file to the next go unnoticed.
    if (this.paths.length > 0) this.#hash.update(`\0${path}\0${content.length}\0`)
    this.#hash.update(content)
    this.paths.push(path)
    const text = typeof content === 'string' ? content : new TextDecoder().decode(content)
    const lexemes = lexemesOf(text, path, this.#env)
    this.#read.set(path, lexemes)
    return lexemes
  }
}

/**
 * Paths that an argument of `import` names, in lexical order, relative ones against the folder of the file that says it.
 *
 * @returns null for a plain name (the file may be missing): its path is `importPath`
 * @throws CorefileError for a pattern that is not allowed
 */
export function matchesOf(what: Token): string[] | null {
  const pattern = what.text
  if (/[[\]]/.test(pattern)) throw errorAt(what, `import pattern '${pattern}': '[' and ']' are not allowed`)
  for (const wildcard of ['*', '?']) {
    if (pattern.split(wildcard).length > 2)
      throw errorAt(what, `import pattern '${pattern}': only one '${wildcard}' is allowed`)
  }
  return /[*?]/.test(pattern) ? expand(importPath(what)) : null
}

/** The path that an argument of `import` means. */
export function importPath(what: Token): string {
  return isAbsolute(what.text) ? what.text : join(dirname(what.file), what.text)
}

function expand(pattern: string): string[] {
  let paths = [isAbsolute(pattern) ? '/' : '']
  for (const part of pattern.split('/').filter((each) => each !== '')) {
    paths = /[*?]/.test(part)
      ? paths.flatMap((folder) => entriesOf(folder === '' ? '.' : folder, part).map((name) => join(folder, name)))
      : paths.map((folder) => join(folder, part))
  }
  return paths.filter(exists).sort()
}

/** Names in `folder` that `pattern` matches; none if it is no folder, or may not be read. */
function entriesOf(folder: string, pattern: string): string[] {
  const literal = pattern.replace(/[\\^$.+(){}|]/g, '\\$&')
  const matcher = new RegExp(`^${literal.replace('*', '.*').replace('?', '.')}$`, 'su')
  try {
    return readdirSync(folder).filter((name) => matcher.test(name))
  } catch {
    return []
  }
}

/** A dangling link exists: reading it is the error. */
function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}

function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return code === 'ENOENT' ? 'no such file' : message
}
