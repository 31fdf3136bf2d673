// `header { query|response set|clear FLAG... }`; older: without the selector, for responses.

import type { HeaderRule } from '../configuration.ts'
import type { Property } from '../corefile/syntax.ts'
import { argumentsOf, oneOf, unknownProperty, wrongCount } from './arguments.ts'
import type { Setup } from './setup.ts'

const ACTIONS = ['set', 'clear'] as const
const FLAGS = ['aa', 'ra', 'rd'] as const

/** @see Corefile reference 6.5 */
export const setup: Setup<'header'> = (directives) =>
  directives.flatMap((directive) => {
    argumentsOf(directive, 0, 0)
    return directive.properties.map(ruleOf)
  })

function ruleOf(property: Property): HeaderRule {
  const { name, args } = property
  const hasSelector = name.text === 'query' || name.text === 'response'
  if (!hasSelector && name.text !== 'set' && name.text !== 'clear') throw unknownProperty(property)
  const [action, ...flags] = hasSelector ? args : [name, ...args]
  if (action === undefined || flags.length === 0) throw wrongCount(property)
  return {
    selector: name.text === 'query' ? 'query' : 'response',
    action: oneOf(action, ACTIONS),
    flags: flags.map((each) => oneOf({ ...each, text: each.text.toLowerCase() }, FLAGS)),
  }
}
