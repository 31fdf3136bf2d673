// `rewrite [continue|stop] FIELD ARGUMENTS`, on one line or over several in braces: one rule a directive.
// Names of exact, prefix, suffix and substring come out in lower case with a final dot; those of regex as they are.

import type { RewriteAnswer, RewriteField, RewriteMatch, RewriteRule } from '../configuration.ts'
import type { Directive, Token } from '../corefile/syntax.ts'
import { integer, pattern, wrongCount } from './arguments.ts'
import { classOf, rcodeOf, typeOf } from './mnemonics.ts'
import { edns0Field } from './rewrite-edns0.ts'
import { Refusal, type Setup } from './setup.ts'

const TTL_MAX = 2 ** 31 - 1 // RFC 2181 §8
const MATCHES: readonly RewriteMatch[] = ['exact', 'prefix', 'suffix', 'substring', 'regex']

/** @see Corefile reference 6.1 */
export const setup: Setup<'rewrite'> = (directives) => directives.map(ruleOf)

function ruleOf(directive: Directive): RewriteRule {
  const { name, args, properties } = directive
  const tokens = [...args, ...properties.flatMap((property) => [property.name, ...property.args])]
  const hasMode = tokens[0]?.text === 'continue' || tokens[0]?.text === 'stop'
  const [field, ...rest] = hasMode ? tokens.slice(1) : tokens
  if (field === undefined) throw wrongCount({ name, args: tokens })
  const read = FIELDS.get(field.text)
  if (read === undefined) throw new Refusal(field, `'${field.text}' is none of ${[...FIELDS.keys()].join(', ')}`)
  const mode = hasMode && tokens[0].text === 'continue' ? 'continue' : 'stop'
  return { file: name.file, line: name.line, mode, field: read(field, rest) }
}

/** Reads what follows the name of a field. */
type Read = (field: Token, args: readonly Token[]) => RewriteField

const FIELDS: ReadonlyMap<string, Read> = new Map<string, Read>([
  ['name', nameField],
  ['type', (field, args) => ({ kind: 'type', ...fromTo(field, args, typeOf) })],
  ['class', (field, args) => ({ kind: 'class', ...fromTo(field, args, classOf) })],
  ['ttl', ttlField],
  ['rcode', rcodeField],
  ['cname', cnameField],
  ['edns0', edns0Field],
])

function fromTo(name: Token, args: readonly Token[], read: (token: Token) => number): { from: number; to: number } {
  if (args.length !== 2) throw wrongCount({ name, args })
  return { from: read(args[0]), to: read(args[1]) }
}

/** `[MATCH] FROM TO [answer …]...`. */
function nameField(name: Token, args: readonly Token[]): RewriteField {
  const end = args.findIndex(({ text }, i) => i >= 2 && text === 'answer')
  const { match, rest } = matchOf(name, end < 0 ? args : args.slice(0, end), 2)
  const [from, to] = rest
  return {
    kind: 'name',
    match,
    from: subject(match, from),
    to: match === 'regex' ? to.text : absolute(to.text),
    answers: end < 0 ? [] : answersOf(name, args.slice(end)),
  }
}

/** `answer auto`, `answer name RE TO`, `answer value RE TO`; after the first, `answer` may be left out. */
function answersOf(name: Token, tokens: readonly Token[]): RewriteAnswer[] {
  const answers: RewriteAnswer[] = []
  const left = [...tokens]
  while (left.length > 0) {
    if (left[0].text === 'answer') left.shift()
    const kind = left.shift()
    if (kind?.text === 'auto') {
      answers.push({ kind: 'auto' })
      continue
    }
    const [from, to] = left.splice(0, 2)
    if (kind === undefined || to === undefined) throw wrongCount({ name, args: tokens })
    if (kind.text !== 'name' && kind.text !== 'value') {
      throw new Refusal(kind, `'${kind.text}' is none of auto, name, value`)
    }
    answers.push({ kind: kind.text, from: pattern(from), to: to.text })
  }
  return answers
}

/** `[MATCH] NAME SECONDS|MIN-MAX`. */
function ttlField(name: Token, args: readonly Token[]): RewriteField {
  const { match, rest } = matchOf(name, args, 2)
  const [owner, range] = rest
  return { kind: 'ttl', match, name: subject(match, owner), ...rangeOf(range) }
}

/** `30`, `10-30`, `-30`, `30-`. */
function rangeOf(token: Token): { min: number; max: number } {
  const parts = /^(\d*)(?:(-)(\d*))?$/.exec(token.text)
  if (parts === null || /^-?$/.test(token.text)) {
    throw new Refusal(token, `'${token.text}' is neither a TTL nor a range of them`)
  }
  const [, first, dash, second] = parts
  const bound = (text: string, otherwise: number) => (text === '' ? otherwise : integer({ ...token, text }, 0, TTL_MAX))
  const min = bound(first, 0)
  const max = dash === undefined ? min : bound(second, TTL_MAX)
  if (min > max) throw new Refusal(token, `'${token.text}' ends before it begins`)
  return { min, max }
}

/** `[MATCH] NAME FROM TO`. */
function rcodeField(name: Token, args: readonly Token[]): RewriteField {
  const { match, rest } = matchOf(name, args, 3)
  const [owner, from, to] = rest
  return { kind: 'rcode', match, name: subject(match, owner), from: rcodeOf(from), to: rcodeOf(to) }
}

/** `[MATCH] FROM TO`. */
function cnameField(name: Token, args: readonly Token[]): RewriteField {
  const { match, rest } = matchOf(name, args, 2)
  const [from, to] = rest
  return { kind: 'cname', match, from: subject(match, from), to: match === 'regex' ? to.text : absolute(to.text) }
}

/** The kind of match if one more than `count` arguments are there, else exact. */
function matchOf(name: Token, args: readonly Token[], count: number): { match: RewriteMatch; rest: readonly Token[] } {
  if (args.length === count) return { match: 'exact', rest: args }
  if (args.length !== count + 1) throw wrongCount({ name, args })
  const match = MATCHES.find((each) => each === args[0].text)
  if (match === undefined) throw new Refusal(args[0], `'${args[0].text}' is none of ${MATCHES.join(', ')}`)
  return { match, rest: args.slice(1) }
}

function subject(match: RewriteMatch, token: Token): string {
  return match === 'regex' ? pattern(token) : absolute(token.text)
}

/** Whatever it is a part of: people have learned to write the dots. */
function absolute(text: string): string {
  const lower = text.toLowerCase()
  return lower.endsWith('.') ? lower : `${lower}.`
}
