// `loop`.

import { bare, single } from './arguments.ts'
import type { Setup } from './setup.ts'

/** @see Corefile reference 5.8 */
export const setup: Setup<'loop'> = (directives, context) => {
  const directive = single(directives)
  context.withoutEffect(directive.name, 'loop: nothing is forwarded yet, so nothing can come back')
  return bare(directive)
}
