// `local { localhost_prefix on|off }`.

import { argumentsOf, oneOf, only, single, unknownProperty } from './arguments.ts'
import type { Setup } from './setup.ts'

/** @see Corefile reference 6.5 */
export const setup: Setup<'local'> = (directives) => {
  const directive = single(directives)
  argumentsOf(directive, 0, 0)
  let localhostPrefix = true
  for (const property of directive.properties) {
    if (property.name.text !== 'localhost_prefix') throw unknownProperty(property)
    localhostPrefix = oneOf(only(property), ['on', 'off']) === 'on'
  }
  return { localhostPrefix }
}
