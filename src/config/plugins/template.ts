// `template CLASS TYPE [ZONE...] { … }`: one configuration a directive, tried in file order.

import type { TemplateConfig } from '../configuration.ts'
import type { Directive, Property, Token } from '../corefile/syntax.ts'
import {
  argumentsOf,
  attempt,
  fallthroughOf,
  integer,
  only,
  pattern,
  unknownProperty,
  zonesOrBlock,
} from './arguments.ts'
import { classOf, rcodeOf, typeOf } from './mnemonics.ts'
import { Refusal, type Setup, type SetupContext } from './setup.ts'

const EVERYTHING = '.*'
const EXTENDED_ERROR_MAX = 65_535
const VARIABLE_NAME = /^[A-Za-z_]\w*$/

/** The lists of a TemplateConfig while they are read, and all else that changes. */
interface Draft {
  match: string[]
  answer: string[]
  additional: string[]
  authority: string[]
  rcode: number
  extendedError: TemplateConfig['extendedError']
  fallthrough: TemplateConfig['fallthrough']
  variables: TemplateConfig['variables'][number][]
  expressions: string[]
}

/** @see Corefile reference 5.13 */
export const setup: Setup<'template'> = (directives, context) =>
  directives.map((directive) => templateOf(directive, context))

function templateOf(directive: Directive, context: SetupContext): TemplateConfig {
  const [className, type, ...zones] = argumentsOf(directive, 2)
  const draft: Draft = {
    match: [],
    answer: [],
    additional: [],
    authority: [],
    rcode: 0,
    extendedError: null,
    fallthrough: null,
    variables: [],
    expressions: [],
  }
  for (const property of directive.properties) readProperty(draft, property, context)
  return {
    file: directive.name.file,
    line: directive.name.line,
    class: classOf(className),
    type: typeOf(type),
    zones: zonesOrBlock(zones, context),
    ...draft,
    match: draft.match.length === 0 ? [EVERYTHING] : draft.match,
  }
}

function readProperty(draft: Draft, property: Property, context: SetupContext): void {
  switch (property.name.text) {
    case 'match':
      draft.match.push(...argumentsOf(property, 1).map(pattern))
      break
    case 'answer':
    case 'additional':
    case 'authority':
      draft[property.name.text].push(...argumentsOf(property, 1).map((token) => recordTemplate(token, context)))
      break
    case 'rcode':
      draft.rcode = rcodeOf(only(property))
      break
    case 'ederror':
      draft.extendedError = extendedErrorOf(property)
      break
    case 'var':
      draft.variables.push(variableOf(property, context))
      break
    case 'expr':
      draft.expressions.push(expressionOf(argumentsOf(property, 1), context))
      break
    case 'fallthrough':
      draft.fallthrough = fallthroughOf(property)
      break
    case 'upstream':
      context.withoutEffect(property.name, 'template upstream: names are resolved through the server itself')
      break
    default:
      throw unknownProperty(property)
  }
}

function recordTemplate(token: Token, context: SetupContext): string {
  if (token.text.includes('{}')) {
    const cause = "where {{$name}} was written, '{$name}' is an environment variable: write {{ $name }}"
    context.warn(token, `plugin/template: '${token.text}' has empty braces; ${cause}`)
  }
  attempt(token, Error, () => context.checks?.template(token.text))
  return token.text
}

function extendedErrorOf(property: Property): TemplateConfig['extendedError'] {
  const [code, text] = argumentsOf(property, 1, 2)
  return { code: integer(code, 0, EXTENDED_ERROR_MAX), text: text?.text ?? '' }
}

function variableOf(property: Property, context: SetupContext): TemplateConfig['variables'][number] {
  const [name, ...expression] = argumentsOf(property, 2)
  if (!VARIABLE_NAME.test(name.text)) throw new Refusal(name, `'${name.text}' is no name of a variable`)
  return { name: name.text, expression: expressionOf(expression, context) }
}

/** Expressions may be written without quotes: their words are joined. */
export function expressionOf(
  words: readonly Token[],
  { checks }: SetupContext,
  kind: 'expression' | 'condition' = 'expression',
): string {
  const text = words.map((token) => token.text).join(' ')
  attempt(words[0], Error, () => checks?.[kind](text))
  return text
}
