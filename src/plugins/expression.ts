// The expression language of view and template: operators over strings, numbers and what a query says. A subset of expr-lang.
// The only file that names jsep, which turns text into a tree; types are checked and the tree is compiled into functions here, when the configuration is loaded.

import jsep from 'jsep'
import { compileRegexp, type Regexp } from '../config/regexp.ts'
import { functionNamed } from './expression-functions.ts'
import { ExpressionError, type Run, type Term, type Type } from './expression-term.ts'
import type { Request } from './plugin.ts'

export { ExpressionError } from './expression-term.ts'

/** The class behind the function; its types leave it out. */
const { Jsep: Parser } = jsep as unknown as { Jsep: new (text: string) => jsep.HookScope }

const TEXT_LENGTH_MAX = 10_000
const DEPTH_MAX = 200

/** Operators and how strongly they bind; what jsep has besides is taken away. */
const BINARY_OPERATORS: Readonly<Record<string, number>> = {
  '||': 10,
  or: 10,
  '&&': 15,
  and: 15,
  '==': 20,
  '!=': 20,
  '<': 20,
  '>': 20,
  '<=': 20,
  '>=': 20,
  in: 20,
  matches: 20,
  contains: 20,
  startsWith: 20,
  endsWith: 20,
  'not in': 20,
  'not matches': 20,
  'not contains': 20,
  'not startsWith': 20,
  'not endsWith': 20,
  '..': 25,
  '+': 30,
  '-': 30,
  '*': 60,
  '/': 60,
  '%': 60,
}
const UNARY_OPERATORS = ['!', 'not', '-', '+']

/** Strings, and `not` before another operator: what is between them may be any blanks. */
const STRING_OR_NEGATION =
  /'(?:[^'\\]|\\[\s\S])*'|"(?:[^"\\]|\\[\s\S])*"|`[^`]*`|\bnot\s+(in|matches|contains|startsWith|endsWith)\b/g
const STRING = /'((?:[^'\\]|\\[\s\S])*)'|"((?:[^"\\]|\\[\s\S])*)"|`([^`]*)`/y
const NUMBER = /(?:0x[\da-f]+|\d+(?:_\d+)*(?:\.\d+)?(?:e[-+]?\d+)?)(?![\w$])/iy
const ESCAPE = /\\(?:x([\da-f]{2})|u([\da-f]{4})|([0-7]{3})|([\s\S]))/gi
const ESCAPED: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
}

/** A compiled expression. @throws ExpressionError if what it computes with is no good, such as a network out of metadata */
export type Expression = (request: Request) => unknown

/**
 * Compiles an expression of any type.
 *
 * @throws ExpressionError saying what is wrong: syntax, an unknown function, types that do not go together, a pattern or network that is none
 */
export function compileExpression(text: string): Expression {
  return compile(text).run
}

/** Compiles an expression that must be true or false. @throws ExpressionError */
export function compileCondition(text: string): (request: Request) => boolean {
  const { type, run } = compile(text)
  if (type !== 'bool') throw new ExpressionError(`'${text}' is of type ${type}, not true or false`)
  return run as Run<boolean>
}

function compile(text: string): Term {
  try {
    return compileNode(parse(text), 0)
  } catch (error) {
    if (error instanceof ExpressionError) throw new ExpressionError(`${error.message} in '${shortened(text)}'`)
    // jsep goes as deep as the text does.
    if (error instanceof RangeError) throw new ExpressionError('too deep')
    throw error
  }
}

function shortened(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}

function parse(text: string): jsep.Expression {
  if (text.length > TEXT_LENGTH_MAX) throw new ExpressionError(`longer than ${TEXT_LENGTH_MAX} characters`)
  configureParser()
  const spaced = text.replace(STRING_OR_NEGATION, (found, operator) => (operator ? `not ${operator}` : found))
  // jsep lets several expressions stand side by side. The blank: an operator that is a word is none at the very end.
  const parser = new Parser(`${spaced} `)
  let node: jsep.Expression | undefined
  try {
    node = parser.gobbleExpression()
  } catch (error) {
    if (error instanceof RangeError) throw error
    throw new ExpressionError((error as Error).message)
  }
  if (!node) throw new ExpressionError(parser.char === '' ? 'nothing to compute' : `unexpected '${parser.char}'`)
  if (parser.char !== '') throw new ExpressionError(`unexpected '${parser.char}' at character ${parser.index}`)
  return node
}

let isConfigured = false

/** jsep has one configuration for all of the thread; nobody else uses it. */
function configureParser(): void {
  if (isConfigured) return
  isConfigured = true
  jsep.removeAllBinaryOps()
  jsep.removeAllUnaryOps()
  jsep.removeAllLiterals()
  for (const [operator, precedence] of Object.entries(BINARY_OPERATORS)) jsep.addBinaryOp(operator, precedence)
  for (const operator of UNARY_OPERATORS) jsep.addUnaryOp(operator)
  jsep.addLiteral('true', true)
  jsep.addLiteral('false', false)
  jsep.hooks.add('gobble-token', function literal(env) {
    env.node = stringAt(this) ?? numberAt(this)
  })
}

/** jsep takes any character behind a backslash as it is: here that is an error, as `'\.'` for `'\\.'` is the usual mistake. */
function stringAt(scope: jsep.HookScope): jsep.Expression | undefined {
  STRING.lastIndex = scope.index
  const found = STRING.exec(scope.expr)
  if (found === null) return undefined
  scope.index += found[0].length
  const [raw, single, double, verbatim] = found
  return { type: 'Literal', value: verbatim ?? unescaped((single ?? double)!), raw }
}

function unescaped(text: string): string {
  return text.replace(ESCAPE, (found, octet, unit, octal, character) => {
    const hexadecimal = octet ?? unit
    if (hexadecimal !== undefined) return String.fromCharCode(Number.parseInt(hexadecimal, 16))
    if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8))
    if (!Object.hasOwn(ESCAPED, character)) throw new ExpressionError(`unknown escape ${found}: a backslash is doubled`)
    return ESCAPED[character]
  })
}

/** jsep would read the first dot of `1..3` as a decimal point. */
function numberAt(scope: jsep.HookScope): jsep.Expression | undefined {
  NUMBER.lastIndex = scope.index
  const raw = NUMBER.exec(scope.expr)?.[0]
  if (raw === undefined) return undefined
  scope.index += raw.length
  return { type: 'Literal', value: Number(raw.replaceAll('_', '')), raw }
}

function compileNode(node: jsep.Expression, depth: number): Term {
  if (depth > DEPTH_MAX) throw new ExpressionError('too deep')
  const each = (child: jsep.Expression): Term => compileNode(child, depth + 1)
  const expression = node as jsep.CoreExpression
  switch (expression.type) {
    case 'Literal':
      return literal(expression.value as string | number | boolean)
    case 'ArrayExpression':
      return list(expression.elements.map((element) => each(element ?? fail('a list with a hole'))))
    case 'CallExpression':
      return call(nameOf(expression.callee), expression.arguments.map(each))
    case 'UnaryExpression':
      return unary(expression.operator, each(expression.argument))
    case 'BinaryExpression':
      return binary(expression.operator, each(expression.left), each(expression.right))
    case 'ConditionalExpression':
      return conditional(each(expression.test), each(expression.consequent), each(expression.alternate))
    case 'Identifier':
      return fail(`unknown name ${expression.name}${functionNamed(expression.name) ? ': it is a function' : ''}`)
    default:
      return fail('a form of expression that is not known here')
  }
}

function nameOf(callee: jsep.Expression): string {
  return callee.type === 'Identifier' ? (callee as jsep.Identifier).name : fail('only functions can be called')
}

function literal(value: string | number | boolean): Term {
  const type: Type = typeof value === 'string' ? 'string' : typeof value === 'number' ? 'number' : 'bool'
  return { type, isConstant: true, run: () => value }
}

function list(elements: readonly Term[]): Term {
  const types = new Set(elements.map(({ type }) => type))
  if (types.size > 1) fail(`a list of ${[...types].join(' and ')}`)
  const [element = 'string'] = types
  const runs = elements.map(({ run }) => run)
  const isConstant = elements.every((each) => each.isConstant)
  return folded({ type: 'list', element, isConstant, run: (request) => runs.map((run) => run(request)) })
}

function call(name: string, given: readonly Term[]): Term {
  const found = functionNamed(name)
  if (found === undefined) return fail(`unknown function ${name}()`)
  if (given.length !== found.parameters.length) {
    fail(`${name}() takes ${found.parameters.length} arguments, not ${given.length}`)
  }
  for (const [i, type] of found.parameters.entries()) {
    if (!fits(given[i].type, type)) fail(`${name}() takes a ${type}, not a ${given[i].type}`)
  }
  return { type: found.result, isConstant: false, run: found.make(given) }
}

function unary(operator: string, { type, run, isConstant }: Term): Term {
  const isNegation = operator === '!' || operator === 'not'
  if (type !== (isNegation ? 'bool' : 'number')) fail(`${operator} does not go with a ${type}`)
  if (isNegation) return { type, isConstant, run: (request) => !run(request) }
  return folded({ type, isConstant, run: operator === '-' ? (request) => -(run(request) as number) : run })
}

function conditional(test: Term, consequent: Term, alternate: Term): Term {
  if (test.type !== 'bool') fail(`? does not go with a ${test.type}`)
  if (consequent.type !== alternate.type || consequent.element !== alternate.element) {
    fail(`either a ${consequent.type} or a ${alternate.type}`)
  }
  const run: Run = (request) => (test.run(request) === true ? consequent.run(request) : alternate.run(request))
  return { ...consequent, isConstant: false, run }
}

function binary(operator: string, left: Term, right: Term): Term {
  if (operator.startsWith('not ')) {
    const { run, isConstant } = binary(operator.slice(4), left, right)
    return { type: 'bool', isConstant, run: (request) => run(request) !== true }
  }
  const mismatch = (): never => fail(`${operator} does not go with a ${left.type} and a ${right.type}`)
  const isConstant = left.isConstant && right.isConstant
  const bool = (run: Run<boolean>): Term => ({ type: 'bool', isConstant, run })
  switch (operator) {
    case '||':
    case 'or':
      if (left.type !== 'bool' || right.type !== 'bool') return mismatch()
      return bool((request) => left.run(request) === true || right.run(request) === true)
    case '&&':
    case 'and':
      if (left.type !== 'bool' || right.type !== 'bool') return mismatch()
      return bool((request) => left.run(request) === true && right.run(request) === true)
    case '==':
    case '!=': {
      const [a, b] = alike(left, right) ?? mismatch()
      const isEqual = operator === '=='
      return bool((request) => (a(request) === b(request)) === isEqual)
    }
    case '<':
    case '>':
    case '<=':
    case '>=': {
      const [a, b] = (left.type === 'bool' ? null : alike(left, right)) ?? mismatch()
      const order = COMPARISONS[operator]
      return bool((request) => order(a(request) as string, b(request) as string))
    }
    case 'in':
      return bool(membership(left, right) ?? mismatch())
    case '..':
      if (left.type !== 'number' || right.type !== 'number') return mismatch()
      return { type: 'range', isConstant, run: (request) => [left.run(request), right.run(request)] }
    case 'matches':
    case 'contains':
    case 'startsWith':
    case 'endsWith':
      if (!fits(left.type, 'string') || !fits(right.type, 'string')) return mismatch()
      return bool(ofStrings(operator, left.run as Run<string>, right as Term<string>))
    case '+':
      if (fits(left.type, 'string') && fits(right.type, 'string')) {
        const run: Run = (request) => `${left.run(request)}${right.run(request)}`
        return folded({ type: 'string', isConstant, run })
      }
      break
  }
  if (left.type !== 'number' || right.type !== 'number') return mismatch()
  const compute = ARITHMETIC[operator] ?? fail(`unknown operator ${operator}`)
  const run: Run = (request) => compute(left.run(request) as number, right.run(request) as number)
  return folded({ type: 'number', isConstant, run })
}

const COMPARISONS: Readonly<Record<string, (a: string, b: string) => boolean>> = {
  '<': (a, b) => a < b,
  '>': (a, b) => a > b,
  '<=': (a, b) => a <= b,
  '>=': (a, b) => a >= b,
}

const ARITHMETIC: Readonly<Record<string, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
}

function membership(value: Term, members: Term): Run<boolean> | null {
  if (members.type === 'range') {
    const run = value.type === 'number' ? value.run : value.type === 'port' ? numberRun(value) : null
    if (run === null) return null
    return (request) => {
      const [low, high] = members.run(request) as [number, number]
      const found = run(request) as number
      return Number.isInteger(found) && found >= low && found <= high
    }
  }
  if (members.type !== 'list') return null
  const [run] = alike(value, { ...members, type: members.element! }) ?? [null]
  if (run === null || (members.element === 'port' && value.type === 'number')) return null
  if (!members.isConstant) return (request) => (members.run(request) as unknown[]).includes(run(request))
  const known = new Set(constantOf(members) as unknown[])
  return (request) => known.has(run(request))
}

function ofStrings(operator: string, left: Run<string>, right: Term<string>): Run<boolean> {
  if (operator === 'contains') return (request) => left(request).includes(right.run(request))
  if (operator === 'startsWith') return (request) => left(request).startsWith(right.run(request))
  if (operator === 'endsWith') return (request) => left(request).endsWith(right.run(request))
  if (right.isConstant) {
    const regexp = regexpOf(constantOf(right))
    return (request) => regexp.test(left(request))
  }
  let last: Regexp | null = null
  return (request) => {
    const pattern = right.run(request)
    if (last?.pattern !== pattern) last = regexpOf(pattern)
    return last.test(left(request))
  }
}

function regexpOf(pattern: string): Regexp {
  try {
    return compileRegexp(pattern)
  } catch (error) {
    throw new ExpressionError((error as Error).message)
  }
}

/** What two values are compared by; null if they cannot be. A port is text, yet may be compared with a number. */
function alike(left: Term, right: Term): [Run, Run] | null {
  if (left.type === 'port' && right.type === 'number') return [numberRun(left), right.run]
  if (left.type === 'number' && right.type === 'port') return [left.run, numberRun(right)]
  if (left.type === 'list' || left.type === 'range') return null
  return fits(left.type, right.type) || fits(right.type, left.type) ? [left.run, right.run] : null
}

function numberRun({ run }: Term): Run {
  return (request) => Number(run(request))
}

function fits(given: Type, wanted: Type): boolean {
  return given === wanted || (given === 'port' && wanted === 'string')
}

/** A constant is worked out once. */
function folded(term: Term): Term {
  if (!term.isConstant) return term
  const value = constantOf(term)
  return { ...term, run: () => value }
}

/** The value of a constant: it asks nothing of a request. */
function constantOf<T>(term: Term<T>): T {
  return term.run(undefined as never)
}

function fail(what: string): never {
  throw new ExpressionError(what)
}
