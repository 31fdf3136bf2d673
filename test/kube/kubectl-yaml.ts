// Writes YAML in the style of kubectl, as an oracle for the reader of it: keys in block style, lists as deep as their
// key, strings plain where that is safe, else quoted, literal if they have several lines.

import { CORE_SCHEMA, load } from 'js-yaml'

/** A document in block style, for a mapping that is not empty. */
export function kubectlYaml(mapping: Readonly<Record<string, unknown>>, depth = 0): string {
  const margin = '  '.repeat(depth)
  let text = ''
  for (const [key, value] of Object.entries(mapping)) {
    text += `${margin}${scalarText(key)}:${valueText(value, depth, depth + 1)}`
  }
  return text
}

/** What follows a colon or a dash. `depth` is that of the list or mapping; what is nested begins at `inner`. */
function valueText(value: unknown, depth: number, inner: number): string {
  if (Array.isArray(value)) return value.length === 0 ? ' []\n' : `\n${listText(value, depth)}`
  if (typeof value === 'object' && value !== null) {
    return Object.keys(value).length === 0 ? ' {}\n' : `\n${kubectlYaml(value as Record<string, unknown>, inner)}`
  }
  if (typeof value === 'string' && isLiteral(value)) return ` ${literalText(value, inner)}`
  return ` ${scalarText(value)}\n`
}

function listText(list: readonly unknown[], depth: number): string {
  const margin = '  '.repeat(depth)
  let text = ''
  for (const entry of list) {
    const nested = typeof entry === 'object' && entry !== null && Object.keys(entry).length > 0
    if (nested && !Array.isArray(entry)) {
      text += `${margin}- ${kubectlYaml(entry as Record<string, unknown>, depth + 1).trimStart()}`
    } else if (nested) text += `${margin}- ${listText(entry as unknown[], depth + 1).trimStart()}`
    else text += `${margin}-${valueText(entry, depth, depth + 1)}`
  }
  return text
}

function isLiteral(text: string): boolean {
  return /^\S.*\n.*\S\n*$/s.test(text) || /^\S+\n+$/.test(text)
}

function literalText(text: string, depth: number): string {
  const chomping = text.endsWith('\n\n') ? '+' : text.endsWith('\n') ? '' : '-'
  const lines = text.replace(/\n$/, '').split('\n')
  return `|${chomping}\n${lines.map((line) => (line === '' ? '\n' : `${'  '.repeat(depth)}${line}\n`)).join('')}`
}

function scalarText(value: unknown): string {
  if (typeof value !== 'string') return String(value)
  if (value.includes('\n')) return JSON.stringify(value)
  if (isPlain(value)) return value
  return /['\\]/.test(value) ? JSON.stringify(value) : `'${value}'`
}

/** Whether a plain scalar of this text is this text, both as a key and as a value. */
function isPlain(text: string): boolean {
  if (/^\s|\s$|[{}[\],]/.test(text)) return false
  try {
    const read = load(`${text}: ${text}\n`, { schema: CORE_SCHEMA }) as Record<string, unknown>
    return Object.keys(read).length === 1 && Object.hasOwn(read, text) && read[text] === text
  } catch {
    return false
  }
}
