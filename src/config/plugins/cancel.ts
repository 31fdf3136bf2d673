// `cancel [DURATION]`.

import { argumentsOf, positiveDuration, single, withoutProperties } from './arguments.ts'
import type { Setup } from './setup.ts'

const TIMEOUT_MS = 5001

/** @see Corefile reference 6.5 */
export const setup: Setup<'cancel'> = (directives, context) => {
  const directive = single(directives)
  withoutProperties(directive)
  const [timeout] = argumentsOf(directive, 0, 1)
  context.withoutEffect(directive.name, 'cancel: no answer made here takes that long')
  return timeout === undefined ? TIMEOUT_MS : positiveDuration(timeout)
}
