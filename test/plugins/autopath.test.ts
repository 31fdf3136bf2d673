// autopath in tables: what is asked in which order, and what becomes of what comes back. Behind it stands a server that knows a few names.
// In a server: test/corefile/autopath.test.ts.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAutopath } from '../../src/plugins/autopath.ts'
import type { Outcome, Request } from '../../src/plugins/plugin.ts'
import { isInZone } from '../../src/plugins/zone-match.ts'
import { replyWith, requestOf, run, type SeenRequest, textOf } from './chain.ts'

const NXDOMAIN = 3
const SERVFAIL = 2
const REFUSED = 5

const denial: Outcome = { ...replyWith({ authority: ['cluster.local. 5 SOA 00'] }), rcode: NXDOMAIN }
const skipped: Outcome = { kind: 'failure', rcode: REFUSED, error: '', plugin: 'forward' }
const broken: Outcome = { kind: 'failure', rcode: SERVFAIL, error: 'no healthy proxies', plugin: 'forward' }

const WEB = 'web.svc.cluster.local.'
const CONFIG = { zones: ['.'], source: '@kubernetes', search: ['corp.example.'] }
/** 10.1.2.3 is a Pod of `web`. */
const CLIENTS = {
  forwardZoneOf: (name: string) => (isInZone(name, 'cluster.local.') ? 'cluster.local.' : null),
  namespaceOf: (address: Uint8Array) => (address.join('.') === '10.1.2.3' ? 'web' : ''),
}

interface Asked {
  readonly config?: Partial<typeof CONFIG>
  readonly changes?: Partial<Request>
}

/** Asks for `text` where `known` is known; what is not is NXDOMAIN. @returns the outcome in lines, then what was asked with `?` */
function ask(text: string, known: Readonly<Record<string, Outcome>> = {}, { config, changes }: Asked = {}): string[] {
  const asked: string[] = []
  const request = requestOf(text, changes)
  const before = request.question
  const outcome = run(createAutopath({ ...CONFIG, ...config }, CLIENTS), request, ({ question }) => {
    asked.push(`? ${question.name}`)
    return known[question.name] ?? denial
  })
  assert.equal(request.question, before, 'the question is put back')
  return [...linesOf(outcome), ...(request as SeenRequest).counted.map((name) => `+ ${name}`), ...asked]
}

function linesOf(outcome: Outcome): string[] {
  if (outcome.kind !== 'reply') return [outcome.kind]
  return [String(outcome.rcode), ...outcome.answer.map(textOf), ...outcome.authority.map(({ owner }) => `~ ${owner}`)]
}

function address(owner: string, ttl = 5): Outcome {
  return replyWith({ answer: [`${owner} ${ttl} A 192.0.2.1`] })
}

/** Name in hexadecimal wire form. */
function wire(name: string): string {
  return name
    .split('.')
    .map((label) => Buffer.from([label.length]).toString('hex') + Buffer.from(label).toString('hex'))
    .join('')
}

const SUCCESS = '+ autopath_success_total'

test('the order of the search list, each once, the name by itself at last', () => {
  const lines = ask(`www.example.net.${WEB} A`)
  assert.deepEqual(lines, [
    '3',
    '~ cluster.local.',
    `? www.example.net.${WEB}`,
    '? www.example.net.svc.cluster.local.',
    '? www.example.net.cluster.local.',
    '? www.example.net.corp.example.',
    '? www.example.net.',
  ])
  const other = { ...denial, authority: [] }
  assert.deepEqual(ask(`x.${WEB} A`, { 'x.': other }).slice(0, 2), ['3', '~ cluster.local.'], 'the first reply')
  const twice = { config: { search: ['cluster.local.', 'corp.example.'] } }
  assert.equal(ask(`x.${WEB} A`, {}, twice).filter((line) => line === '? x.cluster.local.').length, 1)
})

test('what is found gets an alias with the TTL of the record it leads to', () => {
  const found = 'www.example.net.'
  assert.deepEqual(ask(`www.example.net.${WEB} A`, { [found]: address(found, 77) }).slice(0, 4), [
    '0',
    `www.example.net.${WEB} 77 CNAME ${wire(found)}`,
    `${found} 77 A 192.0.2.1`,
    SUCCESS,
  ])
  const alias = replyWith({ answer: ['a.svc.cluster.local. 9 CNAME 00', 'b.example. 8 A 192.0.2.1'] })
  assert.deepEqual(ask(`a.${WEB} A`, { 'a.svc.cluster.local.': alias }).slice(0, 4), [
    '0',
    `a.${WEB} 9 CNAME ${wire('a.svc.cluster.local.')}`,
    'a.svc.cluster.local. 9 CNAME 00',
    'b.example. 8 A 192.0.2.1',
  ])
})

test('what the first element has goes out as it is, and ends the search', () => {
  const name = `cart.${WEB}`
  assert.deepEqual(ask(`${name} A`, { [name]: address(name) }), ['0', `${name} 5 A 192.0.2.1`, `? ${name}`])
})

test('NODATA wins; so does a reply that says SERVFAIL', () => {
  const nodata = replyWith({ authority: ['cluster.local. 5 SOA 00'] })
  const name = `a.${WEB}`
  const asked = [`? ${name}`, '? a.svc.cluster.local.']
  assert.deepEqual(ask(`${name} A`, { 'a.svc.cluster.local.': nodata }), ['0', '~ cluster.local.', SUCCESS, ...asked])
  const servfail = { ...replyWith({}), rcode: SERVFAIL }
  assert.deepEqual(ask(`${name} A`, { 'a.svc.cluster.local.': servfail }), ['2', SUCCESS, ...asked])
})

test('what nobody wrote is skipped, an error ends the search, silence too', () => {
  const name = `a.${WEB}`
  const known = { 'a.svc.cluster.local.': skipped, 'a.cluster.local.': address('a.cluster.local.') }
  assert.equal(ask(`${name} A`, known)[0], '0')
  assert.deepEqual(ask(`${name} A`, { 'a.svc.cluster.local.': broken }), [
    'failure',
    `? ${name}`,
    '? a.svc.cluster.local.',
  ])
  const silence: Outcome = { kind: 'silence', plugin: 'acl' }
  assert.deepEqual(ask(`${name} A`, { [name]: silence }), ['silence', `? ${name}`])
  const all = Object.fromEntries(
    [name, 'a.svc.cluster.local.', 'a.cluster.local.', 'a.corp.example.', 'a.'].map((each) => [each, skipped]),
  )
  assert.equal(ask(`${name} A`, all)[0], 'failure', 'as the first of them')
})

test('who and what is not searched for', () => {
  const cases: [why: string, text: string, asked?: Asked][] = [
    ['the first element itself', `${WEB} A`],
    ['another namespace', 'a.shop.svc.cluster.local. A'],
    ['a label that only ends like it', 'a.myweb.svc.cluster.local. A'],
    ['a dot inside of a label', 'a\\.web.svc.cluster.local. A'],
    ['not in the cluster', 'www.example.net. A'],
    ['no Pod', `a.${WEB} A`, { changes: { client: { family: 4, address: '10.1.2.4', port: 1 } } }],
    ['no Pod, IPv6', `a.${WEB} A`, { changes: { client: { family: 6, address: 'fd00::1', port: 1 } } }],
    ['not in the zones', `a.${WEB} A`, { config: { zones: ['shop.svc.cluster.local.'] } }],
    ['another class', `a.${WEB} TXT 3`],
    ['a transfer', `a.${WEB} AXFR`],
  ]
  for (const [why, text, asked] of cases) {
    assert.deepEqual(ask(text, {}, asked), ['3', '~ cluster.local.', `? ${text.split(' ')[0]}`], why)
  }
})

test('a Pod over IPv6, IPv4 in it', () => {
  const client = { family: 6 as const, address: '::ffff:a01:203', port: 1 }
  const seen: string[] = []
  const clients = {
    ...CLIENTS,
    namespaceOf: (octets: Uint8Array) => {
      seen.push(Buffer.from(octets).toString('hex'))
      return 'web'
    },
  }
  run(createAutopath(CONFIG, clients), requestOf(`a.${WEB} A`, { client }), () => denial)
  assert.deepEqual(seen, ['00000000000000000000ffff0a010203'])
})

test('the search list of a file, for whoever asks', () => {
  const config = { source: '/etc/resolv.conf', search: ['one.example.', 'two.example.'] }
  const client = { family: 4 as const, address: '203.0.113.9', port: 1 }
  const lines = ask('a.b.one.example. A', { 'a.b.': address('a.b.', 3) }, { config, changes: { client } })
  assert.deepEqual(lines, [
    '0',
    `a.b.one.example. 3 CNAME ${wire('a.b.')}`,
    'a.b. 3 A 192.0.2.1',
    SUCCESS,
    '? a.b.one.example.',
    '? a.b.two.example.',
    '? a.b.',
  ])
  const none = { config: { ...config, search: [] } }
  assert.deepEqual(ask('a.b.one.example. A', {}, none), ['3', '~ cluster.local.', '? a.b.one.example.'])
})

test('a name that would be too long with another domain is left out', () => {
  const long = `${'x'.repeat(60)}.`.repeat(3)
  const search = ['e.', `${'y'.repeat(63)}.${'z'.repeat(63)}.`]
  const config = { source: 'f', search }
  assert.deepEqual(ask(`${long}e. A`, {}, { config }).slice(2), [`? ${long}e.`, `? ${long}`])
})

test('no cluster that knows its clients', () => {
  const outcome = run(createAutopath(CONFIG, null), requestOf(`a.${WEB} A`), () => denial)
  assert.equal(outcome, denial)
})
