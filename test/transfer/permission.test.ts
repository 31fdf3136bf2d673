// Who may have a zone (plugins/transfer.ts): Corefile reference 6.7, cluster DNS reference 3.8.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TransferConfig } from '../../src/config/configuration.ts'
import { parseRecord } from '../../src/dns/record-text.ts'
import type { Outcome, Request } from '../../src/plugins/plugin.ts'
import { addressAndPortOf, createTransfer } from '../../src/plugins/transfer.ts'
import { requestOf, run } from '../plugins/chain.ts'

const SOA = parseRecord('@ SOA ns host 7 1 1 1 1', { origin: 'example.org.', ttl: 1, class: 1 })
const A = parseRecord('@ A 192.0.2.1', { origin: 'example.org.', ttl: 1, class: 1 })

/** `zones` by blanks: `to` by blanks. */
function configOf(zones: string, to: string): TransferConfig {
  return { zones: zones.split(' '), to: to.split(' '), source: '' }
}

const passed: Outcome = { kind: 'failure', rcode: 0, error: '', plugin: 'behind' }

function ask(configs: readonly TransferConfig[] | undefined, question: string, changes: Partial<Request> = {}): string {
  const request = requestOf(question, { protocol: 'tcp', ...changes })
  const outcome = run(createTransfer(configs), request, () => passed)
  if (outcome.kind === 'transfer') return `${outcome.zone} ${outcome.serial ?? 'AXFR'}`
  if (outcome.kind === 'failure') return outcome.plugin === 'behind' ? 'passed' : `${outcome.rcode}`
  return outcome.kind
}

/** A peer by its address. */
function peer(address: string): Partial<Request> {
  return { client: { family: address.includes(':') ? 6 : 4, address, port: 4000 } }
}

const ANY = [configOf('example.org.', '*')]
const ONE = [configOf('example.org.', '192.0.2.1:53 [2001:db8::1]:5300')]
const NESTED = [
  configOf('org. .', '192.0.2.1:53'),
  configOf('example.org.', '192.0.2.2:53'),
  configOf('example.org.', '*'),
]

test('who gets what', () => {
  const cases: [
    why: string,
    configs: TransferConfig[] | undefined,
    question: string,
    changes: Partial<Request>,
    expected: string,
  ][] = [
    ['anyone', ANY, 'example.org. AXFR', {}, 'example.org. AXFR'],
    ['what is no transfer is passed on', ANY, 'example.org. A', {}, 'passed'],
    ['so it is without directives', undefined, 'example.org. SOA', {}, 'passed'],
    ['without directives nobody', undefined, 'example.org. AXFR', {}, '5'],
    ['without directives nobody', undefined, 'example.org. IXFR', { authority: [SOA] }, '5'],
    ['UDP', ANY, 'example.org. AXFR', { protocol: 'udp' }, '5'],
    ['UDP', ANY, 'example.org. IXFR', { protocol: 'udp', authority: [SOA] }, '5'],
    ['UDP, whatever else', ANY, 'example.org. IXFR', { protocol: 'udp' }, '5'],
    ['another class', ANY, 'example.org. AXFR 3', {}, '5'],
    ['another zone', ANY, 'example.net. AXFR', {}, '5'],
    ['a zone whose name ends alike', ANY, 'myexample.org. AXFR', {}, '5'],
    ['a zone below: whoever has it says', ANY, 'sub.example.org. AXFR', {}, 'sub.example.org. AXFR'],
    ['a zone above', ANY, 'org. AXFR', {}, '5'],
    ['IXFR', ANY, 'example.org. IXFR', { authority: [SOA] }, 'example.org. 7'],
    ['IXFR without SOA', ANY, 'example.org. IXFR', {}, '2'],
    ['IXFR with two', ANY, 'example.org. IXFR', { authority: [SOA, SOA] }, '2'],
    ['IXFR with another record', ANY, 'example.org. IXFR', { authority: [A] }, '2'],
    ['IXFR of a stranger: not even that', ONE, 'example.org. IXFR', { ...peer('192.0.2.9') }, '5'],
    ['a peer, from any port', ONE, 'example.org. AXFR', peer('192.0.2.1'), 'example.org. AXFR'],
    ['a peer, IPv6', ONE, 'example.org. AXFR', peer('2001:db8::1'), 'example.org. AXFR'],
    ['a peer, IPv4 in IPv6', ONE, 'example.org. AXFR', peer('::ffff:192.0.2.1'), 'example.org. AXFR'],
    ['a stranger', ONE, 'example.org. AXFR', peer('192.0.2.10'), '5'],
    ['a stranger, IPv6', ONE, 'example.org. AXFR', peer('2001:db8::2'), '5'],
    ['the longest zone decides', NESTED, 'example.org. AXFR', peer('192.0.2.2'), 'example.org. AXFR'],
    ['the longest zone decides, against a peer too', NESTED, 'example.org. AXFR', peer('192.0.2.1'), '5'],
    ['the first of equals', NESTED, 'example.org. AXFR', peer('192.0.2.3'), '5'],
    ['what is left to a shorter one', NESTED, 'example.net. AXFR', peer('192.0.2.1'), 'example.net. AXFR'],
    ['the root', NESTED, '. AXFR', peer('192.0.2.1'), '. AXFR'],
  ]
  for (const [why, configs, question, changes, expected] of cases) {
    assert.equal(ask(configs, question, changes), expected, `${why}: ${question}`)
  }
})

test('an IXFR without its SOA is told to errors', () => {
  const outcome = run(createTransfer(ANY), requestOf('example.org. IXFR', { protocol: 'tcp' }))
  assert.match(outcome.kind === 'failure' ? outcome.error : '', /one SOA/)
})

test('addresses with ports, taken apart', () => {
  assert.deepEqual(addressAndPortOf('192.0.2.1:53'), { address: '192.0.2.1', port: 53 })
  assert.deepEqual(addressAndPortOf('[2001:db8::1]:5300'), { address: '2001:db8::1', port: 5300 })
})
