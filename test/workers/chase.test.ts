// What a chain makes of an answer that ends in a CNAME to elsewhere: real stages over a real index, and a stand-in for the rest of the server.
// With a server around it: test/corefile/aliases.test.ts.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Outcome, Question } from '../../src/plugins/plugin.ts'

import { Router } from '../../src/workers/router.ts'
import { StagePlugin } from '../../src/workers/stage-plugin.ts'
import { OKD, PLAIN } from '../kube/schema-fixture.ts'
import { replyWith, requestOf, run, textOf } from '../plugins/chain.ts'
import type { HeldStage } from '../plugins/stage-answer.ts'
import { fileStage, recordsOf } from '../zones/static-stage.ts'
import { full, TestEngine } from './answer-engine.ts'

const SERVFAIL = 2
const NXDOMAIN = 3
const REFUSED = 5

const CLUSTER = `
namespaces: [c]
services:
  c/web:  {clusterIPs: [10.96.0.1], ports: [http:80/TCP]}
  c/out:  {type: ExternalName, externalName: WWW.Partner.example}
  c/hop:  {type: ExternalName, externalName: out.c.svc.cluster.local}
  c/in:   {type: ExternalName, externalName: web.c.svc.cluster.local}
  c/gone: {type: ExternalName, externalName: gone2.c.svc.cluster.local}
`

const ZONE = `
@ SOA ns hostmaster 1 2 3 4 5
www CNAME a.elsewhere.example.
two CNAME www
old DNAME new.elsewhere.example.
inner CNAME missing
text TXT hello
`

function clusterStage(schema = PLAIN): HeldStage {
  const { source } = new TestEngine(CLUSTER, { schema }).engine
  const router = new Router(source, 0)
  return { stage: router.clusters[0], held: router.regions[0] }
}

const cluster = clusterStage()
const okd = clusterStage(OKD)
const file = fileStage([{ origin: 'file.example', records: recordsOf('file.example', ZONE) }])

/** Asks a stage in a chain. @returns RCODE and records in lines, authority with `~`; and what was asked of the server, with `?` */
function ask({ stage, held }: HeldStage, text: string, outcome: Outcome = replyWith({})): string[] {
  const asked: string[] = []
  const request = requestOf(text, {
    // biome-ignore lint/correctness/useYield: it waits for nothing
    ask: function* ({ name, type }: Question) {
      asked.push(`? ${name} ${type}`)
      return outcome
    },
  })
  held.hold()
  stage.beginBatch()
  const result = run(new StagePlugin(stage), request)
  held.release()
  if (result.kind !== 'reply') return [result.kind]
  assert.ok(result.authoritative && result.plugin === stage.plugin)
  return [
    `${result.rcode}${result.truncated ? ' TC' : ''}`,
    ...result.answer.map(shown),
    ...result.authority.map((record) => `~ ${record.owner} ${record.ttl}`),
    ...asked,
  ]
}

/** Names in RDATA as text, not in hexadecimal. */
function shown(record: Parameters<typeof textOf>[0]): string {
  return textOf(record).replace(/ (CNAME|DNAME) (\w+)$/, (_, type, hex) => {
    const octets = Buffer.from(hex, 'hex')
    const labels: string[] = []
    for (let at = 0; octets[at] !== 0; at += octets[at] + 1)
      labels.push(octets.toString('latin1', at + 1, at + 1 + octets[at]))
    return ` ${type} ${labels.join('.')}.`
  })
}

/** `~` stands for `.svc.cluster.local.` */
function absolute(text: string): string {
  return `${full(text)}.`
}

const OUT = absolute('out.c~')
const FOUND = replyWith({
  answer: ['www.partner.example. 60 A 198.51.100.7'],
  additional: ['ns.partner.example. 60 A 198.51.100.1'],
})

function failure(rcode: number, plugin = 'forward'): Outcome {
  return { kind: 'failure', rcode, error: 'read udp: i/o timeout', plugin }
}

function denial(rcode = NXDOMAIN): Outcome {
  return { ...replyWith({ authority: ['partner.example. 300 SOA 00'] }), rcode }
}

const CNAME = `${OUT} 5 CNAME www.partner.example.`
const ASKED = '? www.partner.example. 1'

test('the cluster: CNAME, then what the target yields; NOERROR whatever its RCODE', () => {
  const name = `${OUT} A`
  assert.deepEqual(ask(cluster, name, FOUND), ['0', CNAME, 'www.partner.example. 60 A 198.51.100.7', ASKED])
  assert.deepEqual(ask(cluster, `${OUT} AAAA`), ['0', CNAME, '? www.partner.example. 28'])
  assert.deepEqual(ask(cluster, name, denial()), ['0', CNAME, ASKED])
  assert.deepEqual(ask(cluster, name, denial(SERVFAIL)), ['0', CNAME, ASKED])
  assert.deepEqual(ask(cluster, name, failure(SERVFAIL)), ['0', CNAME, ASKED])
  assert.deepEqual(ask(cluster, name, failure(REFUSED, '')), ['0', CNAME, ASKED])
  assert.deepEqual(ask(cluster, name, { ...FOUND, truncated: true } as Outcome).slice(0, 2), ['0 TC', CNAME])
})

test('no message at all: NODATA without the CNAME', () => {
  assert.deepEqual(ask(cluster, `${OUT} A`, { kind: 'silence', plugin: 'acl' }), ['0', '~ cluster.local. 5', ASKED])
})

test('a chain inside of the zone is followed here, and only its end asked', () => {
  const hop = absolute('hop.c~')
  assert.deepEqual(ask(cluster, `${hop} A`, FOUND), [
    '0',
    `${hop} 5 CNAME ${OUT}`,
    CNAME,
    'www.partner.example. 60 A 198.51.100.7',
    ASKED,
  ])
  const within = absolute('in.c~')
  assert.deepEqual(ask(cluster, `${within} A`), [
    '0',
    `${within} 5 CNAME ${absolute('web.c~')}`,
    `${absolute('web.c~')} 5 A 10.96.0.1`,
  ])
})

test('nothing is asked for a CNAME itself, other types, or a broken chain', () => {
  assert.deepEqual(ask(cluster, `${OUT} CNAME`), ['0', CNAME])
  assert.deepEqual(ask(cluster, `${OUT} TXT`), ['0', '~ cluster.local. 5'])
  assert.deepEqual(ask(cluster, `${absolute('gone.c~')} A`), ['0', '~ cluster.local. 5'])
  assert.deepEqual(ask(file, 'inner.file.example. A').slice(0, 2), [
    '3',
    'inner.file.example. 300 CNAME missing.file.example.',
  ])
  assert.deepEqual(ask(file, 'www.file.example. CNAME'), ['0', 'www.file.example. 300 CNAME a.elsewhere.example.'])
})

test('a target that leads back: the CNAME alone', () => {
  const back = replyWith({ answer: [`www.partner.example. 60 CNAME 00`, `${OUT.toUpperCase()} 60 A 192.0.2.1`] })
  assert.deepEqual(ask(cluster, `${OUT} A`, back), ['0', CNAME, ASKED])
})

test('with names of OKD, and in files: the RCODE of the target, SERVFAIL if there is none', () => {
  const name = `${OUT} A`
  assert.deepEqual(
    ask(okd, name, FOUND),
    ['0', CNAME, 'www.partner.example. 5 A 198.51.100.7', ASKED],
    'the TTL of the CNAME at most',
  )
  assert.deepEqual(ask(okd, name, denial()), ['3', CNAME, '~ partner.example. 300', ASKED])
  assert.deepEqual(ask(okd, name, failure(SERVFAIL)), ['2', CNAME, ASKED])
  assert.deepEqual(ask(okd, name, failure(REFUSED, '')), ['0', CNAME, ASKED], 'nobody serves it')
  const www = 'www.file.example. 300 CNAME a.elsewhere.example.'
  const found = replyWith({ answer: ['a.elsewhere.example. 9 TXT 0161'] })
  assert.deepEqual(ask(file, 'two.file.example. TXT', found), [
    '0',
    'two.file.example. 300 CNAME www.file.example.',
    www,
    'a.elsewhere.example. 9 TXT "a"',
    '? a.elsewhere.example. 16',
  ])
  assert.deepEqual(ask(file, 'www.file.example. A', denial()), [
    '3',
    www,
    '~ partner.example. 300',
    '? a.elsewhere.example. 1',
  ])
  assert.deepEqual(ask(file, 'www.file.example. A', failure(SERVFAIL)), ['2', www, '? a.elsewhere.example. 1'])
})

test('a name made by DNAME', () => {
  const lines = ask(file, 'x.old.file.example. A', replyWith({ answer: ['x.new.elsewhere.example. 9 A 192.0.2.9'] }))
  assert.deepEqual(lines, [
    '0',
    'old.file.example. 300 DNAME new.elsewhere.example.',
    'x.old.file.example. 300 CNAME x.new.elsewhere.example.',
    'x.new.elsewhere.example. 9 A 192.0.2.9',
    '? x.new.elsewhere.example. 1',
  ])
})

test('the target lies in a zone of the same cluster that passes on what it lacks', () => {
  const engine = new TestEngine(
    'namespaces: [c]\nservices:\n  c/rev: {type: ExternalName, externalName: 1.2.3.10.in-addr.arpa}\n' +
      '  c/web: {clusterIPs: [10.96.0.1]}\n  c/own: {type: ExternalName, externalName: 1.0.96.10.in-addr.arpa}\n',
  )
  const [clusterSource] = engine.engine.source.blocks.flatMap(({ cluster: each }) => (each === null ? [] : [each]))
  const fallthrough = [['in-addr', 'arpa']]
  const zones = clusterSource.zones.map((zone) => ({ ...zone, fallthrough }))
  const results = [clusterSource, { ...clusterSource, zones }].map((source) => {
    const blocks = [{ ...engine.engine.source.blocks[0], cluster: source }]
    const router = new Router({ ...engine.engine.source, blocks }, 0)
    return ['rev', 'own'].map((name) =>
      ask({ stage: router.clusters[0], held: router.regions[0] }, `${absolute(`${name}.c~`)} A`),
    )
  })
  const alias = `${absolute('rev.c~')} 5 CNAME 1.2.3.10.in-addr.arpa.`
  // A name that exists, though without addresses.
  const own = ['0', `${absolute('own.c~')} 5 CNAME 1.0.96.10.in-addr.arpa.`]
  assert.deepEqual(results, [
    [['0', alias], own],
    [['0', alias, '? 1.2.3.10.in-addr.arpa. 1'], own],
  ])
})
