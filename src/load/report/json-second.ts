// A second of a run as an object, for JSON lines: docs/load-json.md has every field and its unit.

import type { Second } from '../run.ts'

/**
 * One line's object.
 *
 * @param label  of the server that was asked (Target.label)
 */
export function secondJson(second: Second, label: string): Record<string, unknown> {
  return { server: label, second: second.index }
}
