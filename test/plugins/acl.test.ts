// Plugin acl: who passes, and what the others get.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AclConfig, AclRule } from '../../src/config/configuration.ts'
import { typeNumber } from '../../src/dns/record-types.ts'
import { createAcl } from '../../src/plugins/acl.ts'
import { replyOf } from '../../src/plugins/plugin.ts'
import { replyTo, requestOf, run } from './chain.ts'

/** `ACTION [type TYPE...] [net NET...]`, as in a Corefile. */
function rule(text: string): AclRule {
  const [action, ...words] = text.split(' ')
  const netAt = words.includes('net') ? words.indexOf('net') : words.length
  const types = words.slice(0, netAt).filter((word) => word !== 'type')
  return { action: action as AclRule['action'], types: types.map(typeNumber), nets: words.slice(netAt + 1) }
}

function config(zones: readonly string[], ...rules: readonly string[]): AclConfig {
  return { zones, rules: rules.map(rule) }
}

/** What becomes of a query: `pass`, `block`, `filter` or `drop`. */
function verdict(configs: readonly AclConfig[], query: string, address = '10.1.2.3'): string {
  const family = address.includes(':') ? 6 : 4
  const request = requestOf(query, { client: { family, address, port: 1 } })
  const outcome = run(createAcl(configs), request, () => replyOf('behind'))
  if (outcome.kind === 'silence') return 'drop'
  if (outcome.kind === 'reply' && outcome.plugin === 'behind') return 'pass'
  assert.equal(outcome.plugin, 'acl')
  assert.equal(outcome.kind, 'reply')
  return outcome.kind === 'reply' && outcome.rcode === 5 ? 'block' : 'filter'
}

test('the first rule that fits decides, without one a query passes', () => {
  const cases: [rules: string[], query: string, address: string, verdict: string][] = [
    [[], 'a.example. A', '10.1.2.3', 'pass'],
    [['block'], 'a.example. A', '10.1.2.3', 'block'],
    [['filter'], 'a.example. A', '10.1.2.3', 'filter'],
    [['drop'], 'a.example. A', '10.1.2.3', 'drop'],
    [['block net 10.0.0.0/8'], 'a.example. A', '10.1.2.3', 'block'],
    [['block net 10.0.0.0/8'], 'a.example. A', '11.1.2.3', 'pass'],
    [['block net 10.1.2.3'], 'a.example. A', '10.1.2.3', 'block'],
    [['block net 10.1.2.3'], 'a.example. A', '10.1.2.4', 'pass'],
    [['block net 10.0.0.0/8'], 'a.example. A', '::ffff:10.1.2.3', 'block'], // a socket of both families
    [['block net 2001:db8::/32'], 'a.example. A', '2001:db8::1', 'block'],
    [['block net 2001:db8::/32'], 'a.example. A', '10.1.2.3', 'pass'],
    [['allow net 10.1.0.0/16', 'block'], 'a.example. A', '10.1.2.3', 'pass'],
    [['allow net 10.1.0.0/16', 'block'], 'a.example. A', '10.2.2.3', 'block'],
    [['block', 'allow net 10.1.0.0/16'], 'a.example. A', '10.1.2.3', 'block'],
    [['filter type AAAA'], 'a.example. AAAA', '10.1.2.3', 'filter'],
    [['filter type AAAA'], 'a.example. A', '10.1.2.3', 'pass'],
    [['filter type A AAAA net 10.0.0.0/8 11.0.0.0/8'], 'a.example. AAAA', '11.1.2.3', 'filter'],
    [['filter type A AAAA net 10.0.0.0/8 11.0.0.0/8'], 'a.example. AAAA', '12.1.2.3', 'pass'],
    [['filter type A AAAA net 10.0.0.0/8'], 'a.example. MX', '10.1.2.3', 'pass'],
    [['drop type ANY'], 'a.example. ANY', '10.1.2.3', 'drop'],
    [['drop type ANY'], 'a.example. A', '10.1.2.3', 'pass'], // one type by its number, not all
  ]
  for (const [rules, query, address, expected] of cases) {
    assert.equal(verdict([config(['.'], ...rules)], query, address), expected, `${rules} ${query} ${address}`)
  }
})

test('several directives: each for its zones, in their order', () => {
  const configs = [config(['example.'], 'allow net 10.1.0.0/16', 'filter type AAAA'), config(['.'], 'block')]
  assert.equal(verdict(configs, 'a.example. A', '10.1.2.3'), 'pass') // allowed: later directives are not asked
  assert.equal(verdict(configs, 'a.example. AAAA', '10.2.2.3'), 'filter')
  assert.equal(verdict(configs, 'a.example. A', '10.2.2.3'), 'block') // nothing fits: the next directive
  assert.equal(verdict(configs, 'other. A', '10.1.2.3'), 'block')
  const two = [config(['example.', 'other.'], 'block')]
  assert.equal(verdict(two, 'a.example. A'), 'block')
  assert.equal(verdict(two, 'a.other. A'), 'block')
  assert.equal(verdict(two, 'elsewhere. A'), 'pass')
})

test('blocked: REFUSED with extended error 15; filtered: NOERROR and nothing, with 17', () => {
  for (const [action, rcode, code] of [
    ['block', 5, 15],
    ['filter', 0, 17],
  ] as const) {
    const reply = replyTo(createAcl([config(['.'], action)]), requestOf('a.example. A'))
    assert.deepEqual([reply.rcode, reply.authoritative], [rcode, false])
    assert.deepEqual([...reply.answer, ...reply.authority, ...reply.additional], [])
    assert.deepEqual(
      reply.options.map((option) => [option.code, [...option.data]]),
      [[15, [0, code]]],
    )
  }
})

test('each verdict is counted', () => {
  for (const [action, counter] of [
    ['allow', 'acl_allowed_requests_total'],
    ['block', 'acl_blocked_requests_total'],
    ['filter', 'acl_filtered_requests_total'],
    ['drop', 'acl_dropped_requests_total'],
  ]) {
    const request = requestOf('a.example. A')
    run(createAcl([config(['.'], action)]), request, () => replyOf('behind'))
    assert.deepEqual(request.counted, [counter])
  }
})

test('a network that is none', () => {
  assert.throws(() => createAcl([config(['.'], 'block net 10.0.0.0/99')]), { name: 'NetworkError' })
})
