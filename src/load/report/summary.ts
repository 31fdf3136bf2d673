// A report as plain text, for the terminal.

import type { Report } from '../outcome.ts'

/** Lines, the last of which ends with a line feed too. */
export function summaryText(report: Report): string {
  return `${report.version}\n`
}
