// Plugin hosts: addresses of names and names of addresses, out of the index of static zones, in place. Hot: nothing is allocated.
// Not here: reading the file (zones/hosts-file.ts). Behavior: Corefile reference 5.12.

import { HEADER_LENGTH, Query } from '../dns/question.ts'
import { NOERROR, type Response } from '../dns/response.ts'
import { type ZoneTable, zonesOnly } from '../dns/zone-table.ts'
import { appendRrset } from '../index/append.ts'
import { entryBlock, findRrset, type Region, rootTrie, rootVersion } from '../index/layout.ts'
import { find } from '../index/lookup.ts'
import type { HeldRegion } from '../index/reader.ts'
import { KeyReader, keyWildcard } from './key-reader.ts'
import { AUTHORITATIVE, FAIL, PASS, type Stage } from './stage.ts'

/** What the stage is made from; plain data, so that it can be handed to a worker. */
export interface HostsSource {
  readonly region: SharedArrayBuffer
  /** Number in the index of the block's names: whole names, as of the root. */
  readonly zone: number
  /** Labels of the zones whose names are looked up. */
  readonly zones: readonly (readonly string[])[]
  /** Labels of the zones in which an unknown name is passed on. */
  readonly fallthrough: readonly (readonly string[])[]
  /** Other types than A, AAAA and PTR are passed on. */
  readonly fallthroughUnsupported: boolean
}

const TYPE_A = 1
const TYPE_PTR = 12
const TYPE_AAAA = 28
const QNAME = HEADER_LENGTH // its offset in every message
const NO_ROTATION = 0

/** @param held  the source's region */
export function createHostsStage(source: HostsSource, held: HeldRegion): Stage {
  return new HostsStage(source, held)
}

class HostsStage implements Stage {
  readonly plugin = 'hosts'
  private readonly held: HeldRegion
  private readonly region: Region
  private trie = 0
  private readonly zone: number
  private readonly zones: ZoneTable
  private readonly fallthrough: ZoneTable
  private readonly fallthroughUnsupported: boolean
  private readonly keys = new KeyReader()
  private readonly key = new Query()
  private readonly wildcard = new Query()

  constructor(source: HostsSource, held: HeldRegion) {
    this.held = held
    this.region = held.region
    this.zone = source.zone
    this.zones = zonesOnly(source.zones)
    this.fallthrough = zonesOnly(source.fallthrough)
    this.fallthroughUnsupported = source.fallthroughUnsupported
  }

  setHome(packet: Uint8Array): void {
    this.zones.setHome(packet)
    this.fallthrough.setHome(packet)
    this.keys.setHome(packet)
  }

  beginBatch(): number {
    const { root } = this.held
    const { words } = this.region
    this.trie = root === 0 ? 0 : rootTrie(words, root)
    return root === 0 ? 0 : rootVersion(words, root)
  }

  answer(query: Query, packet: Uint8Array, start: number, response: Response): number {
    const { type, nameLength } = query
    const { words } = this.region
    if (type === TYPE_PTR) {
      this.keys.read(this.key, packet, start + QNAME, this.zone, nameLength - 1)
      const block = this.blockOf(this.key)
      const rrset = block === 0 ? 0 : findRrset(words, block, TYPE_PTR)
      return rrset === 0 ? PASS : this.append(packet, response, rrset)
    }
    if (this.zones.find(query, packet, start + QNAME) < 0) return PASS
    this.keys.read(this.key, packet, start + QNAME, this.zone, nameLength - 1)
    const block = this.hostBlock(query)
    if (block === 0) return this.fallthrough.find(query, packet, start + QNAME) < 0 ? FAIL : PASS
    if (type !== TYPE_A && type !== TYPE_AAAA) return this.fallthroughUnsupported ? PASS : NOERROR | AUTHORITATIVE
    const rrset = findRrset(words, block, type)
    return rrset === 0 ? NOERROR | AUTHORITATIVE : this.append(packet, response, rrset)
  }

  /** The block of the name in `key`, or of the asterisk in place of its first label; 0: the name is unknown. */
  private hostBlock(query: Query): number {
    const block = this.blockOf(this.key)
    if (block !== 0 && this.hasAddress(block)) return block
    if (query.labelCount === 0) return 0
    keyWildcard(this.wildcard, this.key, query.labelStart[1])
    const wildcard = this.blockOf(this.wildcard)
    return wildcard !== 0 && this.hasAddress(wildcard) ? wildcard : 0
  }

  /** Names of the reverse tree have none. */
  private hasAddress(block: number): boolean {
    const { words } = this.region
    return findRrset(words, block, TYPE_A) !== 0 || findRrset(words, block, TYPE_AAAA) !== 0
  }

  private blockOf(key: Query): number {
    const { trie, region } = this
    const entry = trie === 0 ? 0 : find(region.words, trie, key.hash, key.meta, key.keyWords)
    return entry === 0 ? 0 : entryBlock(region.words, entry)
  }

  private append(packet: Uint8Array, response: Response, rrset: number): number {
    appendRrset(response, packet, this.region, this.zones, rrset, NO_ROTATION, QNAME, 0)
    return NOERROR | AUTHORITATIVE
  }
}
