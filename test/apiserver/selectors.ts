// Label and field selectors, as query parameters have them.
// https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#api

import type { StoredObject } from './object.ts'
import type { Resource } from './resources.ts'

/** Whether a list or a watch has the object. */
export type Selector = (object: StoredObject) => boolean

/** A selector that is none; `message` is what an API server says of it. */
export class SelectorError extends Error {
  readonly code = 'BAD_SELECTOR'
}

/** Null selects everything. */
export function labelSelector(text: string): Selector | null {
  const requirements = splitOutside(text).map(requirement)
  return requirements.length === 0 ? null : (object) => requirements.every((each) => each(object.labels))
}

/** metadata.name, metadata.namespace, and status.phase of Pods and Namespaces. Null selects everything. */
export function fieldSelector(resource: Resource, text: string): Selector | null {
  const terms = splitOutside(text).map((term) => fieldTerm(resource, term))
  return terms.length === 0 ? null : (object) => terms.every((each) => each(object))
}

type Requirement = (labels: Readonly<Record<string, string>>) => boolean

function requirement(text: string): Requirement {
  const set = /^\s*(\S+)\s+(in|notin)\s*\(([^)]*)\)\s*$/.exec(text)
  if (set !== null) {
    const key = checkedKey(set[1])
    const values = set[3].split(',').map((value) => value.trim())
    return set[2] === 'in' ? (labels) => values.includes(labels[key]) : (labels) => !values.includes(labels[key])
  }
  const equal = /^\s*([^=!\s]+)\s*(==?|!=)\s*([\w.-]*)\s*$/.exec(text)
  if (equal !== null) {
    const [, name, operator, value] = equal
    const key = checkedKey(name)
    return operator === '!=' ? (labels) => labels[key] !== value : (labels) => labels[key] === value
  }
  const exists = /^\s*(!?)\s*(\S+)\s*$/.exec(text)
  if (exists === null) throw new SelectorError(`unable to parse requirement: found '${text.trim()}'`)
  const key = checkedKey(exists[2])
  return exists[1] === '!' ? (labels) => labels[key] === undefined : (labels) => labels[key] !== undefined
}

function checkedKey(key: string): string {
  if (/^([a-z0-9.-]+\/)?[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?$/.test(key)) return key
  throw new SelectorError(`unable to parse requirement: <nil>: Invalid value: ${JSON.stringify(key)}: name part must \
consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character`)
}

function fieldTerm(resource: Resource, text: string): Selector {
  const found = /^\s*([^=!]+?)\s*(==?|!=)(.*)$/.exec(text)
  if (found === null) throw new SelectorError(`invalid selector: '${text}'; can't understand '${text}'`)
  const [, field, operator, value] = found
  const read = fieldReader(resource, field)
  return operator === '!=' ? (object) => read(object) !== value : (object) => read(object) === value
}

function fieldReader(resource: Resource, field: string): (object: StoredObject) => string {
  if (field === 'metadata.name') return ({ key }) => key.slice(key.indexOf('/') + 1)
  if (field === 'metadata.namespace') return ({ key }) => key.slice(0, Math.max(0, key.indexOf('/')))
  const phases = resource.name === 'pods' || resource.name === 'namespaces'
  if (field === 'status.phase' && phases) return ({ phase }) => phase
  throw new SelectorError(`field label not supported: ${field}`)
}

/** At the commas that are outside of parentheses. */
function splitOutside(text: string): string[] {
  return text.trim() === '' ? [] : text.split(/,(?![^(]*\))/)
}
