// `health [ADDRESS] { lameduck DURATION }`.

import { argumentsOf, duration, httpAddress, only, single, unknownProperty } from './arguments.ts'
import type { Setup } from './setup.ts'

const PORT = 8080

/** @see Corefile reference 5.3 */
export const setup: Setup<'health'> = (directives) => {
  const directive = single(directives)
  const [address] = argumentsOf(directive, 0, 1)
  let lameduckMs = 0
  for (const property of directive.properties) {
    if (property.name.text !== 'lameduck') throw unknownProperty(property)
    lameduckMs = duration(only(property), 0)
  }
  return { address: address === undefined ? { host: '', port: PORT } : httpAddress(address), lameduckMs }
}
