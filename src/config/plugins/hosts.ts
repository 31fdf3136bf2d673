// `hosts [FILE [ZONE...]] { ADDRESS NAME...; … }`.

import { isIP } from 'node:net'
import type { Fallthrough, HostsConfig } from '../configuration.ts'
import type { Property } from '../corefile/syntax.ts'
import {
  argumentsOf,
  domain,
  duration,
  fallthroughOf,
  flag,
  integer,
  only,
  pathOf,
  single,
  unknownProperty,
  zonesOrBlock,
} from './arguments.ts'
import { Refusal, type Setup } from './setup.ts'

const PATH = '/etc/hosts'
const TTL = 3600
const TTL_MAX = 65_535
const RELOAD_MS = 5000

/** @see Corefile reference 5.12 */
export const setup: Setup<'hosts'> = (directives, context) => {
  const directive = single(directives)
  const [file, ...names] = directive.args
  const inline: HostsConfig['inline'][number][] = []
  let ttl = TTL
  let reverse = true
  let reloadMs = RELOAD_MS
  let fallthrough: Fallthrough = null
  let fallthroughUnsupported = false
  for (const property of directive.properties) {
    switch (property.name.text) {
      case 'ttl':
        ttl = integer(only(property), 1, TTL_MAX)
        break
      case 'no_reverse':
        reverse = !flag(property)
        break
      case 'reload':
        reloadMs = duration(only(property), 0)
        break
      case 'fallthrough':
        fallthrough = fallthroughOf(property)
        break
      case 'fallthrough_unsupported':
        fallthroughUnsupported = flag(property)
        break
      default:
        inline.push(inlineEntry(property, fallthrough))
    }
  }
  const path = file === undefined ? PATH : pathOf(file, context)
  const zones = zonesOrBlock(names, context)
  return { path, zones, inline, ttl, reverse, reloadMs, fallthrough, fallthroughUnsupported }
}

function inlineEntry(property: Property, fallthrough: Fallthrough): HostsConfig['inline'][number] {
  const address = property.name.text.replace(/%.*$/, '')
  if (isIP(address) === 0) throw unknownProperty(property)
  if (fallthrough !== null) {
    throw new Refusal(
      property.name,
      `unknown property '${property.name.text}': inline entries stand before fallthrough`,
    )
  }
  return { address, names: argumentsOf(property, 1).map(domain) }
}
