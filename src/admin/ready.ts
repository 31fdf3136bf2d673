// `ready`: 200 once everything that has a readiness is ready; one set for the whole process.

import { type Handler, send } from './endpoints.ts'
import type { Logger } from './logger.ts'

const PLUGIN = 'ready'

/** Who has to be ready. A configuration has one of these: what is loaded anew must get ready anew. */
export class Readiness {
  readonly #continuously: boolean
  readonly #parts: { readonly name: string; readonly isReady: () => boolean; wasReady: boolean }[] = []

  /** @param continuously  `monitor continuously`: ask again those that were ready once */
  constructor(continuously: boolean) {
    this.#continuously = continuously
  }

  /** Adds one that counts; several of one name all count. */
  add(name: string, isReady: () => boolean): void {
    this.#parts.push({ name, isReady, wasReady: false })
  }

  /** Names of those that are not ready, sorted, each once. */
  waitingFor(): string[] {
    const names = new Set<string>()
    for (const part of this.#parts) {
      if (part.wasReady && !this.#continuously) continue
      part.wasReady = part.isReady()
      if (!part.wasReady) names.add(part.name)
    }
    return [...names].sort()
  }
}

/** @param readiness  of the configuration that serves now */
export function readyHandler(readiness: () => Readiness, logger: Logger): Handler {
  return (_request, response) => {
    const waiting = readiness().waitingFor()
    if (waiting.length === 0) return send(response, 200, 'OK')
    const names = waiting.join(',')
    logger.info(PLUGIN, `Plugins not ready: "${names}"`)
    send(response, 503, names)
  }
}
