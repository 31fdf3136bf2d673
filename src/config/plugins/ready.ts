// `ready [ADDRESS] { monitor until-ready|continuously }`.

import { argumentsOf, httpAddress, oneOf, only, single, unknownProperty } from './arguments.ts'
import type { Setup } from './setup.ts'

const PORT = 8181

/** @see Corefile reference 5.4 */
export const setup: Setup<'ready'> = (directives) => {
  const directive = single(directives)
  const [address] = argumentsOf(directive, 0, 1)
  let continuously = false
  for (const property of directive.properties) {
    if (property.name.text !== 'monitor') throw unknownProperty(property)
    continuously = oneOf(only(property), ['until-ready', 'continuously']) === 'continuously'
  }
  return { address: address === undefined ? { host: '', port: PORT } : httpAddress(address), continuously }
}
