// Plugins that tell who answers and who asks: chaos, nsid, whoami.

import assert from 'node:assert/strict'
import { hostname } from 'node:os'
import { test } from 'node:test'
import { createChaos } from '../../src/plugins/chaos.ts'
import { createNsid } from '../../src/plugins/nsid.ts'
import { replyOf } from '../../src/plugins/plugin.ts'
import { createWhoami } from '../../src/plugins/whoami.ts'
import { ednsOf, replyTo, requestOf, run, textOf } from './chain.ts'

const HOST = JSON.stringify(hostname())

test('chaos', () => {
  const named = createChaos({ version: 'Peregrine', authors: ['only one'] })
  const plain = createChaos({ version: 'v', authors: [] })
  const cases: [plugin: typeof named, query: string, answer: string[]][] = [
    [named, 'version.bind. TXT 3', ['version.bind. 0 TXT "Peregrine"']],
    [named, 'version.server. TXT 3', ['version.server. 0 TXT "Peregrine"']],
    [named, 'authors.bind. TXT 3', ['authors.bind. 0 TXT "only one"']],
    [named, 'hostname.bind. TXT 3', [`hostname.bind. 0 TXT ${HOST}`]],
    [named, 'id.server. TXT 3', [`id.server. 0 TXT ${HOST}`]],
    [plain, 'authors.bind. TXT 3', []],
  ]
  for (const [plugin, query, answer] of cases) {
    const reply = replyTo(plugin, requestOf(query))
    assert.deepEqual(reply.answer.map(textOf), answer, query)
    assert.ok(reply.answer.every((record) => record.class === 3))
    assert.equal(reply.rcode, 0)
  }
  for (const query of [
    'version.bind. TXT',
    'version.bind. A 3',
    'other.bind. TXT 3',
    'x.version.bind. TXT 3',
    '. TXT 3',
  ]) {
    assert.equal(run(named, requestOf(query), () => replyOf('behind')).plugin, 'behind', query)
  }
})

test('chaos: authors in random order, each once', () => {
  const plugin = createChaos({ version: '', authors: ['a', 'b', 'c'] })
  const orders = new Set<string>()
  for (let i = 0; i < 200; i++) {
    const { answer } = replyTo(plugin, requestOf('authors.bind. TXT 3'))
    orders.add(answer.map(({ rdata }) => String.fromCharCode(rdata[1])).join(''))
  }
  // One of six missing after 200 draws: 1 in 10^15.
  assert.deepEqual([...orders].sort(), ['abc', 'acb', 'bac', 'bca', 'cab', 'cba'])
})

test('chaos: a string ends at 255 octets', () => {
  const { answer } = replyTo(createChaos({ version: 'x'.repeat(300), authors: [] }), requestOf('version.bind. TXT 3'))
  assert.equal(answer[0].rdata.length, 256)
  assert.equal(answer[0].rdata[0], 255)
})

test('nsid: in the reply if the query asks', () => {
  const asks = { edns: ednsOf(1232, 10, 3) }
  const optionsOf = (text: string, changes: Parameters<typeof requestOf>[1]): string[] =>
    replyTo(createNsid(text), requestOf('a. A', changes), () => replyOf('behind')).options.map(
      ({ code, data }) => `${code} ${Buffer.from(data)}`,
    )
  assert.deepEqual(optionsOf('node a', asks), ['3 node a'])
  assert.deepEqual(optionsOf('node', { edns: ednsOf(1232, 10) }), [])
  assert.deepEqual(optionsOf('node', {}), [])
})

test('nsid: in place of an upstream’s; others stay; a failure has none', () => {
  const behind = replyOf('forward')
  behind.options.push({ code: 3, data: Buffer.from('theirs') }, { code: 15, data: Uint8Array.of(0, 3) })
  const reply = replyTo(createNsid('ours'), requestOf('a. A', { edns: ednsOf(1232, 3) }), () => behind)
  assert.deepEqual(
    reply.options.map(({ code, data }) => [code, Buffer.from(data).toString('latin1')]),
    [
      [15, '\0\x03'],
      [3, 'ours'],
    ],
  )
  const failure = { kind: 'failure', rcode: 2, error: '', plugin: 'x' } as const
  assert.equal(
    run(createNsid('ours'), requestOf('a. A', { edns: ednsOf(1232, 3) }), () => failure),
    failure,
  )
})

test('whoami', () => {
  const ipv6 = { client: { family: 6, address: '2001:db8::1', port: 40000 }, protocol: 'tcp' } as const
  const cases: [query: string, changes: Parameters<typeof requestOf>[1], additional: string[]][] = [
    ['a.example. A', {}, ['a.example. 0 A 10.1.2.3', '_udp.a.example. 0 SRV 00000000041d00']],
    ['a.example. MX', {}, ['a.example. 0 A 10.1.2.3', '_udp.a.example. 0 SRV 00000000041d00']],
    ['. NS', {}, ['. 0 A 10.1.2.3', '_udp. 0 SRV 00000000041d00']],
    ['a. A', ipv6, ['a. 0 AAAA 2001:0db8:0000:0000:0000:0000:0000:0001', '_tcp.a. 0 SRV 000000009c4000']],
  ]
  for (const [query, changes, additional] of cases) {
    const reply = replyTo(createWhoami(), requestOf(query, changes))
    assert.deepEqual(reply.additional.map(textOf), additional, query)
    assert.deepEqual([reply.rcode, reply.authoritative, reply.answer, reply.authority], [0, true, [], []], query)
  }
})
