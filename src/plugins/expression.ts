// The expression language of view and template: operators over strings, numbers and what a query says. A subset of expr-lang.
// The only file that names jsep, which turns text into a tree; types are checked and the tree is compiled into functions here, when the configuration is loaded.

import jsep from 'jsep'
import { functionNamed } from './expression-functions.ts'
import { binary, conditional, list, literal, logical, unary } from './expression-operators.ts'
import { ExpressionError, fail, fits, type Run, type Term } from './expression-term.ts'
import type { Request } from './plugin.ts'

export { ExpressionError } from './expression-term.ts'

/** The class behind the function; its types leave it out. */
const { Jsep: Parser } = jsep as unknown as { Jsep: new (text: string) => jsep.HookScope }

const TEXT_LENGTH_MAX = 65_536
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
/** Other spellings. */
const WORDS: Readonly<Record<string, string>> = { and: '&&', or: '||' }
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
    const term = compileNode(parse(text), 0)
    if (term.type === 'range') fail('a range stands behind in alone')
    return term
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
    case 'BinaryExpression': {
      const operator = WORDS[expression.operator] ?? expression.operator
      if (operator === '&&' || operator === '||') return logical(operator, chainOf(expression, operator).map(each))
      return binary(operator, each(expression.left), each(expression.right))
    }
    case 'ConditionalExpression':
      return conditional(each(expression.test), each(expression.consequent), each(expression.alternate))
    case 'Identifier':
      return fail(`unknown name ${expression.name}${functionNamed(expression.name) ? ': it is a function' : ''}`)
    default:
      return fail('a form of expression that is not known here')
  }
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

function nameOf(callee: jsep.Expression): string {
  return callee.type === 'Identifier' ? (callee as jsep.Identifier).name : fail('only functions can be called')
}

/** Operands of `a && b && c`, however many: hundreds of networks make a chain, and no depth. */
function chainOf(expression: jsep.BinaryExpression, operator: string): jsep.Expression[] {
  const operands: jsep.Expression[] = []
  let left: jsep.Expression = expression
  while (left.type === 'BinaryExpression') {
    const { operator: found, left: rest, right } = left as jsep.BinaryExpression
    if ((WORDS[found] ?? found) !== operator) break
    operands.unshift(right)
    left = rest
  }
  return [left, ...operands]
}
