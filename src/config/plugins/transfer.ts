// `transfer [ZONE...] { to ADDRESS...|*; source ADDRESS }`: one configuration a directive.

import type { TransferConfig } from '../configuration.ts'
import type { Directive } from '../corefile/syntax.ts'
import { argumentsOf, ipAddress, ipAndPort, only, unknownProperty, zonesOrBlock } from './arguments.ts'
import { Refusal, type Setup, type SetupContext } from './setup.ts'

const PORT = 53
const ANYONE = '*'

/** @see Corefile reference 6.7, cluster DNS reference 3.8 */
export const setup: Setup<'transfer'> = (directives, context) =>
  directives.map((directive) => transferOf(directive, context))

function transferOf(directive: Directive, context: SetupContext): TransferConfig {
  const to = new Set<string>()
  let source = ''
  for (const property of directive.properties) {
    switch (property.name.text) {
      case 'to':
        for (const token of argumentsOf(property, 1)) to.add(token.text === ANYONE ? ANYONE : ipAndPort(token, PORT))
        break
      case 'source':
        source = ipAddress(only(property))
        break
      default:
        throw unknownProperty(property)
    }
  }
  if (to.size === 0) throw new Refusal(directive.name, 'a transfer goes to someone: to is missing')
  return { zones: zonesOrBlock(directive.args, context), to: [...to], source }
}
