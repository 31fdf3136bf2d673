// The session that the tests of a file run in: one worker with the queries of runs.ts, from before the first test to after the last.

import { after, before } from 'node:test'
import type { RunResult, RunSpec, Target } from '../../../src/load/run.ts'
import { LoadSession } from '../../../src/load/session.ts'
import { streamSpec, TABLE } from './runs.ts'

/** Not before the first test. */
export let session: LoadSession
before(async () => {
  session = await LoadSession.start(TABLE, { workers: 1, cores: [] })
})
after(() => session.close())

/** A run against a server, which is closed behind it. */
export async function runAgainst<Server extends { close(): void }>(
  server: Server,
  target: Target,
  more: Partial<RunSpec>,
): Promise<{ result: RunResult; server: Server }> {
  try {
    return { result: await session.run(streamSpec(target, more)), server }
  } finally {
    server.close()
  }
}
