// The expression language: values, types, errors at load.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compileCondition, compileExpression, ExpressionError } from '../../src/plugins/expression.ts'
import type { Request } from '../../src/plugins/plugin.ts'
import { compileView } from '../../src/plugins/view.ts'
import { ednsOf, requestOf } from './chain.ts'

const request = requestOf('web.shop.svc.cluster.local. AAAA', {
  edns: { ...ednsOf(1232), dnssecOk: true },
  metadata: new Map([
    ['kubernetes/namespace', () => 'shop'],
    ['net', () => '10.0.0.0/8'],
    ['broken', () => '10.0.0.0/99'],
    ['pattern', () => '^web'],
    ['bad-pattern', () => '('],
  ]),
})
const overTcp6 = requestOf('. TYPE4711 3', {
  client: { family: 6, address: '2001:db8::7', port: 40000 },
  local: { family: 6, address: '::1', port: 5353 },
  protocol: 'tcp',
  edns: ednsOf(4096),
})

function check(cases: readonly (readonly [expression: string, value: unknown, asked?: Request])[]): void {
  for (const [expression, value, asked = request] of cases) {
    assert.deepEqual(compileExpression(expression)(asked), value, expression)
  }
}

test('what a query says', () => {
  check([
    ['name()', 'web.shop.svc.cluster.local.'],
    ['type()', 'AAAA'],
    ['class()', 'IN'],
    ['client_ip()', '10.1.2.3'],
    ['server_ip()', '10.96.0.10'],
    ['port()', '1053'],
    ['server_port()', '53'],
    ['proto()', 'udp'],
    ['bufsize()', 1232],
    ['do()', true],
    ['id()', 4711],
    ['opcode()', 0],
    ['size()', 33],
    ["metadata('kubernetes/namespace')", 'shop'],
    ["metadata('kubernetes/pod')", ''],
    ['type()', 'TYPE4711', overTcp6],
    ['class()', 'CH', overTcp6],
    ['name()', '.', overTcp6],
    ['client_ip()', '[2001:db8::7]', overTcp6],
    ['server_ip()', '[::1]', overTcp6],
    ['proto()', 'tcp', overTcp6],
    ['bufsize()', 65535, overTcp6],
    ['do()', false, overTcp6],
    ["metadata('kubernetes/namespace')", '', overTcp6],
    ['bufsize()', 512, requestOf('a. A')],
    ['do()', false, requestOf('a. A')],
  ])
})

test('operators', () => {
  check([
    ["type() == 'AAAA'", true],
    ["type() != 'AAAA'", false],
    ['size() > 33', false],
    ['size() >= 33', true],
    ['size() < 34 && size() <= 33', true],
    ["type() in ['A', 'AAAA']", true],
    ["type() in ['A', 'MX']", false],
    ['type() in []', false],
    ["type() not in ['A', 'MX']", true],
    ["type() not   in ['A', 'MX']", true],
    ["not (type() in ['A', 'MX'])", true],
    ['size() in 1..33', true],
    ['size() in 1..32', false],
    ['size() in 33..40', true],
    ['size() in 34..40', false],
    ["name() matches '^web\\\\.shop'", true],
    ["name() matches 'b.s'", true], // unanchored
    ["name() not matches 'b.s'", false],
    ["name() matches metadata('pattern')", true],
    ["name() contains '.svc.'", true],
    ["name() contains 'w.b'", false], // no pattern
    ["name() startsWith 'web.'", true],
    ["name() startsWith 'w.b'", false],
    ["name() endsWith 'cluster.local.'", true],
    ["name() not endsWith 'cluster.local.'", false],
    ["name() endsWith 'cluster.local'", false], // names end with a dot
    ['!do()', false],
    ['not do() or true', true],
    ['true and false', false],
    ['true || false && false', true], // && binds more strongly
    ['(true || false) && false', false],
    ["do() ? 'secure' : 'plain'", 'secure'],
    ["name() + '!'", 'web.shop.svc.cluster.local.!'],
    ['1 + 2 * 3 - 4 / 2', 5],
    ['7 % 4 == 3', true],
    ['-size() < 0', true],
    ['size() - -1', 34],
    ['id() - 1 - 1', 4709], // from the left
    ['0x1f + 1_000', 1031],
    ["'a' < 'b'", true],
    ['[1, 2]', [1, 2]],
    ['[true && do(), do() || false]', [true, true]], // a list is worked out at load only if all of it can be
    ['[do() ? 1 : 2]', [1]],
    ['size() < 33', false],
    ['size() <= 32', false],
    ['size() > 32', true],
    ['size() >= 34', false],
    ['size() in [32, 33]', true],
    ["name() in [name(), 'x']", true],
    ["'orand' == 'orand'", true],
    ["name() == 'a && b' || true", true],
  ])
})

test('a port is compared with numbers and with strings', () => {
  check([
    ['port() == 1053', true],
    ["port() == '1053'", true],
    ['1053 == port()', true],
    ['port() in 1024..65535', true],
    ["port() in ['53', '1053']", true],
    ['port() in [53, 1053]', true],
    ['server_port() != 53', false],
    ['port() > 999', true], // as numbers: as text it would be less
    ["port() startsWith '10'", true],
    ['port() == server_port()', false],
  ])
})

test('networks', () => {
  check([
    ["incidr(client_ip(), '10.0.0.0/8')", true],
    ["incidr(client_ip(), '10.1.2.4/32')", false],
    ["incidr(client_ip(), '2001:db8::/32')", false],
    ["incidr(client_ip(), '2001:db8::/32')", true, overTcp6], // in brackets
    ["incidr(client_ip(), '10.0.0.0/8')", false, overTcp6],
    ["incidr(client_ip(), metadata('net'))", true],
    ["incidr('192.0.2.1', '192.0.2.0/24')", true],
    ["incidr('no address', '192.0.2.0/24')", false],
  ])
})

test('strings', () => {
  check([
    ["'it\\'s'", "it's"],
    ['"double \'quotes\'"', "double 'quotes'"],
    ["'\\\\.'", '\\.'],
    ["'\\x41\\u00e9\\101\\n'", 'AéA\n'],
    ["`raw \\. '`", "raw \\. '"],
    ["'not   in'", 'not   in'], // blanks of a string are its own
    ["'a, b; (c'", 'a, b; (c'],
    ["'not in' in ['not in']", true],
  ])
})

test('errors at load say what is wrong', () => {
  const cases: [expression: string, message: RegExp][] = [
    ['', /nothing to compute/],
    ['   ', /nothing to compute/],
    ['type( ', /Unclosed|Expected|unexpected/i],
    ["type() == 'A", /./],
    ["type() = 'A'", /unexpected '='/],
    ["type() === 'A'", /./],
    ["type() == 'A',", /unexpected ','/],
    ["type() == 'A'; do()", /unexpected ';'/],
    ["type() 'A'", /unexpected/],
    ['qtype()', /unknown function qtype\(\)/],
    ['constructor()', /unknown function/],
    ['__proto__()', /unknown function/],
    ['type', /unknown name type: it is a function/],
    ['nil', /unknown name nil/],
    ['this', /not known here/],
    ['name().length', /not known here/],
    ["name()['constructor']", /not known here/],
    ['name()()', /only functions/],
    ['type(1)', /type\(\) takes 0 arguments, not 1/],
    ["incidr('1.2.3.4')", /takes 2 arguments/],
    ["incidr(1, '10.0.0.0/8')", /takes a string, not a number/],
    ["incidr(client_ip(), '10.0.0.0')", /no network/],
    ["incidr(client_ip(), '10.0.0.0/33')", /invalid network/],
    ['name() == 5', /== does not go with a string and a number/],
    ['do() == 1', /does not go/],
    ['5 == name()', /== does not go with a number and a string in '5 == name\(\)'/],
    ["name() in ['a', 1]", /a list of string and number/],
    ['name() in [1]', /does not go/],
    ["name() in 'abc'", /does not go/],
    ['[1] == [1]', /does not go/],
    ['[1,,2]', /hole/],
    ['name() && true', /&& does not go with a string/],
    ['!name()', /! does not go with a string/],
    ['-name()', /- does not go with a string/],
    ["name() matches '('", /missing closing/],
    ["name() matches '^a\\.b'", /unknown escape \\\.: a backslash is doubled/],
    ['name() matches 1', /does not go/],
    ["1 contains 'a'", /contains does not go with a number and a string/],
    ['name() endsWith 1', /endsWith does not go/],
    ['name() + 1', /\+ does not go with a string and a number/],
    ['1 + name()', /\+ does not go with a number and a string/],
    ["1 - 'a'", /- does not go/],
    ["'a' * 2", /\* does not go/],
    ["size() in 1..'9'", /\.\. does not go/],
    ["size() in '1'..9", /\.\. does not go/],
    ['do() < true', /< does not go/],
    ['name() in 1..9', /in does not go/],
    ['do() ? 1 : name()', /either a number or a string/],
    ['1 ? 2 : 3', /\? does not go/],
    ['1..3', /range/],
    ['1 & 2', /unexpected '&'/],
    ['1 << 2', /./],
    ['a => a', /./],
    [`${'('.repeat(20_000)}1${')'.repeat(20_000)}`, /too deep/],
    [`${'!'.repeat(300)}true`, /too deep/],
    [`'${'a'.repeat(70_000)}'`, /longer than/],
  ]
  for (const [expression, message] of cases) {
    assert.throws(() => compileExpression(expression), { name: 'ExpressionError', message }, expression.slice(0, 80))
  }
})

test('a long chain is no deep one', () => {
  const networks = Array.from({ length: 900 }, (_, i) => `incidr(client_ip(), '10.${i % 200}.3.0/24')`)
  assert.equal(compileExpression(networks.join(' || '))(request), false)
  assert.equal(compileExpression([...networks, 'do()'].join(' or '))(request), true)
  assert.equal(compileExpression(Array(900).fill('do()').join(' && '))(request), true)
})

test('what has no value is an error then, and false for a view', () => {
  const conditions = ["incidr(client_ip(), metadata('broken'))", "name() matches metadata('bad-pattern')"]
  for (const expression of conditions) {
    assert.throws(() => compileExpression(expression)(request), ExpressionError, expression)
    assert.equal(compileView({ name: 'v', expressions: [expression] })(request), false, expression)
  }
})

test('a view is true if all its expressions are', () => {
  const view = (...expressions: string[]) => compileView({ name: 'v', expressions })(request)
  assert.equal(view("type() == 'AAAA'"), true)
  assert.equal(view("type() == 'AAAA'", "proto() == 'udp'"), true)
  assert.equal(view("type() == 'AAAA'", "proto() == 'tcp'"), false)
  assert.throws(() => view('name()'), { name: 'ExpressionError', message: /of type string, not true or false/ })
  assert.throws(() => compileCondition('1'), ExpressionError)
})

const anyToken = fc.oneof(
  fc.constantFrom(
    'type()',
    'name()',
    'size()',
    'do()',
    'port()',
    'in',
    'not',
    'matches',
    '==',
    '&&',
    '||',
    '+',
    '-',
    '..',
  ),
  fc.constantFrom('(', ')', '[', ']', ',', "'a'", '1', '?', ':', '!', '.', ';', '`', "'", '"', '\\', 'incidr', 'true'),
  fc.string({ maxLength: 3 }),
)

test('any text is an expression or an ExpressionError', () => {
  const rounds = Number(process.env.PEREGRINE_FUZZ_ROUNDS ?? 5000)
  let compiled = 0
  fc.assert(
    fc.property(fc.array(anyToken, { maxLength: 8 }), fc.constantFrom('', ' '), (tokens, between) => {
      try {
        const expression = compileExpression(tokens.join(between))
        compiled++
        expression(request)
      } catch (error) {
        assert.ok(error instanceof ExpressionError, `${error}`)
      }
    }),
    { numRuns: rounds },
  )
  assert.ok(compiled > rounds / 500, `the generator makes expressions: ${compiled}`)
})
