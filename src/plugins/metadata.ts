// Plugin metadata: collects what plugins know of a query, for log, rewrite, template and view to read. Nothing is worked out before it is asked for.

import type { Plugin, Request } from './plugin.ts'
import { isInZone } from './zone-match.ts'

/** The plugins of a block that have something to tell. */
export type Describers = readonly Pick<Plugin, 'describe'>[]

/** The plugin `metadata`. @param plugins  of the block, in the order of their chain: what a later one says of a label counts */
export function createMetadata(zones: readonly string[], plugins: Describers): Plugin {
  return {
    name: 'metadata',
    serve(request, next) {
      collectMetadata(zones, plugins, request)
      return next(request)
    },
  }
}

/** Fills `request.metadata`, if there is one and the name lies in one of `zones`. A view that asks for labels needs it before a block is chosen. */
export function collectMetadata(zones: readonly string[], plugins: Describers, request: Request): void {
  const { metadata } = request
  if (metadata === null || !zones.some((zone) => isInZone(request.question.name, zone))) return
  for (const plugin of plugins) plugin.describe?.(request, metadata)
  const { view } = request
  if (view !== '') metadata.set('view/name', () => view)
}
