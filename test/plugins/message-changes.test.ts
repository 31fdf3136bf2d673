// Plugins that change a query on its way or what comes back: any, bufsize, header, metadata, minimal.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HeaderRule } from '../../src/config/configuration.ts'
import { createAny } from '../../src/plugins/any.ts'
import { createBufsize } from '../../src/plugins/bufsize.ts'
import { createHeader } from '../../src/plugins/header.ts'
import { createMetadata } from '../../src/plugins/metadata.ts'
import { createMinimal } from '../../src/plugins/minimal.ts'
import { replyOf } from '../../src/plugins/plugin.ts'
import { ednsOf, replyTo, replyWith, requestOf, run, textOf } from './chain.ts'

test('any: one record for all types, others pass', () => {
  const reply = replyTo(createAny(), requestOf('a.example. ANY'))
  assert.deepEqual(reply.answer.map(textOf), ['a.example. 8482 HINFO "ANY obsoleted" "See RFC 8482"'])
  assert.deepEqual([reply.rcode, reply.authority, reply.additional], [0, [], []])
  for (const type of ['A', 'HINFO', 'AXFR']) {
    assert.equal(run(createAny(), requestOf(`a. ${type}`), () => replyOf('behind')).plugin, 'behind', type)
  }
})

test('bufsize: lowers, never raises, never adds', () => {
  const seen = (edns: ReturnType<typeof ednsOf> | null): number | null | undefined => {
    let size: number | null | undefined
    run(createBufsize(1232), requestOf('a. A', { edns }), (request) => {
      size = request.edns === null ? null : request.edns.udpSize
      return replyOf('behind')
    })
    return size
  }
  assert.equal(seen(ednsOf(4096)), 1232)
  assert.equal(seen(ednsOf(1233)), 1232)
  assert.equal(seen(ednsOf(1232)), 1232)
  assert.equal(seen(ednsOf(512)), 512)
  assert.equal(seen(null), null)
})

test('header: rules in order, the last on a flag wins', () => {
  // SELECTOR ACTION FLAGS, then RD of the query as seen behind, AA and RA of the reply (AA set by the plugin behind).
  const cases: [rules: string[], rd: boolean, aa: boolean, ra: boolean][] = [
    [[], true, true, false],
    [['response set ra'], true, true, true],
    [['response clear aa'], true, false, false],
    [['response clear aa', 'response set aa ra'], true, true, true],
    [['response set aa ra', 'response clear aa'], true, false, true],
    [['query clear rd'], false, true, false],
    [['query clear rd', 'query set rd'], true, true, false],
    [['query set aa ra'], true, true, false], // means nothing
    [['query clear rd', 'query set aa ra'], false, true, false],
    [['response clear rd'], true, true, false], // RD of the reply is the query's
  ]
  for (const [texts, rd, aa, ra] of cases) {
    const rules = texts.map((text) => {
      const [selector, action, ...flags] = text.split(' ')
      return { selector, action, flags } as unknown as HeaderRule
    })
    let seen: boolean | undefined
    const reply = replyTo(createHeader(rules), requestOf('a. A'), (request) => {
      seen = request.recursionDesired
      return replyOf('behind')
    })
    assert.deepEqual([seen, reply.authoritative, reply.recursionAvailable], [rd, aa, ra], texts.join())
  }
  const failure = { kind: 'failure', rcode: 2, error: '', plugin: 'x' } as const
  const rules: HeaderRule[] = [{ selector: 'response', action: 'set', flags: ['ra'] }]
  assert.equal(
    run(createHeader(rules), requestOf('a. A'), () => Object.freeze(failure)),
    failure,
  )
})

test('minimal: positive answers lose authority and additional, others keep them', () => {
  const sections = { authority: ['example. 5 NS 00'], additional: ['ns.example. 5 A 192.0.2.1'] }
  const left = (rcode: number, answer: string[]): number[] => {
    const behind = { ...replyWith({ answer, ...sections }), rcode }
    const reply = replyTo(createMinimal(), requestOf('a. A'), () => behind)
    return [reply.answer.length, reply.authority.length, reply.additional.length]
  }
  assert.deepEqual(left(0, ['a. 5 A 192.0.2.1']), [1, 0, 0])
  assert.deepEqual(left(0, []), [0, 1, 1]) // NODATA needs its SOA, a referral its NS and glue
  assert.deepEqual(left(3, []), [0, 1, 1])
  assert.deepEqual(left(3, ['a. 5 CNAME 00']), [1, 1, 1]) // an alias of a name that does not exist
})

test('metadata: what plugins know, in its zones, worked out when it is asked for', () => {
  let worked = 0
  const plugins = [
    {
      describe: (_: unknown, metadata: Map<string, () => string>) => {
        metadata.set('one/label', () => `value ${++worked}`)
        metadata.set('both/label', () => 'first')
      },
    },
    {},
    { describe: (_: unknown, metadata: Map<string, () => string>) => metadata.set('both/label', () => 'second') },
  ]
  const collected = (query: string, view = ''): string[] => {
    const metadata = new Map<string, () => string>()
    const request = requestOf(query, { metadata, view })
    run(createMetadata(['example.', 'other.'], plugins), request, () => replyOf('behind'))
    return [...metadata.keys()].sort()
  }
  assert.deepEqual(collected('a.example. A'), ['both/label', 'one/label'])
  assert.deepEqual(collected('other. A', 'inside'), ['both/label', 'one/label', 'view/name'])
  assert.deepEqual(collected('elsewhere. A', 'inside'), [])
  assert.equal(worked, 0)
  const metadata = new Map<string, () => string>()
  run(createMetadata(['.'], plugins), requestOf('a. A', { metadata, view: 'inside' }), () => replyOf('behind'))
  assert.deepEqual(
    [...metadata].map(([label, value]) => `${label}=${value()}`),
    ['one/label=value 1', 'both/label=second', 'view/name=inside'],
  )
  assert.equal(run(createMetadata(['.'], plugins), requestOf('a. A'), () => replyOf('behind')).plugin, 'behind')
})
