// `nsid [DATA...]`.

import { hostname } from 'node:os'
import { single, withoutProperties } from './arguments.ts'
import type { Setup } from './setup.ts'

/** @see Corefile reference 5.18 */
export const setup: Setup<'nsid'> = (directives) => {
  const directive = single(directives)
  withoutProperties(directive)
  return directive.args.length === 0 ? hostname() : directive.args.map(({ text }) => text).join(' ')
}
