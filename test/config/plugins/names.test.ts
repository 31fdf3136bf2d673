// Setups of what answers from its own data or changes what others answer: hosts, template, rewrite, file, auto, transfer, and
// the small ones.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type {
  AclRule,
  HeaderRule,
  HostsConfig,
  PluginName,
  RewriteField,
  TemplateConfig,
} from '../../../src/config/configuration.ts'
import { reading, refusal } from './reading.ts'

const BLOCK_ZONES = ['cluster.local.', 'in-addr.arpa.']

function refuses(plugin: PluginName, cases: readonly [text: string, message: RegExp][]): void {
  for (const [text, message] of cases) assert.match(refusal(plugin, text), message, text)
}

test('hosts', () => {
  const defaults: HostsConfig = {
    path: '/etc/hosts',
    zones: BLOCK_ZONES,
    inline: [],
    ttl: 3600,
    reverse: true,
    reloadMs: 5000,
    fallthrough: null,
    fallthroughUnsupported: false,
  }
  const cases: [text: string, differences: Partial<HostsConfig>][] = [
    ['hosts', {}],
    [
      'hosts /etc/coredns/NodeHosts {\n ttl 60\n reload 15s\n fallthrough\n}',
      { path: '/etc/coredns/NodeHosts', ttl: 60, reloadMs: 15_000, fallthrough: ['.'] },
    ],
    ['hosts h example.org 10.0.0.0/8', { path: 'h', zones: ['example.org.', '10.in-addr.arpa.'] }],
    [
      'hosts {\n 10.0.0.1 Host.Minikube.internal b\n fe80::1%eth0 *.c\n fallthrough a\n}',
      {
        inline: [
          { address: '10.0.0.1', names: ['host.minikube.internal.', 'b.'] },
          { address: 'fe80::1', names: ['*.c.'] },
        ],
        fallthrough: ['a.'],
      },
    ],
    [
      'hosts {\n no_reverse\n reload 0\n ttl 65535\n fallthrough_unsupported\n}',
      { reverse: false, reloadMs: 0, ttl: 65_535, fallthroughUnsupported: true },
    ],
  ]
  for (const [text, differences] of cases)
    assert.deepEqual(reading('hosts', text).config, { ...defaults, ...differences }, text)
  assert.equal(reading('hosts', 'hosts h', { root: '/r' }).config.path, '/r/h')
  assert.equal(reading('hosts', 'hosts /h', { root: '/r' }).config.path, '/h')
  refuses('hosts', [
    ['hosts {\n ttl 0\n}', /plugin\/hosts: '0' is no whole number from 1 to 65535/],
    ['hosts {\n ttl 65536\n}', /no whole number/],
    ['hosts {\n ttl\n}', /Wrong argument count/],
    ['hosts {\n no_reverse yes\n}', /Wrong argument count/],
    ['hosts {\n reload 5\n}', /missing unit/],
    ['hosts {\n 10.0.0.1\n}', /Wrong argument count or unexpected line ending after '10.0.0.1'/],
    ['hosts {\n 10.0.0.256 a\n}', /unknown property '10.0.0.256'/],
    ['hosts {\n 10.0.0.1 a..b\n}', /plugin\/hosts: .*empty label/],
    [
      'hosts {\n fallthrough\n 10.0.0.1 a\n}',
      /^Corefile:3 - .*unknown property '10.0.0.1': inline entries stand before fallthrough/,
    ],
    ['hosts a..b c..d', /empty label/],
    ['hosts\nhosts', /only be used once/],
  ])
})

test('template', () => {
  const defaults: TemplateConfig = {
    file: 'Corefile',
    line: 1,
    class: 1,
    type: 1,
    zones: BLOCK_ZONES,
    match: ['.*'],
    answer: [],
    additional: [],
    authority: [],
    rcode: 0,
    extendedError: null,
    fallthrough: null,
    variables: [],
    expressions: [],
  }
  const cases: [text: string, differences: Partial<TemplateConfig>][] = [
    ['template IN A', {}],
    [
      'template ANY ANY Reddog.example {\n rcode NXDOMAIN\n}',
      { class: 255, type: 255, zones: ['reddog.example.'], rcode: 3 },
    ],
    ['template in aaaa {\n match ^a$ b\n match c\n}', { type: 28, match: ['^a$', 'b', 'c'] }],
    ['template IN TYPE65', { type: 65 }],
    [
      'template IN A {\n answer "{{ .Name }} 60 in A 10.0.0.1" x\n answer y\n additional z\n authority "a SOA b"\n}',
      {
        answer: ['{{ .Name }} 60 in A 10.0.0.1', 'x', 'y'],
        additional: ['z'],
        authority: ['a SOA b'],
      },
    ],
    [
      'template IN A {\n ederror 21 "not here"\n fallthrough a\n}',
      { extendedError: { code: 21, text: 'not here' }, fallthrough: ['a.'] },
    ],
    ['template IN A {\n ederror 21\n}', { extendedError: { code: 21, text: '' } }],
    [
      `template IN A {\n var net client_ip() + 'x'\n expr type() == 'A'\n}`,
      {
        variables: [{ name: 'net', expression: "client_ip() + 'x'" }],
        expressions: ["type() == 'A'"],
      },
    ],
  ]
  for (const [text, differences] of cases) {
    const { config, warnings } = reading('template', text)
    assert.deepEqual(config, [{ ...defaults, ...differences }], text)
    assert.deepEqual(warnings, [], text)
  }
  const two = reading('template', 'template IN A {\n upstream\n}\ntemplate IN AAAA')
  assert.deepEqual(
    two.config.map(({ line, type }) => [line, type]),
    [
      [1, 1],
      [4, 28],
    ],
  )
  assert.match(two.withoutEffect.join(), /^2: template upstream/)
  // What is left of {{$x}}: x is no variable of the environment.
  assert.match(
    reading('template', 'template IN A {\n answer "{} 60 IN A 10.0.0.1"\n}').warnings.join(),
    /^2: .*empty braces.*\{\{ \$name \}\}/,
  )
  refuses('template', [
    ['template IN', /Wrong argument count or unexpected line ending after 'IN'/],
    ['template XX A', /plugin\/template: 'XX' is no class/],
    ['template IN XX', /'XX' is no type/],
    ['template IN A {\n match\n}', /Wrong argument count/],
    ['template IN A {\n match (\n}', /^Corefile:2 - .*plugin\/template: /],
    ['template IN A {\n answer\n}', /Wrong argument count/],
    ['template IN A {\n answer "{{ .Name"\n}', /^Corefile:2 - .*plugin\/template: unclosed action/],
    ['template IN A {\n rcode NOPE\n}', /'NOPE' is no RCODE/],
    ['template IN A {\n ederror many\n}', /no whole number/],
    ['template IN A {\n ederror 65536\n}', /no whole number/],
    ['template IN A {\n var x\n}', /Wrong argument count/],
    ['template IN A {\n var 1x name()\n}', /no name of a variable/],
    ['template IN A {\n expr nonsense(\n}', /^Corefile:2 - .*plugin\/template: /],
    ['template IN A {\n reply x\n}', /unknown property 'reply'/],
  ])
})

test('rewrite', () => {
  const edns0 = {
    kind: 'edns0',
    option: 'local',
    action: 'set',
    code: 65_001,
    data: '',
    bitsV4: 0,
    bitsV6: 0,
    revert: false,
  } as const
  const name = { kind: 'name', match: 'exact', from: 'a.', to: 'b.', answers: [] } as const
  const cases: [text: string, field: RewriteField][] = [
    ['name A b.', name],
    ['name exact a b', name],
    ['name exact b', { ...name, from: 'exact.' }], // two arguments mean exact
    ['name prefix Foo bar', { ...name, match: 'prefix', from: 'foo.', to: 'bar.' }], // the trap: a final dot
    ['name suffix .A.example .b.example', { ...name, match: 'suffix', from: '.a.example.', to: '.b.example.' }],
    ['name substring a b', { ...name, match: 'substring' }],
    ['name regex (.*)\\.A {1}.b', { ...name, match: 'regex', from: '(.*)\\.A', to: '{1}.b' }],
    ['name suffix a b answer auto', { ...name, match: 'suffix', answers: [{ kind: 'auto' }] }],
    ['name a b answer value c d', { ...name, answers: [{ kind: 'value', from: 'c', to: 'd' }] }],
    [
      'name regex a b answer name (.*)c {1}d answer value e f',
      {
        ...name,
        match: 'regex',
        from: 'a',
        to: 'b',
        answers: [
          { kind: 'name', from: '(.*)c', to: '{1}d' },
          { kind: 'value', from: 'e', to: 'f' },
        ],
      },
    ],
    [
      'name suffix a b answer auto value e f',
      { ...name, match: 'suffix', answers: [{ kind: 'auto' }, { kind: 'value', from: 'e', to: 'f' }] },
    ],
    ['type ANY HINFO', { kind: 'type', from: 255, to: 13 }],
    ['class CH IN', { kind: 'class', from: 3, to: 1 }],
    ['ttl a 30', { kind: 'ttl', match: 'exact', name: 'a.', min: 30, max: 30 }],
    ['ttl a 0', { kind: 'ttl', match: 'exact', name: 'a.', min: 0, max: 0 }],
    ['ttl suffix a 10-20', { kind: 'ttl', match: 'suffix', name: 'a.', min: 10, max: 20 }],
    ['ttl regex .* -30', { kind: 'ttl', match: 'regex', name: '.*', min: 0, max: 30 }],
    ['ttl exact a 30-', { kind: 'ttl', match: 'exact', name: 'a.', min: 30, max: 2 ** 31 - 1 }],
    ['rcode a NXDOMAIN NOERROR', { kind: 'rcode', match: 'exact', name: 'a.', from: 3, to: 0 }],
    ['rcode substring a 2 3', { kind: 'rcode', match: 'substring', name: 'a.', from: 2, to: 3 }],
    ['cname a b', { kind: 'cname', match: 'exact', from: 'a.', to: 'b.' }],
    ['cname regex a(.) {1}', { kind: 'cname', match: 'regex', from: 'a(.)', to: '{1}' }],
    ['edns0 local set 0xfde9 0x00ff', { ...edns0, data: '0x00ff' }],
    ['edns0 local set 0x1 a', { ...edns0, code: 1, data: 'a' }],
    ['edns0 local set 0 a', { ...edns0, code: 0, data: 'a' }],
    ['edns0 local append 65001 text', { ...edns0, action: 'append', data: 'text' }],
    [
      'edns0 local replace 65001 {client_ip} revert',
      { ...edns0, action: 'replace', data: '{client_ip}', revert: true },
    ],
    ['edns0 local set 65001 {kubernetes/client-namespace}', { ...edns0, data: '{kubernetes/client-namespace}' }],
    ['edns0 local unset 65001', { ...edns0, action: 'unset' }],
    ['edns0 nsid set', { ...edns0, option: 'nsid', code: 3 }],
    ['edns0 nsid unset revert', { ...edns0, option: 'nsid', action: 'unset', code: 3, revert: true }],
    ['edns0 subnet set 24 56', { ...edns0, option: 'subnet', code: 8, bitsV4: 24, bitsV6: 56 }],
    ['edns0 subnet unset', { ...edns0, option: 'subnet', action: 'unset', code: 8 }],
  ]
  for (const [text, field] of cases) {
    assert.deepEqual(
      reading('rewrite', `rewrite ${text}`).config,
      [{ file: 'Corefile', line: 1, mode: 'stop', field }],
      text,
    )
    const [over] = reading('rewrite', `rewrite continue {\n${text.replace(' answer', '\nanswer')}\n}`).config
    assert.deepEqual(over, { file: 'Corefile', line: 1, mode: 'continue', field }, text)
  }
  assert.deepEqual(
    reading('rewrite', 'rewrite stop type A AAAA\nrewrite continue type A AAAA').config.map(({ mode, line }) => [
      mode,
      line,
    ]),
    [
      ['stop', 1],
      ['continue', 2],
    ],
  )
  refuses('rewrite', [
    ['rewrite', /Wrong argument count or unexpected line ending after 'rewrite'/],
    ['rewrite stop', /Wrong argument count or unexpected line ending after 'stop'/],
    ['rewrite a b', /plugin\/rewrite: 'a' is none of name, type, class, ttl, rcode, cname, edns0/],
    ['rewrite name a', /Wrong argument count or unexpected line ending after 'a'/],
    ['rewrite name a b c', /'a' is none of exact, prefix, suffix, substring, regex/],
    ['rewrite name regex a b c', /Wrong argument count/],
    ['rewrite name regex ( b', /plugin\/rewrite: /],
    [`rewrite name regex ${'a'.repeat(10_001)} b`, /10000/],
    ['rewrite name a b answer', /Wrong argument count or unexpected line ending after 'answer'/],
    ['rewrite name a b answer name c', /Wrong argument count/],
    ['rewrite name a b answer both c d', /'both' is none of auto, name, value/],
    ['rewrite name a b answer name ( d', /plugin\/rewrite: /],
    ['rewrite type A', /Wrong argument count/],
    ['rewrite type A NOPE', /'NOPE' is no type/],
    ['rewrite class A IN', /'A' is no class/],
    ['rewrite ttl a', /Wrong argument count/],
    ['rewrite ttl a -', /neither a TTL nor a range/],
    ['rewrite ttl a 30s', /neither a TTL nor a range/],
    ['rewrite ttl a 20-10', /ends before it begins/],
    ['rewrite ttl a 2147483648', /no whole number/],
    ['rewrite rcode a NXDOMAIN', /Wrong argument count/],
    ['rewrite rcode a NX NOERROR', /'NX' is no RCODE/],
    ['rewrite cname a', /Wrong argument count/],
    ['rewrite edns0 local set 65536 x', /no whole number/],
    ['rewrite edns0 local set 1', /Wrong argument count/],
    ['rewrite edns0 local set 1 0xf', /no hexadecimal text/],
    ['rewrite edns0 local set 1 {nobody}', /'\{nobody\}' is none of \{qname\}/],
    ['rewrite edns0 local remove 1 x', /'remove' is none of set, append, replace, unset/],
    ['rewrite edns0 cookie set', /'cookie' is none of local, nsid, subnet/],
    ['rewrite edns0 nsid', /Wrong argument count/],
    ['rewrite edns0 nsid set x', /Wrong argument count/],
    ['rewrite edns0 subnet set 24', /Wrong argument count/],
    ['rewrite edns0 subnet set 33 56', /from 0 to 32/],
    ['rewrite edns0 subnet set 24 129', /from 0 to 128/],
  ])
})

test('acl', () => {
  const cases: [line: string, rule: AclRule][] = [
    ['allow', { action: 'allow', types: [], nets: [] }],
    [
      'block type A aaaa net 10.0.0.0/8 10.1.2.3 fd00::1',
      { action: 'block', types: [1, 28], nets: ['10.0.0.0/8', '10.1.2.3/32', 'fd00::1/128'] },
    ],
    ['filter net 10.0.0.0/8 type ANY', { action: 'filter', types: [255], nets: ['10.0.0.0/8'] }],
    ['drop type * net *', { action: 'drop', types: [], nets: [] }],
    ['drop net 10.0.0.1 *', { action: 'drop', types: [], nets: [] }],
  ]
  for (const [line, rule] of cases) {
    assert.deepEqual(reading('acl', `acl a {\n${line}\n}`).config, [{ zones: ['a.'], rules: [rule] }], line)
  }
  assert.deepEqual(
    reading('acl', 'acl a {\n allow\n drop\n}\nacl').config.map(({ zones, rules }) => [zones, rules.length]),
    [
      [['a.'], 2],
      [BLOCK_ZONES, 0],
    ],
  )
  refuses('acl', [
    ['acl {\n deny\n}', /^Corefile:2 - .*plugin\/acl: unknown property 'deny'/],
    ['acl {\n block A\n}', /'A' is none of type, net/],
    ['acl {\n block type\n}', /Wrong argument count or unexpected line ending after 'type'/],
    ['acl {\n block type net 10.0.0.1\n}', /Wrong argument count/],
    ['acl {\n block type NOPE\n}', /'NOPE' is no type/],
    ['acl {\n block net 10.0.0\n}', /no IP address/],
    ['acl {\n block net 10.0.0.0/33\n}', /no prefix/],
    ['acl {\n block net fd00::/129\n}', /no prefix/],
  ])
})

test('header', () => {
  const cases: [line: string, rule: HeaderRule][] = [
    ['query set rd', { selector: 'query', action: 'set', flags: ['rd'] }],
    ['response clear aa ra', { selector: 'response', action: 'clear', flags: ['aa', 'ra'] }],
    ['set RA', { selector: 'response', action: 'set', flags: ['ra'] }],
    ['clear aa', { selector: 'response', action: 'clear', flags: ['aa'] }],
  ]
  for (const [line, rule] of cases) assert.deepEqual(reading('header', `header {\n${line}\n}`).config, [rule], line)
  refuses('header', [
    ['header {\n query\n}', /Wrong argument count/],
    ['header {\n set\n}', /Wrong argument count/],
    ['header {\n response set\n}', /Wrong argument count/],
    ['header {\n query toggle rd\n}', /'toggle' is none of set, clear/],
    ['header {\n set tc\n}', /'tc' is none of aa, ra, rd/],
    ['header {\n reply set aa\n}', /unknown property 'reply'/],
    ['header aa', /Wrong argument count/],
  ])
})

test('local, metadata, cancel, dns64, view', () => {
  assert.deepEqual(reading('local', 'local').config, { localhostPrefix: true })
  assert.deepEqual(reading('local', 'local {\n localhost_prefix off\n}').config, { localhostPrefix: false })
  refuses('local', [['local {\n localhost_prefix no\n}', /'no' is none of on, off/]])

  assert.deepEqual(reading('metadata', 'metadata').config, BLOCK_ZONES)
  assert.deepEqual(reading('metadata', 'metadata a\nmetadata b a').config, ['a.', 'b.'])
  refuses('metadata', [['metadata {\n a\n}', /unknown property 'a'/]])

  assert.equal(reading('cancel', 'cancel').config, 5001)
  assert.equal(reading('cancel', 'cancel 1s').config, 1000)
  assert.match(reading('cancel', 'cancel').withoutEffect.join(), /^1: cancel/)
  refuses('cancel', [
    ['cancel 0', /not more than 0/],
    ['cancel 1', /missing unit/],
  ])

  const dns64 = { prefix: '64:ff9b::/96', translateAll: false, allowIpv4: false }
  assert.deepEqual(reading('dns64', 'dns64').config, dns64)
  assert.deepEqual(reading('dns64', 'dns64 2001:db8::/32').config, { ...dns64, prefix: '2001:db8::/32' })
  assert.deepEqual(reading('dns64', 'dns64 {\n prefix 2001:db8::/64\n translate_all\n allow_ipv4\n}').config, {
    prefix: '2001:db8::/64',
    translateAll: true,
    allowIpv4: true,
  })
  refuses('dns64', [
    ['dns64 2001:db8::/65', /no IPv6 prefix of 32, 40/],
    ['dns64 10.0.0.0/32', /no IPv6 prefix/],
    ['dns64 2001:db8::', /no prefix/],
    ['dns64 {\n translate_all yes\n}', /Wrong argument count/],
  ])

  assert.deepEqual(
    reading('view', `view v4 {\n expr incidr(client_ip(), '127.0.0.0/24')\n expr "type() == 'A'"\n}`).config,
    {
      name: 'v4',
      expressions: ["incidr(client_ip(), '127.0.0.0/24')", "type() == 'A'"],
    },
  )
  refuses('view', [
    ['view', /Wrong argument count/],
    ['view a b {\n expr true\n}', /Wrong argument count/],
    ['view a', /plugin\/view: view 'a' has no expr/],
    ['view a {\n expr\n}', /Wrong argument count/],
    ['view a {\n expr type() ==\n}', /^Corefile:2 - .*plugin\/view: /],
    ['view a {\n when true\n}', /unknown property 'when'/],
  ])
})

test('file, auto, transfer', () => {
  assert.deepEqual(
    reading('file', 'file db.a a\nfile /b {\n reload 0\n reload_by_mtime\n fallthrough x\n}', { root: '/z' }).config,
    [
      { path: '/z/db.a', zones: ['a.'], reloadMs: 60_000, reloadByMtime: false, fallthrough: null },
      { path: '/b', zones: BLOCK_ZONES, reloadMs: 0, reloadByMtime: true, fallthrough: ['x.'] },
    ],
  )
  refuses('file', [
    ['file', /Wrong argument count or unexpected line ending after 'file'/],
    ['file a {\n reload 60\n}', /missing unit/],
    ['file a {\n upstream\n}', /unknown property 'upstream': names are resolved/],
  ])

  assert.deepEqual(
    reading('auto', 'auto {\n directory zones\n}\nauto a {\n directory /z (.*)\\.db(x) {1}.{2}\n reload 10s\n}', {
      root: '/r',
    }).config,
    [
      { zones: BLOCK_ZONES, directory: '/r/zones', pattern: 'db\\.(.*)', origin: '{1}', reloadMs: 60_000 },
      { zones: ['a.'], directory: '/z', pattern: '(.*)\\.db(x)', origin: '{1}.{2}', reloadMs: 10_000 },
    ],
  )
  refuses('auto', [
    ['auto', /plugin\/auto: auto needs a directory/],
    ['auto {\n directory\n}', /Wrong argument count/],
    ['auto {\n directory d (.*)\n}', /Wrong argument count/],
    ['auto {\n directory d ( {1}\n}', /plugin\/auto: /],
    ['auto {\n directory d (.*) {2}\n}', /'\(\.\*\)' has no group for \{2\}/],
    ['auto {\n directory d (.*) x\n}', /takes nothing of the file's name/],
    ['auto {\n directory d\n reload -1s\n}', /less than 0s/],
  ])

  assert.deepEqual(
    reading(
      'transfer',
      'transfer {\n to 10.0.0.1 [::1]:5353\n to 10.0.0.1:53 *\n source 10.0.0.9\n}\ntransfer a {\n to ::1\n}',
    ).config,
    [
      { zones: BLOCK_ZONES, to: ['10.0.0.1:53', '[::1]:5353', '*'], source: '10.0.0.9' },
      { zones: ['a.'], to: ['[::1]:53'], source: '' },
    ],
  )
  refuses('transfer', [
    ['transfer', /plugin\/transfer: .*to is missing/],
    ['transfer {\n to\n}', /Wrong argument count/],
    ['transfer {\n to ns.example\n}', /no IP address and port/],
    ['transfer {\n to 10.0.0.1:0\n}', /no IP address and port/],
    ['transfer {\n to *\n source eth0\n}', /no IP address/],
  ])
})
