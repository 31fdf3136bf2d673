// The list of directives: order, tiers, and what is said about those that are not had.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  complaintAbout,
  DIRECTIVE_ORDER,
  directivesHad,
  isHad,
  rankOf,
  tierOf,
} from '../../../src/config/directives.ts'
import { SETUPS } from '../../../src/config/plugins/registry.ts'

test('what is had has a setup, and the other way round', () => {
  assert.deepEqual(directivesHad(), [...Object.keys(SETUPS), 'root'].sort())
})

test('the order is the reference’s where it matters', () => {
  assert.equal(new Set(DIRECTIVE_ORDER).size, DIRECTIVE_ORDER.length)
  const before: [first: string, second: string][] = [
    ['metadata', 'log'],
    ['prometheus', 'errors'],
    ['errors', 'log'],
    ['log', 'loadbalance'],
    ['loadbalance', 'cache'],
    ['rewrite', 'cache'],
    ['acl', 'cache'],
    ['ocp_dnsnameresolver', 'cache'],
    ['cache', 'template'],
    ['template', 'hosts'],
    ['hosts', 'kubernetes'],
    ['k8s_external', 'kubernetes'],
    ['kubernetes', 'file'],
    ['file', 'forward'],
    ['forward', 'whoami'],
  ]
  for (const [first, second] of before)
    assert.ok(rankOf(first) >= 0 && rankOf(first) < rankOf(second), `${first} ${second}`)
})

test('every directive has a tier', () => {
  const tiers = Map.groupBy(DIRECTIVE_ORDER, tierOf)
  assert.deepEqual(
    [1, 2, 3].map((tier) => tiers.get(tier as 1)?.length),
    [20, 23, 18],
  )
  assert.equal(tierOf('nothing'), null)
  for (const name of tiers.get(1) ?? []) assert.ok(isHad(name), name)
  for (const name of tiers.get(3) ?? []) assert.ok(!isHad(name), name)
})

test('complaints', () => {
  const missing = (name: string) => `no action found for directive '${name}' with server type 'dns' (missing a plugin?)`
  const cases: [name: string, complaint: string][] = [
    ['etcd', `${missing('etcd')}: records in etcd are not served here`],
    ['secondary', missing('secondary')],
    ['timeouts', missing('timeouts')],
    ['proxy', "Unknown directive 'proxy': it is gone; use 'forward'"],
    ['federation', "Unknown directive 'federation': it is gone"],
    ['kubernets', "Unknown directive 'kubernets': is 'kubernetes' meant?"],
    ['eror', "Unknown directive 'eror'"],
    ['errosr', "Unknown directive 'errosr': is 'errors' meant?"],
    ['cach', "Unknown directive 'cach': is 'cache' meant?"],
    ['cachee', "Unknown directive 'cachee': is 'cache' meant?"],
    ['casche', "Unknown directive 'casche': is 'cache' meant?"],
    ['constructor', "Unknown directive 'constructor'"],
    ['', "Unknown directive ''"],
    ['Errors', "Unknown directive 'Errors': is 'errors' meant?"],
  ]
  for (const [name, complaint] of cases) assert.equal(complaintAbout(name)?.slice(0, complaint.length), complaint, name)
  for (const name of DIRECTIVE_ORDER) {
    const complaint = complaintAbout(name)
    assert.ok(complaint === null ? isHad(name) : complaint.startsWith(`${missing(name)}: `), name)
    assert.doesNotMatch(complaint ?? '', /undefined/)
  }
})
