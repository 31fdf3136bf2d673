// `autopath [ZONE...] FILE | @kubernetes`.

import { argumentsOf, pathOf, single, withoutProperties, zonesOrBlock } from './arguments.ts'
import { Refusal, type Setup } from './setup.ts'

const KUBERNETES = '@kubernetes'

/** @see Corefile reference 6.2 */
export const setup: Setup<'autopath'> = (directives, context) => {
  const directive = single(directives)
  withoutProperties(directive)
  const args = argumentsOf(directive, 1)
  const last = args.at(-1)!
  if (last.text.startsWith('@') && last.text !== KUBERNETES) {
    throw new Refusal(last, `'${last.text}' has no search list: only ${KUBERNETES} has`)
  }
  context.withoutEffect(directive.name, 'autopath: search lists are not walked yet')
  return {
    zones: zonesOrBlock(args.slice(0, -1), context),
    source: last.text === KUBERNETES ? KUBERNETES : pathOf(last, context),
  }
}
