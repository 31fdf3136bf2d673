import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseTemplate, TemplateError } from '../../src/plugins/go-template/template.ts'
import { Struct } from '../../src/plugins/go-template/values.ts'

const data = new Struct('templateData', {
  Name: 'web.shop.',
  Zone: '',
  Count: 3n,
  Match: ['a-b', 'a', 'b'],
  Group: new Map([
    ['x', 'ff'],
    ['y', ''],
  ]),
  None: [],
  Question: new Struct('Question', { Name: 'web.shop.', Qtype: 1n }),
  Meta: (label) => `<${label}>`,
})

const run = (text: string) => parseTemplate(text).execute(data)

test('templates give what Go gives', () => {
  const cases: [template: string, text: string][] = [
    ['plain } { text', 'plain } { text'],
    ['{{ .Name }} 60 IN A 10.0.0.1', 'web.shop. 60 IN A 10.0.0.1'],
    ['{{.Question.Name}} {{.Question.Qtype}}', 'web.shop. 1'],
    ['{{ .Group.x }}{{ .Group.nope }}', 'ff<no value>'],
    ['{{ index .Match 1 }}.{{ index .Group "x" }}.{{ index .Group "nope" }}', 'a.ff.'],
    ['{{ .Match }} {{ .Group }}', '[a-b a b] map[x:ff y:]'],
    ['{{ .Meta "kubernetes/client-namespace" }}', '<kubernetes/client-namespace>'],
    ['{{ "a" | .Meta }}', '<a>'],
    // Comments and trimming.
    ['a {{/* not {{ here }} */}} b', 'a  b'],
    ['a {{- /* x */ -}} b', 'ab'],
    ['a {{- "x" -}}  \n b', 'axb'],
    ['{{ 3 }}{{-3}}', '3-3'],
    // Choices.
    ['{{ if .Zone }}a{{ else }}b{{ end }}', 'b'],
    ['{{ if eq .Name "x" }}a{{ else if eq .Count 3 }}b{{ else }}c{{ end }}', 'b'],
    ['{{ if .None }}a{{ else if .Group }}b{{ end }}', 'b'],
    ['{{ with .Group.x }}{{ . }}{{ $.Name }}{{ else }}none{{ end }}', 'ffweb.shop.'],
    ['{{ with .Zone }}a{{ else with .Name }}{{ . }}{{ end }}', 'web.shop.'],
    // Loops.
    ['{{ range .Match }}[{{ . }}]{{ end }}', '[a-b][a][b]'],
    ['{{ range $i, $e := .Match }}{{ $i }}{{ $e }} {{ end }}', '0a-b 1a 2b '],
    ['{{ range $k, $v := .Group }}{{ $k }}={{ $v }};{{ end }}', 'x=ff;y=;'],
    ['{{ range .None }}a{{ else }}none{{ end }}', 'none'],
    ['{{ range 3 }}{{ . }}{{ end }}', '012'],
    ['{{ range .Match }}{{ if eq . "a" }}{{ continue }}{{ end }}{{ . }}{{ end }}', 'a-bb'],
    ['{{ range .Match }}{{ . }}{{ if eq . "a" }}{{ break }}{{ end }}{{ end }}', 'a-ba'],
    // Variables.
    ['{{ $x := index .Match 2 }}{{ $x }}{{ $x = "z" }}{{ $x }}', 'bz'],
    ['{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ $x }}{{ end }}{{ $x }}', '21'],
    ['{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}', '2'],
    ['{{ $q := .Question }}{{ $q.Name }}', 'web.shop.'],
    ['{{ with $x := .Name }}{{ $x }}{{ end }}', 'web.shop.'],
    // Pipelines and parentheses.
    ['{{ .Group.x | printf "%s-%s" "a" }}', 'a-ff'],
    ['{{ (index .Match 1) | printf "%q" }}', '"a"'],
    ['{{ printf "%d.%d" (parseInt .Group.x 16 8) 7 }}', '255.7'],
    ['{{ len (printf "%s%s" .Name `a\\b`) }}', '12'],
    // Functions.
    ['{{ eq .Count 1 2 3 }} {{ ne 1 2 }} {{ lt 1 2 }} {{ le 2 2 }} {{ gt "b" "a" }} {{ ge 1.5 2.5 }}', 'true true true true true false'],
    ['{{ and 1 0 2 }} {{ or 0 "" "x" }} {{ not 0 }} {{ and true .Name }}', '0 x true web.shop.'],
    ['{{ or true (index .Match 9) }}', 'true'], // the second is not worked out
    ['{{ len .Name }} {{ len .Match }} {{ len .Group }} {{ len "ä" }}', '9 3 2 2'],
    ['{{ slice .Name 4 8 }} {{ slice .Name 4 }} {{ slice .Match 1 3 }}', 'shop shop. [a b]'],
    ['{{ print 1 2 "a" "b" 3 4.5 }}|{{ println "a" 1 }}', '1 2ab3 4.5|a 1\n'],
    ['{{ parseInt "ff" 16 32 }} {{ parseInt "0x1f" 0 64 }} {{ parseInt "18446744073709551615" 10 64 }}', '255 31 18446744073709551615'],
    // Formats.
    ['{{ printf "%03d|%-4d|%4d|%+d|%x|%X|%#x|%o|%b|%c" 7 7 7 7 255 255 255 8 5 65 }}', '007|7   |   7|+7|ff|FF|0xff|10|101|A'],
    ['{{ printf "%s|%5s|%-5s|%.2s|%q|%x|%v|%t|%%" "abc" "abc" "abc" "abc" "abc" "abc" "abc" true }}', 'abc|  abc|abc  |ab|"abc"|616263|abc|true|%'],
    ['{{ printf "%.2f|%6.1f|%e|%g|%v" 3.14159 2.5 1500.0 0.00001 1e21 }}', '3.14|   2.5|1.500000e+03|1e-05|1e+21'],
    ['{{ printf "%d %s" "x" 1 }}', '%!d(string=x) %!s(int=1)'],
    ['{{ printf "%d" }}{{ printf "a" 1 }}{{ printf "%" }}', '%!d(MISSING)a%!(EXTRA int=1)%!(NOVERB)'],
    ['{{ printf "%s %v" .Match .Match }} {{ printf "%*d" 4 7 }}', '[a-b a b] [a-b a b]    7'],
    ["{{ '\\n' }} {{ 'a' }} {{ 0x1F }} {{ 1_000 }} {{ 0b101 }} {{ 010 }} {{ 1e3 }}", '10 97 31 1000 5 8 1000'],
    ['{{ "tab\\t\\u00e4\\x41\\101" }}', 'tab\täAA'],
    ['{{ if\n.Name }}a{{ end }}', 'a'],
  ] // biome-ignore format: a line a case
  for (const [template, text] of cases) assert.equal(run(template), text, template)
})

test('what does not parse is an error at load', () => {
  const cases: [template: string, says: RegExp][] = [
    ['{{ .Name ', /unclosed action/],
    ['{{}}', /missing value/], // what is left of {{$x}} in a Corefile
    ['{{ .Name | }}', /missing value/],
    ['{{ if .Name }}a', /unexpected EOF/],
    ['{{ if }}a{{ end }}', /missing value/],
    ['a{{ end }}', /unexpected "end"/],
    ['{{ else }}', /unexpected "else"/],
    ['{{ if 1 }}{{ else }}{{ else }}{{ end }}', /expected end/],
    ['{{ $x }}', /undefined variable "\$x"/],
    ['{{ $x = 1 }}', /undefined variable/],
    ['{{ if true }}{{ $x := 1 }}{{ end }}{{ $x }}', /undefined variable/],
    ['{{ nope .Name }}', /function "nope" not defined/],
    ['{{ .Name-x }}', /bad character/],
    ['{{ "a }}', /unterminated quoted string/],
    ['{{ "\\z" }}', /unknown escape/],
    ['{{ `a }}', /unterminated raw quoted string/],
    ['{{ 1x }}', /bad number/],
    ['{{ 3 | printf "%d" | 4 }}', /non executable command in pipeline stage 3/],
    ['{{ 3 4 }}', /non-function/],
    ['{{ "a".b }}', /unexpected/],
    ['{{ (1 }}', /unexpected/],
    ['{{ 1) }}', /unexpected/],
    ['{{ break }}', /outside/],
    ['{{ /* a */ }}', /unexpected/],
    ['{{/* a }}', /unclosed comment/],
    ['{{/* a */ }}', /comment ends before closing delimiter/],
    ['{{ define "x" }}{{ end }}', /not supported/],
    ['{{ nil }}', /nil is not a command/],
    [`${'{{ if 1 }}'.repeat(200)}${'{{ end }}'.repeat(200)}`, /too deep/],
    [`{{ ${'('.repeat(200)}1${')'.repeat(200)} }}`, /too deep/],
  ]
  for (const [template, says] of cases)
    assert.throws(
      () => parseTemplate(template),
      (error) => error instanceof TemplateError && says.test(error.message),
      template,
    )
})

test('what fails when it is carried out is an error then, and nothing runs on', () => {
  const cases: [template: string, says: RegExp][] = [
    ['{{ .Nope }}', /can't evaluate field Nope in type templateData/],
    ['{{ .Name.X }}', /can't evaluate field X in type string/],
    ['{{ .Group.nope.x }}', /nil pointer/],
    ['{{ .Name "x" }}', /can't give argument to non-function \.Name/],
    ['{{ index .Match 9 }}', /index out of range: 9/],
    ['{{ index .Match "a" }}', /cannot index/],
    ['{{ eq 1 "a" }}', /incompatible types/],
    ['{{ lt true false }}', /invalid type/],
    ['{{ not }}', /wrong number of args for not: want 1 got 0/],
    ['{{ parseInt "256" 10 8 }}', /out of range/],
    ['{{ parseInt "-1" 10 8 }}', /invalid syntax/],
    ['{{ parseInt "" 10 8 }}', /invalid syntax/],
    ['{{ slice .Name 5 2 }}', /invalid slice index/],
    ['{{ len 3 }}', /len of type int/],
    ['{{ range .Name }}{{ end }}', /range can't iterate/],
    ['{{ range 1000000000 }}{{ end }}', /more than 10000 steps/],
    ['{{ range 9000 }}{{ printf "%1000d" 1 }}{{ end }}', /more than/],
    ['{{ printf }}', /wrong number of args for printf/],
  ]
  for (const [template, says] of cases)
    assert.throws(
      () => run(template),
      (error) => error instanceof TemplateError && says.test(error.message),
      template,
    )
})

const anyPiece = fc.constantFrom(
  ...'{{|}}|{{-| -}}|if|else|end|range|with|.Name|.Match|.Group.x|$x|$i, $x|:=|=| |(|)|"a"|`b`|1|0x|-|1.5|/*|*/|index|printf|eq|and|parseInt|break|.|,|\\|\n|"%d"|\u00e4|len|slice|{{ .Name }}'.split(
    '|',
  ),
  '|',
)

test('any soup of tokens is text or a TemplateError', () => {
  const seen = { text: 0, error: 0 }
  const soup = fc.oneof(
    fc.array(anyPiece, { maxLength: 14 }).map((pieces) => pieces.join(' ')),
    fc.array(anyPiece, { maxLength: 6 }).map((pieces) => `{{ ${pieces.join(' ')} }}`),
    fc.string(),
  )
  const numRuns = Number(process.env.PEREGRINE_FUZZ_ROUNDS ?? 5000)
  fc.assert(
    fc.property(soup, (template) => {
      try {
        run(template)
        seen.text++
      } catch (error) {
        assert(error instanceof TemplateError, String(error))
        seen.error++
      }
    }),
    { numRuns },
  )
  assert(seen.text > 100 && seen.error > 100, JSON.stringify(seen))
})
