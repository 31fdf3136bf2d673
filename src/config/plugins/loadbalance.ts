// `loadbalance [round_robin | weighted FILE] { reload DURATION; prefer CIDR... }`.

import type { LoadbalanceConfig } from '../configuration.ts'
import type { Directive } from '../corefile/syntax.ts'
import { argumentsOf, duration, oneOf, only, pathOf, prefix, single, unknownProperty } from './arguments.ts'
import { Refusal, type Setup, type SetupContext } from './setup.ts'

const RELOAD_MS = 30_000

/** @see Corefile reference 5.10 */
export const setup: Setup<'loadbalance'> = (directives, context) => {
  const directive = single(directives)
  const { policy, file } = policyOf(directive, context)
  let reloadMs = policy === 'weighted' ? RELOAD_MS : 0
  const prefer: string[] = []
  for (const property of directive.properties) {
    switch (property.name.text) {
      case 'reload':
        if (policy !== 'weighted') throw new Refusal(property.name, 'reload goes with weighted alone')
        reloadMs = duration(only(property), 0)
        break
      case 'prefer':
        prefer.push(...argumentsOf(property, 1).map(prefix))
        break
      default:
        throw unknownProperty(property)
    }
  }
  return { policy, file, reloadMs, prefer }
}

function policyOf(directive: Directive, context: SetupContext): Pick<LoadbalanceConfig, 'policy' | 'file'> {
  const [word] = directive.args
  if (word === undefined || oneOf(word, ['round_robin', 'weighted']) === 'round_robin') {
    argumentsOf(directive, 0, 1)
    return { policy: 'round_robin', file: '' }
  }
  return { policy: 'weighted', file: pathOf(argumentsOf(directive, 2, 2)[1], context) }
}
