// `errors [stdout] { stacktrace; consolidate DURATION REGEXP [LEVEL] [show_first] }`.

import type { ConsolidateRule } from '../configuration.ts'
import type { Property } from '../corefile/syntax.ts'
import {
  argumentsOf,
  flag,
  oneOf,
  pattern,
  positiveDuration,
  single,
  unknownProperty,
  wrongCount,
} from './arguments.ts'
import { Refusal, type Setup } from './setup.ts'

const LEVELS = ['error', 'warning', 'info', 'debug'] as const
const SHOW_FIRST = 'show_first'

/** @see Corefile reference 5.1 */
export const setup: Setup<'errors'> = (directives, context) => {
  const directive = single(directives)
  const [destination] = argumentsOf(directive, 0, 1)
  if (destination !== undefined && destination.text !== 'stdout') {
    throw new Refusal(destination, `unsupported log file '${destination.text}': errors go to stdout alone`)
  }
  let stacktrace = false
  const consolidate: ConsolidateRule[] = []
  for (const property of directive.properties) {
    switch (property.name.text) {
      case 'stacktrace':
        stacktrace = flag(property)
        context.withoutEffect(property.name, 'errors stacktrace: traces of exceptions are always logged')
        break
      case 'consolidate':
        consolidate.push(consolidateRule(property))
        break
      default:
        throw unknownProperty(property)
    }
  }
  return { stacktrace, consolidate }
}

function consolidateRule(property: Property): ConsolidateRule {
  const [period, expression, ...rest] = argumentsOf(property, 2, 4)
  const showFirst = rest.at(-1)?.text === SHOW_FIRST
  const [level, excess] = showFirst ? rest.slice(0, -1) : rest
  if (excess !== undefined) throw wrongCount(property)
  return {
    periodMs: positiveDuration(period),
    pattern: pattern(expression),
    level: level === undefined ? 'error' : oneOf(level, LEVELS),
    showFirst,
  }
}
