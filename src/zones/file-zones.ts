// One directive `file` of a block: its file as each of its zones. Behavior: Corefile reference 6.7.

import type { FileConfig } from '../config/configuration.ts'
import { errorAt } from '../config/corefile/syntax.ts'
import type { FileZone } from '../plugins/file.ts'
import { zoneLabels } from './labels.ts'
import type { StaticContext, StaticPart } from './static-part.ts'
import { ZoneContent } from './zone-content.ts'
import type { ZoneStore } from './zone-store.ts'

/** Where a block stands in a Corefile. */
export interface BlockPlace {
  readonly index: number
  readonly file: string
  readonly line: number
}

export class FileZones implements StaticPart {
  readonly plugin = 'file'
  readonly block: number
  readonly reloadMs: number
  readonly contents: readonly ZoneContent[]
  readonly #config: FileConfig
  readonly #place: BlockPlace
  #store: ZoneStore | null = null

  constructor(place: BlockPlace, config: FileConfig, context: StaticContext) {
    this.block = place.index
    this.reloadMs = config.reloadMs
    this.contents = config.zones.map((zone) => new ZoneContent(config.path, zone, this, context, config.reloadByMtime))
    this.#config = config
    this.#place = place
  }

  get octets(): number {
    return this.contents.reduce((sum, { octets }) => sum + octets, 0)
  }

  async read(): Promise<void> {
    for (const content of this.contents) {
      const look = await content.look()
      // Without another look it would be missing for good.
      if (look.kind === 'bad' || (look.kind === 'missing' && this.reloadMs === 0)) {
        throw errorAt(this.#place, `plugin/file: ${look.reason}`)
      }
      if (look.kind === 'missing') content.tellMissing(`${look.reason}: ${content.zone} is SERVFAIL until it is there`)
    }
  }

  attach(store: ZoneStore): void {
    this.#store = store
    for (const content of this.contents) {
      content.attach(store.addZone())
      content.write(store)
    }
  }

  async refresh(): Promise<void> {
    if (this.#store === null) return
    for (const content of this.contents) await content.refresh(this.#store)
  }

  zones(): FileZone[] {
    const fallthrough = (this.#config.fallthrough ?? []).map(zoneLabels)
    return this.contents.map(({ labels, number }) => ({ labels, number, fallthrough }))
  }
}
