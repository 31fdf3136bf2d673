// `auto [ZONE...] { directory DIR [REGEXP ORIGIN]; reload DURATION }`: one configuration a directive.

import type { AutoConfig } from '../configuration.ts'
import type { Directive, Property } from '../corefile/syntax.ts'
import { compileRegexp } from '../regexp.ts'
import { argumentsOf, duration, only, pathOf, pattern, unknownProperty, wrongCount, zonesOrBlock } from './arguments.ts'
import { Refusal, type Setup, type SetupContext } from './setup.ts'

const PATTERN = 'db\\.(.*)'
const ORIGIN = '{1}'
const RELOAD_MS = 60_000

/** @see Corefile reference 6.7 */
export const setup: Setup<'auto'> = (directives, context) => directives.map((directive) => autoOf(directive, context))

function autoOf(directive: Directive, context: SetupContext): AutoConfig {
  let place: Pick<AutoConfig, 'directory' | 'pattern' | 'origin'> | null = null
  let reloadMs = RELOAD_MS
  for (const property of directive.properties) {
    switch (property.name.text) {
      case 'directory':
        place = placeOf(property, context)
        break
      case 'reload':
        reloadMs = duration(only(property), 0)
        break
      default:
        throw unknownProperty(property)
    }
  }
  if (place === null) throw new Refusal(directive.name, 'auto needs a directory')
  return { zones: zonesOrBlock(directive.args, context), ...place, reloadMs }
}

function placeOf(property: Property, context: SetupContext): Pick<AutoConfig, 'directory' | 'pattern' | 'origin'> {
  const [directory, expression, origin] = argumentsOf(property, 1, 3)
  const path = pathOf(directory, context)
  if (expression === undefined) return { directory: path, pattern: PATTERN, origin: ORIGIN }
  if (origin === undefined) throw wrongCount(property)
  const { groupCount } = compileRegexp(pattern(expression))
  const groups = [...origin.text.matchAll(/\{(\d+)\}/g)].map(([, group]) => Number(group))
  const missing = groups.find((group) => group > groupCount)
  if (missing !== undefined) throw new Refusal(origin, `'${expression.text}' has no group for {${missing}}`)
  if (groups.length === 0) throw new Refusal(origin, `'${origin.text}' takes nothing of the file's name: no {1} in it`)
  return { directory: path, pattern: expression.text, origin: origin.text }
}
