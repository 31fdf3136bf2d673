// A capture file as queries to be sent again: the DNS queries to port 53 over UDP in it, with the times at which they were
// seen. Everything else that a capture holds is counted by what it is, and left out.

import { LoadInputError } from '../input-error.ts'
import type { QueryTable } from '../query-table.ts'
import { readOctets } from './capture-octets.ts'
import { Copies } from './copies.ts'
import { stripToQuery } from './headers.ts'
import type { Packet } from './packet.ts'
import { RecordStream } from './record-stream.ts'
import { ReplayQueries } from './replay-queries.ts'
import { counted, nothingSkipped, type Skipped, skippedInWords } from './skipped.ts'

/** Link types that are named when they are not read. */
const LINK_TYPES_NAMED_MAX = 4

/** Queries to replay. */
export interface Capture {
  /**
   * In order of time; no followers, each query has its own time. `times` is null if the capture has none (simple packet
   * blocks only): such a capture can be sent at a rate, not replayed.
   */
  readonly table: QueryTable
  /** For people, in words: how many queries, over what time, from which file, beside what. */
  readonly description: string
  /** What should be known about it, a sentence each: cut off in the middle, out of order, not all used. Empty if all is well. */
  readonly remarks: readonly string[]
  readonly format: 'pcap' | 'pcapng'
  /** Packets in the file as far as it was read: table.count and all that were skipped. */
  readonly packets: number
  /** From the first query to the last. */
  readonly seconds: number
  readonly skipped: Skipped
}

/** How much is kept of a capture; the rest of it is not read. */
export interface CaptureLimits {
  readonly queriesMax: number
  /** Of all messages. */
  readonly octetsMax: number
}

/** Ten million common queries take 2 GiB of memory while the table is made, more if they have to be put in order. */
const LIMITS: CaptureLimits = { queriesMax: 10_000_000, octetsMax: 1 << 29 }

/**
 * Reads a capture: pcap or pcapng, as it is or compressed by gzip or zstd. The file is read once from front to end (it may be
 * a pipe); memory is taken for the queries that are kept and for the longest record only. What is whole of a file that is cut
 * off or damaged is used, and a remark says so.
 *
 * @throws LoadInputError if there is no such file, it is no capture, or no DNS query to port 53 over UDP is in it
 * @see draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng
 */
export async function readCapture(path: string, limits: CaptureLimits = LIMITS): Promise<Capture> {
  const reading = new CaptureReading(limits)
  const records = new RecordStream((packet) => reading.take(packet))
  const compression = await readOctets(path, (octets) => records.push(octets))
  records.end()
  const { format } = records
  if (format === null) throw new LoadInputError(`${path}: ${noCapture(compression)}`)
  const damage = compression || records.damage
  if (reading.queries.count === 0) throw new LoadInputError(`${path}: ${reading.nothingInWords(damage)}`)

  const table = reading.queries.build()
  const seconds = table.times === null ? 0 : table.times[table.count - 1] / 1000
  return {
    table,
    description: `${counted(table.count, 'query', 'queries')} over ${seconds.toFixed(3)} s from ${path} (${format}, ${reading.packetsInWords()})`,
    remarks: reading.remarks(damage),
    format,
    packets: reading.packets,
    seconds,
    skipped: reading.skipped,
  }
}

function noCapture(compression: string): string {
  const kinds = 'neither pcap nor pcapng, plain or compressed by gzip or zstd'
  return compression === '' ? kinds : `${kinds}: ${compression}`
}

/** What has been found so far. */
class CaptureReading {
  readonly queries = new ReplayQueries()
  readonly skipped = nothingSkipped()
  packets = 0
  readonly #limits: CaptureLimits
  readonly #otherLinkTypes = new Set<number>()
  readonly #copies = new Copies()
  #isFull = false

  constructor(limits: CaptureLimits) {
    this.#limits = limits
  }

  /** @returns whether there is room for more */
  take(packet: Packet): boolean {
    const { linkType } = packet
    const found = stripToQuery(packet)
    const kind = found === 'query' && this.#copies.isCopy(packet) ? 'copies' : found
    if (kind === 'query' && !this.#hasRoom(packet.length)) {
      this.#isFull = true
      return false
    }
    this.packets++
    if (kind === 'query') this.queries.add(packet)
    else this.skipped[kind]++
    if (kind === 'otherLinks' && this.#otherLinkTypes.size < LINK_TYPES_NAMED_MAX) this.#otherLinkTypes.add(linkType)
    return true
  }

  /** `1,234 packets: 1,200 TCP, 34 answers`. */
  packetsInWords(): string {
    const skipped = skippedInWords(this.skipped)
    return `${counted(this.packets, 'packet', 'packets')}${skipped === '' ? '' : `: ${skipped}`}`
  }

  /** Why there is nothing to replay. */
  nothingInWords(damage: string): string {
    const packets = counted(this.packets, 'packet', 'packets')
    const skipped = this.packets === 0 ? '' : ` (${skippedInWords(this.skipped)})`
    const links = this.#otherLinkTypes.size === 0 ? '' : `; not read: link type ${[...this.#otherLinkTypes].join(', ')}`
    return `no DNS queries to port 53 over UDP among ${packets}${skipped}${links}${damage === '' ? '' : `; ${damage}`}`
  }

  remarks(damage: string): string[] {
    const { lateCount, untimedCount, count } = this.queries
    const { cut } = this.skipped
    const remarks: string[] = []
    if (damage !== '') remarks.push(`Only the beginning is used: ${damage}.`)
    if (this.#isFull)
      remarks.push(`Only the first ${counted(count, 'query', 'queries')} of the capture are used: no room for more.`)
    if (cut > 0)
      remarks.push(
        `Of ${counted(cut, 'packet', 'packets')} the capture has only the beginning (snap length); queries are missing.`,
      )
    if (lateCount > 0) remarks.push(`Put in order: ${counted(lateCount, 'query', 'queries')} behind later ones.`)
    if (untimedCount === count) remarks.push('The capture has no times: it cannot be replayed, only sent at a rate.')
    else if (untimedCount > 0) {
      remarks.push(`Without a time, sent with the query before: ${counted(untimedCount, 'query', 'queries')}.`)
    }
    return remarks
  }

  #hasRoom(length: number): boolean {
    const { queriesMax, octetsMax } = this.#limits
    return this.queries.count < queriesMax && this.queries.octets + length <= octetsMax
  }
}

export type { Skipped, SkipReason } from './skipped.ts'
