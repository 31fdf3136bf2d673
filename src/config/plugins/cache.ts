// `cache [TTL] [ZONE...] { … }`.

import type { CacheConfig } from '../configuration.ts'
import type { Directive, Property, Token } from '../corefile/syntax.ts'
import { DurationError, parseDuration } from '../duration.ts'
import {
  argumentsOf,
  duration,
  flag,
  integer,
  isInteger,
  oneOf,
  only,
  positiveDuration,
  single,
  unknownProperty,
  wrongCount,
  zonesOrBlock,
} from './arguments.ts'
import { Refusal, type Setup, type SetupContext } from './setup.ts'

const CAPACITY = 9984
const SUCCESS_TTL = 3600
const DENIAL_TTL = 1800
const MIN_TTL = 5
const TTL_MAX = 2 ** 31 - 1
const MINUTE_MS = 60_000
const PREFETCH_PERCENTAGE = 10
const SERVE_STALE_MS = 60 * MINUTE_MS
const SERVFAIL_MS = 5000
const SERVFAIL_MAX_MS = 5 * MINUTE_MS

/** CacheConfig while it is read. */
type Draft = { -readonly [K in keyof CacheConfig]: CacheConfig[K] }
type Store = CacheConfig['success']
type ServeStale = NonNullable<CacheConfig['serveStale']>

/** @see Corefile reference 5.7 */
export const setup: Setup<'cache'> = (directives, context) => {
  const directive = single(directives)
  const { ttl, zones } = firstLine(directive, context)
  const draft: Draft = {
    zones,
    success: { capacity: CAPACITY, ttl: ttl ?? SUCCESS_TTL, minTtl: MIN_TTL },
    denial: { capacity: CAPACITY, ttl: ttl ?? DENIAL_TTL, minTtl: MIN_TTL },
    prefetch: { amount: 0, durationMs: MINUTE_MS, percentage: PREFETCH_PERCENTAGE },
    serveStale: null,
    preferPositive: false,
    servfailMs: SERVFAIL_MS,
    disableSuccess: [],
    disableDenial: [],
    keepTtl: false,
  }
  for (const property of directive.properties) readProperty(draft, property, context)
  return draft
}

/** The first argument is the TTL if it is a whole number, else a zone like the others. */
function firstLine({ args }: Directive, context: SetupContext): { ttl: number | null; zones: readonly string[] } {
  const hasTtl = args.length > 0 && isInteger(args[0])
  const names = hasTtl ? args.slice(1) : args
  const zones = zonesOrBlock(names, context)
  for (const name of names) if (isInteger(name) || isDuration(name)) warnOfTime(name, zones, context)
  return { ttl: hasTtl ? integer(args[0], 1, TTL_MAX) : null, zones }
}

/** Such files are deployed: the line is right, but does nothing that its author wanted. */
function warnOfTime(name: Token, zones: readonly string[], context: SetupContext): void {
  const seconds = isInteger(name) ? Number(name.text) : Math.max(Math.round(parseDuration(name.text) / 1000), 1)
  context.warn(
    name,
    `plugin/cache: '${name.text}' IS TAKEN AS A ZONE, NOT AS A TTL: only names in ${zones.join(' ')} are cached; write 'cache ${seconds}'`,
  )
}

function isDuration({ text }: Token): boolean {
  try {
    return parseDuration(text) > 0
  } catch (error) {
    if (error instanceof DurationError) return false
    throw error
  }
}

function readProperty(draft: Draft, property: Property, context: SetupContext): void {
  switch (property.name.text) {
    case 'success':
      draft.success = storeOf(property, draft.success)
      break
    case 'denial':
      draft.denial = storeOf(property, draft.denial)
      break
    case 'prefetch':
      draft.prefetch = prefetchOf(property)
      break
    case 'serve_stale':
      draft.serveStale = serveStaleOf(property)
      break
    case 'serve_stale_policy':
      oneOf(only(property), ['prefer_positive'])
      draft.preferPositive = true
      break
    case 'servfail':
      draft.servfailMs = duration(only(property), 0, SERVFAIL_MAX_MS)
      break
    case 'disable':
      disable(draft, property, context)
      break
    case 'keepttl':
      draft.keepTtl = flag(property)
      break
    default:
      throw unknownProperty(property)
  }
}

/** `CAP [TTL] [MINTTL]`. */
function storeOf(property: Property, before: Store): Store {
  const [capacity, ttl, minTtl] = argumentsOf(property, 1, 3)
  return {
    capacity: integer(capacity, 0),
    ttl: ttl === undefined ? before.ttl : integer(ttl, 1, TTL_MAX),
    minTtl: minTtl === undefined ? before.minTtl : integer(minTtl, 0, TTL_MAX),
  }
}

/** `AMOUNT [DURATION] [PERCENTAGE%]`. */
function prefetchOf(property: Property): CacheConfig['prefetch'] {
  const [amount, period, percentage] = argumentsOf(property, 1, 3)
  return {
    amount: integer(amount, 0),
    durationMs: period === undefined ? MINUTE_MS : positiveDuration(period),
    percentage: percentage === undefined ? PREFETCH_PERCENTAGE : percentageOf(percentage),
  }
}

function percentageOf(token: Token): number {
  if (!token.text.endsWith('%'))
    throw new Refusal(token, `last character of percentage should be '%', but is '${token.text}'`)
  return integer({ ...token, text: token.text.slice(0, -1) }, 10, 90)
}

/** `[DURATION] [immediate [TTL [RECHECK]] | verify [TIMEOUT [TTL [RECHECK]]]]`. */
function serveStaleOf(property: Property): ServeStale {
  const args = [...argumentsOf(property, 0, 5)]
  const isMode = ({ text }: Token) => text === 'immediate' || text === 'verify'
  const period = args.length > 0 && !isMode(args[0]) ? args.shift() : undefined
  const mode = args.length > 0 ? oneOf(args.shift()!, ['immediate', 'verify']) : 'immediate'
  const timeout = mode === 'verify' ? args.shift() : undefined
  const [ttl, recheck, excess] = args
  if (excess !== undefined) throw wrongCount(property)
  return {
    durationMs: period === undefined ? SERVE_STALE_MS : positiveDuration(period),
    mode,
    verifyTimeoutMs: timeout === undefined ? 0 : duration(timeout, 0),
    ttl: ttl === undefined ? 0 : seconds(ttl),
    recheckMs: recheck === undefined ? 0 : duration(recheck, 0),
  }
}

/** A TTL, as whole seconds or as a duration of them. */
function seconds(token: Token): number {
  return isInteger(token) ? integer(token, 0, TTL_MAX) : Math.trunc(duration(token, 0, TTL_MAX * 1000) / 1000)
}

/** `success|denial [ZONE...]`. */
function disable(draft: Draft, property: Property, context: SetupContext): void {
  const [kind, ...names] = argumentsOf(property, 1)
  const zones = zonesOrBlock(names, context)
  if (oneOf(kind, ['success', 'denial']) === 'success') draft.disableSuccess = [...draft.disableSuccess, ...zones]
  else draft.disableDenial = [...draft.disableDenial, ...zones]
}
