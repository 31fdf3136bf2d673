// `log [NAME...] [FORMAT] { class CLASS... }`: one rule a directive.

import type { LogClass, LogRule } from '../configuration.ts'
import type { Directive } from '../corefile/syntax.ts'
import { argumentsOf, oneOf, unknownProperty, zonesOf } from './arguments.ts'
import type { Setup, SetupContext } from './setup.ts'

/** What `{common}` stands for, and the format of a rule that has none. */
export const COMMON_FORMAT =
  '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}" {rcode} {>rflags} {rsize} {duration}'
/** What `{combined}` stands for. */
export const COMBINED_FORMAT = `${COMMON_FORMAT} "{>opcode}"`

const CLASSES: readonly LogClass[] = ['all', 'success', 'denial', 'error']

/** @see Corefile reference 5.2 */
export const setup: Setup<'log'> = (directives, context) => directives.map((directive) => logRule(directive, context))

function logRule(directive: Directive, context: SetupContext): LogRule {
  const classes = new Set<LogClass>()
  for (const property of directive.properties) {
    if (property.name.text !== 'class') throw unknownProperty(property)
    for (const word of argumentsOf(property, 1)) classes.add(oneOf(word, CLASSES))
  }
  const { args } = directive
  const last = args.at(-1)
  const hasFormat = args.length > 1 && last!.text.includes('{')
  if (args.length === 1 && last!.text.includes('{')) {
    const advice = `to give a format, write the name before it: log . "${last!.text}"`
    context.warn(
      last!,
      `plugin/log: '${last!.text}' alone is taken as a domain name, and only queries for that are logged; ${advice}`,
    )
  }
  const names = zonesOf(hasFormat ? args.slice(0, -1) : args)
  return {
    names: names.length === 0 ? ['.'] : names,
    format: hasFormat ? writtenOut(last!.text) : COMMON_FORMAT,
    classes: classes.size === 0 ? ['all'] : [...classes],
  }
}

function writtenOut(format: string): string {
  return format.replaceAll('{common}', COMMON_FORMAT).replaceAll('{combined}', COMBINED_FORMAT)
}
