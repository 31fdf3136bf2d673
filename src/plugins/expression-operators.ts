// Operators of expressions: which types they go with, and what they compute. Not here: their syntax and how strongly they bind (expression.ts).

import { compileRegexp, type Regexp } from '../config/regexp.ts'
import { ExpressionError, fail, fits, type Run, type Term, type Type } from './expression-term.ts'

/** A string, number or boolean as it is written. */
export function literal(value: string | number | boolean): Term {
  const type: Type = typeof value === 'string' ? 'string' : typeof value === 'number' ? 'number' : 'bool'
  return { type, isConstant: true, run: () => value }
}

/** `[a, b]`. @throws ExpressionError unless all are of one type */
export function list(elements: readonly Term[]): Term {
  const types = new Set(elements.map(({ type }) => type))
  if (types.size > 1) fail(`a list of ${[...types].join(' and ')}`)
  const [element = 'string'] = types
  const runs = elements.map(({ run }) => run)
  const isConstant = elements.every((each) => each.isConstant)
  return folded({ type: 'list', element, isConstant, run: (request) => runs.map((run) => run(request)) })
}

/** @throws ExpressionError if the operator does not go with that type, as with all below */
export function unary(operator: string, { type, run, isConstant }: Term): Term {
  const isNegation = operator === '!' || operator === 'not'
  if (type !== (isNegation ? 'bool' : 'number')) fail(`${operator} does not go with a ${type}`)
  if (isNegation) return { type, isConstant, run: (request) => !run(request) }
  return folded({ type, isConstant, run: operator === '-' ? (request) => -(run(request) as number) : run })
}

/** `test ? consequent : alternate`. */
export function conditional(test: Term, consequent: Term, alternate: Term): Term {
  if (test.type !== 'bool') fail(`? does not go with a ${test.type}`)
  if (consequent.type !== alternate.type || consequent.element !== alternate.element) {
    fail(`either a ${consequent.type} or a ${alternate.type}`)
  }
  const run: Run = (request) => (test.run(request) === true ? consequent.run(request) : alternate.run(request))
  return { ...consequent, isConstant: false, run }
}

/** Operands joined by one operator, worked out from the left until the value is known. */
export function logical(operator: '&&' | '||', operands: readonly Term[]): Term {
  for (const { type } of operands) if (type !== 'bool') fail(`${operator} does not go with a ${type}`)
  const runs = operands.map(({ run }) => run as Run<boolean>)
  const isConstant = operands.every((each) => each.isConstant)
  const run: Run =
    operator === '&&'
      ? (request) => runs.every((each) => each(request))
      : (request) => runs.some((each) => each(request))
  return { type: 'bool', isConstant, run }
}

/** All other operators between two operands; `not` may stand before those that are words. */
export function binary(operator: string, left: Term, right: Term): Term {
  if (operator.startsWith('not ')) {
    const { run, isConstant } = binary(operator.slice(4), left, right)
    return { type: 'bool', isConstant, run: (request) => run(request) !== true }
  }
  const mismatch = (): never => fail(`${operator} does not go with a ${left.type} and a ${right.type}`)
  const isConstant = left.isConstant && right.isConstant
  const bool = (run: Run<boolean>): Term => ({ type: 'bool', isConstant, run })
  switch (operator) {
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
