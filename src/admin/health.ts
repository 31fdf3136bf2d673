// `health`: the endpoint that says OK while the process lives, the process asking itself each second, and lameduck.

import { request } from 'node:http'
import type { HttpAddress } from '../config/configuration.ts'
import { type Handler, send } from './endpoints.ts'
import type { HealthRecord } from './health-record.ts'
import { durationText, type Logger } from './logger.ts'

const PLUGIN = 'health'
const INTERVAL_MS = 1000
const LIMIT_MS = 3000
const SLOW_MS = 1000

/** Always 200: also while ending, also before anything is known. An unreachable API server must never restart DNS. */
export const healthHandler: Handler = (_request, response) => send(response, 200, 'OK')

/** Asks the endpoint of its own process each second. Overload shows there first. */
export class HealthCheck {
  readonly #url: string
  readonly #record: HealthRecord
  readonly #logger: Logger
  readonly #intervalMs: number
  readonly #limitMs: number
  #timer: NodeJS.Timeout | undefined
  #isStopped = false

  /**
   * @param address  that the endpoint listens on
   * @param limits   of tests
   */
  constructor(
    address: HttpAddress,
    record: HealthRecord,
    logger: Logger,
    limits: { readonly intervalMs: number; readonly limitMs: number } = { intervalMs: INTERVAL_MS, limitMs: LIMIT_MS },
  ) {
    this.#url = healthUrl(address)
    this.#record = record
    this.#logger = logger
    this.#intervalMs = limits.intervalMs
    this.#limitMs = limits.limitMs
  }

  /** It does not keep the process alive. */
  start(): void {
    this.#timer = setTimeout(() => void this.#round(), this.#intervalMs)
    this.#timer.unref()
  }

  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
  }

  /** Asks once. Never throws. */
  async ask(): Promise<void> {
    const began = performance.now()
    const failure = await ask(this.#url, this.#limitMs)
    if (this.#isStopped) return
    const took = performance.now() - began
    this.#record.observe(took / 1000)
    if (failure !== '') {
      this.#record.failures++
      this.#logger.warning(PLUGIN, `Local health request to "${this.#url}" failed: ${failure}`)
    } else if (took > SLOW_MS) {
      this.#logger.warning(PLUGIN, `Local health request to "${this.#url}" took more than 1s: ${durationText(took)}`)
    }
  }

  async #round(): Promise<void> {
    await this.ask()
    if (!this.#isStopped) this.start()
  }
}

/** The URL of the endpoint, asked from here. */
export function healthUrl({ host, port }: HttpAddress): string {
  const name = host === '' || host === '0.0.0.0' || host === '::' ? 'localhost' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}/health`
}

/** @returns '' if all is well, or why not */
function ask(url: string, limitMs: number): Promise<string> {
  return new Promise((resolve) => {
    const asked = request(url, { agent: false, signal: AbortSignal.timeout(limitMs) }, (response) => {
      response.resume()
      response.on('error', (error) => resolve(error.message))
      response.on('end', () => resolve(''))
    })
    asked.on('error', (error) => {
      resolve(error.name === 'AbortError' ? `no answer within ${durationText(limitMs)}` : error.message)
    })
    asked.end()
  })
}
