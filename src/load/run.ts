// What one run is, and what comes of it: the words that all parts of the load tester share. A run offers queries to one
// server by one schedule for a stated time; searches and comparisons are made of many.

import type { Histogram } from './histogram.ts'

/** How messages get to the server: RFC 1035 §4.2, RFC 7858, RFC 8484. */
export type Transport = 'udp' | 'tcp' | 'tls' | 'https'

/** Who is asked. */
export interface Target {
  /** As it was given, for people. */
  readonly label: string
  /** IPv4 or IPv6, with `%scope` for a link-local one. */
  readonly address: string
  readonly port: number
  readonly transport: Transport
  /** Name that the certificate is for, and that is asked of it (SNI); '' = the address. TLS and HTTPS only. */
  readonly serverName: string
  /** Path of the URL; HTTPS only. */
  readonly path: string
  /** Whether certificates are checked. */
  readonly verifiesCertificate: boolean
}

/** When queries are sent. Rates are queries a second, all workers together. */
export type Schedule =
  | { readonly kind: 'open'; readonly rate: number }
  /** From one rate to the other, evenly, over the whole run (warm-up at the first). */
  | { readonly kind: 'ramp'; readonly from: number; readonly to: number }
  /** So many queries under way at any time; the next is sent when one is answered or given up. */
  | { readonly kind: 'closed'; readonly outstanding: number }
  /** By the times of the table, so many times as fast. */
  | { readonly kind: 'replay'; readonly speed: number }

/** One run. Times are milliseconds. */
export interface RunSpec {
  readonly target: Target
  readonly schedule: Schedule
  /** UDP sockets, or connections; all workers together. */
  readonly sockets: number
  /** Before anything counts. */
  readonly warmupMs: number
  /** What counts: queries that were to be sent within it, whenever they are answered. */
  readonly durationMs: number
  /** A query without an answer for so long is lost, and counts with this latency. At most TIMEOUT_MAX_MS. */
  readonly timeoutMs: number
  /** A query sent this much after it was to be sent is late. */
  readonly lateMs: number
  /** UDP segmentation offload: several queries to a system call and one way through the stack. */
  readonly gso: boolean
  /**
   * UDP workers sleep, a millisecond at most, while there is nothing to do: for a machine whose cores the server needs too. Queries are
   * then sent up to that much late. Without it (undefined or false) they never sleep.
   */
  readonly sleeps?: boolean
  /** UDP: when an answer came is what the kernel says (SO_TIMESTAMPNS), not when the worker looked. */
  readonly isStamped?: boolean
  /** UDP by node:dgram: slower, without gso, without the kernel's drops, and on any system. */
  readonly isPortable?: boolean
  /** Of how many answers one is handed out to be checked; 1 = all, 0 = none. */
  readonly sampleEvery: number
  /** Ends when the table has been sent so often; 0 = only by time. */
  readonly passes: number
}

export const TIMEOUT_MAX_MS = 30_000
/** RCODEs that are told apart: those of the header (RFC 1035 §4.1.1). */
export const RCODES = 16

/** What was counted in a second of a run, or in a run. */
export interface Counts {
  /** Queries sent. In a whole run: answered + lost. */
  readonly sent: number
  readonly answered: number
  /** No answer in time. */
  readonly lost: number
  /** Sent too late (RunSpec.lateMs) by the generator: not what had to wait until a connection took it. */
  readonly late: number
  /** Answers with TC set. */
  readonly truncated: number
  /** Messages that answer nothing that is under way: too late, twice, or another ID. */
  readonly unexpected: number
  /** Answers with the right ID to another question; they count as no answer. */
  readonly mismatched: number
  /** Messages that are no DNS response. */
  readonly malformed: number
  readonly octetsSent: number
  readonly octetsReceived: number
  /** Connections opened, of transports that have them; those that are there when it begins to count, too. */
  readonly connections: number
  /** Answers by RCODE, RCODES of them. */
  readonly rcodes: readonly number[]
  /** What went wrong on sockets, by errno name (`ECONNREFUSED`) or in words. */
  readonly errors: Readonly<Record<string, number>>
}

/** One second of a run. Latencies are of the answers that came in it, and of what was given up in it. */
export interface Second extends Counts {
  /** 0 = the first that counts; negative while warming up. */
  readonly index: number
  /** How long it was: the last may be shorter. */
  readonly seconds: number
  /** Queries a second that were to be sent; of a closed loop, that were. */
  readonly offered: number
  /** From the intended time of sending on. */
  readonly latency: Histogram
}

/** The generator's own part in a result. Shares are 0..1 of the time that counted. */
export interface Own {
  /** CPU time of each worker thread to the time: clearly less than 1 says that others had its core (UDP: workers never sleep). */
  readonly cpuShares: readonly number[]
  /** Of each worker: how much of the time it had nothing to send or to take. */
  readonly idleShares: readonly number[]
  /** Answers that the kernel dropped at our sockets, for want of room (SO_MEMINFO: the counter of SO_RXQ_OVFL). */
  readonly receiveDrops: number
  /** How /proc/net/snmp (and snmp6) changed meanwhile, by name (`Udp.RcvbufErrors`); of all processes of this network. */
  readonly udpErrors: Readonly<Record<string, number>>
  /** Answers taken by one receiving call, on average; 0 for streams. */
  readonly receiveBatch: number
}

/** What a run came to. */
export interface RunResult extends Counts {
  readonly spec: RunSpec
  /** ISO 8601. */
  readonly startedAt: string
  /** Length of what counted. */
  readonly seconds: number
  /** Queries that were to be sent and never were, because the generator was behind. */
  readonly unsent: number
  /** Answers that were to be handed out to be checked and were not, because nobody took them in time. */
  readonly unsampled: number
  /** From the intended time of sending on, what was lost included. */
  readonly latency: Histogram
  /** From the real time of sending on, what was lost included. */
  readonly rawLatency: Histogram
  /** From the intended to the real time of sending, by system call. */
  readonly lateness: Histogram
  readonly series: readonly Second[]
  readonly own: Own
  /** CPU time of the server's processes, in nanoseconds; null when none were named, or one of them ended. */
  readonly serverCpuNs: number | null
  /** Ended before its time, by request. */
  readonly interrupted: boolean
}

/** Whether queries go by batched system calls (udp-loop.ts), and not over Node's event loop. */
export function isBatched({ target, isPortable }: RunSpec): boolean {
  return target.transport === 'udp' && isPortable !== true
}

/** Queries answered a second. */
export function qpsOf(result: RunResult): number {
  return result.answered / result.seconds
}

/** Share of the queries that were lost, 0..1. */
export function lossOf({ sent, lost }: Counts): number {
  return sent === 0 ? 0 : lost / sent
}

/** CPU nanoseconds of the server a query answered; NaN without. */
export function cpuPerQueryNs({ serverCpuNs, answered }: RunResult): number {
  return serverCpuNs === null ? Number.NaN : serverCpuNs / answered
}
