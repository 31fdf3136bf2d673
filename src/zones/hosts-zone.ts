// One `hosts` of a block: its file and its own entries, in the index and kept up to date. Behavior: Corefile reference 5.12.

import type { HostsConfig } from '../config/configuration.ts'
import type { HostsSource } from '../plugins/hosts.ts'
import { HostsNames, parseHosts } from './hosts-names.ts'
import { zoneLabels } from './labels.ts'
import { type StaticContext, type StaticPart, tellFull } from './static-part.ts'
import { WatchedFile } from './watched-file.ts'
import type { ZoneStore } from './zone-store.ts'
import type { ZoneWriter } from './zone-writer.ts'

export class HostsZone implements StaticPart {
  readonly plugin = 'hosts'
  readonly block: number
  readonly reloadMs: number
  readonly path: string
  /** Pairs of a name and an address. */
  entryCount = 0
  /** Seconds since 1970, 0: never. */
  readSeconds = 0
  octets = 0
  readonly #config: HostsConfig
  readonly #context: StaticContext
  readonly #file: WatchedFile
  /** What has been read, and not been written yet. */
  #text = ''
  #isMissing = false
  #store: ZoneStore | null = null
  #writer: ZoneWriter | null = null

  constructor(block: number, config: HostsConfig, context: StaticContext) {
    this.block = block
    this.#config = config
    this.#context = context
    this.path = config.path
    this.reloadMs = config.reloadMs
    this.#file = new WatchedFile(config.path)
  }

  async read(): Promise<void> {
    await this.#look()
  }

  attach(store: ZoneStore): void {
    this.#store = store
    this.#writer = store.addZone()
    this.#write(store, this.#writer)
  }

  async refresh(): Promise<void> {
    if (!(await this.#look()) || this.#store === null || this.#writer === null) return
    try {
      this.#write(this.#store, this.#writer)
    } catch (error) {
      tellFull(this.#context, this, this.path, error)
    }
  }

  source(): HostsSource {
    const { fallthrough, fallthroughUnsupported, zones } = this.#config
    return {
      region: this.#store!.region.buffer,
      zone: this.#writer!.number,
      zones: zones.map(zoneLabels),
      fallthrough: (fallthrough ?? []).map(zoneLabels),
      fallthroughUnsupported,
    }
  }

  /** @returns whether there is something new. A file that is gone leaves what it said. */
  async #look(): Promise<boolean> {
    const look = await this.#file.look()
    if (look.kind === 'missing') {
      if (!this.#isMissing) this.#context.log('warning', `plugin/hosts: ${look.reason}`)
      this.#isMissing = true
      return false
    }
    this.#isMissing = false
    if (look.kind === 'same') return false
    this.octets = look.content.length
    this.#text = look.content.toString()
    this.readSeconds = Date.now() / 1000
    return true
  }

  #write(store: ZoneStore, writer: ZoneWriter): void {
    const { inline, reverse, ttl, zones } = this.#config
    const names = new HostsNames({ zones: zones.map(zoneLabels), ttl, reverse })
    for (const entry of parseHosts(this.#text)) names.add(entry)
    for (const entry of inline) names.add(entry)
    this.#text = ''
    store.replace(writer, names.nodes())
    this.entryCount = names.pairCount
  }
}
