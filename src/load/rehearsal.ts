// A run before the first that counts, against a mirror of our own on loopback, and nobody looks at it. A program is slow in its first
// seconds, while the engine compiles what it does often; where workers and server have all cores, it compiles on theirs. Queries would
// leave milliseconds late, and the server would have the blame.

import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { RunSpec, Schedule } from './run.ts'
import type { Runner } from './session.ts'

const ADDRESS = '127.0.0.1'
/** How long it is: so much of what is to count, */
const SHARE = 0.1
/** and not longer: a whole second is handed out, and another begins, */
const LONGEST_MS = 1200
/** nor so short that it is of no use. */
const SHORTEST_MS = 50
const WARMUP_SHARE = 0.1
/** What the mirror answers, whatever else its thread has to do. */
const RATE = 30_000
const OUTSTANDING_MAX = 64
const TIMEOUT_MS = 100
const QR_OFFSET = 2
const QR = 0x80

/**
 * Has all threads do what they are going to do in runs like this one, over UDP.
 *
 * @throws RunError
 */
export async function rehearse(runner: Runner, spec: RunSpec): Promise<void> {
  const lengthMs = Math.min(LONGEST_MS, spec.durationMs * SHARE)
  if (lengthMs < SHORTEST_MS) return
  const mirror = createSocket('udp4')
  try {
    mirror.on('message', (message, { port, address }) => {
      message[QR_OFFSET] ^= QR
      mirror.send(message, port, address)
    })
    // An answer that cannot be sent is missed, and nobody looks.
    mirror.on('error', () => {})
    if (!(await isBound(mirror))) return
    await runner.run({
      ...spec,
      target: { ...spec.target, address: ADDRESS, port: mirror.address().port },
      schedule: easy(spec.schedule),
      warmupMs: lengthMs * WARMUP_SHARE,
      durationMs: lengthMs * (1 - WARMUP_SHARE),
      timeoutMs: TIMEOUT_MS,
      sampleEvery: 0,
      passes: 0,
    })
  } finally {
    mirror.close()
  }
}

/** Without a loopback there is no rehearsal, and no harm. */
async function isBound(mirror: Socket): Promise<boolean> {
  mirror.bind(0, ADDRESS)
  return await once(mirror, 'listening').then(
    () => true,
    () => false,
  )
}

function easy(schedule: Schedule): Schedule {
  if (schedule.kind !== 'closed') return { kind: 'open', rate: RATE }
  return { kind: 'closed', outstanding: Math.min(OUTSTANDING_MAX, schedule.outstanding) }
}
