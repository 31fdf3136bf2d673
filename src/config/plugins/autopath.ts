// `autopath [ZONE...] FILE | @kubernetes`.

import type { Token } from '../corefile/syntax.ts'
import { argumentsOf, pathOf, single, withoutProperties, zonesOrBlock } from './arguments.ts'
import { searchListOf } from './search-list.ts'
import { Refusal, type Setup } from './setup.ts'

const KUBERNETES = '@kubernetes'
const RESOLV_CONF = '/etc/resolv.conf'

/** @see Corefile reference 6.2 */
export const setup: Setup<'autopath'> = (directives, context) => {
  const directive = single(directives)
  withoutProperties(directive)
  const args = argumentsOf(directive, 1)
  const last = args.at(-1)!
  if (last.text.startsWith('@') && last.text !== KUBERNETES) {
    throw new Refusal(last, `'${last.text}' has no search list: only ${KUBERNETES} has`)
  }
  const zones = zonesOrBlock(args.slice(0, -1), context)
  if (last.text === KUBERNETES) return { zones, source: KUBERNETES, search: ownSearchList() }
  const source = pathOf(last, context)
  return { zones, source, search: searchListAt(last, source) }
}

/** The server's own; a server without one has none. */
function ownSearchList(): string[] {
  try {
    return searchListOf(RESOLV_CONF)
  } catch {
    return []
  }
}

function searchListAt(at: Token, path: string): string[] {
  try {
    return searchListOf(path)
  } catch (error) {
    throw new Refusal(at, `cannot read ${path}: ${(error as Error).message}`)
  }
}
