// `bind ADDRESS|INTERFACE... { except ADDRESS|INTERFACE... }`. What an interface's addresses are is found out later.

import { argumentsOf, unknownProperty } from './arguments.ts'
import type { Setup } from './setup.ts'

/** @see Corefile reference 5.14 */
export const setup: Setup<'bind'> = (directives) => {
  const addresses: string[] = []
  const except: string[] = []
  for (const directive of directives) {
    addresses.push(...argumentsOf(directive, 1).map(({ text }) => text))
    for (const property of directive.properties) {
      if (property.name.text !== 'except') throw unknownProperty(property)
      except.push(...argumentsOf(property, 1).map(({ text }) => text))
    }
  }
  return { addresses, except }
}
