// Syntax -> configuration: keys, order, and what concerns several plugins or blocks at once. What one directive means is in plugins/.

import { networkInterfaces } from 'node:os'
import { NameError } from '../dns/name.ts'
import type { BlockConfig, Configuration, PluginName, Plugins } from './configuration.ts'
import { type CorefileSyntax, type Directive, errorAt, type ServerBlock, type Token } from './corefile/syntax.ts'
import { complaintAbout, isRepeatable, rankOf } from './directives.ts'
import { type Interfaces, type ListeningBlock, listenersOf } from './listeners.ts'
import { SETUPS } from './plugins/registry.ts'
import type { Setup, SetupContext, TextChecks } from './plugins/setup.ts'
import { type Key, parseKey } from './zone-names.ts'

export interface ConfigureOptions {
  /** Port of keys that name neither port nor scheme. */
  readonly defaultPort: number
  readonly checks?: TextChecks
  /** What `bind` may name; the machine's own by default. */
  readonly interfaces?: Interfaces
}

/** No Corefile: the same as an empty one. */
export const NO_COREFILE: CorefileSyntax = { blocks: [], files: [], fingerprint: '', warnings: [] }

/** Notes on the way; each a line. */
interface Notes {
  readonly warnings: string[]
  readonly withoutEffect: string[]
  warn(at: Token, text: string): void
  ignore(at: Token, text: string): void
}

interface KeyedBlock {
  readonly syntax: ServerBlock
  readonly keys: readonly { readonly at: Token; readonly key: Key }[]
}

/**
 * What a Corefile means; frozen all through.
 *
 * @throws CorefileError with file and line
 */
export function configure(syntax: CorefileSyntax, options: ConfigureOptions): Configuration {
  const path = syntax.files[0] ?? ''
  const blocks = syntax.blocks.length > 0 ? syntax.blocks : [defaultBlock(path)]
  const notes = takeNotes(syntax.warnings)
  for (const { directives } of blocks) directives.forEach(checkName)
  const keyed = blocks.map((block) => ({ syntax: block, keys: block.keys.map((at) => readKey(at, options, notes)) }))
  const configs = keyed.map((block) => configureBlock(block, options, notes))
  const listening = keyed.map((block, index): ListeningBlock => {
    const { bind, view } = configs[index].plugins
    const bindAt = block.syntax.directives.find(({ name }) => name.text === 'bind')?.name ?? null
    return { keys: block.keys, bindAt, bind, hasView: view !== undefined }
  })
  const listeners = listenersOf(listening, options.interfaces ?? networkInterfaces(), notes.warn)
  const { fingerprint, files } = syntax
  const { warnings, withoutEffect } = notes
  return deepFrozen({ path, files: [...files], fingerprint, blocks: configs, listeners, warnings, withoutEffect })
}

/** What an empty Corefile means: whoever asks is told who asked. */
function defaultBlock(file: string): ServerBlock {
  const token = (text: string): Token => ({ text, file, line: 1 })
  const directive = (name: string): Directive => ({ name: token(name), args: [], properties: [] })
  return { keys: [token('.')], directives: [directive('whoami'), directive('log')] }
}

function takeNotes(before: readonly string[]): Notes {
  const warnings = [...before]
  const withoutEffect: string[] = []
  const line = ({ file, line }: Token, text: string): string => `${file}:${line}: ${text}`
  return {
    warnings,
    withoutEffect,
    warn: (at, text) => void warnings.push(line(at, text)),
    ignore: (at, text) => void withoutEffect.push(line(at, text)),
  }
}

function checkName({ name }: Directive): void {
  const complaint = complaintAbout(name.text)
  if (complaint !== null) throw errorAt(name, complaint)
}

function readKey(at: Token, { defaultPort }: ConfigureOptions, notes: Notes): { at: Token; key: Key } {
  try {
    const key = parseKey(at.text, defaultPort)
    if (key.scheme !== 'dns')
      throw new NameError(`'${at.text}': scheme ${key.scheme}:// is not served yet, only plain DNS is`)
    if (key.warning !== '') notes.warn(at, key.warning)
    return { at, key }
  } catch (error) {
    if (!(error instanceof NameError)) throw error
    throw errorAt(at, `error inspecting server blocks: ${error.message}`)
  }
}

function configureBlock({ syntax, keys }: KeyedBlock, options: ConfigureOptions, notes: Notes): BlockConfig {
  const byName = Map.groupBy(syntax.directives, ({ name }) => name.text)
  for (const directives of byName.values()) checkOnce(directives)
  const zones = [...new Set(keys.flatMap(({ key }) => key.zones))]
  const root = rootOf(byName.get('root'))
  const context: SetupContext = {
    zones,
    root,
    checks: options.checks,
    warn: notes.warn,
    withoutEffect: notes.ignore,
  }
  const plugins: Record<string, unknown> = {}
  for (const [name, directives] of [...byName].sort(([a], [b]) => rankOf(a) - rankOf(b))) {
    if (name !== 'root') plugins[name] = setupOf(name)(directives, context)
  }
  checkTogether(plugins as Plugins, (name) => byName.get(name)![0].name, notes)
  const { file, line } = syntax.keys[0]
  return { file, line, zones, plugins: plugins as Plugins }
}

function setupOf(name: string): Setup<PluginName> {
  return SETUPS[name as PluginName] as Setup<PluginName>
}

function checkOnce([first, second]: readonly Directive[]): void {
  const { text, file, line } = first.name
  if (second === undefined || isRepeatable(text)) return
  const once = 'this plugin can only be used once per Server Block'
  throw errorAt(second.name, `plugin/${text}: ${once}; the first stands at ${file}:${line}`)
}

/** `root DIR`. A folder that is missing may still come. */
function rootOf(directives: readonly Directive[] | undefined): string {
  if (directives === undefined) return ''
  const [{ name, args, properties }] = directives
  if (args.length !== 1 || properties.length > 0) {
    throw errorAt(name, `Wrong argument count or unexpected line ending after '${(args.at(-1) ?? name).text}'`)
  }
  return args[0].text
}

/** What one plugin needs of another in its block. */
function checkTogether(plugins: Plugins, at: (name: PluginName) => Token, notes: Notes): void {
  const { autopath, kubernetes, k8s_external } = plugins
  if (k8s_external !== undefined && kubernetes === undefined) {
    throw errorAt(at('k8s_external'), "plugin/k8s_external: 'kubernetes' is missing in this block")
  }
  if (autopath?.source !== '@kubernetes') return
  if (kubernetes === undefined) throw errorAt(at('autopath'), "plugin/autopath: 'kubernetes' is missing in this block")
  if (kubernetes.pods !== 'verified') {
    notes.warn(
      at('autopath'),
      "plugin/autopath: no Pod is known without 'pods verified' of kubernetes, so this does nothing",
    )
  }
}

function deepFrozen<T extends object>(value: T): T {
  for (const each of Object.values(value)) if (typeof each === 'object' && each !== null) deepFrozen(each)
  return Object.freeze(value)
}
