// Regular expressions that users write: Go's RE2 syntax, matched in linear time, so that no pattern can stall a worker.
// The only file that names re2js. A pattern is unanchored, as Go has it: it may match anywhere in the text.
//
// Linear is not short: each character of the text may visit every instruction of the compiled pattern. Hence the bound on
// its work: a name of 255 octets takes at most about a millisecond, whatever the pattern. Lazily built automata (re2js's
// `test`) are not used: on names made for it they cost 10 to 25 ms, a new state for each character.

import { createRequire } from 'node:module'
import type { RE2JS } from 're2js'

/** Characters of a pattern. */
const PATTERN_LENGTH_MAX = 10_000
/** Visits a character, of about 9 ns each. */
const WORK_MAX = 300
/** Patterns up to here run in the quicker engine, which remembers each place it visited. */
const QUICK_ENGINE_INSTRUCTIONS_MAX = 500
/** Of the engine for the larger ones, visits of about 14 ns. */
const SLOW_ENGINE_WORK_MAX = 200
/** A visit of an instruction that notes where a group begins or ends, in visits of others. */
const CAPTURE_COST = 3

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
    compiled = engine().compile(pattern)
  } catch (error) {
    throw new RegexpError((error as Error).message)
  }
  const { work, max } = workOf(compiled)
  if (work > max)
    throw new RegexpError(
      `regular expression too costly: ${work} steps for a character, at most ${max}: '${shorten(pattern)}'`,
    )
  return new CompiledRegexp(pattern, compiled)
}

const shorten = (pattern: string) => (pattern.length > 60 ? `${pattern.slice(0, 57)}...` : pattern)

class CompiledRegexp implements Regexp {
  readonly pattern: string
  readonly groupCount: number
  readonly #engine: ReturnType<RE2JS['re2']>
  readonly #names: readonly [string, number][]

  constructor(pattern: string, compiled: RE2JS) {
    this.pattern = pattern
    this.groupCount = compiled.groupCount()
    this.#engine = compiled.re2()
    this.#names = Object.entries(compiled.namedGroups())
  }

  test(text: string): boolean {
    return this.#engine.findIndex(text) !== null
  }

  exec(text: string): RegexpMatch | null {
    const bounds: number[] | null = this.#engine.findSubmatchIndex(text)
    if (bounds === null) return null
    const groups: (string | undefined)[] = []
    for (let group = 0; group <= this.groupCount; group++) {
      const start = bounds[2 * group]
      groups.push(start >= 0 ? text.slice(start, bounds[2 * group + 1]) : undefined)
    }
    const named = new Map(this.#names.map(([name, group]) => [name, groups[group] ?? '']))
    return { groups, named, start: bounds[0], end: bounds[1] }
  }
}

/** Loaded with the first pattern: 3 MB that most configurations can do without. */
function engine(): typeof RE2JS {
  const loaded: typeof import('re2js') = createRequire(import.meta.url)('re2js')
  return loaded.RE2JS
}

/** What of re2js's instructions is read here. */
interface Instruction {
  readonly op: number
  matchRune(rune: number): boolean
}

const CAPTURE = 3
/** Instructions from here on read a character. */
const RUNE = 8
const RUNE_1 = 9
/** Any character; and any but a newline. */
const RUNE_ANY = 10
const RUNE_LAST = 11

/**
 * What a character of the text may cost at most: each instruction that needs no character is visited once, and of those
 * that read one, only as many as accept the character before were made ready.
 */
function workOf(compiled: RE2JS): { work: number; max: number } {
  const engine = compiled.re2()
  if (engine.onepass !== null) return { work: 1, max: WORK_MAX }
  const program: readonly Instruction[] = engine.prog.inst
  const captures = program.filter(({ op }) => op === CAPTURE).length
  if (program.length <= QUICK_ENGINE_INSTRUCTIONS_MAX)
    return { work: program.length + captures * (CAPTURE_COST - 1), max: WORK_MAX }
  const readers = program.filter(({ op }) => op >= RUNE && op <= RUNE_LAST)
  let accepting = 0
  for (let rune = 0; rune < 0x80; rune++) {
    const count = readers.filter((one) => accepts(one, rune)).length
    accepting = Math.max(accepting, count)
  }
  const others = program.length - readers.length
  // Here each thread carries its own copy of all groups.
  return { work: Math.ceil((accepting + others) * (1 + captures / 8)), max: SLOW_ENGINE_WORK_MAX }
}

function accepts(one: Instruction, rune: number): boolean {
  return one.op >= RUNE_ANY || ((one.op === RUNE || one.op === RUNE_1) && one.matchRune(rune))
}
