// `chaos [VERSION] [AUTHOR...]`.

import { single, withoutProperties } from './arguments.ts'
import type { Setup } from './setup.ts'

/** What tools know CoreDNS by. */
const VERSION = 'CoreDNS-1.14.7'

/** @see Corefile reference 5.16 */
export const setup: Setup<'chaos'> = (directives) => {
  const directive = single(directives)
  withoutProperties(directive)
  const [version = VERSION, ...authors] = directive.args.map(({ text }) => text)
  return { version, authors }
}
