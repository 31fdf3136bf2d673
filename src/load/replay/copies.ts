// Copies of a query in a capture of all interfaces (`tcpdump -i any`): on its way through a node a packet passes several, those of a Pod, a
// bridge and the network, and is captured at each. Addresses and ports may be translated on the way; the message stays.

import { LINUX_SLL, LINUX_SLL2 } from './link-headers.ts'
import type { Packet } from './packet.ts'

/** What a capture of all interfaces has for a link. */
const COOKED: readonly number[] = [LINUX_SLL, LINUX_SLL2]
/** A copy is seen within so many nanoseconds: far longer than a way through a node, and far shorter than any client waits before it asks again. */
const WINDOW_NS = 10_000_000n

export class Copies {
  /** When a message was seen first. */
  #recent = new Map<string, bigint>()
  /** Those of the window before. */
  #earlier = new Map<string, bigint>()
  #beganNs = 0n

  /** Whether a query, stripped to its message, was seen before on another interface; it is remembered. One without a time never was. */
  isCopy({ linkType, clock, high, low, view, start, length }: Packet): boolean {
    if (clock === null || !COOKED.includes(linkType)) return false
    const timeNs = clock(high, low)
    this.#turn(timeNs)
    const message = Buffer.from(view.buffer, start, length).toString('latin1')
    const seenNs = this.#recent.get(message) ?? this.#earlier.get(message)
    if (seenNs !== undefined && distance(timeNs, seenNs) <= WINDOW_NS) return true
    this.#recent.set(message, timeNs)
    return false
  }

  /** Forgets what was seen too long ago. */
  #turn(timeNs: bigint): void {
    if (distance(timeNs, this.#beganNs) <= WINDOW_NS) return
    this.#earlier = this.#recent
    this.#recent = new Map()
    this.#beganNs = timeNs
  }
}

function distance(a: bigint, b: bigint): bigint {
  return a > b ? a - b : b - a
}
