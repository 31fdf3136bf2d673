// `reload [INTERVAL] [JITTER]`.

import { argumentsOf, duration, single, withoutProperties } from './arguments.ts'
import { Refusal, type Setup } from './setup.ts'

const INTERVAL_MS = 30_000
const INTERVAL_LEAST_MS = 2000
const JITTER_MS = 15_000
const JITTER_LEAST_MS = 1000

/** @see Corefile reference 5.9 */
export const setup: Setup<'reload'> = (directives) => {
  const directive = single(directives)
  withoutProperties(directive)
  const [interval, jitter] = argumentsOf(directive, 0, 2)
  const intervalMs = interval === undefined ? INTERVAL_MS : duration(interval, INTERVAL_LEAST_MS)
  const jitterMs = jitter === undefined ? JITTER_MS : duration(jitter, 0)
  if (jitter !== undefined && jitterMs > 0 && jitterMs < JITTER_LEAST_MS) {
    throw new Refusal(jitter, `jitter '${jitter.text}' is less than ${JITTER_LEAST_MS / 1000}s`)
  }
  return { intervalMs, jitterMs: Math.min(jitterMs, intervalMs / 2) }
}
