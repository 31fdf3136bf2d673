// Plugins on whole messages, seen from the transport: what a plugin's mistake costs, which block takes a query, what is sent.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Plugins } from '../../src/config/configuration.ts'
import { Query, readQuery } from '../../src/dns/question.ts'
import { createRegion } from '../../src/index/layout.ts'
import { type Plugin, replyOf, type Walk } from '../../src/plugins/plugin.ts'
import { prepareAnswerer } from '../../src/workers/answer.ts'
import type { AnswerSource } from '../../src/workers/answerer.ts'
import { ChainAnswerer } from '../../src/workers/chain-answer.ts'
import { QueryAccount } from '../../src/workers/query-account.ts'
import { Router } from '../../src/workers/router.ts'
import { encodeQuery, readResponse, type Query as WireQuery } from '../server/wire.ts'

const HEADER: Plugins = { header: [] }

/** One listener; a block for each of `zones`. */
function sourceOf(zones: readonly (readonly string[])[], plugins: readonly Plugins[]): AnswerSource {
  return {
    listeners: [
      {
        server: 'dns://:53',
        zones: zones.map((labels, block) => ({ labels, block, group: -1 })),
        droppedGroup: -1,
      },
    ],
    blocks: plugins.map((each) => ({
      plugins: each,
      cluster: null,
      hosts: null,
      files: [],
      bufsize: 1232,
      writers: [''],
    })),
    counters: null,
    logs: [],
  }
}

/** Answers by one plugin, given in place of `header`. */
function askPlugin(plugin: Plugin, query: WireQuery): ReturnType<typeof readResponse> | null {
  const source = sourceOf([[]], [HEADER])
  const router = new Router(source, 0)
  const answerer = new ChainAnswerer(source, router, new Map([['header', () => plugin]]), [null])
  answerer.setAccount(new QueryAccount(source, 0))
  const packet = new Uint8Array(4096)
  const message = encodeQuery(query)
  packet.set(message)
  const read = new Query()
  readQuery(read, packet, 0, message.length)
  const length = answerer.answer(router.listeners[0], read, packet, 0, message.length, 4096, false, false)
  return length === 0 ? null : readResponse(packet.slice(0, length))
}

function pluginOf(serve: () => Walk): Plugin {
  return { name: 'header', serve }
}

const QUERY: WireQuery = { name: 'a.example', type: 'A', edns: { size: 1232 } }

test('a plugin that throws costs its query, and says SERVFAIL', () => {
  const response = askPlugin(
    pluginOf(() => {
      throw new Error('a mistake')
    }),
    QUERY,
  )
  assert.equal(response?.rcode, 'SERVFAIL')
  assert.equal(response?.question?.name, 'a.example.')
  assert.ok(response?.opt !== undefined)
})

test('a reply that cannot be put on the wire is SERVFAIL', () => {
  const owner = `${'x'.repeat(64)}.example.`
  const record = { owner, type: 1, class: 1, ttl: 5, rdata: Uint8Array.of(10, 0, 0, 1) }
  // biome-ignore lint/correctness/useYield: nothing to wait for
  const reply = function* (): Walk {
    return { ...replyOf('header'), answer: [record] }
  }
  assert.equal(askPlugin(pluginOf(reply), QUERY)?.rcode, 'SERVFAIL')
})

test('silence is silence', () => {
  // biome-ignore lint/correctness/useYield: nothing to wait for
  const silence = function* (): Walk {
    return { kind: 'silence', plugin: 'header' }
  }
  assert.equal(askPlugin(pluginOf(silence), QUERY), null)
})

test('no plugin left is SERVFAIL, a name in no block REFUSED, DS goes to the parent', async () => {
  const name = (text: string): Plugins => ({ template: [templateOf(text)] })
  const source = sourceOf([['example'], ['sub', 'example']], [name('parent'), name('child')])
  const answerer = (await prepareAnswerer(source))(0)
  const ask = (query: WireQuery): string => {
    const packet = new Uint8Array(4096)
    const message = encodeQuery(query)
    packet.set(message)
    answerer.beginBatch()
    const length = answerer.answer(packet, 0, message.length, 4096, false)
    answerer.endBatch()
    const { rcode, answer } = readResponse(packet.slice(0, length))
    return `${rcode} ${answer.map(({ data }) => data).join()}`
  }
  assert.equal(ask({ name: 'x.sub.example', type: 'TXT' }), 'NOERROR "child"')
  assert.equal(ask({ name: 'X.EXAMPLE', type: 'TXT' }), 'NOERROR "parent"')
  assert.equal(ask({ name: 'sub.example', type: 'DS' }), 'NOERROR "parent"')
  assert.equal(ask({ name: 'other', type: 'TXT' }), 'REFUSED ')
})

function templateOf(text: string) {
  return {
    file: '',
    line: 0,
    class: 1,
    type: 255,
    zones: ['.'],
    match: ['.*'],
    answer: [`{{ .Name }} 60 IN TXT "${text}"`],
    additional: [],
    authority: [],
    rcode: 0,
    extendedError: null,
    fallthrough: null,
    variables: [],
    expressions: [],
  }
}

test('the index of a cluster behind a plugin', async () => {
  const region = createRegion(2 ** 20)
  const zones = [{ labels: ['cluster', 'local'], ttl: 5, pods: true, wildcards: false, keepsBrokenChains: false }]
  const source = sourceOf([[]], [HEADER])
  const withCluster = { ...source, blocks: [{ ...source.blocks[0], cluster: { region: region.buffer, zones } }] }
  const answerer = (await prepareAnswerer(withCluster))(0)
  const packet = new Uint8Array(4096)
  const message = encodeQuery({ name: 'web.a.svc.cluster.local', type: 'A' })
  packet.set(message)
  answerer.beginBatch()
  const { rcode, authority } = readResponse(packet.slice(0, answerer.answer(packet, 0, message.length, 4096, false)))
  assert.equal(rcode, 'SERVFAIL', 'nothing is known yet')
  assert.equal(authority[0].type, 'SOA')
})
