// How a plugin's directives become its configuration: contracts only. One file per plugin beside this one has the `setup`,
// arguments.ts what all of them read with, registry.ts the list of them.

import type { PluginName, Plugins } from '../configuration.ts'
import type { Directive, Token } from '../corefile/syntax.ts'

/** What a setup knows of its block, and whom it tells. */
export interface SetupContext {
  /** Of the block's keys: absolute, lower case, with final dot. */
  readonly zones: readonly string[]
  /** Directory that relative paths are resolved against; '' = as they are given. */
  readonly root: string
  /** Checks of texts that other parts of the program understand; without them such texts are taken as they are. */
  readonly checks?: TextChecks
  /** A line for the log at start. */
  warn(at: Token, text: string): void
  /** Accepted, but nothing happens here. */
  withoutEffect(at: Token, text: string): void
}

/** Each throws an Error that says what is wrong with the text. They come from above: this folder imports none of those parts. */
export interface TextChecks {
  /** Go template text of `template`. */
  template(text: string): void
  /** An expression of `template`. */
  expression(text: string): void
  /** One of `view`: it is true or false. */
  condition(text: string): void
  /** A label selector of `kubernetes`. */
  labelSelector(text: string): void
}

/**
 * Reads all directives of one plugin in one block, in file order; at least one.
 *
 * @throws CorefileError with file and line. A setup by itself throws Refusal too; those of the registry do not
 */
export type Setup<K extends PluginName> = (
  directives: readonly Directive[],
  context: SetupContext,
) => NonNullable<Plugins[K]>

/** What a plugin does not accept. The registry makes a CorefileError of it, with the plugin's name. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly code = 'REFUSED_BY_PLUGIN'
  readonly at: Token

  constructor(at: Token, text: string) {
    super(text)
    this.at = at
  }
}
