// What expressions are compiled into: types and functions. Not here: reading them (expression.ts), what they may call (expression-functions.ts).

import type { Request } from './plugin.ts'

/** Types as they are known before a query comes. `port` is digits: a string that numbers may be compared with. `range` only stands behind `in`. */
export type Type = 'string' | 'number' | 'bool' | 'port' | 'list' | 'range'

/** Works a value out. */
export type Run<T = unknown> = (request: Request) => T

/** A part of an expression, compiled. */
export interface Term<T = unknown> {
  readonly type: Type
  /** Of a list: the type of what is in it. */
  readonly element?: Type
  /** Asks nothing of the request. */
  readonly isConstant: boolean
  readonly run: Run<T>
}

/** An expression that cannot be used, or at run time one that has no value. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError'
  readonly code = 'EXPRESSION'
}

/** @throws ExpressionError always */
export function fail(what: string): never {
  throw new ExpressionError(what)
}

/** Whether a value of type `given` may stand where `wanted` is asked for. */
export function fits(given: Type, wanted: Type): boolean {
  return given === wanted || (given === 'port' && wanted === 'string')
}
