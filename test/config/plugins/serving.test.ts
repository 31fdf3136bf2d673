// Setups of what a default Corefile has around its names: errors, log, health, ready, prometheus, reload, bind, bufsize,
// chaos, nsid, whoami, loop, loadbalance.

import assert from 'node:assert/strict'
import { hostname } from 'node:os'
import { test } from 'node:test'
import type { PluginName, Plugins } from '../../../src/config/configuration.ts'
import { COMBINED_FORMAT, COMMON_FORMAT } from '../../../src/config/plugins/log.ts'
import { reading, refusal } from './reading.ts'

type Case<K extends PluginName> = [text: string, config: NonNullable<Plugins[K]>]

function readsAs<K extends PluginName>(plugin: K, cases: readonly Case<K>[]): void {
  for (const [text, config] of cases) assert.deepEqual(reading(plugin, text).config, config, text)
}

function refuses(plugin: PluginName, cases: readonly [text: string, message: RegExp][]): void {
  for (const [text, message] of cases) assert.match(refusal(plugin, text), message, text)
}

test('errors', () => {
  const rule = { periodMs: 300_000, pattern: '^a', level: 'error', showFirst: false } as const
  readsAs('errors', [
    ['errors', { stacktrace: false, consolidate: [] }],
    ['errors {\n}', { stacktrace: false, consolidate: [] }],
    ['errors stdout {\n stacktrace\n}', { stacktrace: true, consolidate: [] }],
    ['errors {\n consolidate 5m ^a\n}', { stacktrace: false, consolidate: [rule] }],
    [
      'errors {\n consolidate 5m ^a warning\n consolidate 5m ^a show_first\n consolidate 5m ^a debug show_first\n}',
      {
        stacktrace: false,
        consolidate: [
          { ...rule, level: 'warning' },
          { ...rule, showFirst: true },
          { ...rule, level: 'debug', showFirst: true },
        ],
      },
    ],
  ])
  assert.deepEqual(reading('errors', 'errors {\n stacktrace\n}').withoutEffect.length, 1)
  refuses('errors', [
    ['errors stderr', /^Corefile:1 - Error during parsing: plugin\/errors: unsupported log file 'stderr'/],
    ['errors stdout stdout', /^Corefile:1 - .*Wrong argument count or unexpected line ending after 'stdout'$/],
    ['errors {\n consolidate 5m\n}', /^Corefile:2 - .*Wrong argument count or unexpected line ending after '5m'$/],
    ['errors {\n consolidate 5 ^a\n}', /^Corefile:2 - .*plugin\/errors: missing unit in duration/],
    ['errors {\n consolidate 0s ^a\n}', /not more than 0/],
    ['errors {\n consolidate 5m (\n}', /plugin\/errors: .*missing/],
    ['errors {\n consolidate 5m (?=a)\n}', /plugin\/errors: /], // no lookahead in RE2
    [`errors {\n consolidate 5m ${'a'.repeat(10_001)}\n}`, /plugin\/errors: .*10000/],
    ['errors {\n consolidate 5m a loud\n}', /'loud' is none of error, warning, info, debug/],
    ['errors {\n consolidate 5m a show_first error\n}', /Wrong argument count|none of/], // show_first stands last
    ['errors {\n speak\n}', /^Corefile:2 - Error during parsing: plugin\/errors: unknown property 'speak'$/],
    [
      'errors\nerrors',
      /^Corefile:2 - .*plugin\/errors: this plugin can only be used once per Server Block: Corefile:1/,
    ],
  ])
})

test('log', () => {
  readsAs('log', [
    ['log', [{ names: ['.'], format: COMMON_FORMAT, classes: ['all'] }]], // not the block's zone
    ['log Example.org', [{ names: ['example.org.'], format: COMMON_FORMAT, classes: ['all'] }]],
    ['log . {combined}', [{ names: ['.'], format: COMBINED_FORMAT, classes: ['all'] }]],
    ['log a b "{common} {/a/b}"', [{ names: ['a.', 'b.'], format: `${COMMON_FORMAT} {/a/b}`, classes: ['all'] }]],
    ['log . plain', [{ names: ['.', 'plain.'], format: COMMON_FORMAT, classes: ['all'] }]], // no {: a name
    [
      'log {\n class error denial\n class error\n}',
      [{ names: ['.'], format: COMMON_FORMAT, classes: ['error', 'denial'] }],
    ],
    [
      'log a {\n class all\n}\nlog',
      [
        { names: ['a.'], format: COMMON_FORMAT, classes: ['all'] },
        { names: ['.'], format: COMMON_FORMAT, classes: ['all'] },
      ],
    ],
  ])
  // The trap: alone it is a name, whatever it looks like.
  const lone = reading('log', 'log "{name}"')
  assert.deepEqual(lone.config, [{ names: ['{name}.'], format: COMMON_FORMAT, classes: ['all'] }])
  assert.match(lone.warnings.join(), /^1: plugin\/log: '\{name\}' alone is taken as a domain name/)
  assert.deepEqual(reading('log', 'log . "{name}"').warnings, [])
  refuses('log', [
    ['log {\n class\n}', /Wrong argument count or unexpected line ending after 'class'/],
    ['log {\n class some\n}', /plugin\/log: 'some' is none of all, success, denial, error/],
    ['log {\n only error\n}', /unknown property 'only'/],
  ])
})

test('health, ready, prometheus', () => {
  readsAs('health', [
    ['health', { address: { host: '', port: 8080 }, lameduckMs: 0 }],
    ['health :18080', { address: { host: '', port: 18080 }, lameduckMs: 0 }],
    ['health localhost:8091 {\n lameduck 1m30s\n}', { address: { host: 'localhost', port: 8091 }, lameduckMs: 90_000 }],
    ['health :0', { address: { host: '', port: 0 }, lameduckMs: 0 }], // any free one
    ['health [::1]:8080', { address: { host: '::1', port: 8080 }, lameduckMs: 0 }],
  ])
  refuses('health', [
    ['health 8080', /^Corefile:1 - .*plugin\/health: '8080' is no address/],
    ['health localhost', /no address/],
    ['health ::1:8080', /no address/],
    ['health [localhost]:8080', /no address/],
    ['health :65536', /no address/],
    ['health :80 :81', /Wrong argument count/],
    ['health {\n lameduck\n}', /Wrong argument count or unexpected line ending after 'lameduck'/],
    ['health {\n lameduck 5\n}', /missing unit in duration '5'/],
    ['health {\n lameduck -5s\n}', /less than 0s/],
    ['health {\n limp 5s\n}', /unknown property 'limp'/],
    ['health\nhealth', /only be used once/],
  ])
  readsAs('ready', [
    ['ready', { address: { host: '', port: 8181 }, continuously: false }],
    ['ready 169.254.10.10:8181', { address: { host: '169.254.10.10', port: 8181 }, continuously: false }],
    ['ready {\n monitor until-ready\n}', { address: { host: '', port: 8181 }, continuously: false }],
    ['ready {\n monitor continuously\n}', { address: { host: '', port: 8181 }, continuously: true }],
  ])
  refuses('ready', [
    ['ready {\n monitor always\n}', /'always' is none of/],
    ['ready {\n monitor\n}', /Wrong argument count/],
    ['ready 8181', /no address/],
  ])
  readsAs('prometheus', [
    ['prometheus', { address: { host: 'localhost', port: 9153 }, runtimeMetrics: false, tlsFile: '' }],
    ['prometheus :9153', { address: { host: '', port: 9153 }, runtimeMetrics: false, tlsFile: '' }],
    [
      'prometheus 127.0.0.1:9153 {\n runtime_metrics\n tls /web.yml\n}',
      { address: { host: '127.0.0.1', port: 9153 }, runtimeMetrics: true, tlsFile: '/web.yml' },
    ],
  ])
  const rooted = reading('prometheus', 'prometheus {\n tls web.yml\n runtime_metrics\n}', { root: '/etc/coredns' })
  assert.equal(rooted.config.tlsFile, '/etc/coredns/web.yml')
  assert.match(rooted.withoutEffect.join(), /^3: prometheus runtime_metrics/)
  refuses('prometheus', [
    ['prometheus 9153', /no address/],
    ['prometheus {\n tls\n}', /Wrong argument count/],
    ['prometheus {\n tls ""\n}', /empty path/],
  ])
})

test('reload', () => {
  readsAs('reload', [
    ['reload', { intervalMs: 30_000, jitterMs: 15_000 }],
    ['reload 10s', { intervalMs: 10_000, jitterMs: 5000 }], // at most half the interval
    ['reload 2s 1s', { intervalMs: 2000, jitterMs: 1000 }],
    ['reload 1m 0s', { intervalMs: 60_000, jitterMs: 0 }],
    ['reload 10s 20s', { intervalMs: 10_000, jitterMs: 5000 }],
  ])
  refuses('reload', [
    ['reload 1s', /^Corefile:1 - .*plugin\/reload: duration '1s' is less than 2s/],
    ['reload 10', /missing unit/],
    ['reload 10s 1ms', /jitter '1ms' is less than 1s/],
    ['reload 10s 500ms', /jitter '500ms' is less than 1s/],
    ['reload 10s -1s', /less than 0s/],
    ['reload 1m 1s 1s', /Wrong argument count/],
    ['reload {\n often\n}', /unknown property 'often'/],
  ])
})

test('bind, bufsize, chaos, nsid', () => {
  readsAs('bind', [
    ['bind 127.0.0.1 ::1', { addresses: ['127.0.0.1', '::1'], except: [] }],
    ['bind eth0 {\n except 10.0.0.1\n}\nbind lo', { addresses: ['eth0', 'lo'], except: ['10.0.0.1'] }],
  ])
  refuses('bind', [
    ['bind', /Wrong argument count or unexpected line ending after 'bind'/],
    ['bind lo {\n except\n}', /Wrong argument count or unexpected line ending after 'except'/],
    ['bind lo {\n but lo\n}', /unknown property 'but'/],
  ])
  readsAs('bufsize', [
    ['bufsize', 1232],
    ['bufsize 512', 512],
    ['bufsize 4096', 4096],
  ])
  refuses('bufsize', [
    ['bufsize 511', /plugin\/bufsize: '511' is no whole number from 512 to 4096/],
    ['bufsize 4097', /no whole number/],
    ['bufsize 1e3', /no whole number/],
    ['bufsize many', /no whole number/],
    ['bufsize 512 1232', /Wrong argument count/],
    ['bufsize\nbufsize', /only be used once/],
  ])
  readsAs('chaos', [
    ['chaos', { version: 'CoreDNS-1.14.7', authors: [] }],
    ['chaos V1 "A B" c', { version: 'V1', authors: ['A B', 'c'] }],
  ])
  readsAs('nsid', [
    ['nsid', hostname()],
    ['nsid Use The Force', 'Use The Force'],
  ])
  refuses('nsid', [['nsid a\nnsid b', /only be used once/]])
})

test('directives that are only a name', () => {
  for (const plugin of ['loop', 'whoami', 'minimal', 'any', 'debug'] as const) {
    assert.equal(reading(plugin, plugin).config, true)
    assert.deepEqual(reading(plugin, plugin).withoutEffect, [])
    assert.match(refusal(plugin, `${plugin} x`), /Wrong argument count or unexpected line ending after 'x'/)
    assert.match(refusal(plugin, `${plugin} {\n x\n}`), /unknown property 'x'/)
  }
  assert.match(refusal('loop', 'loop\nloop'), /only be used once/)
  assert.equal(reading('any', 'any\nany').config, true)
})

test('loadbalance', () => {
  readsAs('loadbalance', [
    ['loadbalance', { policy: 'round_robin', file: '', reloadMs: 0, prefer: [] }],
    ['loadbalance round_robin', { policy: 'round_robin', file: '', reloadMs: 0, prefer: [] }],
    ['loadbalance weighted w', { policy: 'weighted', file: 'w', reloadMs: 30_000, prefer: [] }],
    ['loadbalance weighted /w {\n reload 0s\n}', { policy: 'weighted', file: '/w', reloadMs: 0, prefer: [] }],
    [
      'loadbalance {\n prefer 10.0.0.0/8 fd00::/8\n prefer 0.0.0.0/0\n}',
      { policy: 'round_robin', file: '', reloadMs: 0, prefer: ['10.0.0.0/8', 'fd00::/8', '0.0.0.0/0'] },
    ],
  ])
  refuses('loadbalance', [
    ['loadbalance fair', /'fair' is none of round_robin, weighted/],
    ['loadbalance weighted', /Wrong argument count or unexpected line ending after 'weighted'/],
    ['loadbalance round_robin w', /Wrong argument count/],
    ['loadbalance weighted w x', /Wrong argument count/],
    ['loadbalance {\n reload 1s\n}', /reload goes with weighted alone/],
    ['loadbalance weighted w {\n reload -1s\n}', /less than 0s/],
    ['loadbalance {\n prefer 10.0.0.1\n}', /'10.0.0.1' is no prefix/],
    ['loadbalance {\n prefer 10.0.0.0/33\n}', /no prefix/],
    ['loadbalance {\n prefer x/8\n}', /no prefix/],
    ['loadbalance {\n prefer fe80::%eth0/64\n}', /no prefix/],
    ['loadbalance {\n prefer\n}', /Wrong argument count/],
  ])
})
