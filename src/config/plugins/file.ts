// `file FILE [ZONE...] { reload DURATION; reload_by_mtime; fallthrough [ZONE...] }`: one configuration a directive.

import type { Fallthrough, FileConfig } from '../configuration.ts'
import type { Directive } from '../corefile/syntax.ts'
import { argumentsOf, duration, fallthroughOf, flag, only, pathOf, unknownProperty, zonesOrBlock } from './arguments.ts'
import type { Setup, SetupContext } from './setup.ts'

const RELOAD_MS = 60_000

/** @see Corefile reference 6.7 */
export const setup: Setup<'file'> = (directives, context) => directives.map((directive) => fileOf(directive, context))

function fileOf(directive: Directive, context: SetupContext): FileConfig {
  const [path, ...zones] = argumentsOf(directive, 1)
  let reloadMs = RELOAD_MS
  let reloadByMtime = false
  let fallthrough: Fallthrough = null
  for (const property of directive.properties) {
    switch (property.name.text) {
      case 'reload':
        reloadMs = duration(only(property), 0)
        break
      case 'reload_by_mtime':
        reloadByMtime = flag(property)
        break
      case 'fallthrough':
        fallthrough = fallthroughOf(property)
        break
      default:
        throw unknownProperty(property)
    }
  }
  return { path: pathOf(path, context), zones: zonesOrBlock(zones, context), reloadMs, reloadByMtime, fallthrough }
}
