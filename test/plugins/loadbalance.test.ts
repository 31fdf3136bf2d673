// Plugin loadbalance on whole messages: order of sections, chances, weights, preferred networks.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { LoadbalanceConfig } from '../../src/config/configuration.ts'
import { createLoadbalance, type LoadbalanceSources, parseWeights } from '../../src/plugins/loadbalance.ts'
import { replyTo, replyWith, requestOf, run } from './chain.ts'

const SHUFFLED: LoadbalanceConfig = { policy: 'round_robin', file: '', reloadMs: 0, prefer: [] }
const WEIGHTED: LoadbalanceConfig = { ...SHUFFLED, policy: 'weighted', file: 'weights', reloadMs: 30_000 }

/** A address of the last octets given. */
function addresses(...last: readonly number[]): string[] {
  return last.map((octet) => `a.example. 5 A 10.0.0.${octet}`)
}

/** Last octets of the RDATA in the answer. */
function order(
  config: LoadbalanceConfig,
  answer: readonly string[],
  sources: Partial<LoadbalanceSources> = {},
  query = 'a.example. A',
): number[] {
  const reply = replyTo(createLoadbalance(config, sources), requestOf(query), () => replyWith({ answer }))
  return reply.answer.map(({ rdata }) => rdata.at(-1)!)
}

test('each section: CNAME, others, addresses, MX', () => {
  const section = [
    'a. 5 MX 01',
    'a. 5 A 10.0.0.2',
    'a. 5 TXT 03',
    'a. 5 CNAME 04',
    'a. 5 SRV 05',
    `a. 5 AAAA ${'0000:'.repeat(7)}0006`,
  ]
  const behind = replyWith({ answer: section, authority: section, additional: section })
  const reply = replyTo(createLoadbalance(SHUFFLED), requestOf('a. A'), () => behind)
  for (const records of [reply.answer, reply.authority, reply.additional]) {
    const kinds = records.map(({ rdata }) => rdata.at(-1)!)
    assert.deepEqual(kinds.slice(0, 3), [4, 3, 5])
    assert.deepEqual(kinds.slice(3, 5).sort(), [2, 6])
    assert.deepEqual(kinds.slice(5), [1])
  }
})

test('addresses and MX come in every order, as often', () => {
  for (const type of ['A', 'MX']) {
    const plugin = createLoadbalance(SHUFFLED)
    const counts = new Map<string, number>()
    for (let i = 0; i < 6000; i++) {
      const answer = [1, 2, 3].map((each) => (type === 'A' ? `a. 5 A 10.0.0.${each}` : `a. 5 MX 0${each}`))
      const reply = replyTo(plugin, requestOf('a. A'), () => replyWith({ answer }))
      const found = reply.answer.map(({ rdata }) => rdata.at(-1)).join('')
      counts.set(found, (counts.get(found) ?? 0) + 1)
    }
    assert.equal(counts.size, 6)
    // 1000 each, standard deviation 29: seven of them.
    for (const [found, count] of counts) assert.ok(Math.abs(count - 1000) < 203, `${found}: ${count}`)
  }
})

test('not touched: other RCODEs, transfers, what is no reply', () => {
  const lastFirst = { below: () => 0 }
  const behind = () => replyWith({ answer: addresses(1, 2, 3) })
  const plugin = createLoadbalance(SHUFFLED, lastFirst)
  const octets = (query: string, rcode = 0) =>
    replyTo(plugin, requestOf(query), () => ({ ...behind(), rcode })).answer.map(({ rdata }) => rdata[3])
  assert.deepEqual(octets('a. A'), [2, 3, 1], 'is touched')
  assert.deepEqual(octets('a. AXFR'), [1, 2, 3])
  assert.deepEqual(octets('a. IXFR'), [1, 2, 3])
  assert.deepEqual(octets('a. A', 3), [1, 2, 3])
  const failure = { kind: 'failure', rcode: 2, error: '', plugin: 'x' } as const
  assert.equal(
    run(plugin, requestOf('a. A'), () => failure),
    failure,
  )
})

test('prefer: addresses of the networks first, in their order, the rest as it was', () => {
  const inOrder = { below: (bound: number) => bound - 1 } // shuffles nothing
  const answer = ['a. 5 A 10.0.0.1', 'a. 5 A 192.168.0.2', 'a. 5 A 10.0.0.3', 'a. 5 A 172.16.0.4', 'a. 5 A 192.168.0.5']
  const prefer = ['192.168.0.0/16', '172.16.0.0/12']
  assert.deepEqual(order({ ...SHUFFLED, prefer }, answer, inOrder), [2, 5, 4, 1, 3])
  const ipv6 = ['a. 5 A 10.0.0.1', `a. 5 AAAA 2001:0db8:${'0000:'.repeat(5)}0002`, 'a. 5 MX 03']
  assert.deepEqual(order({ ...SHUFFLED, prefer: ['2001:db8::/32'] }, ipv6, inOrder), [2, 1, 3])
})

const TEXT = `
# of a test
a.example.
10.0.0.1 1
10.0.0.2   3   # most
10.0.0.3 1

B.Example
2001:db8::1 255
`

test('weights: one is drawn and goes first, the others keep their order', () => {
  const at = (drawn: number, query?: string) =>
    order(WEIGHTED, addresses(1, 2, 3, 4), { read: () => TEXT, below: bounded(drawn, 6) }, query)
  assert.deepEqual(at(0), [1, 2, 3, 4])
  assert.deepEqual(at(1), [2, 1, 3, 4])
  assert.deepEqual(at(3), [2, 1, 3, 4])
  assert.deepEqual(at(4), [3, 1, 2, 4])
  assert.deepEqual(at(5), [4, 1, 2, 3]) // not listed: 1
  // Behind an alias: the owner is listed, or the name that was asked.
  const alias = ['x. 5 CNAME 00', ...addresses(1, 2)]
  assert.deepEqual(order(WEIGHTED, alias, { read: () => TEXT, below: bounded(1, 4) }, 'x. A'), [0, 2, 1])
  const target = ['a.example. 5 CNAME 00', 'y. 5 A 10.0.0.1', 'y. 5 A 10.0.0.2']
  assert.deepEqual(order(WEIGHTED, target, { read: () => TEXT, below: bounded(1, 4) }), [0, 2, 1])
  // Nothing listed: all alike.
  assert.deepEqual(
    order(WEIGHTED, ['z. 5 A 10.0.0.1', 'z. 5 A 10.0.0.2'], { read: () => TEXT, below: bounded(1, 2) }, 'z. A'),
    [2, 1],
  )
})

/** Draws `value`, and holds the bound against what it should be. MX and the like are not drawn here. */
function bounded(value: number, expected: number): (bound: number) => number {
  return (bound) => {
    assert.equal(bound, expected)
    return value
  }
}

test('weights as they come: in proportion', () => {
  const plugin = createLoadbalance(WEIGHTED, { read: () => TEXT })
  const firsts = [0, 0, 0, 0]
  for (let i = 0; i < 5000; i++) {
    const reply = replyTo(plugin, requestOf('a.example. A'), () => replyWith({ answer: addresses(1, 2, 3) }))
    firsts[reply.answer[0].rdata[3]]++
  }
  // 1000 and 3000 expected, standard deviations 28 and 35: seven of them.
  assert.ok(Math.abs(firsts[1] - 1000) < 200 && Math.abs(firsts[2] - 3000) < 245, firsts.join())
})

test('weights are read again when they are old, and a bad file changes nothing', () => {
  let now = 0
  let text = 'a.example.\n10.0.0.1 255'
  const warnings: string[] = []
  const reads: string[] = []
  const sources: Partial<LoadbalanceSources> = {
    now: () => now,
    read: (path) => {
      reads.push(path)
      if (text === '') throw new Error('no such file')
      return text
    },
    below: (bound) => Math.min(bound - 1, 254),
    warn: (line) => warnings.push(line),
  }
  const plugin = createLoadbalance(WEIGHTED, sources)
  const first = () =>
    replyTo(plugin, requestOf('a.example. A'), () => replyWith({ answer: addresses(1, 2) })).answer[0].rdata[3]
  assert.equal(first(), 1)
  text = 'a.example.\n10.0.0.2 255' // the first then weighs 1
  now = 29_999
  assert.equal(first(), 1)
  assert.equal(reads.length, 1)
  now = 30_000
  assert.equal(first(), 2)
  text = 'a.example.\n10.0.0.1 0'
  now = 60_000
  assert.equal(first(), 2)
  now = 90_000
  assert.equal(first(), 2)
  assert.deepEqual(warnings, ["weights: line 2: '0' is no weight: 1 to 255"], 'once')
  text = ''
  now = 120_000
  assert.equal(first(), 2)
  assert.equal(warnings.at(-1), 'weights: no such file')
  text = 'a.example.\n10.0.0.1 255'
  now = 150_000
  assert.equal(first(), 1)
  const never = createLoadbalance({ ...WEIGHTED, reloadMs: 0 }, sources)
  reads.length = 0
  now = 1e9
  replyTo(never, requestOf('a.example. A'), () => replyWith({ answer: addresses(1, 2) }))
  assert.deepEqual(reads, [])
})

test('weights out of a file', () => {
  const directory = mkdtempSync(join(tmpdir(), 'peregrine-weights-'))
  try {
    const file = join(directory, 'weights')
    writeFileSync(file, TEXT)
    assert.deepEqual(order({ ...WEIGHTED, file }, addresses(1, 2), { below: bounded(3, 4) }), [2, 1])
    // Without a file all weigh the same, until there is one.
    assert.deepEqual(order({ ...WEIGHTED, file: `${file}-gone` }, addresses(1, 2), { below: bounded(1, 2) }), [2, 1])
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('files of weights', () => {
  const weights = parseWeights(TEXT)
  assert.deepEqual([...weights.keys()], ['a.example.', 'b.example.'])
  assert.deepEqual(
    [...weights.get('a.example.')!],
    [
      ['10,0,0,1', 1],
      ['10,0,0,2', 3],
      ['10,0,0,3', 1],
    ],
  )
  assert.equal(weights.get('b.example.')!.size, 1)
  assert.equal(parseWeights('').size, 0)
  const wrong: [text: string, message: RegExp][] = [
    ['10.0.0.1 1', /line 1: an address before the first name/],
    ['a.\n10.0.0.1', /line 2: '10.0.0.1' has no weight/],
    ['a.\n10.0.0.1 0', /line 2: '0' is no weight/],
    ['a.\n10.0.0.1 256', /line 2: '256' is no weight/],
    ['a.\n10.0.0.1 x', /line 2: 'x' is no weight/],
    ['a.\n10.0.0.1 1.5', /no weight/],
    ['a.\nb. 5', /line 2: 'b.' is no address/],
    ['a.\n10.0.0.1 5 5', /line 2: neither/],
  ]
  for (const [text, message] of wrong) {
    assert.throws(() => parseWeights(text), { name: 'WeightsError', message }, text)
  }
})
