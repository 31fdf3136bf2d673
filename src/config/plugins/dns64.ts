// `dns64 [PREFIX] { prefix PREFIX; translate_all; allow_ipv4 }`.

import { isIPv6 } from 'node:net'
import type { Token } from '../corefile/syntax.ts'
import { argumentsOf, flag, only, prefix, single, unknownProperty } from './arguments.ts'
import { Refusal, type Setup } from './setup.ts'

const PREFIX = '64:ff9b::/96'
/** RFC 6052 §2.2. */
const LENGTHS = [32, 40, 48, 56, 64, 96]

/** @see Corefile reference 5.19 */
export const setup: Setup<'dns64'> = (directives) => {
  const directive = single(directives)
  const [first] = argumentsOf(directive, 0, 1)
  let network = first === undefined ? PREFIX : translationPrefix(first)
  let translateAll = false
  let allowIpv4 = false
  for (const property of directive.properties) {
    switch (property.name.text) {
      case 'prefix':
        network = translationPrefix(only(property))
        break
      case 'translate_all':
        translateAll = flag(property)
        break
      case 'allow_ipv4':
        allowIpv4 = flag(property)
        break
      default:
        throw unknownProperty(property)
    }
  }
  return { prefix: network, translateAll, allowIpv4 }
}

function translationPrefix(token: Token): string {
  const [address, bits] = prefix(token).split('/')
  if (!isIPv6(address) || !LENGTHS.includes(Number(bits))) {
    throw new Refusal(token, `'${token.text}' is no IPv6 prefix of ${LENGTHS.join(', ')} bits`)
  }
  return token.text
}
