// From syntax to one frozen configuration: what concerns several blocks or plugins. Single plugins: test/config/plugins/.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Configuration } from '../../../src/config/configuration.ts'
import { configure, NO_COREFILE } from '../../../src/config/configure.ts'
import { readCorefile } from '../../../src/config/corefile/read.ts'
import { CorefileError } from '../../../src/config/corefile/syntax.ts'
import { effectiveText } from '../../../src/config/effective.ts'
import type { Interfaces } from '../../../src/config/listeners.ts'

const face = (address: string, family: 'IPv4' | 'IPv6', scopeid?: number) =>
  ({ address, family, scopeid, netmask: '', mac: '', internal: false, cidr: null }) as never
const INTERFACES: Interfaces = {
  lo: [face('127.0.0.1', 'IPv4'), face('::1', 'IPv6', 0)],
  eth0: [face('192.0.2.1', 'IPv4'), face('fe80::1', 'IPv6', 2)],
}

function configured(text: string): Configuration {
  return configure(readCorefile('Corefile', {}, text), { defaultPort: 1053, interfaces: INTERFACES })
}

function messageOf(text: string): string {
  try {
    configured(text)
  } catch (error) {
    assert.ok(error instanceof CorefileError, String(error))
    return error.message
  }
  assert.fail(`accepted: ${text}`)
}

/** `ADDRESS:PORT ZONE=BLOCK…` for each listener. */
function listeners(text: string): string[] {
  return configured(text).listeners.map(({ address, port, zones }) =>
    [`${address}:${port}`, ...zones.map(({ zone, block }) => `${zone}=${block}`)].join(' '),
  )
}

test('no Corefile, or an empty one', () => {
  for (const syntax of [NO_COREFILE, readCorefile('Corefile', {}, '# nothing\n')]) {
    const { blocks, listeners, path } = configure(syntax, { defaultPort: 1053 })
    assert.deepEqual(
      blocks.map(({ zones, plugins }) => [zones, Object.keys(plugins)]),
      [[['.'], ['log', 'whoami']]],
    )
    assert.deepEqual(listeners, [{ scheme: 'dns', address: '', port: 1053, zones: [{ zone: '.', block: 0 }] }])
    assert.equal(path, syntax.files[0] ?? '')
  }
})

test('plugins of a block', () => {
  const { blocks, files, fingerprint, path } = configured(
    'a.example b.example {\nlog\nerrors\nacl {\nblock\n}\nacl\n}\n.',
  )
  assert.deepEqual(Object.keys(blocks[0].plugins), ['errors', 'log', 'acl'])
  assert.equal(blocks[0].plugins.acl?.length, 2)
  assert.deepEqual([blocks[0].zones, blocks[0].file, blocks[0].line], [['a.example.', 'b.example.'], 'Corefile', 1])
  assert.deepEqual(blocks[0].plugins.acl?.[0].zones, ['a.example.', 'b.example.'])
  assert.deepEqual([blocks[1].zones, blocks[1].line, blocks[1].plugins], [['.'], 9, {}])
  assert.deepEqual([path, files, fingerprint.length], ['Corefile', ['Corefile'], 128])
})

test('root is what files are relative to', () => {
  const { blocks } = configured('. {\nhosts x {\n}\nroot /dir\n}\na {\nhosts x\n}')
  assert.deepEqual(
    blocks.map(({ plugins }) => plugins.hosts?.path),
    ['/dir/x', 'x'],
  )
})

test('all of it is frozen, and can be handed to a worker', () => {
  const configuration = configured('. {\nforward . 127.0.0.1\ntemplate ANY ANY {\nrcode NXDOMAIN\n}\nlog\n}')
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    assert.ok(Object.isFrozen(value))
    Object.values(value).forEach(visit)
  }
  visit(configuration)
  assert.deepEqual(structuredClone(configuration), configuration)
})

test('listeners', () => {
  const cases: [text: string, listeners: string[]][] = [
    ['.', [':1053 .=0']],
    ['.:53\n', [':53 .=0']],
    ['a {\n}\nb {\n}', [':1053 a.=0 b.=1']], // one socket, told apart by zone
    ['a {\n}\nb:53 {\n}', [':1053 a.=0', ':53 b.=1']],
    ['a b:53 c {\n}', [':1053 a.=0 c.=0', ':53 b.=0']],
    ['10.96.0.0/15 {\n}', [':1053 96.10.in-addr.arpa.=0 97.10.in-addr.arpa.=0']],
    ['. {\nbind 127.0.0.1\n}', ['127.0.0.1:1053 .=0']],
    ['. {\nbind 127.0.0.1 ::1 127.0.0.1\nbind 0::1\n}', ['127.0.0.1:1053 .=0', '::1:1053 .=0']],
    ['. {\nbind lo\n}', ['127.0.0.1:1053 .=0', '::1:1053 .=0']],
    ['. {\nbind eth0\n}', ['192.0.2.1:1053 .=0', 'fe80::1%eth0:1053 .=0']],
    ['. {\nbind lo eth0 {\nexcept ::1 192.0.2.1\n}\n}', ['127.0.0.1:1053 .=0', 'fe80::1%eth0:1053 .=0']],
    ['a {\nbind 127.0.0.1\n}\nb {\nbind 127.0.0.1\n}', ['127.0.0.1:1053 a.=0 b.=1']],
    ['a {\nbind ::1\n}\nb {\nbind 0:0::1\n}', ['::1:1053 a.=0 b.=1']],
    ['a {\nbind 127.0.0.1\n}\na {\nbind ::1\n}', ['127.0.0.1:1053 a.=0', '::1:1053 a.=1']],
    ['a {\nbind 127.0.0.1\n}\nb {\n}', ['127.0.0.1:1053 a.=0', ':1053 b.=1']], // two sockets, and a warning
    ['a:53 {\n}\na:54 {\n}', [':53 a.=0', ':54 a.=1']],
    ["a {\nview v {\nexpr type() == 'A'\n}\n}\na {\n}", [':1053 a.=0 a.=1']],
  ]
  for (const [text, expected] of cases) assert.deepEqual(listeners(text), expected, text)
})

test('zones that are served twice', () => {
  const twice = (zone: string, line: number) => `cannot serve ${zone} - it is already defined; see Corefile:${line}`
  const overlap = (zone: string, other: string) => `cannot serve ${zone} - zone overlap listener capacity with ${other}`
  const here = 'dns://a.:1053'
  const cases: [text: string, line: number, stem: string][] = [
    ['a {\n}\na {\n}', 3, twice(here, 1)],
    ['a {\n}\nA.:1053 {\n}', 3, twice(here, 1)],
    ['a a {\n}', 1, twice(here, 1)],
    ['10.0.0.0/8 {\n}\n10.in-addr.arpa {\n}', 3, twice('dns://10.in-addr.arpa.:1053', 1)],
    ['a {\nbind ::1\n}\na {\nbind 0::1\n}', 4, twice(`${here} on 0::1`, 1)],
    ['a {\n}\na {\nbind 127.0.0.1\n}', 3, overlap(`${here} on 127.0.0.1`, here)],
    ['a {\nbind lo\n}\na {\n}', 4, overlap(here, here)],
    ["a {\nview v {\nexpr type() == 'A'\n}\n}\na {\n}\na {\n}", 8, twice(here, 6)],
  ]
  for (const [text, line, stem] of cases) {
    const expected = `Corefile:${line} - Error during parsing: ${stem}`
    assert.equal(messageOf(text).slice(0, expected.length), expected, text)
  }
})

test('errors', () => {
  const cases: [text: string, line: number, stem: RegExp][] = [
    ['. {\nerrors\nnothing x\n}', 3, /Unknown directive 'nothing'$/],
    ['. {\nproxy . 127.0.0.1\n}', 2, /Unknown directive 'proxy': .*forward/],
    [
      'a {\nerrors x y z\n}\nb {\netcd\n}',
      5,
      /no action found for directive 'etcd' with server type 'dns' \(missing a plugin\?\)/,
    ],
    ['. {\nsecondary a {\n}\n}', 2, /no action found for directive 'secondary'/],
    [
      '. {\nerrors\nlog\nerrors\n}',
      4,
      /plugin\/errors: this plugin can only be used once per Server Block; .*Corefile:2$/,
    ],
    ['. {\nbufsize\nbufsize\n}', 3, /plugin\/bufsize: this plugin can only be used once .*Corefile:2$/],
    ['. {\nroot a\nroot a\n}', 3, /plugin\/root: this plugin can only be used once/],
    ['. {\nroot\n}', 2, /Wrong argument count or unexpected line ending after 'root'$/],
    ['. {\nroot a b\n}', 2, /Wrong argument count or unexpected line ending after 'b'$/],
    ['. {\nready a b\n}', 2, /Wrong argument count or unexpected line ending after '/],
    ['. {\nhealth {\nfoo\n}\n}', 3, /plugin\/health: unknown property 'foo'/],
    ['a..b', 1, /error inspecting server blocks: .*a\.\.b/],
    ['a,\n"" :53 {\n}', 2, /error inspecting server blocks: ':53' has no zone/],
    ['{$NONE} {\n}', 1, /error inspecting server blocks: '' has no zone/],
    ['tls://. {\n}', 1, /error inspecting server blocks: 'tls:\/\/\.': scheme tls:\/\/ is not served yet/],
    ['. {\nbind eth9\n}', 2, /plugin\/bind: 'eth9' is no IP address, and no interface has that name$/],
    ['. {\nbind constructor\n}', 2, /plugin\/bind: 'constructor' is no IP address/],
    ['. {\nbind lo {\nexcept lo\n}\n}', 2, /plugin\/bind: no address is left/],
    ['. {\nk8s_external a\n}', 2, /plugin\/k8s_external: 'kubernetes' is missing/],
    ['. {\nautopath @kubernetes\n}', 2, /plugin\/autopath: 'kubernetes' is missing/],
  ]
  for (const [text, line, stem] of cases) {
    const message = messageOf(text)
    assert.match(message, stem, text)
    assert.ok(message.startsWith(`Corefile:${line} - Error during parsing: `), `${message}: ${text}`)
  }
})

test('several of a kind', () => {
  const text =
    '. {\nlog\nlog a\nforward a 127.0.0.1\nforward . 127.0.0.1\nany\nany\nwhoami\nwhoami\nheader {\nset aa\n}\nheader {\nset ra\n}\n}'
  const { plugins } = configured(text).blocks[0]
  assert.deepEqual([plugins.log?.length, plugins.forward?.length, plugins.header?.length], [2, 2, 2])
})

test('warnings', () => {
  const cases: [text: string, warning: RegExp][] = [
    ['10.0.0.1 {\n}', /^Corefile:1: '10\.0\.0\.1' looks like an address/],
    ['a,b {\n}', /^Corefile:1: 'a,b' is taken as one domain name/],
    ['a {\n}\nb {\nbind lo\n}', /^Corefile:4: .*not those of Corefile:1$/],
    ['. {\nimport none/*.x\n}', /^Corefile:2: No files matching/],
    ['. {\ncache 3600s\n}', /^Corefile:2: .*3600s/],
    ['. {\nkubernetes a\nautopath @kubernetes\n}', /^Corefile:3: plugin\/autopath: .*pods verified/],
  ]
  for (const [text, warning] of cases) {
    const { warnings } = configured(text)
    assert.ok(
      warnings.some((line) => warning.test(line)),
      `${text}: ${warnings}`,
    )
  }
  assert.deepEqual(configured('. {\nerrors\nlog\n}\na:54 {\nbind lo\n}').warnings, [])
})

test('the effective configuration tells defaults, names, places and what has no effect', () => {
  const text = effectiveText(
    configured(`a.example:53 tail.example {
  health
  log . "{name} \\"{rcode}\\"" {
    class denial error
  }
  loadbalance weighted w
  acl {
    block type AAAA net 10.0.0.0/8
    filter
  }
  rewrite type A AAAA
  rewrite rcode a.example NXDOMAIN 0
  template IN TXT {
    match "^a\\.b"
    answer "{{ .Name }} 60 IN A 192.0.2.1"
    rcode NXDOMAIN
  }
  errors {
    consolidate 1h0m1s x
    stacktrace
  }
  whoami
  cancel
  bind ::1
  import none*
}
`),
  )
  const lines = text.split('\n')
  for (const line of [
    'Corefile: Corefile',
    'a.example.:53 on ::1',
    'tail.example.:1053 on ::1',
    'a.example. tail.example. {    # Corefile:1',
    '        address :8080',
    '        lameduck 0s',
    '        format "{name} \\"{rcode}\\""',
    '        classes denial error',
    '        file w',
    '            types AAAA',
    '            types all',
    '            nets 10.0.0.0/8',
    '            from A',
    '            to AAAA',
    '            from NXDOMAIN',
    '            to NOERROR',
    '        class IN',
    '        type TXT',
    '        match ^a\\.b',
    '        answer "{{ .Name }} 60 IN A 192.0.2.1"',
    '        rcode NXDOMAIN',
    '            period 1h0m1s',
    '            show_first no',
    '    whoami',
    '    cancel 5.001s',
    'accepted without effect:',
    'warnings:',
    '    Corefile:25: No files matching import glob pattern: none*',
  ]) {
    assert.ok(lines.includes(line), `${line}\n${text}`)
  }
  assert.ok(lines.some((line) => /^ {4}Corefile:20: .*stacktrace/.test(line)))
  assert.ok(text.endsWith(': none*\n'))
  assert.doesNotMatch(text, /undefined|\[object|_ms\b/)
  assert.match(
    effectiveText(configure(NO_COREFILE, { defaultPort: 53 })),
    /^Corefile: none, built in\nSHA512: none\n\.:53\n/,
  )
})
