// `metadata [ZONE...]`. Several directives add up.

import { withoutProperties, zonesOrBlock } from './arguments.ts'
import type { Setup } from './setup.ts'

/** @see Corefile reference 6.5 */
export const setup: Setup<'metadata'> = (directives, context) => {
  const zones = directives.flatMap((directive) => {
    withoutProperties(directive)
    return zonesOrBlock(directive.args, context)
  })
  return [...new Set(zones)]
}
