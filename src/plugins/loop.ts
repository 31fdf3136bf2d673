// Plugin loop: reports when the query passes by that the server sends to itself at its start. One that comes back has been round. Who sends
// it, and what follows, is src/server/loop-check.ts.

import { TYPES } from '../dns/record-types.ts'
import type { Peer, Plugin, Walk } from './plugin.ts'

/** The query has passed once more; plain data for the main thread. */
export interface LoopPass {
  /** The name that was asked for. */
  readonly loop: string
  readonly client: Peer
  /** Label `server` of the listener that it came in by. */
  readonly server: string
}

/** Reports of one name: whoever else learns it cannot keep the main thread busy with it. */
const REPORTS_MAX = 200

/**
 * The plugin `loop`.
 *
 * @param name  that the server asks itself for: absolute, lower case
 */
export function createLoop(name: string, report: (pass: LoopPass) => void): Plugin {
  let reports = 0
  return {
    name: 'loop',
    *serve(request, next): Walk {
      const { question, client, server } = request
      if (question.type === TYPES.HINFO && question.name === name && reports < REPORTS_MAX) {
        reports++
        report({ loop: name, client, server })
      }
      return yield* next(request)
    },
  }
}
