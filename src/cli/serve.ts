// `peregrine serve`: from a configuration to a serving process, and to its end.

import { rmSync, writeFileSync } from 'node:fs'
import type { Logger } from '../admin/logger.ts'
import type { Configuration } from '../config/configuration.ts'
import type { ServerSettings } from '../server/plan.ts'
import { type ConfigurationReading, Reloads, sayFingerprint } from '../server/reloads.ts'
import { RunningServer } from '../server/running-server.ts'
import { processOutput } from './output.ts'

const SECOND_INTERRUPT = 2
const STOP_FAILED = 4

/** What is served, and how it is told of. */
export interface ServeRequest {
  readonly configuration: Configuration
  readonly settings: ServerSettings
  /** Reads the Corefile again; null: there is none. */
  readonly read: (() => ConfigurationReading) | null
  /** Lines without level, as people at a terminal like them; else as CoreDNS writes them. */
  readonly plain: boolean
  /** Leave out the lines of listeners and version. */
  readonly quiet: boolean
  /** '' = none. */
  readonly pidfile: string
  /** Lines of the version. */
  readonly version: readonly string[]
  /** What a plain process says once it serves. */
  readonly introduce: (server: RunningServer) => string[]
  /** Called once queries are answered; must not reject. @param reload  loads the Corefile anew, as SIGUSR1 does */
  readonly onServing?: (reload: () => Promise<void>) => Promise<void>
  /** For metrics: errors while setting up the node, by kind. */
  readonly setupErrors?: () => Iterable<readonly [kind: string, count: number]>
  /** Awaited when it is to end, before anything of it does. */
  readonly onLeaving?: () => Promise<void>
}

/** Serves until a signal ends it. @returns the exit code @throws what stands in the way of starting */
export async function serve(request: ServeRequest): Promise<number> {
  const { configuration, settings, plain, quiet, pidfile } = request
  const { logger, sink } = processOutput(plain, configuration)
  const ending = new Ending(logger, plain)
  for (const warning of configuration.warnings) logger.warning('', warning)
  for (const line of configuration.withoutEffect) logger.info('', `without effect: ${line}`)
  const server = new RunningServer({ settings, logger, sink })
  server.reloadFigures = () => ({ failures: reloads?.failures ?? 0, fingerprint: reloads?.fingerprint ?? '' })
  if (request.setupErrors !== undefined) server.setupErrors = request.setupErrors
  if (pidfile !== '') writePid(pidfile, logger)
  const starting = server.start(configuration, ending.asked)
  const reloads =
    request.read === null ? null : reloadsOf(request.read, server, configuration, starting, ending, logger)
  ending.onReload = () => void reloads?.now()
  ending.onQuit = () => server.quit()
  try {
    if (await starting) {
      void request.onServing?.(() => reloads?.now() ?? Promise.resolve())
      if (plain) for (const line of request.introduce(server)) logger.info('', line)
      else if (!quiet) for (const line of listenerLines(configuration)) sink.write(`${line}\n`)
      sayFingerprint(configuration, logger)
      if (!plain && !quiet) for (const line of request.version) sink.write(`${line}\n`)
      void server.synced().then(async () => {
        for (const line of server.summary()) logger.info(plain ? '' : 'kubernetes', line)
        await server.tidy()
        if (plain) logger.info('', 'ready')
      })
    }
    await Promise.race([ending.asked, server.failed])
    ending.say()
    await request.onLeaving?.()
    await reloads?.stop()
    return await stop(server, logger)
  } catch (error) {
    await reloads?.stop()
    await server.abandon()
    throw error
  } finally {
    await sink.flush()
  }
}

async function stop(server: RunningServer, logger: Logger): Promise<number> {
  try {
    await server.stop()
    return 0
  } catch (error) {
    logger.error('', `Stopping failed: ${(error as Error).message}`)
    return STOP_FAILED
  }
}

function reloadsOf(
  read: () => ConfigurationReading,
  server: RunningServer,
  configuration: Configuration,
  serves: Promise<boolean>,
  ending: Ending,
  logger: Logger,
): Reloads {
  return new Reloads(configuration, {
    read,
    change: async (next) => {
      await server.change(next, ending.signal)
      logger.isDebug = next.blocks.some(({ plugins }) => plugins.debug !== undefined)
    },
    logger,
    serves,
  })
}

/** `.:53`, and where a block is bound: `cluster.local.:53 on 169.254.20.10`. */
function listenerLines({ listeners }: Configuration): string[] {
  return listeners.flatMap(({ address, port, zones }) =>
    zones.map(({ zone }) => `${zone}:${port}${address === '' ? '' : ` on ${address}`}`),
  )
}

/** Writes the file, to be removed however the process ends. Without a place for it DNS is served all the same: the root of a Pod is read-only. */
function writePid(path: string, logger: Logger): void {
  try {
    writeFileSync(path, `${process.pid}\n`)
  } catch (error) {
    logger.warning('', `No pid file: ${(error as Error).message}`)
    return
  }
  process.on('exit', () => rmSync(path, { force: true }))
}

/** The signals that end the process, or have it load its configuration anew. */
class Ending {
  /** Settles with the name of the first signal that ends the process. */
  readonly asked: Promise<NodeJS.Signals>
  onReload: () => void = () => {}
  /** Called right before an end that waits for nothing. */
  onQuit: () => void = () => {}
  #signal: NodeJS.Signals | undefined
  readonly #abort = new AbortController()
  readonly #logger: Logger
  readonly #plain: boolean

  constructor(logger: Logger, plain: boolean) {
    this.#logger = logger
    this.#plain = plain
    this.asked = new Promise((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) {
        process.on(signal, () => {
          // The second interrupt ends it at once; a second SIGTERM is what was asked for already.
          if (this.#signal !== undefined && (signal === 'SIGINT' || plain)) this.#quit(SECOND_INTERRUPT)
          this.#signal ??= signal
          resolve(signal)
          this.#abort.abort()
        })
      }
    })
    process.on('SIGQUIT', () => this.#quit(0))
    process.on('SIGHUP', () => this.onReload())
    process.on('SIGUSR1', () => this.onReload())
    // Left alone it would end the process.
    process.on('SIGUSR2', () =>
      logger.warning('', 'SIGUSR2: not taken; a new process may be started beside this one, on the same ports'),
    )
  }

  /** Aborted when `asked` settles. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  #quit(code: number): never {
    this.onQuit()
    process.exit(code)
  }

  say(): void {
    const signal = this.#signal
    if (signal === undefined) return
    if (this.#plain) this.#logger.info('', `stopping on ${signal}`)
    else if (signal === 'SIGTERM') this.#logger.info('', 'SIGTERM: Shutting down servers then terminating')
    else this.#logger.info('', `${signal}: Shutting down`)
  }
}
