// Which names lie in which zones, for plugins on whole messages: by text. Names and zones are absolute, lower case, with a final dot.

/** Whether `name` is the zone's apex or below it. A dot that is part of a label (`\.`) separates nothing (RFC 1035 §5.1). */
export function isInZone(name: string, zone: string): boolean {
  if (zone === '.' || name === zone) return true
  if (!name.endsWith(zone)) return false
  const dot = name.length - zone.length - 1
  if (name[dot] !== '.') return false
  let backslashes = 0
  while (name[dot - 1 - backslashes] === '\\') backslashes++
  return backslashes % 2 === 0
}

/** The longest of `zones` that `name` lies in; null: none. */
export function longestZone(name: string, zones: readonly string[]): string | null {
  let longest: string | null = null
  for (const zone of zones) {
    if ((longest === null || zone.length > longest.length) && isInZone(name, zone)) longest = zone
  }
  return longest
}
