// What setups read arguments with: counts, numbers, durations, zones, addresses, paths. Each says what is wrong with a token by a
// Refusal (setup.ts); a wrong number of arguments is the grammar's own error, in the grammar's words.

import { isIP, isIPv4, isIPv6 } from 'node:net'
import { isAbsolute, join } from 'node:path'
import { NameError } from '../../dns/name.ts'
import type { HttpAddress } from '../configuration.ts'
import { type CorefileError, type Directive, errorAt, type Property, type Token } from '../corefile/syntax.ts'
import { DurationError, parseDuration } from '../duration.ts'
import { compileRegexp, RegexpError } from '../regexp.ts'
import { zoneName, zonesOfArgument } from '../zone-names.ts'
import { Refusal, type SetupContext } from './setup.ts'

/** A line: a directive's first one, or a property. */
export type Line = Pick<Property, 'name' | 'args'>

const PORT_MAX = 65_535
const SECOND_MS = 1000

// -- How many there are

/** The only directive of a plugin that may stand once in a block. */
export function single(directives: readonly Directive[]): Directive {
  const [first, second] = directives
  if (second !== undefined) {
    throw new Refusal(
      second.name,
      `this plugin can only be used once per Server Block: ${placeOf(first.name)} has it already`,
    )
  }
  return first
}

function placeOf({ file, line }: Token): string {
  return `${file}:${line}`
}

/** The error for a line that has too few arguments, or too many. */
export function wrongCount({ name, args }: Line): CorefileError {
  const last = args.at(-1) ?? name
  return errorAt(last, `Wrong argument count or unexpected line ending after '${last.text}'`)
}

/** The arguments of a line. @throws CorefileError unless there are `least` to `most` */
export function argumentsOf(line: Line, least: number, most = Number.POSITIVE_INFINITY): readonly Token[] {
  if (line.args.length < least || line.args.length > most) throw wrongCount(line)
  return line.args
}

/** For a flag: no arguments. @returns true */
export function flag(line: Line): true {
  argumentsOf(line, 0, 0)
  return true
}

/** The only argument of a line. */
export function only(line: Line): Token {
  return argumentsOf(line, 1, 1)[0]
}

/** For a directive that is only a name: no arguments, no properties. @returns true */
export function bare(directive: Directive): true {
  flag(directive)
  return withoutProperties(directive)
}

/** For a directive that knows no properties. @returns true */
export function withoutProperties({ properties }: Directive): true {
  if (properties.length > 0) throw unknownProperty(properties[0])
  return true
}

/** The error for a property that a plugin does not know. */
export function unknownProperty({ name }: Property): Refusal {
  const hint = name.text === 'upstream' ? ': names are resolved through the server itself, leave the line out' : ''
  return new Refusal(name, `unknown property '${name.text}'${hint}`)
}

// -- Values

/** A decimal whole number, sign allowed. */
export function integer(token: Token, least: number, most = Number.MAX_SAFE_INTEGER): number {
  const value = /^[-+]?\d+$/.test(token.text) ? Number(token.text) : Number.NaN
  if (value >= least && value <= most) return value
  const bounds = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`
  throw new Refusal(token, `'${token.text}' is no whole number ${bounds}`)
}

/** Whether a token is a whole number. */
export function isInteger({ text }: Token): boolean {
  return /^[-+]?\d+$/.test(text)
}

/** A duration as Go has it, in milliseconds. */
export function duration(token: Token, leastMs: number, mostMs = Number.POSITIVE_INFINITY): number {
  const value = attempt(token, DurationError, () => parseDuration(token.text))
  if (value < leastMs) throw new Refusal(token, `duration '${token.text}' is less than ${durationText(leastMs)}`)
  if (value > mostMs) throw new Refusal(token, `duration '${token.text}' is more than ${durationText(mostMs)}`)
  return value
}

/** A duration that is longer than none. */
export function positiveDuration(token: Token): number {
  const value = duration(token, 0)
  if (value === 0) throw new Refusal(token, `duration '${token.text}' is not more than 0`)
  return value
}

function durationText(ms: number): string {
  return ms % SECOND_MS === 0 ? `${ms / SECOND_MS}s` : `${ms}ms`
}

/** One of some words. */
export function oneOf<T extends string>(token: Token, words: readonly T[]): T {
  const word = words.find((each) => each === token.text)
  if (word === undefined) throw new Refusal(token, `'${token.text}' is none of ${words.join(', ')}`)
  return word
}

/** A regular expression of RE2. @returns its text */
export function pattern(token: Token): string {
  attempt(token, RegexpError, () => compileRegexp(token.text))
  return token.text
}

/** A path, relative ones against the block's `root`. */
export function pathOf(token: Token, { root }: SetupContext): string {
  if (token.text === '') throw new Refusal(token, 'empty path')
  return root === '' || isAbsolute(token.text) ? token.text : join(root, token.text)
}

/** Runs a check that throws its own kind of error, which becomes a Refusal at `token`. */
export function attempt<T>(token: Token, kind: new (...args: never[]) => Error, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof kind)) throw error
    throw new Refusal(token, error.message)
  }
}

// -- Names

/** Zones as arguments: prefixes become reverse zones; without duplicates. */
export function zonesOf(args: readonly Token[]): string[] {
  return [...new Set(args.flatMap((token) => attempt(token, NameError, () => zonesOfArgument(token.text))))]
}

/** Zones as arguments; none: the block's. */
export function zonesOrBlock(args: readonly Token[], { zones }: SetupContext): readonly string[] {
  return args.length === 0 ? zones : zonesOf(args)
}

/** What `fallthrough` says. */
export function fallthroughOf({ args }: Line): readonly string[] {
  return args.length === 0 ? ['.'] : zonesOf(args)
}

/** A domain name: absolute, lower case, with final dot. */
export function domain(token: Token): string {
  return attempt(token, NameError, () => zoneName(token.text))
}

// -- Addresses

/** `HOST:PORT` of an HTTP endpoint, the host may be missing. */
export function httpAddress(token: Token): HttpAddress {
  const parts = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(token.text)
  const host = parts?.[1] ?? parts?.[2] ?? ''
  const port = Number(parts?.[3])
  const good = parts !== null && port <= PORT_MAX && !/\s/.test(host)
  if (!good || (parts[1] !== undefined && !isIPv6(host))) {
    throw new Refusal(token, `'${token.text}' is no address to listen on: [HOST]:PORT`)
  }
  return { host, port }
}

/** An IP address. */
export function ipAddress(token: Token): string {
  if (isIP(token.text) === 0 || token.text.includes('%')) throw new Refusal(token, `'${token.text}' is no IP address`)
  return token.text
}

/** An IP address with or without port. @returns `1.2.3.4:53`, `[::1]:53` */
export function ipAndPort(token: Token, defaultPort: number): string {
  const parts = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(token.text)
  const address = isIPv6(token.text) ? token.text : (parts?.[1] ?? parts?.[2] ?? '')
  const port = isIPv6(token.text) ? defaultPort : Number(parts?.[3] ?? defaultPort)
  const bracketed = parts?.[1] !== undefined
  const good = isIP(address) !== 0 && !address.includes('%') && port > 0 && port <= PORT_MAX
  if (!good || (bracketed && !isIPv6(address))) throw new Refusal(token, `'${token.text}' is no IP address and port`)
  return isIPv4(address) ? `${address}:${port}` : `[${address}]:${port}`
}

/** A prefix `ADDRESS/BITS`. */
export function prefix(token: Token): string {
  const slash = token.text.lastIndexOf('/')
  const family = isIP(token.text.slice(0, Math.max(slash, 0)))
  const bits = token.text.slice(slash + 1)
  const good = family !== 0 && !token.text.includes('%') && /^(?:0|[1-9]\d{0,2})$/.test(bits)
  if (!good || Number(bits) > (family === 4 ? 32 : 128))
    throw new Refusal(token, `'${token.text}' is no prefix in CIDR notation`)
  return token.text
}

/** A prefix, or an address, which is the prefix of itself. */
export function prefixOrAddress(token: Token): string {
  if (token.text.includes('/')) return prefix(token)
  return `${ipAddress(token)}/${isIPv4(token.text) ? 32 : 128}`
}
