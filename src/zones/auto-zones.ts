// One directive `auto` of a block: the zones of a directory's files, which come and go. Behavior: Corefile reference 6.7.

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { AutoConfig } from '../config/configuration.ts'
import { compileRegexp, type Regexp } from '../config/regexp.ts'
import { NameError, textOfWire, wireOfLabels } from '../dns/name.ts'
import type { FileZone } from '../plugins/file.ts'
import { isWithin, zoneLabels } from './labels.ts'
import { type StaticContext, type StaticPart, tellFull } from './static-part.ts'
import { ZoneContent } from './zone-content.ts'
import type { ZoneStore } from './zone-store.ts'
import type { ZoneWriter } from './zone-writer.ts'

export class AutoZones implements StaticPart {
  readonly plugin = 'auto'
  readonly block: number
  readonly reloadMs: number
  readonly #config: AutoConfig
  readonly #context: StaticContext
  readonly #pattern: Regexp
  readonly #allowed: readonly (readonly string[])[]
  /** By zone: all files that have one, loaded or not. */
  readonly #contents = new Map<string, ZoneContent>()
  /** By zone: its place in the index, which it gets back when it returns. */
  readonly #writers = new Map<string, ZoneWriter>()
  #isMissing = false
  #store: ZoneStore | null = null

  /** @throws RegexpError */
  constructor(block: number, config: AutoConfig, context: StaticContext) {
    this.block = block
    this.reloadMs = config.reloadMs
    this.#config = config
    this.#context = context
    this.#pattern = compileRegexp(config.pattern)
    this.#allowed = config.zones.map(zoneLabels)
  }

  get octets(): number {
    let sum = 0
    for (const { octets } of this.#contents.values()) sum += octets
    return sum
  }

  /** Zones that are served. */
  get contents(): readonly ZoneContent[] {
    return [...this.#contents.values()].filter(({ isLoaded }) => isLoaded)
  }

  async read(): Promise<void> {
    for (const [zone, path] of (await this.#scan()) ?? []) await this.#add(zone, path)
  }

  attach(store: ZoneStore): void {
    this.#store = store
    for (const content of this.#contents.values()) this.#write(content, store)
  }

  async refresh(): Promise<void> {
    const found = await this.#scan()
    const store = this.#store
    if (found === null || store === null) return
    const before = this.#loadedZones()
    for (const [zone, content] of this.#contents) if (found.get(zone) !== content.path) this.#remove(content, store)
    for (const [zone, path] of found) {
      const known = this.#contents.get(zone)
      if (known?.isLoaded) await known.refresh(store)
      else await this.#refreshUnloaded(known ?? (await this.#add(zone, path)), store, known !== undefined)
    }
    if (this.#loadedZones() !== before) this.#context.sourcesChanged()
  }

  zones(): FileZone[] {
    return this.contents.map(({ labels, number }) => ({ labels, number, fallthrough: [] }))
  }

  /** A file that was no zone at the last look, or that has just been read. */
  async #refreshUnloaded(content: ZoneContent, store: ZoneStore, isKnown: boolean): Promise<void> {
    if (isKnown) await this.#look(content)
    try {
      this.#write(content, store)
    } catch (error) {
      tellFull(this.#context, this, content.path, error)
      return
    }
    if (content.isLoaded) this.#context.zoneChanged(content.zone, content.serial)
  }

  async #add(zone: string, path: string): Promise<ZoneContent> {
    // A file's time tells when it has changed; its serial need not.
    const content = new ZoneContent(path, zone, this, this.#context, false)
    this.#contents.set(zone, content)
    await this.#look(content)
    return content
  }

  async #look(content: ZoneContent): Promise<void> {
    const look = await content.look()
    if (look.kind === 'bad') this.#context.log('error', `plugin/auto: ${look.reason}`)
    if (look.kind === 'missing') content.tellMissing(look.reason)
  }

  #write(content: ZoneContent, store: ZoneStore): void {
    if (!content.isRead) return
    let writer = this.#writers.get(content.zone)
    if (writer === undefined) {
      writer = store.addZone()
      this.#writers.set(content.zone, writer)
    }
    content.attach(writer)
    content.write(store)
    this.#context.log('info', `plugin/auto: ${content.zone} loaded with serial ${content.serial}`)
  }

  #remove(content: ZoneContent, store: ZoneStore): void {
    this.#contents.delete(content.zone)
    if (!content.isLoaded) return
    content.clear(store)
    this.#context.log('info', `plugin/auto: ${content.zone} is gone`)
  }

  #loadedZones(): string {
    return this.contents.map(({ zone }) => zone).join(' ')
  }

  /** The files of zones, by zone; null if the directory cannot be read: what was known stays. */
  async #scan(): Promise<Map<string, string> | null> {
    const { directory } = this.#config
    let names: string[]
    try {
      names = await readdir(directory)
    } catch (error) {
      if (!this.#isMissing) this.#context.log('warning', `plugin/auto: ${(error as Error).message}`)
      this.#isMissing = true
      return null
    }
    this.#isMissing = false
    const found = new Map<string, string>()
    for (const name of names.sort()) {
      const zone = this.#zoneOf(name)
      if (zone !== null && !found.has(zone)) found.set(zone, join(directory, name))
    }
    return found
  }

  /** The zone that a file's name says; null if it says none, or one that is not for this directive. */
  #zoneOf(name: string): string | null {
    const match = this.#pattern.exec(name)
    if (match === null) return null
    const origin = this.#config.origin.replace(/\{(\d+)\}/g, (_, group) => match.groups[Number(group)] ?? '')
    try {
      const labels = zoneLabels(origin)
      if (origin === '' || !this.#allowed.some((allowed) => isWithin(labels, allowed))) return null
      return textOfWire(wireOfLabels(labels))
    } catch (error) {
      if (error instanceof NameError) return null
      throw error
    }
  }
}
