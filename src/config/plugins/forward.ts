// `forward FROM TO... { … }`: one configuration a directive.

import { isIP } from 'node:net'
import type { ForwardConfig } from '../configuration.ts'
import type { Directive, Property, Token } from '../corefile/syntax.ts'
import {
  argumentsOf,
  domain,
  duration,
  flag,
  integer,
  ipAddress,
  ipAndPort,
  oneOf,
  only,
  pathOf,
  positiveDuration,
  unknownProperty,
  wrongCount,
  zonesOf,
} from './arguments.ts'
import { rcodeOf } from './mnemonics.ts'
import { Refusal, type Setup, type SetupContext } from './setup.ts'
import { upstreamsOf } from './upstreams.ts'

const MAX_FAILS = 2
const HEALTH_CHECK_MS = 500
const EXPIRE_MS = 10_000
const READ_TIMEOUT_MS = 2000
const COUNT_MAX = 2 ** 32 - 1
const DNS_PORT = 53
const NOERROR = 0
const POLICIES = ['random', 'round_robin', 'sequential'] as const

/** ForwardConfig while it is read. */
type Draft = { -readonly [K in keyof ForwardConfig]: ForwardConfig[K] }

/** @see Corefile reference 5.6 */
export const setup: Setup<'forward'> = (directives, context) =>
  directives.map((directive) => forwardOf(directive, context))

function forwardOf(directive: Directive, context: SetupContext): ForwardConfig {
  const [from, ...to] = argumentsOf(directive, 2)
  const draft: Draft = {
    from: fromOf(from, context),
    to: to.map(({ text }) => text),
    ...upstreamsOf(to, context),
    except: [],
    forceTcp: false,
    preferUdp: false,
    policy: 'random',
    maxFails: MAX_FAILS,
    healthCheck: { intervalMs: HEALTH_CHECK_MS, recursionDesired: true, domain: '.' },
    expireMs: EXPIRE_MS,
    maxAgeMs: 0,
    maxIdleConns: 0,
    maxConcurrent: 0,
    readTimeoutMs: READ_TIMEOUT_MS,
    maxConnectAttempts: -1,
    tls: null,
    tlsServername: '',
    failover: [],
    next: [],
    nextOnNodata: false,
    failfastAllUnhealthyUpstreams: false,
    sourceAddress: '',
    resolver: [],
    dohMethod: 'POST',
    randomizeCase: false,
  }
  for (const property of directive.properties) {
    const read = PROPERTIES.get(property.name.text)
    if (read === undefined) throw unknownProperty(property)
    read(draft, property, context)
  }
  checkTogether(draft, directive)
  return draft
}

/** A prefix stands for the first of its reverse zones. */
function fromOf(token: Token, context: SetupContext): string {
  const [from, ...others] = zonesOf([token])
  if (others.length > 0) {
    context.warn(
      token,
      `plugin/forward: '${token.text}' is ${others.length + 1} zones, only the first is forwarded: ${from}`,
    )
  }
  return from
}

function checkTogether(draft: Draft, { name, properties }: Directive): void {
  const at = (property: string) => properties.findLast((each) => each.name.text === property)?.name ?? name
  if (draft.maxAgeMs > 0 && draft.maxAgeMs < draft.expireMs) {
    throw new Refusal(at('max_age'), `max_age is less than expire (${draft.expireMs / 1000}s)`)
  }
  if (draft.tlsServername !== '' && draft.upstreams.some(({ serverName }) => serverName !== '')) {
    throw new Refusal(at('tls_servername'), 'tls_servername and a name after % in TO cannot both be given')
  }
}

/** Reads one property into the draft. */
type Read = (draft: Draft, property: Property, context: SetupContext) => void

const PROPERTIES: ReadonlyMap<string, Read> = new Map<string, Read>([
  ['except', readExcept],
  ['force_tcp', (draft, property) => (draft.forceTcp = flag(property))],
  ['prefer_udp', (draft, property) => (draft.preferUdp = flag(property))],
  ['policy', (draft, property) => (draft.policy = oneOf(only(property), POLICIES))],
  ['max_fails', (draft, property) => (draft.maxFails = integer(only(property), 0, COUNT_MAX))],
  ['health_check', readHealthCheck],
  ['expire', (draft, property) => (draft.expireMs = duration(only(property), 0))],
  ['max_age', (draft, property) => (draft.maxAgeMs = duration(only(property), 0))],
  ['max_idle_conns', (draft, property) => (draft.maxIdleConns = integer(only(property), 0, COUNT_MAX))],
  ['max_concurrent', (draft, property) => (draft.maxConcurrent = integer(only(property), 0))],
  ['read_timeout', (draft, property) => (draft.readTimeoutMs = positiveDuration(only(property)))],
  ['max_connect_attempts', (draft, property) => (draft.maxConnectAttempts = integer(only(property), 0, COUNT_MAX))],
  ['tls', readTls],
  ['tls_servername', readTlsServername],
  ['failover', readFailover],
  ['next', (draft, property) => (draft.next = [...draft.next, ...argumentsOf(property, 1).map(rcodeOf)])],
  ['next_on_nodata', (draft, property) => (draft.nextOnNodata = flag(property))],
  ['failfast_all_unhealthy_upstreams', (draft, property) => (draft.failfastAllUnhealthyUpstreams = flag(property))],
  ['source_address', (draft, property) => (draft.sourceAddress = ipAddress(only(property)))],
  ['resolver', readResolver],
  ['randomize_case', (draft, property) => (draft.randomizeCase = flag(property))],
  ['doh_method', (draft, property) => (draft.dohMethod = oneOf(only(property), ['POST', 'GET']))],
])

function readExcept(draft: Draft, property: Property): void {
  draft.except = [...new Set([...draft.except, ...zonesOf(argumentsOf(property, 1))])]
}

/** `DURATION [no_rec] [domain NAME]`. */
function readHealthCheck(draft: Draft, property: Property): void {
  const [interval, ...rest] = argumentsOf(property, 1)
  let recursionDesired = true
  let name = '.'
  while (rest.length > 0) {
    if (oneOf(rest.shift()!, ['no_rec', 'domain']) === 'no_rec') recursionDesired = false
    else if (rest.length === 0) throw wrongCount(property)
    else name = domain(rest.shift()!)
  }
  draft.healthCheck = { intervalMs: positiveDuration(interval), recursionDesired, domain: name }
}

/** None: the system's authorities; one: an authority; two: a certificate and its key; three: all of them. */
function readTls(draft: Draft, property: Property, context: SetupContext): void {
  const paths = argumentsOf(property, 0, 3).map((token) => pathOf(token, context))
  const [cert = '', key = '', ca = ''] = paths.length === 1 ? ['', '', paths[0]] : paths
  draft.tls = { cert, key, ca }
}

function readTlsServername(draft: Draft, property: Property): void {
  const token = only(property)
  if (isIP(token.text) === 0) domain(token)
  if (token.text === '') throw new Refusal(token, 'empty name')
  draft.tlsServername = token.text
}

function readFailover(draft: Draft, property: Property): void {
  const codes = argumentsOf(property, 1).map((token) => {
    const rcode = rcodeOf(token)
    if (rcode === NOERROR) throw new Refusal(token, 'NOERROR is no reason for failover')
    return rcode
  })
  draft.failover = [...draft.failover, ...codes]
}

function readResolver(draft: Draft, property: Property): void {
  draft.resolver = [...draft.resolver, ...argumentsOf(property, 1).map((token) => ipAndPort(token, DNS_PORT))]
}
