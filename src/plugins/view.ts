// Plugin view: whether a block takes a query. Asked before the chain of plugins, when the block is chosen.

import type { ViewConfig } from '../config/configuration.ts'
import { compileCondition, ExpressionError } from './expression.ts'
import type { Request } from './plugin.ts'

/**
 * Compiles a view: true if all of its expressions are. One that has no value, such as a network out of metadata that is none, is false.
 *
 * @throws ExpressionError for an expression that is wrong, or is not one of true and false
 */
export function compileView({ expressions }: ViewConfig): (request: Request) => boolean {
  const conditions = expressions.map(compileCondition)
  return (request) => {
    try {
      return conditions.every((condition) => condition(request))
    } catch (error) {
      if (error instanceof ExpressionError) return false
      throw error
    }
  }
}
