// Names as lists of labels: which lies below which. Leftmost label first, lower case.

import { labelsOfText } from '../dns/name.ts'

/** A..Z to a..z and nothing else: a character may stand for any octet (RFC 4343 §3). */
export function lowerCase(text: string): string {
  return !/[A-Z]/.test(text) ? text : text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

/** Labels of a zone of the configuration. @throws NameError */
export function zoneLabels(zone: string): string[] {
  return labelsOfText(lowerCase(zone))
}

/** Is `labels` the name `zone` or one below it? */
export function isWithin(labels: readonly string[], zone: readonly string[]): boolean {
  const from = labels.length - zone.length
  return from >= 0 && zone.every((label, i) => label === labels[from + i])
}
