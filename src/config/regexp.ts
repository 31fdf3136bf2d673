// Regular expressions that users write: Go's RE2 syntax, matched in linear time, so that no pattern can stall a worker.
// The only file that names re2js. A pattern is unanchored, as Go has it: it may match anywhere in the text.
//
// Linear is not short: a step costs as much as the pattern is long once it is compiled. Hence the bound on its size.

import { RE2JS } from 're2js'

/** Characters of a pattern. */
const PATTERN_LENGTH_MAX = 10_000

/** A pattern that cannot be used; the message says why, in Go's words where they exist. */
export class RegexpError extends Error {
  override readonly name = 'RegexpError'
  readonly code = 'REGEXP'
}

/** Where a pattern was found, and what its groups took. */
export interface RegexpMatch {
  /** All of the match first, then the groups in order; undefined: took no part. */
  readonly groups: readonly (string | undefined)[]
  /** Named groups; '' if one took no part. */
  readonly named: ReadonlyMap<string, string>
  /** UTF-16 units from the start of the text. */
  readonly start: number
  readonly end: number
}

/** A compiled pattern. Keeps no state between calls. */
export interface Regexp {
  readonly pattern: string
  /** Of groups, without the whole match. */
  readonly groupCount: number
  /** Whether it matches anywhere. */
  test(text: string): boolean
  /** The leftmost match, the one that a backtracking search would find first; null: none. */
  exec(text: string): RegexpMatch | null
}

/**
 * Compiles a pattern.
 *
 * @throws RegexpError if it is none, or too large
 */
export function compileRegexp(pattern: string): Regexp {
  if (pattern.length > PATTERN_LENGTH_MAX)
    throw new RegexpError(`regular expression longer than ${PATTERN_LENGTH_MAX} characters`)
  let compiled: RE2JS
  try {
    compiled = RE2JS.compile(pattern)
  } catch (error) {
    throw new RegexpError((error as Error).message)
  }
  return new CompiledRegexp(pattern, compiled)
}

class CompiledRegexp implements Regexp {
  readonly pattern: string
  readonly groupCount: number
  readonly #compiled: RE2JS
  readonly #names: readonly [string, number][]

  constructor(pattern: string, compiled: RE2JS) {
    this.pattern = pattern
    this.groupCount = compiled.groupCount()
    this.#compiled = compiled
    this.#names = Object.entries(compiled.namedGroups())
  }

  test(text: string): boolean {
    return this.#compiled.test(text)
  }

  exec(text: string): RegexpMatch | null {
    const matcher = this.#compiled.matcher(text)
    if (!matcher.find()) return null
    const groups: (string | undefined)[] = []
    for (let group = 0; group <= this.groupCount; group++) groups.push(matcher.group(group) ?? undefined)
    const named = new Map(this.#names.map(([name, group]) => [name, groups[group] ?? '']))
    return { groups, named, start: matcher.start(), end: matcher.end() }
  }
}
