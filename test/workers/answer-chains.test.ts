// CNAME chains of ExternalName Services (cluster-dns reference §1.6; okd-dns §4.1 for what is left of a broken one).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OKD, PLAIN } from '../kube/schema-fixture.ts'
import { full, TestEngine } from './answer-engine.ts'

/** l0 -> l1 -> … -> `end`: `links` CNAMEs. */
function chain(name: string, links: number, end: string): string {
  const target = (i: number): string => (i + 1 < links ? full(`${name}${i + 1}.c~`) : end)
  return Array.from(
    { length: links },
    (_, i) => `  c/${name}${i}: {type: ExternalName, externalName: ${target(i)}}`,
  ).join('\n')
}

const CLUSTER = `
namespaces: [c, d]
services:
  c/web:     {clusterIPs: [10.96.0.1], ports: [http:80/TCP]}
  c/two:     {clusterIPs: [10.96.0.2, "fd00::2"], ports: [http:80/TCP]}
  c/many:    {clusterIPs: None}
  c/alias:   {type: ExternalName, externalName: Web.C.svc.cluster.local, ports: [x:99/TCP]}
  c/alias2:  {type: ExternalName, externalName: two.c.svc.cluster.local}
  c/toall:   {type: ExternalName, externalName: many.c.svc.cluster.local}
  c/toend:   {type: ExternalName, externalName: m-0.many.c.svc.cluster.local}
  c/topod:   {type: ExternalName, externalName: 10-1-2-3.c.pod.cluster.local}
  c/toport:  {type: ExternalName, externalName: _http._tcp.web.c.svc.cluster.local}
  c/ghost:   {type: ExternalName, externalName: gone.c.svc.cluster.local}
  c/ghost2:  {type: ExternalName, externalName: ghost.c.svc.cluster.local}
  c/tons:    {type: ExternalName, externalName: c.svc.cluster.local}
  c/toapex:  {type: ExternalName, externalName: cluster.local}
  c/self:    {type: ExternalName, externalName: self.c.svc.cluster.local}
  c/below:   {type: ExternalName, externalName: x.below.c.svc.cluster.local}
  c/above:   {type: ExternalName, externalName: c.svc.cluster.local}
  c/ping:    {type: ExternalName, externalName: pong.c.svc.cluster.local}
  c/pong:    {type: ExternalName, externalName: ping.c.svc.cluster.local}
  c/toping:  {type: ExternalName, externalName: ping.c.svc.cluster.local}
  c/out:     {type: ExternalName, externalName: www.example.org}
  c/toout:   {type: ExternalName, externalName: out.c.svc.cluster.local}
  c/other:   {type: ExternalName, externalName: web.c.svc.prod.example}
  c/otherno: {type: ExternalName, externalName: gone.c.svc.prod.example}
  c/back:    {type: ExternalName, externalName: alias.c.svc.prod.example}
  c/parent:  {type: ExternalName, externalName: local}
${chain('ok', 11, full('web.c~'))}
${chain('long', 12, full('web.c~'))}
${chain('far', 11, 'www.example.org')}
slices:
  c/many-1:  {for: many, ports: [http:80/TCP], endpoints: [{a: [10.2.0.1], hostname: m-0}, {a: [10.2.0.2]}, {a: ["fd00::3"]}]}
`

function links(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `CNAME ${name}${i + 1}.c~`)
}

/** `plain`: the answer without OKD's names; `okd`: with them, if another, RCODE first. */
interface Case {
  readonly name: string
  readonly type: string
  readonly plain: readonly string[]
  readonly okd?: readonly string[]
}

// biome-ignore format: one line a case
const cases: Case[] = [
  { name: 'alias',   type: 'A',     plain: ['CNAME web.c~', 'A 10.96.0.1'] },
  { name: 'alias',   type: 'CNAME', plain: ['CNAME web.c~'] },
  { name: 'alias',   type: 'AAAA',  plain: [],                                 okd: ['NOERROR', 'CNAME web.c~'] }, // wrong family
  { name: 'alias',   type: 'TXT',   plain: [] },
  { name: 'alias',   type: 'ANY',   plain: [] },
  { name: 'alias2',  type: 'AAAA',  plain: ['CNAME two.c~', 'AAAA fd00::2'] },
  { name: 'toall',   type: 'A',     plain: ['CNAME many.c~', 'A 10.2.0.1', 'A 10.2.0.2'] },
  { name: 'toall',   type: 'AAAA',  plain: ['CNAME many.c~', 'AAAA fd00::3'] },
  { name: 'toend',   type: 'A',     plain: ['CNAME m-0.many.c~', 'A 10.2.0.1'] },
  { name: 'toend',   type: 'AAAA',  plain: [],                                 okd: ['NOERROR', 'CNAME m-0.many.c~'] },
  { name: 'topod',   type: 'A',     plain: ['CNAME 10-1-2-3.c^', 'A 10.1.2.3'] },
  { name: 'topod',   type: 'AAAA',  plain: [],                                 okd: ['NOERROR', 'CNAME 10-1-2-3.c^'] },
  { name: 'toport',  type: 'A',     plain: ['CNAME _http._tcp.web.c~', 'A 10.96.0.1'] },
  { name: 'ghost',   type: 'A',     plain: [],                                 okd: ['NXDOMAIN', 'CNAME gone.c~'] },
  { name: 'ghost2',  type: 'A',     plain: [],                                 okd: ['NXDOMAIN', 'CNAME ghost.c~', 'CNAME gone.c~'] },
  { name: 'tons',    type: 'A',     plain: [],                                 okd: ['NOERROR', 'CNAME c~'] }, // an empty non-terminal
  { name: 'toapex',  type: 'A',     plain: [],                                 okd: ['NOERROR', 'CNAME cluster.local.'] },
  { name: 'self',    type: 'A',     plain: [],                                 okd: ['NOERROR', 'CNAME self.c~'] },
  { name: 'below',   type: 'A',     plain: [],                                 okd: ['NOERROR', 'CNAME x.below.c~'] },
  { name: 'above',   type: 'A',     plain: [],                                 okd: ['NOERROR', 'CNAME c~'] },
  { name: 'ping',    type: 'A',     plain: [],                                 okd: ['NOERROR', 'CNAME pong.c~', 'CNAME ping.c~'] },
  { name: 'toping',  type: 'A',     plain: [],                                 okd: ['NOERROR', 'CNAME ping.c~', 'CNAME pong.c~'] },
  { name: 'out',     type: 'A',     plain: ['CNAME www.example.org.'] },
  { name: 'toout',   type: 'AAAA',  plain: ['CNAME out.c~', 'CNAME www.example.org.'] },
  { name: 'parent',  type: 'A',     plain: ['CNAME local.'] }, // a parent of the zone is in no zone
  { name: 'other',   type: 'A',     plain: ['CNAME web.c.svc.prod.example.', 'A 10.96.0.1'] },
  { name: 'other',   type: 'AAAA',  plain: ['CNAME web.c.svc.prod.example.'] },
  { name: 'otherno', type: 'A',     plain: ['CNAME gone.c.svc.prod.example.'] },
  { name: 'back',    type: 'A',     plain: ['CNAME alias.c.svc.prod.example.', 'CNAME web.c~', 'A 10.96.0.1'] },
  { name: 'back',    type: 'AAAA',  plain: [],                                 okd: ['NOERROR', 'CNAME alias.c.svc.prod.example.', 'CNAME web.c~'] },
  { name: 'ok0',     type: 'A',     plain: [...links('ok', 10), 'CNAME web.c~', 'A 10.96.0.1'] },
  { name: 'ok0',     type: 'AAAA',  plain: [],                                 okd: ['NOERROR', ...links('ok', 10), 'CNAME web.c~'] },
  { name: 'far0',    type: 'A',     plain: [...links('far', 10), 'CNAME www.example.org.'] },
  { name: 'long0',   type: 'A',     plain: [],                                 okd: ['NOERROR', ...links('long', 11)] },
  { name: 'long1',   type: 'A',     plain: Array.from({ length: 10 }, (_, i) => `CNAME long${i + 2}.c~`).concat('CNAME web.c~', 'A 10.96.0.1') },
]

const engines = {
  plain: new TestEngine(CLUSTER, { schema: { ...PLAIN, pods: 'insecure' }, zones: ['cluster.local', 'prod.example'] }),
  okd: new TestEngine(CLUSTER, { schema: { ...OKD, pods: 'insecure' }, zones: ['cluster.local', 'prod.example'] }),
}

function check(engine: TestEngine, qname: string, type: string, rcode: string, answer: readonly string[]): void {
  // As over TCP: a chain of 11 links takes more than 512 octets.
  const response = engine.ask({ name: qname, type }, true)
  const shorten = (name: string): string =>
    name.replace(/\.svc\.cluster\.local\.$/, '~').replace(/\.pod\.cluster\.local\.$/, '^')
  const cnames = response.answer.filter((record) => record.type === 'CNAME')
  const rest = response.answer.filter((record) => record.type !== 'CNAME')
  const text = [...cnames, ...rest].map((record) => `${record.type} ${shorten(record.data)}`)
  assert.deepEqual([...text.slice(0, cnames.length), ...text.slice(cnames.length).sort()], answer, `${qname} ${type}`)
  assert.deepEqual(response.answer.slice(0, cnames.length), cnames, 'a CNAME precedes its target')
  assert.equal(response.rcode, rcode, `${qname} ${type}`)
  assert.equal(response.flags & 0x0600, 0x0400, 'AA, no TC')
  // Each record is owned by the target of the one before it.
  const owners = [`${qname}.`, ...cnames.map(({ data }) => data)]
  for (const [i, record] of cnames.entries()) assert.equal(record.owner, owners[i])
  for (const record of rest) assert.equal(record.owner, owners.at(-1))
  for (const record of response.answer) assert.equal(record.ttl, 5)
  const last = cnames.at(-1)
  const isWhole =
    rest.length > 0 ||
    type === 'CNAME' ||
    (last !== undefined && !last.data.endsWith('.cluster.local.') && last.data !== 'cluster.local.')
  assert.deepEqual(
    response.authority.map((record) => `${record.owner} ${record.type}`),
    isWhole ? [] : ['cluster.local. SOA'],
  )
}

for (const { name, type, plain, okd } of cases) {
  test(`${name} ${type}`, () => {
    const qname = full(`${name}.c~`)
    check(engines.plain, qname, type, 'NOERROR', plain)
    check(engines.okd, qname, type, okd?.[0] ?? 'NOERROR', okd?.slice(1) ?? plain)
  })
}

test('a name below an ExternalName Service: none, or with wildcards the same chain', () => {
  assert.equal(engines.plain.ask({ name: full('x.alias.c~'), type: 'A' }).rcode, 'NXDOMAIN')
  check(engines.okd, full('x.alias.c~'), 'A', 'NOERROR', ['CNAME web.c~', 'A 10.96.0.1'])
  check(engines.okd, full('a.b.alias.c~'), 'AAAA', 'NOERROR', ['CNAME web.c~'])
  // The wildcard of a Service that points below itself: a link, and then the same link again.
  check(engines.okd, full('y.below.c~'), 'A', 'NOERROR', ['CNAME x.below.c~'])
})

test('a chain that does not fit ends with TC, in whole records', () => {
  for (let size = 512; size <= 1232; size += 16) {
    const engine = engines.plain
    const whole = engine.ask({ name: full('ok0.c~'), type: 'A', edns: {} }, true)
    const response = engine.ask({ name: full('ok0.c~'), type: 'A', edns: { size } })
    assert.ok(response.octets.length <= size)
    assert.equal((response.flags & 0x0200) !== 0, response.answer.length < whole.answer.length)
    assert.deepEqual(response.answer, whole.answer.slice(0, response.answer.length))
    const next = whole.answer[response.answer.length]
    if (next !== undefined) assert.ok(response.octets.length + next.length > size, 'as many as fit')
  }
})
