// An answerer for tests of sockets and loops: it knows no names, it flips QR. What it does to a message is told by the
// octet behind the DNS header, so that a test can make a worker throw, hang or die from outside.

import type { Answerer } from '../../src/workers/answer.ts'

/** Octet 12 of a test message. */
export const ECHO = 0
/** Throws while it answers, but only the first time it sees the message (told by ID, in shared memory). */
export const THROW = 1
/** Ends the thread. */
export const EXIT = 2
/** Never returns. */
export const HANG = 3
/** Gets no answer. */
export const SILENT = 4
/** Answers with as many octets as octets 14 and 15 say. */
export const LONG = 5
/** Throws in `servfail` as well. */
export const THROW_ALWAYS = 6

/** Throws while the batch is prepared. */
export const THROW_EARLY = 7

const QR = 0x80
const RCODE_SERVFAIL = 2
const RCODE_FORMERR = 1

/** As the server asks for it. */
export async function prepareAnswerer(source: unknown): Promise<(reader: number) => Answerer> {
  return (reader) => createAnswerer(source, reader)
}

/** Answers with QR set; SERVFAIL and FORMERR are told by RCODE. */
export function createAnswerer(_source: unknown, reader: number): Answerer {
  let held = false
  const answerer = {
    setHome() {},
    setPeers() {},
    setMisses() {},
    sent() {},
    prepare(packet: Uint8Array, start: number, length: number) {
      if (length > 12 && packet[start + 12] === THROW_EARLY) throw new Error('told to throw early')
    },
    findPrepared() {},
    beginBatch() {
      held = true
    },
    endBatch() {
      held = false
    },
    answer(packet: Uint8Array, start: number, length: number, capacity: number, stream: boolean) {
      if (!held) throw new Error('answer outside a batch')
      if (length < 12 || (packet[start + 2] & QR) !== 0) return 0
      switch (length > 12 ? packet[start + 12] : ECHO) {
        case THROW:
        case THROW_ALWAYS:
          throw new Error('told to throw')
        case EXIT:
          process.exit(3)
          break
        case HANG:
          for (;;);
        case SILENT:
          return 0
        case LONG: {
          const longer = Math.min((packet[start + 14] << 8) | packet[start + 15], capacity)
          packet.fill(0x4c, start + 16, start + longer)
          length = longer
        }
      }
      packet[start + 2] |= QR
      // Who answered: for tests of how clients are spread, and of TCP against UDP.
      if (length > 13) packet[start + 13] = reader | (stream ? QR : 0)
      return length
    },
    takeTransfer: () => null,
    malformed(packet: Uint8Array, start: number, length: number) {
      if (length < 12) return 0
      packet[start + 2] |= QR
      packet[start + 3] = RCODE_FORMERR
      return 12
    },
    servfail(packet: Uint8Array, start: number, length: number) {
      if (length < 12) return 0
      if (packet[start + 12] === THROW_ALWAYS) throw new Error('told to throw again')
      packet[start + 2] |= QR
      packet[start + 3] = RCODE_SERVFAIL
      return length
    },
  }
  return answerer
}
