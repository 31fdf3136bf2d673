// A server with the stand-in answerer, as a process of its own: for tests that stop it, replace it, or measure it.
//
// argv[2]: JSON of the options to change. Prints {"ready": ...} once it serves, {"log": line} for each line it logs, and on
// SIGTERM stops and prints {"stats": ..., "stopMs": ...}.

import { type ServeOptions, startServing } from '../../src/workers/server.ts'

const print = (value: object) => process.stdout.write(`${JSON.stringify(value)}\n`)

/** What may be asked for in short. */
export interface Asked extends Partial<ServeOptions> {
  readonly addresses?: readonly string[]
  readonly port?: number
}

const { addresses = ['127.0.0.1'], port = 0, ...asked } = JSON.parse(process.argv[2] ?? '{}') as Asked

/** What the process serves unless told otherwise. */
const options: ServeOptions = {
  binds: addresses.map((address) => ({ address, port, listener: 0 })),
  workers: 2,
  transport: 'auto',
  receiveBufferBytes: 4 * 2 ** 20,
  answerSource: { blocks: [] } as never,
  answererModule: new URL('./stand-in-answerer.ts', import.meta.url).href,
  log: (line) => print({ log: line }),
  ...asked,
}

try {
  const serving = await startServing(options)
  process.once('SIGTERM', async () => {
    const startMs = performance.now()
    await serving.stop()
    print({ stats: serving.stats(), stopMs: performance.now() - startMs })
  })
  process.on('SIGUSR2', () => {
    const { user, system } = process.cpuUsage()
    print({ usage: { cpuMicroseconds: user + system, rss: process.memoryUsage.rss(), stats: serving.stats() } })
  })
  print({ ready: { transport: serving.transport, listeners: serving.listeners, startMs: performance.now() } })
} catch (error) {
  const { name, code, message } = error as Error & { code?: string }
  print({ failed: { name, code, message } })
  process.exitCode = 1
}
