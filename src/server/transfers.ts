// Zone transfers on the main thread, which has the records: requests of the stream worker become messages, one at a time and in turn, so that neither a
// large zone nor many clients hold the thread up. Who may have a zone has been decided before (plugins/transfer.ts).

import type { MessagePort } from 'node:worker_threads'
import type { Logger } from '../admin/logger.ts'
import type { Configuration, TransferConfig } from '../config/configuration.ts'
import type { ResourceRecord } from '../dns/message.ts'
import { serialOf, transferFailure, transferMessages } from '../dns/transfer-messages.ts'
import { ANYONE, addressAndPortOf } from '../plugins/transfer.ts'
import { longestZone } from '../plugins/zone-match.ts'
import { MESSAGES_AHEAD, type TransferCall, type TransferRequest } from '../workers/transfer.ts'
import type { StaticZones } from '../zones/static-zones.ts'
import type { Cluster } from './cluster.ts'
import { Notifications, type NotifyTarget } from './notifications.ts'

/** What one configuration has to give. */
export interface TransferSources {
  readonly configuration: Configuration
  /** By block. */
  readonly clusters: readonly (Cluster | null)[]
  readonly statics: StaticZones
}

const PLUGIN = 'transfer'
const SERVFAIL = 2
const REFUSED = 5
/** Each remembers the zone as it was when it began. */
const TRANSFERS_MAX = 16
/** Remembering a large zone takes a while: after each, the thread has so many times as long for other things. */
const OPENING_REST = 4
/** When a configuration has been replaced, requests of its last moment may still be on their way. */
const RETIRED_MS = 5000

/** One transfer under way. */
interface Outgoing {
  readonly port: MessagePort
  readonly messages: Iterator<Uint8Array<ArrayBuffer>, void, void>
  /** Messages that may be sent before one more has been taken. */
  credit: number
  isQueued: boolean
}

/** All transfers of the process. */
export class Transfers {
  readonly #logger: Logger
  readonly #sources = new Map<number, TransferSources>()
  readonly #outgoing = new Set<Outgoing>()
  /** Those to be opened. */
  readonly #calls: TransferCall[] = []
  #isResting = false
  /** Those that may send, in turn. */
  readonly #queue: Outgoing[] = []
  #isScheduled = false
  readonly #notifications: Notifications

  constructor(logger: Logger) {
    this.#logger = logger
    this.#notifications = new Notifications(logger)
  }

  /** Transfers under way. */
  get count(): number {
    return this.#outgoing.size + this.#calls.length
  }

  /** A configuration, by the number that AnswerSource has of it; workers may ask for its zones from now on. */
  add(number: number, sources: TransferSources): void {
    this.#sources.set(number, sources)
  }

  /** The configuration serves: secondaries are told of its zones, and from now on of each that changes. Zones of clusters change too often. */
  begin(number: number): void {
    const { configuration, statics } = this.#sources.get(number)!
    const notify = (changed: string | null): void => {
      for (const { zone, block } of statics.zones) {
        if (changed !== null && zone !== changed) continue
        for (const target of targetsOf(configuration.blocks[block].plugins.transfer, zone)) {
          this.#notifications.tell(zone, target)
        }
      }
    }
    statics.onZoneChanged = notify
    notify(null)
  }

  /** Tells nobody any more; what is under way is given up with the workers. */
  close(): void {
    this.#notifications.close()
  }

  /** No worker answers by this configuration any more. */
  remove(number: number): void {
    setTimeout(() => this.#sources.delete(number), RETIRED_MS).unref()
  }

  /** Answers a worker, in messages that it takes one by one. Never throws. */
  open(call: TransferCall): void {
    if (this.count >= TRANSFERS_MAX) {
      this.#refuse(call, SERVFAIL)
      return
    }
    this.#calls.push(call)
    call.port.once('close', () => {
      const at = this.#calls.indexOf(call)
      if (at >= 0) this.#calls.splice(at, 1)
    })
    if (!this.#isResting) this.#openNext()
  }

  #openNext(): void {
    const call = this.#calls.shift()
    this.#isResting = call !== undefined
    if (call === undefined) return
    const beganMs = performance.now()
    try {
      this.#open(call)
    } catch (error) {
      this.#fail(call.port, error)
    }
    setTimeout(() => this.#openNext(), OPENING_REST * (performance.now() - beganMs))
  }

  #refuse({ transfer, port }: TransferCall, rcode: number): void {
    port.postMessage(transferFailure(transfer.query, rcode))
    port.postMessage(null)
  }

  #open(call: TransferCall): void {
    const { transfer, port } = call
    const records = this.#recordsOf(transfer)
    if (typeof records === 'number') {
      this.#refuse(call, records)
      return
    }
    const messages = this.#messagesOf(transfer, records)
    const outgoing: Outgoing = { port, messages, credit: MESSAGES_AHEAD, isQueued: false }
    this.#outgoing.add(outgoing)
    port.on('message', () => {
      outgoing.credit++
      this.#enqueue(outgoing)
    })
    port.on('close', () => this.#outgoing.delete(outgoing))
    this.#enqueue(outgoing)
  }

  #enqueue(outgoing: Outgoing): void {
    if (outgoing.isQueued || outgoing.credit === 0 || !this.#outgoing.has(outgoing)) return
    outgoing.isQueued = true
    this.#queue.push(outgoing)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#isScheduled || this.#queue.length === 0) return
    this.#isScheduled = true
    setImmediate(() => this.#sendNext())
  }

  /** One message; then everything else of the thread has its turn. */
  #sendNext(): void {
    this.#isScheduled = false
    const outgoing = this.#queue.shift()!
    outgoing.isQueued = false
    if (this.#outgoing.has(outgoing)) this.#send(outgoing)
    this.#enqueue(outgoing)
    this.#schedule()
  }

  #send(outgoing: Outgoing): void {
    const { port } = outgoing
    try {
      const { value, done } = outgoing.messages.next()
      outgoing.credit--
      if (!done) {
        port.postMessage(value, [value.buffer])
        return
      }
      port.postMessage(null)
    } catch (error) {
      this.#fail(port, error)
    }
    this.#outgoing.delete(outgoing)
  }

  /** Without an end of the messages the worker breaks the connection off. */
  #fail(port: MessagePort, error: unknown): void {
    this.#logger.error(PLUGIN, (error as Error).message)
    port.close()
  }

  *#messagesOf(
    { query, zone, serial, client }: TransferRequest,
    records: Iterable<ResourceRecord>,
  ): Generator<Uint8Array<ArrayBuffer>, void, void> {
    const counted = new CountedRecords(records)
    yield* transferMessages(query, counted, serial)
    const [what, count] = [serial === null ? 'AXFR' : 'IXFR', counted.count]
    this.#logger.info(PLUGIN, `${what} of zone ${zone} with serial ${counted.serial} to ${client}: ${count} records`)
  }

  /** The records of a zone of a block as they are now, from SOA to SOA; or the RCODE that says why there are none. */
  #recordsOf({ configuration, block, zone }: TransferRequest): Iterable<ResourceRecord> | number {
    const sources = this.#sources.get(configuration)
    if (sources === undefined) return SERVFAIL
    const cluster = sources.clusters[block]
    if (cluster !== null) {
      const index = cluster.engine?.index
      if (index === undefined) return SERVFAIL
      const records = index.transfer(zone)
      if (records !== null) return index.complete ? records : SERVFAIL
    }
    const { statics } = sources
    if (statics.zones.some((each) => each.zone === zone && each.block === block))
      return statics.axfrRecords(zone, block)
    return REFUSED
  }
}

/** Whom `transfer` names for a zone. The longest zone of its directives decides, the first among equals, as it does for who may have it. */
function targetsOf(configs: readonly TransferConfig[] = [], zone: string): NotifyTarget[] {
  const longest = longestZone(
    zone,
    configs.flatMap(({ zones }) => zones),
  )
  const config = configs.find(({ zones }) => longest !== null && zones.includes(longest))
  if (config === undefined) return []
  const { to, source } = config
  return to.filter((text) => text !== ANYONE).map((text) => ({ ...addressAndPortOf(text), source }))
}

/** Records as they are passed on, and what the log says of them. */
class CountedRecords {
  count = 0
  serial = 0
  readonly #records: Iterable<ResourceRecord>

  constructor(records: Iterable<ResourceRecord>) {
    this.#records = records
  }

  *[Symbol.iterator](): Generator<ResourceRecord, void, void> {
    for (const record of this.#records) {
      if (this.count++ === 0) this.serial = serialOf(record) ?? 0
      yield record
    }
  }
}
