// Names outside of the cluster that its Pods look up: examples, or a list of the user's.

import { labelsOfText, NameError } from '../../dns/name.ts'
import { LoadInputError } from '../input-error.ts'
import { eachLine, placeOf, readOctets } from './text-lines.ts'

const HOSTS = [
  'www',
  'api',
  'cdn',
  'static',
  'login',
  's3',
  'metrics',
  'registry',
  'hooks',
  'auth',
  'queue',
  'mail',
  'assets',
  'events',
  'search',
  'img',
]
// Domains that are nobody's: RFC 2606 §2 and §3.
const DOMAINS = [
  'example.com',
  'example.net',
  'example.org',
  'shop.example.net',
  'pay.example',
  'eu-west-1.cloud.example',
  'tracker.example.com',
  'ci.example.org',
]
/** With five dots: asked as they stand. */
const MANAGED = ['orders-db', 'users-db', 'sessions', 'catalogue-db'].map(
  (name) => `${name}.c9x2k.eu-west-1.rds.cloud.example`,
)

/** Used if there is no other list. Popular ones first, as Zipf's law takes them. */
export const EXAMPLE_NAMES: readonly string[] = [
  ...HOSTS.flatMap((host) => DOMAINS.map((domain) => `${host}.${domain}`)),
  ...MANAGED,
]

/**
 * Reads names, one a line, the final dot optional; blank lines and what comes behind `#` or `;` do not count.
 *
 * @throws LoadInputError for a file that cannot be read or has no names, and for what is no name
 */
export function readNameList(path: string): string[] {
  const names: string[] = []
  eachLine(readOctets(path), ({ number, first, second }) => {
    const place = `${placeOf(path)}:${number}`
    if (second !== '') throw new LoadInputError(`${place}: one name is expected, not '${second}' behind it`)
    names.push(checkedName(first, place))
  })
  if (names.length === 0) throw new LoadInputError(`${placeOf(path)}: no names`)
  return names
}

function checkedName(text: string, place: string): string {
  try {
    if (labelsOfText(text).length === 0) throw new NameError('the root is no name to look up')
  } catch (error) {
    if (error instanceof NameError) throw new LoadInputError(`${place}: ${error.message}`)
    throw error
  }
  return text.endsWith('.') ? text.slice(0, -1) : text
}
