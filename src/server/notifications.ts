// NOTIFY (RFC 1996): secondaries are told that a zone has changed. Over UDP, again and again until they answer, a few times at most.
// Not here: when a zone has changed, and whom that concerns (transfers.ts).

import { randomInt } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import type { Logger } from '../admin/logger.ts'
import { decodeMessage, encodeMessage, type Message, MessageError } from '../dns/message.ts'
import { rcodeName } from '../dns/rcodes.ts'
import { TYPES } from '../dns/record-types.ts'
import { addressAndPort } from '../io/addresses.ts'

/** Whom to tell, and from where. */
export interface NotifyTarget {
  readonly address: string
  readonly port: number
  /** Address to send from; '' = whichever the system chooses. */
  readonly source: string
}

/** Bounds of notifying. */
export interface NotifyLimits {
  /** How long an answer is waited for, after each sending. */
  readonly waitsMs: readonly number[]
  /** Told at a time; further ones wait. */
  readonly atOnce: number
  /** That wait; further ones are left out, and said in the log. */
  readonly waiting: number
}

/** RFC 1996 §3.6 speaks of five times, a minute apart; ours are told sooner, and given up sooner. */
export const NOTIFY_LIMITS: NotifyLimits = { waitsMs: [1000, 2000, 4000, 8000, 16_000], atOnce: 64, waiting: 100_000 }

const PLUGIN = 'transfer'
const OPCODE_NOTIFY = 4
const CLASS_IN = 1
const LENGTH_MAX = 512
const ID_MAX = 0xffff

/** Tells secondaries. */
export class Notifications {
  readonly #logger: Logger
  readonly #limits: NotifyLimits
  /** By target and zone: what waits for its turn. */
  readonly #waiting = new Map<string, { readonly zone: string; readonly target: NotifyTarget }>()
  /** Likewise: what is under way; ends it. */
  readonly #running = new Map<string, AbortController>()

  constructor(logger: Logger, limits: NotifyLimits = NOTIFY_LIMITS) {
    this.#logger = logger
    this.#limits = limits
  }

  /** Tells `target` that `zone` (absolute, lower case) has changed; what it is being told of the zone already is begun anew. */
  tell(zone: string, target: NotifyTarget): void {
    const key = `${addressAndPort(target.address, target.port)} ${target.source} ${zone}`
    this.#running.get(key)?.abort()
    if (this.#waiting.size === this.#limits.waiting && !this.#waiting.has(key)) {
      this.#logger.warning(PLUGIN, `too many to be notified: ${key} is left out`)
      return
    }
    this.#waiting.set(key, { zone, target })
    this.#next()
  }

  /** Tells nobody any more. */
  close(): void {
    this.#waiting.clear()
    for (const ending of this.#running.values()) ending.abort()
  }

  #next(): void {
    for (const [key, { zone, target }] of this.#waiting) {
      if (this.#running.size >= this.#limits.atOnce) return
      if (this.#running.has(key)) continue
      this.#waiting.delete(key)
      const ending = new AbortController()
      this.#running.set(key, ending)
      void this.#notify(zone, target, ending.signal).then(() => {
        this.#running.delete(key)
        this.#next()
      })
    }
  }

  /** Never rejects. */
  async #notify(zone: string, target: NotifyTarget, ended: AbortSignal): Promise<void> {
    const who = addressAndPort(target.address, target.port)
    try {
      const rcode = await notify(zone, target, this.#limits.waitsMs, ended)
      if (ended.aborted) return
      if (rcode === 0) this.#logger.debug(PLUGIN, `${who} has been notified of ${zone}`)
      else if (rcode === null) this.#logger.warning(PLUGIN, `${who} does not answer NOTIFY of ${zone}`)
      else this.#logger.warning(PLUGIN, `${who} answers NOTIFY of ${zone} with ${rcodeName(rcode)}`)
    } catch (error) {
      this.#logger.warning(PLUGIN, `${who} cannot be notified of ${zone}: ${(error as Error).message}`)
    }
  }
}

/** @returns RCODE of the answer, null if there was none @throws the system's error */
async function notify(
  zone: string,
  { address, port, source }: NotifyTarget,
  waitsMs: readonly number[],
  ended: AbortSignal,
): Promise<number | null> {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4').unref()
  try {
    const { promise: failed, reject } = Promise.withResolvers<never>()
    failed.catch(() => {})
    // A port that nobody listens on is told by the system, sometimes: it may come to life while we try.
    socket.on('error', (error: NodeJS.ErrnoException) => error.code !== 'ECONNREFUSED' && reject(error))
    await Promise.race([failed, opened(socket, source, address, port)])
    const id = randomInt(ID_MAX + 1)
    const query = notifyOf(zone, id)
    const { promise: answered, resolve } = Promise.withResolvers<number | null>()
    socket.on('message', (octets) => {
      const rcode = rcodeOfAnswer(octets, id)
      if (rcode !== null) resolve(rcode)
    })
    ended.addEventListener('abort', () => resolve(null))
    for (const waitMs of waitsMs) {
      if (ended.aborted) return null
      socket.send(query)
      const rcode = await Promise.race([failed, answered, pause(waitMs)])
      if (rcode !== undefined) return rcode
    }
    return null
  } finally {
    socket.close()
  }
}

async function opened(socket: Socket, source: string, address: string, port: number): Promise<void> {
  if (source !== '') await new Promise<void>((resolve) => socket.bind(0, source, resolve))
  await new Promise<void>((resolve) => socket.connect(port, address, resolve))
}

function notifyOf(zone: string, id: number): Uint8Array {
  const octets = new Uint8Array(LENGTH_MAX)
  const message: Message = {
    id,
    opcode: OPCODE_NOTIFY,
    response: false,
    authoritative: true,
    truncated: false,
    recursionDesired: false,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: false,
    rcode: 0,
    question: { name: zone, type: TYPES.SOA, class: CLASS_IN },
    answer: [],
    authority: [],
    additional: [],
    edns: null,
  }
  return octets.subarray(0, encodeMessage(message, octets, 0, LENGTH_MAX))
}

/** null if it is no answer to the message with that id. */
function rcodeOfAnswer(octets: Uint8Array, id: number): number | null {
  try {
    const message = decodeMessage(octets, 0, octets.length)
    return message.response && message.id === id && message.opcode === OPCODE_NOTIFY ? message.rcode : null
  } catch (error) {
    if (error instanceof MessageError) return null
    throw error
  }
}

function pause(milliseconds: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds, undefined).unref())
}
