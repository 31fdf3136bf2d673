// One zone out of a file in the index: read, written, read again when its serial or its time has changed. For `file` and `auto`.

import type { ResourceRecord } from '../dns/message.ts'
import { zoneLabels } from './labels.ts'
import { type StaticContext, type StaticPart, tellFull } from './static-part.ts'
import { zoneNodes } from './zone-nodes.ts'
import { snapshotRecords } from './zone-records.ts'
import { type ZoneLook, ZoneSource } from './zone-source.ts'
import type { ZoneStore } from './zone-store.ts'
import type { ZoneWriter } from './zone-writer.ts'

const TYPE_SOA = 6
const SERIAL_FROM_END = 20 // of RDATA of an SOA, that ends in five numbers
const IGNORED_LINES_MAX = 5 // in the log, for one reading

export class ZoneContent {
  /** Absolute, lower case. */
  readonly zone: string
  readonly labels: readonly string[]
  readonly path: string
  /** Of the SOA; -1: not loaded. */
  serial = -1
  octets = 0
  readonly #source: ZoneSource
  readonly #part: StaticPart
  readonly #context: StaticContext
  /** The same serial may mean another content. */
  readonly #anySerial: boolean
  #records: readonly ResourceRecord[] | null = null
  #isMissing = false
  #writer: ZoneWriter | null = null

  constructor(path: string, zone: string, part: StaticPart, context: StaticContext, anySerial: boolean) {
    this.path = path
    this.zone = zone
    this.labels = zoneLabels(zone)
    this.#source = new ZoneSource(path, zone)
    this.#part = part
    this.#context = context
    this.#anySerial = anySerial
  }

  /** Number of the zone in the index. */
  get number(): number {
    return this.#writer!.number
  }

  get isLoaded(): boolean {
    return this.serial >= 0
  }

  /** There is something to write(). */
  get isRead(): boolean {
    return this.#records !== null
  }

  /** Gives the zone its place in the index. */
  attach(writer: ZoneWriter): void {
    this.#writer = writer
  }

  /**
   * Looks at the file; write() must follow if there is something new. What is wrong is not said yet.
   * @returns what there was to see; 'same' if it changes nothing
   */
  async look(): Promise<ZoneLook> {
    const look = await this.#source.look()
    if (look.kind !== 'missing') this.#isMissing = false
    if (look.kind !== 'read') return look
    this.octets = look.octets
    for (const line of look.zone.ignored.slice(0, IGNORED_LINES_MAX)) this.#tell('warning', line)
    const serial = serialOf(look.zone.soa)
    if (serial === this.serial && !this.#anySerial) {
      this.#tell('info', `${this.path} has changed, but its serial is still ${serial}: not loaded`)
      return { kind: 'same' }
    }
    this.#records = look.zone.records
    return look
  }

  /** Writes what look() has read. @throws RegionFullError */
  write(store: ZoneStore): void {
    const records = this.#records
    if (records === null || this.#writer === null) return
    this.#records = null
    const { nodes, ignoredCount } = zoneNodes(this.labels, records)
    if (ignoredCount > 0) this.#tell('warning', `${this.path}: ${ignoredCount} records are of no use here`)
    store.replace(this.#writer, nodes)
    const soa = records.find(({ type }) => type === TYPE_SOA)!
    this.serial = serialOf(soa)
  }

  /** Looks, writes, and says in the log what is wrong: the old content stays then. */
  async refresh(store: ZoneStore): Promise<void> {
    const look = await this.look()
    if (look.kind === 'bad') this.#tell('error', look.reason)
    if (look.kind === 'missing') this.tellMissing(look.reason)
    if (look.kind !== 'read') return
    try {
      this.write(store)
    } catch (error) {
      tellFull(this.#context, this.#part, this.path, error)
      return
    }
    this.#tell('info', `${this.zone} loaded with serial ${this.serial}`)
    this.#context.zoneChanged(this.zone, this.serial)
  }

  /** Once for each time that the file is away. */
  tellMissing(reason: string): void {
    if (!this.#isMissing) this.#tell('warning', reason)
    this.#isMissing = true
  }

  /** Takes everything away. @throws RegionFullError */
  clear(store: ZoneStore): void {
    store.replace(this.#writer!, [])
    this.serial = -1
  }

  /** From SOA to SOA, as they are at the moment of the call; none if the zone is not loaded. */
  records(): Iterable<ResourceRecord> {
    return this.isLoaded ? snapshotRecords(this.labels, this.#writer!.snapshot()) : []
  }

  #tell(level: 'info' | 'warning' | 'error', line: string): void {
    this.#context.log(level, `plugin/${this.#part.plugin}: ${line}`)
  }
}

function serialOf({ rdata }: ResourceRecord): number {
  const view = new DataView(rdata.buffer, rdata.byteOffset, rdata.length)
  return view.getUint32(rdata.length - SERIAL_FROM_END)
}
