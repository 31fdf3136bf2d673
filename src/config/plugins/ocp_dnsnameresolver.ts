// `ocp_dnsnameresolver { namespaces NS...; minTTL SECONDS; failureThreshold N }`. Read and checked, nothing more.

import { argumentsOf, integer, only, single, unknownProperty } from './arguments.ts'
import type { Setup } from './setup.ts'

const MIN_TTL = 5
const FAILURE_THRESHOLD = 5
const COUNT_MAX = 2 ** 31 - 1

/** @see Corefile reference 5.20 */
export const setup: Setup<'ocp_dnsnameresolver'> = (directives, context) => {
  const directive = single(directives)
  argumentsOf(directive, 0, 0)
  const namespaces: string[] = []
  let minTtl = MIN_TTL
  let failureThreshold = FAILURE_THRESHOLD
  for (const property of directive.properties) {
    switch (property.name.text) {
      case 'namespaces':
        namespaces.push(...argumentsOf(property, 1).map(({ text }) => text))
        break
      case 'minTTL':
        minTtl = integer(only(property), 1, COUNT_MAX)
        break
      case 'failureThreshold':
        failureThreshold = integer(only(property), 1, COUNT_MAX)
        break
      default:
        throw unknownProperty(property)
    }
  }
  context.withoutEffect(directive.name, 'ocp_dnsnameresolver: the status of DNSNameResolver objects is not written')
  return { namespaces, minTtl, failureThreshold }
}
