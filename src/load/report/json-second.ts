// A second of a run as an object: an element of `series`, and with the server's name a line of JSON lines. docs/load-json.md
// has every field and its unit.

import type { Second } from '../run.ts'
import { countFields, percentileFields, rounded } from './json-counts.ts'

/**
 * One line's object.
 *
 * @param label  of the server that was asked (Target.label)
 */
export function secondJson(second: Second, label: string): Record<string, unknown> {
  return { server: label, ...secondFields(second) }
}

/** The same within a run, which has the server. */
export function secondFields(second: Second): Record<string, unknown> {
  return {
    second: second.index,
    duration_s: rounded(second.seconds, 6),
    offered_qps: rounded(second.offered, 3),
    qps: rounded(second.answered / second.seconds, 3),
    ...countFields(second),
    latency_us: percentileFields(second.latency),
  }
}
