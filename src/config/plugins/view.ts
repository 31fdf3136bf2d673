// `view NAME { expr EXPRESSION }`.

import { argumentsOf, only, single, unknownProperty } from './arguments.ts'
import { Refusal, type Setup } from './setup.ts'
import { expressionOf } from './template.ts'

/** @see Corefile reference 6.6 */
export const setup: Setup<'view'> = (directives, context) => {
  const directive = single(directives)
  const name = only(directive)
  if (name.text === '') throw new Refusal(name, 'a view has a name')
  const expressions = directive.properties.map((property) => {
    if (property.name.text !== 'expr') throw unknownProperty(property)
    return expressionOf(argumentsOf(property, 1), context, 'condition')
  })
  if (expressions.length === 0) throw new Refusal(directive.name, `view '${name.text}' has no expr`)
  return { name: name.text, expressions }
}
