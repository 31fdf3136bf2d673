// Sending the answers of a slab: what to do with each thing sendmmsg may return.
//
// The kernel sends from the first message on and stops at the first that fails. A failure therefore belongs to the first
// message of the call, and only to it: it is tried once more if that may help, then skipped, and the rest goes
// on. Every call either advances or uses up the one retry of its slot, so a batch of n costs at most 2n calls.

import { EAGAIN, ECONNREFUSED, EINTR, ENOBUFS } from './layouts.ts'
import { sendMessages } from './libc.ts'
import type { Slab } from './slab.ts'

/**
 * Sends what a SENDING slab still has to send, in runs of adjacent answers, then makes it EMPTY.
 *
 * A successor that finds a SENDING slab calls this and continues behind the last slot known to be sent: one run
 * may then be sent twice, none is lost.
 *
 * @returns answers given up after an error
 */
export function sendBatch(slab: Slab): number {
  const count = slab.count
  let failures = 0
  let retried = -1
  let slot = slab.sent
  while (slot < count) {
    if (slab.responseLength(slot) === 0) {
      slot++
      continue
    }
    let end = slot + 1
    while (end < count && slab.responseLength(end) !== 0) end++
    const sent = sendMessages(slab.socket, slab.headerAddress(slot), end - slot)
    if (sent > 0) {
      slot += sent
    } else if (retried !== slot && mayPass(-sent)) {
      retried = slot
    } else {
      failures++
      slot++
    }
    slab.progress(slot)
  }
  slab.reset()
  return failures
}

// A signal, a full send buffer, or an ICMP error that an earlier answer earned: not the fault of this message.
function mayPass(errno: number): boolean {
  return errno === EINTR || errno === EAGAIN || errno === ENOBUFS || errno === ECONNREFUSED
}
