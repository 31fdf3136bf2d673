// `k8s_external [ZONE...] { apex LABEL; ttl SECONDS; headless; fallthrough [ZONE...] }`. Several directives add up to one.

import type { Fallthrough } from '../configuration.ts'
import type { Property } from '../corefile/syntax.ts'
import { fallthroughOf, flag, integer, only, unknownProperty, zonesOrBlock } from './arguments.ts'
import { Refusal, type Setup } from './setup.ts'

const APEX = 'dns'
const TTL = 5
const TTL_MAX = 3600
const LABEL = /^[a-z0-9_](?:[-a-z0-9_]{0,61}[a-z0-9_])?$/

/** @see Corefile reference 6.4, cluster DNS reference 3.7 */
export const setup: Setup<'k8s_external'> = (directives, context) => {
  const zones = new Set<string>()
  let apex = APEX
  let ttl = TTL
  let headless = false
  let fallthrough: Fallthrough = null
  for (const directive of directives) {
    for (const zone of zonesOrBlock(directive.args, context)) zones.add(zone)
    for (const property of directive.properties) {
      switch (property.name.text) {
        case 'apex':
          apex = apexOf(property)
          break
        case 'ttl':
          ttl = integer(only(property), 0, TTL_MAX)
          break
        case 'headless':
          headless = flag(property)
          break
        case 'fallthrough':
          fallthrough = fallthroughOf(property)
          break
        default:
          throw unknownProperty(property)
      }
    }
  }
  return { zones: [...zones], apex, ttl, headless, fallthrough }
}

function apexOf(property: Property): string {
  const token = only(property)
  const label = token.text.toLowerCase()
  if (!LABEL.test(label)) throw new Refusal(token, `'${token.text}' is not one label`)
  return label
}
