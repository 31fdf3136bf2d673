// The grammar: Corefile -> server blocks with their directives and properties. Nothing here knows a directive's name.

import { ImportFiles } from './import-files.ts'
import { LexemeStream, wrongCount } from './lexeme-stream.ts'
import type { Lexeme } from './lexemes.ts'
import {
  CorefileError,
  type CorefileSyntax,
  type Directive,
  errorAt,
  type Property,
  type ServerBlock,
  type Token,
} from './syntax.ts'

const ALONE = 'a closing brace stands alone on its line'

/** What became of a Corefile: one of `syntax` and `error` is null. */
export interface CorefileReading {
  readonly syntax: CorefileSyntax | null
  readonly error: CorefileError | null
  /** SHA-512 of what was read, as far as that went: the same broken files need not be tried twice. */
  readonly fingerprint: string
}

/**
 * Reads a Corefile and all it imports. No blocks at all means the same as a file that is not there: the configuration has a default for that.
 *
 * @param env  for `{$NAME}`
 * @param text  its content if it does not come from `path`; `path` is then only a name, and what imports are relative to
 * @throws CorefileError
 */
export function readCorefile(path: string, env: NodeJS.ProcessEnv, text?: string): CorefileSyntax {
  const { syntax, error } = tryCorefile(path, env, text)
  if (syntax === null) throw error
  return syntax
}

/** As `readCorefile`, for who has to know a broken file again. */
export function tryCorefile(path: string, env: NodeJS.ProcessEnv, text?: string): CorefileReading {
  const files = new ImportFiles(env)
  try {
    const stream = new LexemeStream(files, path, files.corefile(path, text))
    const blocks = readBlocks(stream)
    const fingerprint = files.fingerprint()
    return { syntax: { blocks, files: files.paths, fingerprint, warnings: stream.warnings }, error: null, fingerprint }
  } catch (error) {
    if (!(error instanceof CorefileError)) throw error
    return { syntax: null, error, fingerprint: files.fingerprint() }
  }
}

function readBlocks(stream: LexemeStream): ServerBlock[] {
  const blocks: ServerBlock[] = []
  while (stream.peekName() !== null) {
    const keys = readKeys(stream)
    const hasBrace = stream.peekOnLine()?.kind === '{'
    const open = hasBrace ? stream.take().token : null
    if (keys.length === 1 && /^\(.*\)$/s.test(keys[0].text)) {
      if (open === null) throw wrongCount(keys[0], 'a snippet needs braces')
      stream.define(keys[0])
      endLine(stream, '}')
    } else blocks.push({ keys, directives: readDirectives(stream, keys, open) })
  }
  return blocks
}

/** The keys of one block. They end where the line ends, or at a brace; a comma carries them over to the next line. */
function readKeys(stream: LexemeStream): Token[] {
  const keys: Token[] = []
  for (let goesOn = true; goesOn; ) {
    const lexeme = stream.peek()?.startsLine ? stream.peekName() : stream.peek()
    if (lexeme === null) throw stream.endOfFile('a key')
    if (lexeme.kind === '{') throw unexpectedOpen(lexeme.token)
    if (lexeme.kind === '}') throw unexpectedClose(lexeme.token)
    const { token } = stream.take()
    const hasComma = token.text.endsWith(',')
    const text = hasComma ? token.text.slice(0, -1) : token.text
    keys.push({ ...token, text })
    const next = stream.peekOnLine()
    goesOn = hasComma || (next !== null && next.kind !== '{')
  }
  // A comma may stand alone, and a variable may be unset.
  const named = keys.filter(({ text }) => text !== '')
  return named.length > 0 ? named : keys.slice(0, 1)
}

/** @param open  the block's brace; null = the block has none and ends with the file */
function readDirectives(stream: LexemeStream, keys: readonly Token[], open: Token | null): Directive[] {
  const directives: Directive[] = []
  for (;;) {
    const lexeme = stream.peekName()
    if (lexeme === null && open === null) return directives
    if (lexeme === null) throw stream.endOfFile(`'}' of the block that begins at ${open!.file}:${open!.line}`)
    if (lexeme.kind === '{') throw unexpectedOpen(lexeme.token)
    if (lexeme.kind !== '}') {
      directives.push(readDirective(stream))
      continue
    }
    if (open === null) throw unexpectedClose(lexeme.token, gluedBrace(keys))
    stream.take()
    endLine(stream, '}')
    return directives
  }
}

function readDirective(stream: LexemeStream): Directive {
  const name = stream.take().token
  const args: Token[] = []
  for (let next = stream.peekOnLine(); next !== null; next = stream.peekOnLine()) {
    if (next.kind === '}') throw unexpectedClose(next.token, ALONE)
    const { token, kind } = stream.take()
    if (kind === '{') return { name, args, properties: readProperties(stream, token) }
    args.push(token)
  }
  return { name, args, properties: [] }
}

function readProperties(stream: LexemeStream, open: Token): Property[] {
  const properties: Property[] = []
  for (;;) {
    const lexeme = stream.peekName()
    if (lexeme === null) throw stream.endOfFile(`'}' of what begins at ${open.file}:${open.line}`)
    if (lexeme.kind === '{') throw unexpectedOpen(lexeme.token)
    const name = stream.take().token
    if (lexeme.kind === '}') {
      endLine(stream, '}')
      return properties
    }
    properties.push({ name, args: readArguments(stream) })
  }
}

/** The rest of a property's line. */
function readArguments(stream: LexemeStream): Token[] {
  const args: Token[] = []
  for (let next = stream.peekOnLine(); next !== null; next = stream.peekOnLine()) {
    if (next.kind === '{') throw unexpectedOpen(next.token)
    if (next.kind === '}') throw wrongCount(next.token, ALONE)
    args.push(stream.take().token)
  }
  return args
}

/** Nothing may follow a closing brace on its line. */
function endLine(stream: LexemeStream, after: string): void {
  const next: Lexeme | null = stream.peekOnLine()
  if (next?.kind === '}') throw unexpectedClose(next.token, ALONE)
  if (next !== null) throw wrongCount({ ...next.token, text: after }, ALONE)
}

function unexpectedOpen(at: Token): CorefileError {
  return errorAt(at, "Unexpected token '{', expecting argument")
}

function unexpectedClose(at: Token, hint = ''): CorefileError {
  return errorAt(at, `Unexpected '}' because no matching opening brace${hint && `: ${hint}`}`)
}

/** `.:53{` is a key. Whoever wrote it meant a brace. */
function gluedBrace(keys: readonly Token[]): string {
  const glued = keys.find(({ text }) => text.endsWith('{'))
  return glued === undefined ? '' : `'${glued.text}' at ${glued.file}:${glued.line} needs white space before its brace`
}
