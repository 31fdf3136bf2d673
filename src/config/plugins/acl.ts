// `acl [ZONE...] { allow|block|filter|drop [type TYPE...] [net CIDR|ADDRESS...] }`: one list of rules a directive.

import type { AclRule } from '../configuration.ts'
import type { Property } from '../corefile/syntax.ts'
import { oneOf, prefixOrAddress, unknownProperty, wrongCount, zonesOrBlock } from './arguments.ts'
import { typeOf } from './mnemonics.ts'
import type { Setup } from './setup.ts'

const ACTIONS: readonly AclRule['action'][] = ['allow', 'block', 'filter', 'drop']
/** All types, all networks. */
const ALL = '*'

/** @see Corefile reference 6.3 */
export const setup: Setup<'acl'> = (directives, context) =>
  directives.map(({ args, properties }) => ({ zones: zonesOrBlock(args, context), rules: properties.map(ruleOf) }))

function ruleOf(property: Property): AclRule {
  const action = ACTIONS.find((each) => each === property.name.text)
  if (action === undefined) throw unknownProperty(property)
  const rest = [...property.args]
  const types: number[] = []
  const nets: string[] = []
  let allTypes = false
  let allNets = false
  while (rest.length > 0) {
    const section = oneOf(rest.shift()!, ['type', 'net'])
    const end = rest.findIndex(({ text }) => text === 'type' || text === 'net')
    const values = rest.splice(0, end < 0 ? rest.length : end)
    if (values.length === 0) throw wrongCount(property)
    const listed = values.filter(({ text }) => text !== ALL)
    if (section === 'type') {
      allTypes ||= listed.length < values.length
      types.push(...listed.map(typeOf))
    } else {
      allNets ||= listed.length < values.length
      nets.push(...listed.map(prefixOrAddress))
    }
  }
  return { action, types: allTypes ? [] : types, nets: allNets ? [] : nets }
}
