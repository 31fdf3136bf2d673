// What `peregrine load --help` prints: the flags that mean something to it, by what they are about.

import { usageLine } from './flags.ts'
import { LOAD_GROUPS, LOAD_NOTES } from './load-flags.ts'

/** Usage text of `load`. */
export function loadUsage(): string {
  const groups = LOAD_GROUPS.flatMap(([title, entries]) => [
    '',
    `${title}:`,
    ...entries.map((entry) => (typeof entry === 'string' ? usageLine(entry) : usageLine(entry[0], entry[1]))),
  ])
  return ['usage: peregrine load --server ADDR[:PORT] [flags]', ...groups, '', ...LOAD_NOTES, ''].join('\n')
}
