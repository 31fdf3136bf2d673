// What every transport asks of whoever answers, and what that is made from. The one real answerer is in answer.ts.

import type { Plugins } from '../config/configuration.ts'
import type { Query } from '../dns/question.ts'
import type { ZoneConfig } from '../dns/zone-table.ts'
import type { ForwardPlan } from '../forward/forward-counters.ts'
import type { ForwardSource } from '../forward/forward-stage.ts'
import type { FileSource } from '../plugins/file.ts'
import type { HostsSource } from '../plugins/hosts.ts'
import type { ClusterSource } from '../plugins/kubernetes.ts'
import type { CounterPlan } from './counters.ts'
import type { TransferRequest } from './transfer.ts'

/** What an answerer is made from; plain data, so that it can be handed to a worker. */
export interface AnswerSource {
  /** What workers hand to the main thread is for the configuration of this number. */
  readonly configuration?: number
  /** Different for each source that the workers of a server have had: numbers of listeners, blocks and routes are its own. */
  readonly generation?: number
  /** How queries get to the resolver thread; absent: nothing is forwarded. */
  readonly waiting?: WaitingPlace
  /** Where the resolver thread counts what upstreams do; absent: nowhere. */
  readonly forwarding?: { readonly plan: ForwardPlan; readonly memory: SharedArrayBuffer }
  readonly listeners: readonly ListenerSource[]
  readonly blocks: readonly BlockSource[]
  /** Counters of all workers; null: nothing is counted. */
  readonly counters: { readonly plan: CounterPlan; readonly memory: SharedArrayBuffer } | null
  /** A ring of log lines for each worker, reader index by reader index; none: nothing is logged. */
  readonly logs: readonly SharedArrayBuffer[]
}

/** Where queries wait for the resolver thread. */
export interface WaitingPlace {
  /** One for each query worker (forward/miss-table.ts); empty where the transport cannot send from another thread. */
  readonly tables: readonly SharedArrayBuffer[]
  readonly bell: SharedArrayBuffer
  /** eventfd that wakes the resolver thread where the bell does not; -1: there is none. */
  readonly event: number
  /** Name of the channel that workers with an event loop ask through. */
  readonly channel: string
}

/** What one scheme, address and port serves. */
export interface ListenerSource {
  /** Label of metrics: 'dns://:53'. */
  readonly server: string
  /** In file order; a zone comes more than once only if blocks have views. */
  readonly zones: readonly ListenerZoneSource[]
  /** Group of counters for what no block takes, -1 for none. */
  readonly droppedGroup: number
}

export interface ListenerZoneSource {
  /** Labels of the zone, lower case; [] is the root. */
  readonly labels: readonly string[]
  /** Index in AnswerSource.blocks. */
  readonly block: number
  /** Group of counters, -1: not counted. */
  readonly group: number
}

/** One server block. */
export interface BlockSource {
  readonly plugins: Plugins
  readonly cluster: ClusterSource | null
  readonly hosts: HostsSource | null
  readonly files: readonly FileSource[]
  /** What `loop` asks the server itself for: absolute, lower case. Absent or null: nothing. */
  readonly loopName?: string | null
  /** Absent or null: nothing is forwarded, what would be is refused. */
  readonly forward?: ForwardSource | null
  /** Largest UDP response, 512..4096. */
  readonly bufsize: number
  /** Labels `plugin` of its counters, in their order; the first is ''. */
  readonly writers: readonly string[]
}

/** A source without a Corefile: one listener, one block with a cluster's names, nothing counted or logged. */
export function plainSource(
  region: SharedArrayBuffer,
  zones: readonly ZoneConfig[],
  bufsize: number,
  plugins: Plugins = {},
): AnswerSource {
  return {
    listeners: [
      {
        server: 'dns://:53',
        zones: zones.map(({ labels }) => ({ labels, block: 0, group: -1 })),
        droppedGroup: -1,
      },
    ],
    blocks: [{ plugins, cluster: { region, zones }, hosts: null, files: [], bufsize, writers: [''] }],
    counters: null,
    logs: [],
  }
}

/** Who sent a message, and to where; one object is filled again and again. */
export class MessagePeers {
  /** In network order; `clientLength` of them count. */
  readonly client = new Uint8Array(16)
  /** 4 or 16. */
  clientLength = 4
  clientPort = 0
  readonly local = new Uint8Array(16)
  localLength = 4
  localPort = 0

  /** Takes over what `other` says. */
  set(other: MessagePeers): void {
    this.client.set(other.client)
    this.clientLength = other.clientLength
    this.clientPort = other.clientPort
    this.local.set(other.local)
    this.localLength = other.localLength
    this.localPort = other.localPort
  }
}

/** What answer() returns for a query that is answered later: takeTransfer() has the rest of it, or the resolver thread answers it. */
export const LATER = -1

/** Takes queries that have to wait for the resolver thread. */
export interface MissSink {
  /**
   * Takes a query over.
   *
   * @param kind   MISS_QUESTION, MISS_CHAIN or MISS_REFRESH (forward/miss-table.ts)
   * @param query  as readQuery() has left it: only what copyQuery() writes is handed over; null: the whole message, which is untouched
   * @param length  octets of the message, for the counters
   * @returns false if it cannot be taken: all places are in use, or it is too long
   */
  push(
    kind: number,
    listener: number,
    route: number,
    generation: number,
    query: Query | null,
    packet: Uint8Array,
    start: number,
    length: number,
  ): boolean
}

/** A zone that a client is to get. The main thread has it: transfer.ts. */
export interface PendingTransfer {
  readonly request: TransferRequest
  /** Counts and logs the query. To be called once, when all is sent or will not be. */
  account(rcode: number, octets: number): void
}

/** A transport, asked for the peers of the message that is being answered: only when somebody wants to know. */
export interface PeerReader {
  readPeers(into: MessagePeers): void
}

/** Answers messages from one version of every index at a time. */
export interface Answerer {
  /**
   * Holds the newest published versions for the batch that follows.
   * @param listener  index in AnswerSource.listeners   @param ipv6  1 for messages over IPv6, 0 over IPv4
   * @param messages  how many came at once, for the counters; 0 for what comes one by one
   */
  beginBatch(listener?: number, ipv6?: number, messages?: number): void
  /** Holds nothing any more: before blocking. */
  endBatch(): void
  /** All answers of the batch have been sent. */
  sent(): void
  /** Who is asked for the peers of messages. */
  setPeers(peers: PeerReader): void
  /** Who takes what has to wait; without, such queries are answered SERVFAIL. */
  setMisses(sink: MissSink): void
  /**
   * Names the memory that most messages will be in (a worker's slab); words of it are read four octets at a time where a
   * message begins at a multiple of 4. Allocates: call it once.
   */
  setHome(packet: Uint8Array): void
  /**
   * Reads a message of the batch ahead of answer(), which must then be called for the same messages in the same order;
   * others may come between. After the last one findPrepared() looks all of them up side by side. Only messages in one
   * `packet` are read ahead, FIND_ALL_MAX at most: further calls do nothing.
   */
  prepare(packet: Uint8Array, start: number, length: number): void
  findPrepared(): void
  /**
   * Answers in place: the message at packet[start, start + length) becomes the response at packet[start, start + result).
   * @param capacity  octets from `start` that may be written
   * @param stream    TCP: no limit but `capacity`
   * @returns length of the response; 0 = send nothing; LATER = takeTransfer() says what
   */
  answer(packet: Uint8Array, start: number, length: number, capacity: number, stream: boolean): number
  /** After answer() has returned LATER: what is to be sent. */
  takeTransfer(): PendingTransfer | null
  /** Reaction to a datagram that did not fit its slot, of which the first octets are there: FORMERR, or 0. */
  malformed(packet: Uint8Array, start: number, length: number): number
  /** SERVFAIL: for the query that a worker was answering when it died. */
  servfail(packet: Uint8Array, start: number, length: number): number
}
