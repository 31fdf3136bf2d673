// Names as lists of labels: which lies below which. Leftmost label first, lower case.

import { labelsOfText } from '../dns/name.ts'

/** Labels of a zone of the configuration. @throws NameError */
export function zoneLabels(zone: string): string[] {
  return labelsOfText(zone).map((label) => label.toLowerCase())
}

/** Is `labels` the name `zone` or one below it? */
export function isWithin(labels: readonly string[], zone: readonly string[]): boolean {
  const from = labels.length - zone.length
  return from >= 0 && zone.every((label, i) => label === labels[from + i])
}
