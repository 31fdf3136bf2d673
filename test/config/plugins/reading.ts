// Reads directives for tests of setups: a few lines of a Corefile, without anything around them.

import type { PluginName, Plugins } from '../../../src/config/configuration.ts'
import { type Directive, errorAt, type Property, type Token } from '../../../src/config/corefile/syntax.ts'
import { SETUPS } from '../../../src/config/plugins/registry.ts'
import type { SetupContext, TextChecks } from '../../../src/config/plugins/setup.ts'
import { LabelSelector } from '../../../src/kube/label-selector.ts'
import { compileCondition, compileExpression } from '../../../src/plugins/expression.ts'

/** What a setup made of a text, and whom it told what. */
export interface Reading<K extends PluginName> {
  readonly config: NonNullable<Plugins[K]>
  readonly warnings: readonly string[]
  readonly withoutEffect: readonly string[]
}

/** Of templates no more is looked at than whether actions end. */
const CHECKS: TextChecks = {
  template(text) {
    if (text.split('{{').length !== text.split('}}').length) throw new Error(`unclosed action in ${text}`)
  },
  expression: (text) => void compileExpression(text),
  condition: (text) => void compileCondition(text),
  labelSelector: (text) => void LabelSelector.parse(text),
}

/** Directives of `text`: a line each, properties between `{` at a line's end and `}` alone; `"` around words with blanks. */
export function directivesOf(text: string): Directive[] {
  const directives: (Directive & { properties: Property[] })[] = []
  let inside = false
  for (const [i, line] of text.split('\n').entries()) {
    const tokens = [...line.matchAll(/"((?:\\"|[^"])*)"|\S+/g)].map(
      ([all, quoted]): Token => ({ text: quoted?.replaceAll('\\"', '"') ?? all, file: 'Corefile', line: i + 1 }),
    )
    if (tokens.length === 0) continue
    const opens = tokens.at(-1)!.text === '{'
    const [name, ...args] = opens ? tokens.slice(0, -1) : tokens
    if (name.text === '}') inside = false
    else if (inside) directives.at(-1)!.properties.push({ name, args })
    else directives.push({ name, args, properties: [] })
    if (opens) inside = true
  }
  if (inside) throw errorAt({ file: 'Corefile', line: 0 }, 'the test forgot a brace')
  return directives
}

/** @throws CorefileError of the setup */
export function reading<K extends PluginName>(
  plugin: K,
  text: string,
  context: Partial<SetupContext> = {},
): Reading<K> {
  const warnings: string[] = []
  const withoutEffect: string[] = []
  const config = SETUPS[plugin](directivesOf(text), {
    zones: ['cluster.local.', 'in-addr.arpa.'],
    root: '',
    checks: CHECKS,
    warn: (at, line) => warnings.push(`${at.line}: ${line}`),
    withoutEffect: (at, line) => withoutEffect.push(`${at.line}: ${line}`),
    ...context,
  })
  return { config, warnings, withoutEffect }
}

/** The message a text is refused with; '' if it is accepted. Other errors than CorefileError are thrown on. */
export function refusal(plugin: PluginName, text: string): string {
  try {
    reading(plugin, text)
    return ''
  } catch (error) {
    if (error instanceof Error && error.name === 'CorefileError') return error.message
    throw error
  }
}
