// How rules of rewrite find names and change them. Names are absolute, lower case, in presentation format with a final dot.

import type { RewriteMatch } from '../config/configuration.ts'
import { compileRegexp } from '../config/regexp.ts'
import { mapNames, type ResourceRecord } from '../dns/message.ts'

/** The changed name; null: the rule does not fit. The result may be no name at all: too long, or with an empty label. */
export type NameChange = (name: string) => string | null

const GROUP = /\{(\d+)\}/g

/**
 * What a rule does to a name. `from` and `to` are folded to lower case and made absolute, but for a regular expression.
 *
 * @throws RegexpError
 */
export function nameChange(match: RewriteMatch, from: string, to: string): NameChange {
  if (match === 'regex') return regexChange(from, to)
  const source = absolute(from)
  const target = absolute(to)
  switch (match) {
    case 'exact':
      return (name) => (name === source ? target : null)
    case 'prefix':
      return (name) => (name.startsWith(source) ? target + name.slice(source.length) : null)
    case 'suffix':
      return (name) => (name.endsWith(source) ? name.slice(0, name.length - source.length) + target : null)
    case 'substring':
      return (name) => (name.includes(source) ? name.replaceAll(source, () => target) : null)
  }
}

/** Whether a rule fits a name. @throws RegexpError */
export function nameTest(match: RewriteMatch, pattern: string): (name: string) => boolean {
  if (match === 'regex') {
    const regexp = compileRegexp(pattern)
    return (name) => regexp.test(name)
  }
  const change = nameChange(match, pattern, '.')
  return (name) => change(name) !== null
}

/** The whole name becomes `to`, with groups of the match for `{1}`: a pattern that fits a part of the name changes all of it. */
function regexChange(pattern: string, to: string): NameChange {
  const regexp = compileRegexp(pattern)
  return (name) => {
    const groups = regexp.exec(name)?.groups
    if (groups === undefined) return null
    return absolute(
      to.replace(GROUP, (found, index) => (Number(index) < groups.length ? (groups[index] ?? '') : found)),
    )
  }
}

function absolute(text: string): string {
  const lower = text.toLowerCase()
  return lower.endsWith('.') ? lower : `${lower}.`
}

/** The record with its owner changed, or itself. */
export function changeOwner(record: ResourceRecord, change: NameChange): ResourceRecord {
  const owner = change(record.owner.toLowerCase())
  return owner === null ? record : { ...record, owner }
}

/** The record with names inside of its RDATA changed, or itself. @throws NameError */
export function changeValues(record: ResourceRecord, change: NameChange): ResourceRecord {
  return mapNames(record, (name) => change(name.toLowerCase()) ?? name)
}
