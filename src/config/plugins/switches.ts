// Directives that are only a name: `whoami`, `minimal`, `any`, `debug`. To say one of them twice changes nothing.

import type { Directive } from '../corefile/syntax.ts'
import { bare } from './arguments.ts'

/** @see Corefile reference 5.17 and 6.5 */
export function setup(directives: readonly Directive[]): true {
  for (const directive of directives) bare(directive)
  return true
}
