// The search list of a resolv.conf(5), for `autopath`. Read when the configuration is loaded.

import { readFileSync } from 'node:fs'
import { NameError } from '../../dns/name.ts'
import { zoneName } from '../zone-names.ts'

/** As many as Kubernetes lets a Pod have. */
const ELEMENTS_MAX = 32

/**
 * The domains that a file like resolv.conf(5) has names searched in: of its last `search` or `domain` line. What is no domain name is left out,
 * and so is the root: a name without a domain is asked for last anyway.
 *
 * @returns absolute, lower case, with a final dot; 32 at most   @throws Error of the system if the file cannot be read
 */
export function searchListOf(path: string): string[] {
  const lines = [...readFileSync(path, 'utf8').matchAll(/^[ \t]*(search|domain)[ \t]+([^#;\r\n]*)/gm)]
  const [, keyword, text] = lines.at(-1) ?? ['', '', '']
  const words = text.split(/[ \t]+/).filter((word) => word !== '')
  const domains = (keyword === 'domain' ? words.slice(0, 1) : words).map(domainOf)
  return domains.filter((domain) => domain !== '' && domain !== '.').slice(0, ELEMENTS_MAX)
}

/** '' = none. */
function domainOf(word: string): string {
  try {
    return zoneName(word)
  } catch (error) {
    if (error instanceof NameError) return ''
    throw error
  }
}
