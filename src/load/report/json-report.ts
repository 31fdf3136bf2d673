// A report as one JSON object, for programs: docs/load-json.md has every field and its unit.

import type { Report } from '../outcome.ts'

/** The object that `--json` prints: plain data, nothing in it is NaN or undefined. */
export function reportJson(report: Report): Record<string, unknown> {
  return { version: report.version }
}
