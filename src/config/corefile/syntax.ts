// What a Corefile says, before anything of it is understood: tokens, directives, blocks. Types only.

/** One word of the file, after quotes, environment variables and imports are dealt with. */
export interface Token {
  readonly text: string
  /** As it was named on the command line or by `import`. */
  readonly file: string
  /** 1-based. */
  readonly line: number
}

/** A line inside of a directive's braces: a name and the rest of its line. */
export interface Property {
  readonly name: Token
  readonly args: readonly Token[]
}

/** One directive of a block, as often as it stands there. */
export interface Directive {
  readonly name: Token
  readonly args: readonly Token[]
  readonly properties: readonly Property[]
}

/** One server block. */
export interface ServerBlock {
  /** Of each at least one; commas are gone. */
  readonly keys: readonly Token[]
  readonly directives: readonly Directive[]
}

/** A whole Corefile with all it imports. */
export interface CorefileSyntax {
  readonly blocks: readonly ServerBlock[]
  /** Paths of all files read, the Corefile first. */
  readonly files: readonly string[]
  /** SHA-512 over their contents, in hexadecimal. */
  readonly fingerprint: string
  /** Lines for the log: patterns of `import` that match nothing. */
  readonly warnings: readonly string[]
}

/** A Corefile that cannot be used. The message is all there is to say: `FILE:LINE - Error during parsing: …` where a line is to blame. */
export class CorefileError extends Error {
  override readonly name = 'CorefileError'
  readonly code = 'COREFILE'
}

/** An error at a token: `FILE:LINE - Error during parsing: text`. */
export function errorAt(token: Pick<Token, 'file' | 'line'>, text: string): CorefileError {
  return new CorefileError(`${token.file}:${token.line} - Error during parsing: ${text}`)
}
