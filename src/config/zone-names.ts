// Zones as a Corefile writes them: domain names, address prefixes (a prefix means its reverse zones), and the keys of server blocks.

import { isIP, isIPv4, isIPv6 } from 'node:net'
import { labelsOfText, NameError, textOfWire, wireOfLabels } from '../dns/name.ts'
import type { Scheme } from './configuration.ts'

/** What a key of a server block says. */
export interface Key {
  readonly scheme: Scheme
  /** At least one; several for a prefix off the octet boundary. */
  readonly zones: readonly string[]
  readonly port: number
  /** What is odd about it; '' = nothing. */
  readonly warning: string
}

const PORT_MAX = 65_535
const SCHEME_PORTS: Readonly<Record<Scheme, number | null>> = {
  dns: null,
  tls: 853,
  https: 443,
  quic: 853,
  grpc: 443,
  https3: 443,
}

/**
 * A domain name, absolute, in lower case, with a final dot; escapes are written in one way only.
 *
 * @throws NameError
 */
export function zoneName(text: string): string {
  if (text === '') throw new NameError('a name is missing')
  // What is not ASCII stands for its octets in UTF-8.
  const octets = Buffer.from(text, 'utf8').toString('latin1')
  return textOfWire(wireOfLabels(labelsOfText(octets)))
}

/**
 * The zones that an argument names: one for a domain name; for an address prefix its reverse zones, as many as the octets (IPv6: nibbles) that it cuts make necessary.
 *
 * @throws NameError
 */
export function zonesOfArgument(text: string): string[] {
  return reverseZones(text) ?? [zoneName(text)]
}

/**
 * Reads `[scheme://]zone[/prefix length][:port]`.
 *
 * @param defaultPort  of plain DNS
 * @throws NameError
 */
export function parseKey(text: string, defaultPort: number): Key {
  const [, schemeText, rest] = /^(?:(.*?):\/\/)?(.*)$/s.exec(text.toLowerCase())!
  const scheme = (schemeText ?? 'dns') as Scheme
  if (!Object.hasOwn(SCHEME_PORTS, scheme)) throw new NameError(`unknown scheme '${schemeText}' in '${text}'`)
  const colon = rest.lastIndexOf(':')
  const hasPort = /^:\d+$/.test(rest.slice(colon))
  if (colon !== -1 && colon === rest.length - 1) throw new NameError(`'${text}' has no port behind its colon`)
  const zone = hasPort ? rest.slice(0, colon) : rest
  const port = hasPort ? Number(rest.slice(colon + 1)) : (SCHEME_PORTS[scheme] ?? defaultPort)
  if (port > PORT_MAX) throw new NameError(`'${text}' has a port over ${PORT_MAX}`)
  if (zone === '') throw new NameError(`'${text}' has no zone`)
  const zones = reverseZones(zone)
  if (zones === null && zone.includes(':'))
    throw new NameError(`'${text}' is no domain name, and no prefix with a port`)
  return { scheme, zones: zones ?? [zoneName(zone)], port, warning: zones === null ? oddity(zone) : '' }
}

function oddity(zone: string): string {
  const bare = zone.replace(/\.$/, '').replace(/\/\d+$/, '')
  if (isIP(bare) !== 0) {
    return `'${zone}' looks like an address, but is taken as a domain name; the reverse zone of one IPv4 address is ${bare}/32`
  }
  return zone.includes(',')
    ? `'${zone}' is taken as one domain name; a comma between keys needs white space behind it`
    : ''
}

/** The reverse zones of a prefix in CIDR notation; null if it is none. */
function reverseZones(text: string): string[] | null {
  const [, address, digits] = /^([^/]*)\/(\d{1,3})$/.exec(text) ?? []
  if (address === undefined) return null
  const length = Number(digits)
  if (isIPv4(address) && length <= 32) {
    return zonesOfPrefix(address.split('.').map(Number), 8, length, 'in-addr.arpa.')
  }
  if (isIPv6(address) && !address.includes('%') && length <= 128) {
    return zonesOfPrefix(nibblesOf(address), 4, length, 'ip6.arpa.')
  }
  return null
}

/**
 * @param digits  of the address, each a label: octets or nibbles
 * @param bits  of a digit
 * @param length  of the prefix, in bits
 */
function zonesOfPrefix(digits: readonly number[], bits: number, length: number, origin: string): string[] {
  const whole = Math.floor(length / bits)
  const cut = length % bits
  const above = digits
    .slice(0, whole)
    .reduce((zone, digit) => `${digit.toString(bits === 8 ? 10 : 16)}.${zone}`, origin)
  if (cut === 0) return [above]
  const count = 1 << (bits - cut)
  const first = digits[whole] & -count
  return Array.from({ length: count }, (_, i) => `${(first + i).toString(bits === 8 ? 10 : 16)}.${above}`)
}

/** The 32 nibbles of an IPv6 address in any form. */
function nibblesOf(address: string): number[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address)
  const hex = (high: string, low: string): string => ((Number(high) << 8) | Number(low)).toString(16)
  const plain = dotted === null ? address : `${dotted[1]}${hex(dotted[2], dotted[3])}:${hex(dotted[4], dotted[5])}`
  const [head, tail] = plain.split('::')
  const groupsOf = (part: string | undefined): string[] => (part === undefined || part === '' ? [] : part.split(':'))
  const before = groupsOf(head)
  const after = groupsOf(tail)
  const groups = [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after]
  return groups.flatMap((group) => [...group.padStart(4, '0')].map((digit) => Number.parseInt(digit, 16)))
}
