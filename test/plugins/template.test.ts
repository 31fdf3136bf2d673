import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TemplateConfig } from '../../src/config/configuration.ts'
import { parseRecord, recordText } from '../../src/dns/record-text.ts'
import { typeName } from '../../src/dns/record-types.ts'
import { TemplateError } from '../../src/plugins/go-template/template.ts'
import { type Outcome, type Request, replyOf, type Walk } from '../../src/plugins/plugin.ts'
import { checkTemplate, createTemplates } from '../../src/plugins/template.ts'
import { replyTo, requestOf, run, type SeenRequest } from './chain.ts'

const A = 1
const AAAA = 28
const ANY = 255

const config = (changes: Partial<TemplateConfig>): TemplateConfig => ({
  file: 'Corefile',
  line: 1,
  class: 1,
  type: A,
  zones: ['.'],
  match: ['.*'],
  answer: [],
  additional: [],
  authority: [],
  rcode: 0,
  extendedError: null,
  fallthrough: null,
  variables: [],
  expressions: [],
  ...changes,
})

const behind: Outcome = { kind: 'failure', rcode: 5, error: 'behind', plugin: 'behind' }

/** Answers as text, or `RCODE plugin error` of what else comes. */
function outcomeOf(configs: readonly TemplateConfig[], request: SeenRequest): string[] {
  const outcome = run(createTemplates(configs), request, () => behind)
  if (outcome.kind === 'failure') return [`${outcome.rcode} ${outcome.plugin} ${outcome.error}`.trim()]
  if (outcome.kind !== 'reply') return [outcome.kind]
  return outcome.answer.map(recordText)
}

test('records are filled in', () => {
  const cases: { ask: string; config: Partial<TemplateConfig>; answer: string[] }[] = [
    { ask: 'a.example. A', config: { answer: ['{{ .Name }} 60 in {{ .Type }} 10.0.0.1'] }, answer: ['a.example. 60 IN A 10.0.0.1'] },
    { ask: 'a.example. A', config: { answer: ['a.example 60 IN A 10.0.0.1'] }, answer: ['a.example. 60 IN A 10.0.0.1'] }, // relative to the root
    { ask: 'a.example. A', config: { answer: ['{{ .Name }} A 10.0.0.1', '{{ .Name }} A 10.0.0.2'] }, answer: ['a.example. 3600 IN A 10.0.0.1', 'a.example. 3600 IN A 10.0.0.2'] },
    // no match line is `.*`; groups by number and by name
    { ask: 'ip-10-1-2-3.example. A', config: { match: ['nope', '^ip-(?P<a>\\d+)-(?P<b>\\d+)-(\\d+)-(\\d+)\\.'], answer: ['{{ .Name }} 60 IN A {{ .Group.a }}.{{ .Group.b }}.{{ index .Match 3 }}.{{ index .Group "4" }}'] }, answer: ['ip-10-1-2-3.example. 60 IN A 10.1.2.3'] },
    { ask: 'ip0a000001.example. A', config: { match: ['ip(?P<a>..)(?P<b>..)(?P<c>..)(?P<d>..)'], answer: ['{{ .Name }} 60 IN A {{ parseInt .Group.a 16 8 }}.{{ parseInt .Group.b 16 8 }}.{{ parseInt .Group.c 16 8 }}.{{ parseInt .Group.d 16 8 }}'] }, answer: ['ip0a000001.example. 60 IN A 10.0.0.1'] },
    { ask: 'x.b.example. A', config: { zones: ['example.', 'b.example.'], answer: ['{{ .Zone }} 60 {{ .Class }} TXT "{{ .Remote }}" "{{ .Question.Name }}" "{{ .Message.Id }}"'] }, answer: ['b.example. 60 IN TXT "10.1.2.3" "x.b.example." "4711"'] },
    // a line may come to nothing
    { ask: 'a.example. AAAA', config: { type: ANY, answer: ['{{ if eq .Type "A" }}{{ .Name }} 60 IN A 10.0.0.1{{ end }}'] }, answer: [] },
    { ask: 'a.example. A', config: { variables: [{ name: 'n', expression: '1 + 2' }, { name: 't', expression: "type() + 'x'" }], answer: ['{{ .Name }} {{ .Var.n }} IN TXT {{ .Var.t }}'] }, answer: ['a.example. 3 IN TXT "Ax"'] },
  ] // biome-ignore format: a line a case
  for (const { ask, config: changes, answer } of cases) {
    const request = requestOf(ask)
    assert.deepEqual(outcomeOf([config(changes)], request), answer)
    const labels = { class: 'IN', type: typeName(request.question.type) }
    assert.deepEqual(request.counted, [`template_matches_total ${JSON.stringify(labels)}`])
  }
})

test('who answers', () => {
  const text = (name: string) => [`${name} 1 IN A 10.0.0.1`]
  const one = (changes: Partial<TemplateConfig>) => config({ answer: text('one'), ...changes })
  const two = config({ answer: text('two') })
  const cases: [why: string, configs: TemplateConfig[], ask: string, result: string][] = [
    ['the first in the file', [one({}), two], 'a.b. A', 'one'],
    ['another type: the next', [one({ type: AAAA }), two], 'a.b. A', 'two'],
    ['another class', [one({ class: 3 }), two], 'a.b. A', 'two'],
    ['any class and type', [one({ class: ANY, type: ANY })], 'a.b. TXT 3', 'one'],
    ['another zone', [one({ zones: ['c.'] }), two], 'a.b. A', 'two'],
    ['a zone is of whole labels', [one({ zones: ['b.'] }), two], 'ab. A', 'two'],
    ['nothing fits: the next plugin', [one({ type: AAAA })], 'a.b. A', '5 behind behind'],
    ['no match', [one({ match: ['^x'] }), two], 'a.b. A', '2 template'],
    ['no match, fallthrough', [one({ match: ['^x'], fallthrough: ['.'] }), two], 'a.b. A', 'two'],
    ['no match, fallthrough of this zone', [one({ match: ['^x'], fallthrough: ['b.'] }), two], 'a.b. A', 'two'],
    ['no match, fallthrough of another', [one({ match: ['^x'], fallthrough: ['c.'] }), two], 'a.b. A', '2 template'],
    ['no match in the last one', [one({ match: ['^x'], fallthrough: ['.'] })], 'a.b. A', '5 behind behind'],
    ['the name has its last dot', [one({ match: ['^a\\.b\\.$'] })], 'a.b. A', 'one'],
    ['unanchored', [one({ match: ['b'] })], 'a.b.c. A', 'one'],
    ['a condition that holds', [one({ expressions: ["name() == 'a.b.'", "client_ip() == '10.1.2.3'"] })], 'a.b. A', 'one'],
    ['one that does not', [one({ expressions: ["name() == 'a.c.'"], fallthrough: ['.'] }), two], 'a.b. A', 'two'],
  ] // biome-ignore format: a line a case
  for (const [why, configs, ask, result] of cases) {
    const [found] = outcomeOf(configs, requestOf(ask))
    assert.equal(found.replace('. 1 IN A 10.0.0.1', ''), result, why)
  }
})

test('codes, flags and sections', () => {
  const plugin = createTemplates([
    config({
      rcode: 3,
      authority: ['{{ .Zone }} 60 IN SOA ns. mail. 1 60 60 60 60'],
      additional: ['x. 60 IN A 10.0.0.1'],
      extendedError: { code: 21, text: 'not here' },
    }),
  ])
  const reply = replyTo(plugin, requestOf('a.example. A'))
  assert.deepEqual(
    [reply.rcode, reply.authoritative, reply.recursionAvailable, reply.plugin],
    [3, true, false, 'template'],
  )
  assert.deepEqual(
    [reply.answer, reply.authority, reply.additional].map((section) => section.map(recordText)),
    [[], ['. 60 IN SOA ns. mail. 1 60 60 60 60'], ['x. 60 IN A 10.0.0.1']],
  )
  assert.deepEqual(
    reply.options.map(({ code, data }) => [code, Buffer.from(data).toString('latin1')]),
    [[15, '\0\x15not here']],
  )
  // Codes that the server writes.
  for (const rcode of [1, 2, 4, 5])
    assert.deepEqual(outcomeOf([config({ rcode })], requestOf('a. A')), [`${rcode} template`])
})

test('what cannot be filled in is SERVFAIL, and counted', () => {
  const labels = (section: string, template: string) => JSON.stringify({ class: 'IN', type: 'A', section, template })
  const failing = requestOf('a. A')
  const template = '{{ index .Match 7 }}'
  const [first] = outcomeOf([config({ additional: [template] })], failing)
  assert.match(first, /^2 template error calling index: index out of range/)
  assert.equal(failing.counted[1], `template_template_failures_total ${labels('additional', template)}`)

  const wrong = requestOf('a. A')
  const [second] = outcomeOf([config({ answer: ['{{ .Name }} 60 IN A nonsense'] })], wrong)
  assert.match(second, /^2 template ./)
  assert.equal(wrong.counted[1], `template_rr_failures_total ${labels('answer', '{{ .Name }} 60 IN A nonsense')}`)

  assert.throws(() => checkTemplate('{{ .Name'), TemplateError)
  assert.throws(() => createTemplates([config({ answer: ['{{ if }}'] })]), TemplateError)
  assert.doesNotThrow(() => checkTemplate('{{ .Name }} 60 IN A 10.0.0.1'))
})

test('a CNAME for an address is followed through the server', () => {
  const asked: string[] = []
  const record = (text: string) => parseRecord(text, { origin: '.', ttl: 5, class: 1 })
  const ask = (outcome: Outcome): Partial<Request> => ({
    // biome-ignore lint/correctness/useYield: it waits for nothing
    ask: function* (question): Walk {
      asked.push(`${question.name} ${typeName(question.type)}`)
      return outcome
    },
  })
  const found: Outcome = { ...replyOf('kubernetes'), answer: [record('web.svc. 5 IN A 10.0.0.1')] }
  const alias = config({ type: ANY, answer: ['{{ .Name }} 60 IN CNAME Web.svc.'] })
  const alone = ['a. 60 IN CNAME Web.svc.']
  assert.deepEqual(outcomeOf([alias], requestOf('a. A', ask(found))), [...alone, 'web.svc. 5 IN A 10.0.0.1'])
  assert.deepEqual(asked, ['web.svc. A'])
  assert.deepEqual(outcomeOf([alias], requestOf('a. TXT')), alone)
  assert.deepEqual(outcomeOf([alias], requestOf('a. A', ask(behind))), alone)
  const whole = config({ answer: [...alias.answer, 'web.svc. 60 IN A 10.9.9.9'] })
  assert.deepEqual(outcomeOf([whole], requestOf('a. A')), [...alone, 'web.svc. 60 IN A 10.9.9.9'])
})

test('metadata', () => {
  const meta = config({
    answer: ['{{ .Name }} 60 IN TXT "{{ .Meta "kubernetes/client-namespace" }}|{{ .Meta "x/y" }}"'],
  })
  const metadata = new Map([['kubernetes/client-namespace', () => 'shop']])
  assert.deepEqual(outcomeOf([meta], requestOf('a. A', { metadata })), ['a. 60 IN TXT "shop|"'])
  assert.deepEqual(outcomeOf([meta], requestOf('a. A')), ['a. 60 IN TXT "|"']) // a block that collects none
})
