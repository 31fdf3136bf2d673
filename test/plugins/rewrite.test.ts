import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { RewriteAnswer, RewriteField, RewriteMatch, RewriteRule } from '../../src/config/configuration.ts'
import type { ResourceRecord } from '../../src/dns/message.ts'
import { parseRecord, recordText } from '../../src/dns/record-text.ts'
import { typeName } from '../../src/dns/record-types.ts'
import { type Outcome, type Question, type Reply, type Request, replyOf, type Walk } from '../../src/plugins/plugin.ts'
import { createRewrite } from '../../src/plugins/rewrite.ts'
import { ednsOf, replyTo, requestOf, run } from './chain.ts'

type Edns = Extract<RewriteField, { kind: 'edns0' }>

const rule = (field: RewriteField, mode: 'continue' | 'stop' = 'stop'): RewriteRule => ({
  file: 'Corefile',
  line: 1,
  mode,
  field,
})
const name = (match: RewriteMatch, from: string, to: string, ...answers: RewriteAnswer[]): RewriteField => ({
  kind: 'name',
  match,
  from,
  to,
  answers,
})
const AUTO: RewriteAnswer = { kind: 'auto' }
const records = (texts: readonly string[]): ResourceRecord[] =>
  texts.map((text) => parseRecord(text, { origin: '.', ttl: 5, class: 1 }))
const texts = (found: readonly ResourceRecord[]) => found.map((record) => recordText(record).replace(' IN ', ' '))
const reply = (answer: readonly string[], authority: string[] = [], additional: string[] = []): Reply => ({
  ...replyOf('behind'),
  answer: records(answer),
  authority: records(authority),
  additional: records(additional),
})
const questionText = ({ name: qname, type, class: qclass }: Question) => `${qname} ${typeName(type)} ${qclass}`

/** The question that plugins behind see; null: the rule failed. */
function seen(rules: readonly RewriteRule[], text: string): string | null {
  let question: string | null = null
  const request = requestOf(text)
  const outcome = run(createRewrite(rules), request, (changed) => {
    question = questionText(changed.question)
    return reply([])
  })
  assert.equal(request.question, request.asked) // put back
  return outcome.kind === 'failure' ? null : question
}

test('names change as the rule says', () => {
  const cases: [match: RewriteMatch, from: string, to: string, qname: string, result: string][] = [
    ['exact', 'a.example', 'B.svc', 'a.example.', 'b.svc.'],
    ['exact', 'a.example', 'b.svc', 'x.a.example.', 'x.a.example.'],
    ['prefix', 'foo', 'bar', 'foo.x.', 'bar.x.'],
    ['prefix', 'foo', 'bar', 'foobar.x.', 'foobar.x.'], // compares `foo.`
    ['prefix', 'foo-.', 'bar.', 'foo-a.', 'foo-a.'],
    ['suffix', 'example', 'svc.local', 'a.example.', 'a.svc.local.'],
    ['suffix', 'a.example', 'b.example', 'xa.example.', 'xb.example.'],
    ['suffix', '.a.example', '.b.example', 'xa.example.', 'xa.example.'], // the dot in front keeps it out
    ['suffix', '.a.example', '.b.example', 'x.a.example.', 'x.b.example.'],
    ['suffix', '.corp', '', 'web.corp.', 'web.'],
    ['substring', 'b.c', 'x', 'a.b.c.', 'a.x.'],
    ['substring', 'b', 'x', 'a.b.c.', 'a.x.c.'],
    ['substring', 'b', '$&', 'a.b.', 'a.$&.'],
    ['substring', 'a', 'x', 'ab.c.', 'ab.c.'], // `a.`: whole labels only, or their ends
    ['regex', '(.*)\\.mine\\.example', '{1}.default.svc.cluster.local', 'web.mine.example.', 'web.default.svc.cluster.local.'],
    ['regex', 'b', 'all.of.it', 'a.b.c.', 'all.of.it.'], // unanchored, and yet all of the name changes
    ['regex', '(a)|(b)', '{1}{2}{0}{3}.', 'b.', 'bb{3}.'],
    ['regex', 'A', 'x', 'a.', 'a.'], // names are lower case by then
  ] // biome-ignore format: a line a case
  for (const [match, from, to, qname, result] of cases)
    assert.equal(seen([rule(name(match, from, to))], `${qname} A`), `${result} A 1`, `${match} ${from} ${to} ${qname}`)
})

test('a name that becomes none is SERVFAIL', () => {
  const long = `${'a'.repeat(60)}.`.repeat(3)
  assert.equal(seen([rule(name('suffix', 'example', `${long}${long}`))], 'a.example. A'), null)
  assert.equal(seen([rule(name('prefix', 'a', '.'))], 'a.example. A'), null) // an empty label
  // Also of a name in a reply.
  const back = name('exact', 'a', 'b', { kind: 'value', from: 'c', to: `${long}${long}` })
  assert.equal(run(createRewrite([rule(back)]), requestOf('a. A'), () => reply(['b. 5 CNAME c.'])).kind, 'failure')
  const outcome = run(createRewrite([rule(name('exact', 'a', `${'b'.repeat(64)}`))]), requestOf('a. A'))
  assert.deepEqual([outcome.kind, outcome.kind === 'failure' && outcome.rcode], ['failure', 2])
})

test('rules go on or stop', () => {
  const chain = (first: 'continue' | 'stop') => [
    rule(name('exact', 'a', 'b'), first),
    rule(name('exact', 'b', 'c')),
    rule(name('exact', 'c', 'd')),
  ]
  assert.equal(seen(chain('stop'), 'a. A'), 'b. A 1')
  assert.equal(seen(chain('continue'), 'a. A'), 'c. A 1')
  assert.equal(seen(chain('stop'), 'b. A'), 'c. A 1')
  const types = [rule({ kind: 'type', from: 255, to: 13 }), rule({ kind: 'class', from: 1, to: 3 })]
  assert.equal(seen(types, 'a. ANY'), 'a. HINFO 1')
  assert.equal(seen(types, 'a. A'), 'a. A 3')
  // What is only known of the reply does not end the rules.
  assert.equal(seen([rule({ kind: 'cname', match: 'exact', from: 'x', to: 'y' }), ...chain('stop')], 'a. A'), 'b. A 1')
})

test('names in replies', () => {
  const cases: { rules: RewriteField[]; ask: string; behind: string[]; answer: string[] }[] = [
    // exact always maps back
    { rules: [name('exact', 'a', 'b.c')], ask: 'a. A', behind: ['b.c. 5 A 10.0.0.1', 'x. 5 A 10.0.0.2'], answer: ['a. 5 A 10.0.0.1', 'x. 5 A 10.0.0.2'] },
    { rules: [name('exact', 'a', 'b.c')], ask: 'a. A', behind: ['B.c. 5 CNAME x.', 'x. 5 A 10.0.0.2'], answer: ['a. 5 CNAME x.', 'x. 5 A 10.0.0.2'] },
    // others only if asked to
    { rules: [name('suffix', 'x', 'y')], ask: 'a.x. A', behind: ['a.y. 5 A 10.0.0.1'], answer: ['a.y. 5 A 10.0.0.1'] },
    { rules: [name('suffix', '.x', '.y', AUTO)], ask: 'a.x. SRV', behind: ['a.y. 5 SRV 0 100 80 p.y.'], answer: ['a.x. 5 SRV 0 100 80 p.x.'] },
    { rules: [name('prefix', 'x', 'y', AUTO)], ask: 'x.a. A', behind: ['y.a. 5 A 10.0.0.1', 'z.a. 5 A 10.0.0.1'], answer: ['x.a. 5 A 10.0.0.1', 'z.a. 5 A 10.0.0.1'] },
    { rules: [name('substring', 'x', 'y', AUTO)], ask: 'a.x. A', behind: ['a.y. 5 A 10.0.0.1', 'b.y. 5 A 10.0.0.1'], answer: ['a.x. 5 A 10.0.0.1', 'b.y. 5 A 10.0.0.1'] },
    { rules: [name('regex', '(.*)\\.x\\.', '{1}.y', AUTO)], ask: 'a.x. A', behind: ['a.y. 5 A 10.0.0.1', 'b.y. 5 A 10.0.0.1'], answer: ['a.x. 5 A 10.0.0.1', 'b.y. 5 A 10.0.0.1'] },
    // the customisation AKS documents
    {
      rules: [name('regex', '(.*)\\.mine\\.example', '{1}.default.svc.cluster.local', { kind: 'name', from: '(.*)\\.default\\.svc\\.cluster\\.local', to: '{1}.mine.example' })],
      ask: 'web.mine.example. A',
      behind: ['web.default.svc.cluster.local. 5 A 10.0.0.1'],
      answer: ['web.mine.example. 5 A 10.0.0.1'],
    },
    { rules: [name('exact', 'a', 'b', { kind: 'value', from: '^c\\.$', to: 'd' })], ask: 'a. MX', behind: ['b. 5 MX 1 c.', 'c. 5 A 10.0.0.1'], answer: ['a. 5 MX 1 d.', 'c. 5 A 10.0.0.1'] },
  ] // biome-ignore format: a line a case
  for (const { rules, ask, behind, answer } of cases) {
    const plugin = createRewrite(rules.map((field) => rule(field)))
    const found = replyTo(plugin, requestOf(ask), () => reply(behind, behind, behind))
    for (const section of [found.answer, found.authority, found.additional])
      assert.deepEqual(texts(section).map(unclassed), answer)
  }
})

const unclassed = (text: string) => text.replace(' IN ', ' ')

test('replies are changed by the last rule first', () => {
  const rules = [rule(name('exact', 'a', 'b'), 'continue'), rule(name('exact', 'b', 'c'), 'continue')]
  assert.equal(seen(rules, 'a. A'), 'c. A 1')
  const found = replyTo(createRewrite(rules), requestOf('a. A'), () => reply(['c. 5 A 10.0.0.1']))
  assert.deepEqual(texts(found.answer), ['a. 5 A 10.0.0.1'])
})

test('what a rule answers with is its own: records behind stay as they are', () => {
  const kept = reply(['b. 5 A 10.0.0.1'])
  const rules = [
    rule(name('exact', 'a', 'b'), 'continue'),
    rule({ kind: 'ttl', match: 'exact', name: 'b', min: 60, max: 60 }),
  ]
  const found = replyTo(createRewrite(rules), requestOf('a. A'), () => kept)
  assert.deepEqual(texts(found.answer), ['a. 60 A 10.0.0.1'])
  assert.deepEqual(texts(kept.answer), ['b. 5 A 10.0.0.1'])
})

test('TTLs and RCODEs, of the names that fit', () => {
  const ttl = (min: number, max: number) => createRewrite([rule({ kind: 'ttl', match: 'suffix', name: 'x', min, max })])
  const ttls = (plugin: ReturnType<typeof ttl>, ask: string) =>
    replyTo(plugin, requestOf(ask), () => reply(['a. 5 A 10.0.0.1', 'a. 300 A 10.0.0.2'])).answer.map(
      (each) => each.ttl,
    )
  assert.deepEqual(ttls(ttl(30, 30), 'a.x. A'), [30, 30])
  assert.deepEqual(ttls(ttl(10, 100), 'a.x. A'), [10, 100])
  assert.deepEqual(ttls(ttl(0, 30), 'a.x. A'), [5, 30])
  assert.deepEqual(ttls(ttl(30, 30), 'a.y. A'), [5, 300])

  const rcodes = createRewrite([rule({ kind: 'rcode', match: 'exact', name: 'a', from: 3, to: 0 })])
  const nxdomain = () => replyOf('behind', 3)
  assert.equal(replyTo(rcodes, requestOf('a. A'), nxdomain).rcode, 0)
  assert.equal(replyTo(rcodes, requestOf('b. A'), nxdomain).rcode, 3)
  // What the server would have written is written here.
  const failed = createRewrite([rule({ kind: 'rcode', match: 'regex', name: '.*', from: 2, to: 3 })])
  const failure: Outcome = { kind: 'failure', rcode: 2, error: 'x', plugin: 'behind' }
  const written = replyTo(failed, requestOf('a. A'), () => failure)
  assert.deepEqual([written.rcode, written.authoritative, written.plugin], [3, false, 'behind'])
  assert.equal(
    run(rcodes, requestOf('a. A'), () => failure),
    failure,
  )
  assert.deepEqual(run(failed, requestOf('a. A'), () => ({ kind: 'silence', plugin: 'x' })).kind, 'silence')
})

test('the target of a CNAME is replaced, and asked anew', () => {
  const asked: string[] = []
  const answering = (outcome: Outcome): Partial<Request> => ({
    // biome-ignore lint/correctness/useYield: it waits for nothing
    ask: function* (question): Walk {
      asked.push(questionText(question))
      return outcome
    },
  })
  const plugin = createRewrite([rule({ kind: 'cname', match: 'suffix', from: '.cdn.example', to: '.other' })])
  const behind = () => reply(['a. 5 CNAME W.cdn.example.', 'w.cdn.example. 5 A 10.0.0.1'])
  const found = replyTo(plugin, requestOf('a. A', answering(reply(['w.other. 5 A 10.0.0.2']))), behind)
  assert.deepEqual(texts(found.answer), ['a. 5 CNAME w.other.', 'w.other. 5 A 10.0.0.2'])
  assert.deepEqual(asked, ['w.other. A 1'])
  assert.deepEqual(texts(replyTo(plugin, requestOf('a. CNAME'), behind).answer.slice(0, 1)), ['a. 5 CNAME w.other.'])
  assert.equal(
    run(plugin, requestOf('a. A', answering({ kind: 'failure', rcode: 2, error: '', plugin: 'x' })), behind).kind,
    'failure',
  )
  const other = reply(['a. 5 CNAME b.', 'b. 5 A 10.0.0.1'])
  assert.equal(
    run(plugin, requestOf('a. A'), () => other),
    other,
  )
})

test('options', () => {
  const edns = (option: Edns['option'], action: Edns['action'], changes: Partial<Edns> = {}): RewriteRule =>
    rule({ kind: 'edns0', option, action, code: 65001, data: '', bitsV4: 24, bitsV6: 56, revert: false, ...changes })
  const options = (one: RewriteRule, changes: Partial<Request> = {}) => {
    let found = ''
    const request = requestOf('web.example. A', changes)
    const before = request.edns
    run(createRewrite([one]), request, (behind) => {
      found = (behind.edns?.options ?? [])
        .map(({ code, data }) => `${code}:${Buffer.from(data).toString('hex')}`)
        .join(' ')
      return reply([])
    })
    assert.equal(request.edns, before) // the client's own
    return found
  }
  const has = { edns: ednsOf(1232, 65001, 10) }
  const hasNot = { edns: ednsOf(1232, 10) }
  const local = { data: '0xABcd' }
  const cases: [RewriteRule, Partial<Request>, string][] = [
    [edns('local', 'set', local), {}, '65001:abcd'],
    [edns('local', 'set', local), has, '10: 65001:abcd'],
    [edns('local', 'set', { data: 'text' }), {}, '65001:74657874'],
    [edns('local', 'append', local), has, '65001: 10:'],
    [edns('local', 'append', local), hasNot, '10: 65001:abcd'],
    [edns('local', 'replace', local), has, '10: 65001:abcd'],
    [edns('local', 'replace', local), hasNot, '10:'],
    [edns('local', 'unset'), has, '10:'],
    [edns('local', 'unset'), {}, ''],
    [edns('nsid', 'set', { code: 3 }), {}, '3:'],
    [edns('subnet', 'set', { code: 8 }), {}, '8:000118000a0102'],
    [edns('subnet', 'set', { code: 8, bitsV4: 15 }), {}, '8:00010f000a00'],
    [edns('subnet', 'set', { code: 8, bitsV4: 0 }), {}, '8:00010000'],
    [edns('subnet', 'set', { code: 8 }), { client: { family: 6, address: '2001:db8::1', port: 1 } }, '8:0002380020010db8000000'],
    [edns('local', 'set', { data: '{qname}' }), {}, `65001:${Buffer.from('web.example.').toString('hex')}`],
    [edns('local', 'set', { data: '{qtype}' }), {}, '65001:0001'],
    [edns('local', 'set', { data: '{client_ip}' }), {}, '65001:0a010203'],
    [edns('local', 'set', { data: '{client_port}' }), {}, '65001:041d'],
    [edns('local', 'set', { data: '{protocol}' }), {}, '65001:756470'],
    [edns('local', 'set', { data: '{server_ip}' }), {}, '65001:0a60000a'],
    [edns('local', 'set', { data: '{server_port}' }), {}, '65001:0035'],
    [edns('local', 'set', { data: '{view/name}' }), {}, ''],
    [edns('local', 'set', { data: '{view/name}' }), { metadata: new Map([['view/name', () => 'in']]) }, '65001:696e'],
  ] // biome-ignore format: a line a case
  for (const [one, changes, expected] of cases) assert.equal(options(one, changes), expected, JSON.stringify(one.field))

  const echo = (): Reply => ({ ...reply([]), options: [65001, 10].map((code) => ({ code, data: new Uint8Array(1) })) })
  const codes = (revert: boolean) =>
    replyTo(createRewrite([edns('local', 'set', { revert })]), requestOf('a. A'), echo).options.map(({ code }) => code)
  assert.deepEqual([codes(true), codes(false)], [[10], [65001, 10]])
})

test('a request is put back also if a plugin behind throws', () => {
  const request = requestOf('a. A')
  assert.throws(() => run(createRewrite([rule(name('exact', 'a', 'b'))]), request, () => assert.fail('broken')))
  assert.equal(request.question, request.asked)
})

test('any rules on any name: the asked question stays, and answers to it come back under it', () => {
  const anyName = fc
    .array(fc.constantFrom('a', 'b', 'x', 'y'), { minLength: 1, maxLength: 4 })
    .map((labels) => `${labels.join('.')}.`)
  const anyMatch = fc.constantFrom<RewriteMatch>('exact', 'prefix', 'suffix', 'substring')
  const anyRule = fc
    .tuple(anyMatch, anyName, anyName, fc.constantFrom<'continue' | 'stop'>('continue', 'stop'))
    .map(([match, from, to, mode]) => rule(name(match, from, to, AUTO), mode))
  let changed = 0
  fc.assert(
    fc.property(fc.array(anyRule, { maxLength: 4 }), anyName, (rules, qname) => {
      const request = requestOf(`${qname} A`)
      const found = replyTo(createRewrite(rules), request, ({ question }) => {
        if (question.name !== qname) changed++
        return reply([`${question.name} 5 A 10.0.0.1`])
      })
      assert.equal(request.question, request.asked)
      // Reversing a prefix or suffix of a name that had it already may give another; rules that fit once map back.
      if (rules.length <= 1) assert.equal(found.answer[0].owner, qname)
    }),
    { numRuns: 2000 },
  )
  assert(changed > 200)
})
