// The effective configuration as text, for `peregrine check`: block by block, every default written out, and what has no effect.
// For people. It is no Corefile, and nothing reads it back.

import { rcodeName } from '../dns/rcodes.ts'
import { className, typeName } from '../dns/record-types.ts'
import type { BlockConfig, Configuration, HttpAddress, ListenerConfig } from './configuration.ts'
import { rankOf } from './directives.ts'

/** Fields of which numbers have names. `class` and `type` of `rewrite` hold theirs in `from` and `to`: see `namesFor`. */
const NUMBER_NAMES: Readonly<Record<string, (number: number) => string>> = {
  class: className,
  type: typeName,
  types: typeName,
  rcode: rcodeName,
  failover: rcodeName,
  next: rcodeName,
}
/** Fields where no restriction is said by nothing at all. */
const NONE_IS_ALL = new Set(['namespaces', 'types', 'nets'])
const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000
const SECOND_MS = 1000

/** Lines of text, the last one ended too. */
export function effectiveText(configuration: Configuration): string {
  const { path, fingerprint, blocks, listeners, warnings, withoutEffect } = configuration
  return [
    `Corefile: ${path === '' ? 'none, built in' : path}`,
    ...configuration.files.slice(1).map((file) => `imported: ${file}`),
    `SHA512: ${fingerprint === '' ? 'none' : fingerprint}`,
    ...listeners.flatMap(listenerLines),
    ...blocks.flatMap(blockLines),
    ...section('accepted without effect', withoutEffect),
    ...section('warnings', warnings),
    '',
  ].join('\n')
}

/** `.:53`, `cluster.local.:53 on 169.254.20.10`: as the server names them at start. */
export function listenerLines({ scheme, address, port, zones }: ListenerConfig): string[] {
  const names = [...new Set(zones.map(({ zone }) => zone))]
  return names.map(
    (zone) => `${scheme === 'dns' ? '' : `${scheme}://`}${zone}:${port}${address === '' ? '' : ` on ${address}`}`,
  )
}

function blockLines({ file, line, zones, plugins }: BlockConfig): string[] {
  const names = Object.keys(plugins).sort((a, b) => rankOf(a) - rankOf(b))
  const body = names.flatMap((name) => {
    const config = plugins[name as keyof typeof plugins]
    return config === true ? [`    ${name}`] : fieldLines(name, config, '    ')
  })
  return ['', `${zones.join(' ')} {    # ${file === '' ? 'built in' : `${file}:${line}`}`, ...body, '}']
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', `${title}:`, ...lines.map((line) => `    ${oneLine(line)}`)]
}

/** A value with its name before it; what has parts gets a line for each. */
function fieldLines(name: string, value: unknown, indent: string, names = NUMBER_NAMES[name]): string[] {
  const simple = simpleText(name, value, names)
  const label = `${indent}${name.endsWith('Ms') ? spelled(name.slice(0, -2)) : spelled(name)}`
  if (simple !== null) return [`${label} ${simple}`]
  if (Array.isArray(value)) return value.flatMap((each) => fieldLines(name, each, indent, names))
  // File and line together say where it was written.
  const isPlaced = Object.hasOwn(value as object, 'line')
  const parts = Object.entries(value as object).filter(([part]) => !isPlaced || (part !== 'file' && part !== 'line'))
  return [
    `${label} {`,
    ...parts.flatMap(([part, each]) => fieldLines(part, each, `${indent}    `, namesFor(part, value))),
    `${indent}}`,
  ]
}

/** `from` and `to` of a rule are what its kind says. */
function namesFor(part: string, rule: unknown): ((number: number) => string) | undefined {
  const { kind } = rule as { kind?: unknown }
  const isRange = (part === 'from' || part === 'to') && typeof kind === 'string'
  return NUMBER_NAMES[isRange ? kind : part]
}

/** What fits on a line behind its name; null for what does not. */
function simpleText(name: string, value: unknown, names: ((number: number) => string) | undefined): string | null {
  if (value === null) return NONE_IS_ALL.has(name) ? 'all' : 'none'
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (typeof value === 'number') return numberText(name, value, names)
  if (typeof value === 'string') return value === '' ? 'none' : shown(value)
  if (Array.isArray(value)) {
    if (value.length === 0) return NONE_IS_ALL.has(name) ? 'all' : 'none'
    const texts = value.map((each) => (typeof each === 'object' ? null : simpleText(name, each, names)))
    return texts.includes(null) ? null : texts.join(' ')
  }
  return isAddress(value as object) ? addressText(value as HttpAddress) : null
}

function numberText(name: string, value: number, names: ((number: number) => string) | undefined): string {
  if (name.endsWith('Ms') || name === 'cancel') return durationText(value)
  return names === undefined ? String(value) : names(value)
}

function isAddress(value: object): value is HttpAddress {
  return Object.keys(value).sort().join() === 'host,port'
}

function addressText({ host, port }: HttpAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** As Go writes durations: `1m30s`, `500ms`, `0s`. */
function durationText(milliseconds: number): string {
  if (milliseconds < SECOND_MS && milliseconds > 0) return `${milliseconds}ms`
  const hours = Math.floor(milliseconds / HOUR_MS)
  const minutes = Math.floor((milliseconds % HOUR_MS) / MINUTE_MS)
  const seconds = Number(((milliseconds % MINUTE_MS) / SECOND_MS).toFixed(9))
  const parts = [hours > 0 ? `${hours}h` : '', minutes > 0 || (hours > 0 && seconds > 0) ? `${minutes}m` : '']
  return `${parts.join('')}${seconds > 0 || hours + minutes === 0 ? `${seconds}s` : ''}`
}

/** Words that white space or braces would break are quoted as a Corefile has it. */
function shown(text: string): string {
  return /^[^\s"#{}]+$/.test(text) ? oneLine(text) : `"${oneLine(text.replaceAll('"', '\\"'))}"`
}

/** Control characters in the form of JSON: no text forges a line. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** `maxConcurrent` as a Corefile spells it: `max_concurrent`. */
function spelled(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
