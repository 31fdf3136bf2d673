// A program whose run fails in the way that its argument names; it says how, and ends by itself.

import { LoadSession } from '../../../src/load/session.ts'
import { loopbackSpec } from './specs.ts'
import { numberedNames, tableOf } from './tables.ts'

const LONG_MS = 60_000
const CLOSED = { kind: 'closed', outstanding: 4 } as const
const table = tableOf(numberedNames(10))

/** Without its lengths a table fails when the first query is written, not before. */
const broken = { ...table, lengths: undefined as never }

const WAYS: Readonly<Record<string, () => Promise<unknown>>> = {
  prepare: async () => {
    const session = await LoadSession.start(table, { workers: 2, cores: [] })
    const target = { ...loopbackSpec(CLOSED).target, address: 'no address' }
    return session.run({ ...loopbackSpec(CLOSED), target }).finally(() => session.close())
  },
  run: async () => {
    const session = await LoadSession.start(broken, { workers: 2, cores: [] })
    const spec = { ...loopbackSpec(CLOSED), durationMs: LONG_MS }
    return session.run(spec).finally(() => session.close())
  },
  core: () => LoadSession.start(table, { workers: 2, cores: [1000] }),
  closed: async () => {
    const session = await LoadSession.start(table, { workers: 1, cores: [] })
    await session.close()
    return session.run(loopbackSpec(CLOSED))
  },
  'while it runs': async () => {
    const session = await LoadSession.start(table, { workers: 1, cores: [] })
    const running = session.run({ ...loopbackSpec({ kind: 'open', rate: 10 }), durationMs: LONG_MS })
    setTimeout(() => void session.close(), 100)
    return running
  },
}

try {
  await WAYS[process.argv[2]]()
  console.log('it did not fail')
} catch (error) {
  const { name, code, message } = error as Error & { code?: string }
  console.log(JSON.stringify({ name, code, message }))
}
