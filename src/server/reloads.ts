// When the configuration is loaded anew: on a signal, when its files say something else, and when nameservers have changed. Not here: how that
// is done (running-server.ts).

import { randomInt } from 'node:crypto'
import type { Logger } from '../admin/logger.ts'
import type { Configuration, ReloadConfig } from '../config/configuration.ts'
import { NotKnownError } from './cluster.ts'
import { UpstreamFiles } from './upstream-files.ts'

/** What became of the Corefile: one of `configuration` and `error` is null. */
export interface ConfigurationReading {
  readonly configuration: Configuration | null
  readonly error: Error | null
  /** SHA-512 of what was read, as far as that went. */
  readonly fingerprint: string
}

export interface ReloadParts {
  /** Reads and understands the Corefile. */
  readonly read: () => ConfigurationReading
  /** Changes over. @throws why it cannot: the old configuration then serves on */
  readonly change: (configuration: Configuration) => Promise<void>
  readonly logger: Logger
  /** Whether it serves, once that is known; nothing is loaded before, and nothing at all if it does not. */
  readonly serves: Promise<boolean>
  /** Milliseconds between two looks at files of nameservers; 5 s by default. */
  readonly upstreamFilesMs?: number
}

const PLUGIN = 'reload'

/** Reloads, one at a time. */
export class Reloads {
  /** Reloads that failed. */
  failures = 0
  #fingerprint: string
  /** What could not be loaded: it is not tried again. */
  #refused = ''
  #running: Promise<void>
  /** The next one, while another is under way. */
  #waiting: { isForced: boolean } | null = null
  #timer: NodeJS.Timeout | undefined
  #upstreamFiles!: UpstreamFiles
  #isStopped = false
  readonly #parts: ReloadParts

  constructor(configuration: Configuration, parts: ReloadParts) {
    this.#parts = parts
    this.#fingerprint = configuration.fingerprint
    this.#running = this.#begin()
    this.#follow(configuration)
  }

  /** SHA-512 of what is running. */
  get fingerprint(): string {
    return this.#fingerprint
  }

  /** Loads anew, whether or not something changed. Never rejects. */
  now(): Promise<void> {
    return this.#enqueue(true)
  }

  /** Looks whether the files say something else. Never rejects. */
  look(): Promise<void> {
    return this.#enqueue(false)
  }

  /** Settles when what is under way is done; nothing comes after it. */
  async stop(): Promise<void> {
    this.#isStopped = true
    clearInterval(this.#timer)
    this.#upstreamFiles.close()
    await this.#running
  }

  async #begin(): Promise<void> {
    const serves = await this.#parts.serves.catch(() => false)
    if (!serves) this.#isStopped = true
  }

  #enqueue(isForced: boolean): Promise<void> {
    if (this.#waiting !== null) {
      // It has not begun: what it will read is what there is by then.
      this.#waiting.isForced ||= isForced
      return this.#running
    }
    const waiting = { isForced }
    this.#waiting = waiting
    this.#running = this.#running.then(async () => {
      this.#waiting = null
      if (!this.#isStopped) await this.#load(waiting.isForced)
    })
    return this.#running
  }

  async #load(isForced: boolean): Promise<void> {
    const { read, change, logger } = this.#parts
    const { configuration, error, fingerprint } = read()
    const isKnown = fingerprint === this.#refused || (error === null && fingerprint === this.#fingerprint)
    if (isKnown && !isForced) return
    logger.info('', 'Reloading')
    for (const warning of configuration?.warnings ?? []) logger.warning('', warning)
    try {
      if (configuration === null) throw error
      await change(configuration)
    } catch (failure) {
      const reason = failure instanceof Error ? failure.message : String(failure)
      this.failures++
      if (!(failure instanceof NotKnownError)) this.#refused = fingerprint
      logger.error('', `Restart failed: ${reason}`)
      logger.error(PLUGIN, `Corefile changed but reload failed: ${reason}`)
      return
    }
    this.#fingerprint = fingerprint
    this.#refused = ''
    logger.info('', 'Reloading complete')
    sayFingerprint(configuration!, logger)
    this.#upstreamFiles.close()
    if (!this.#isStopped) this.#follow(configuration!)
  }

  #follow(configuration: Configuration): void {
    const { logger, upstreamFilesMs } = this.#parts
    this.#upstreamFiles = new UpstreamFiles(configuration, {
      onChange: () => void this.now(),
      log: (level, line) => logger.log(level, 'forward', line),
      lookMs: upstreamFilesMs,
    })
    this.#schedule(configuration)
  }

  #schedule({ blocks }: Configuration): void {
    clearInterval(this.#timer)
    const config = blocks.flatMap(({ plugins: { reload } }) => reload ?? []).at(-1)
    if (config === undefined) return
    this.#timer = setInterval(() => void this.look(), drawn(config)).unref()
  }
}

/** The line that says what is running, if some block has `reload`. */
export function sayFingerprint({ blocks, fingerprint }: Configuration, logger: Logger): void {
  if (fingerprint === '' || !blocks.some(({ plugins }) => plugins.reload !== undefined)) return
  logger.info(PLUGIN, `Running configuration SHA512 = ${fingerprint}`)
}

/** An interval out of INTERVAL ± JITTER/2, so that replicas do not all reload at once. */
function drawn({ intervalMs, jitterMs }: ReloadConfig): number {
  const span = Math.floor(Math.min(jitterMs, intervalMs / 2))
  return intervalMs - span / 2 + (span > 0 ? randomInt(span + 1) : 0)
}
