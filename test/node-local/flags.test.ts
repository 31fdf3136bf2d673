// The flags of `node-cache`: defaults, spellings, and values that are errors which name the flag.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { FlagError, Flags } from '../../src/cli/flags.ts'
import { nodeLocalSettings } from '../../src/cli/node-local.ts'
import { hasNodeLocalFlags } from '../../src/cli/node-local-flags.ts'
import { run } from '../life/run.ts'

const folder = mkdtempSync(join(tmpdir(), 'peregrine-node-flags-'))
after(() => rmSync(folder, { recursive: true }))

function settings(...args: string[]) {
  return nodeLocalSettings(Flags.parse(args, true))
}

test('what the manifest passes, and the defaults of all else', () => {
  const { kubeDns, ...all } = settings(
    ...['-localip', '169.254.20.10,10.96.0.10', '-conf', '/etc/Corefile', '-upstreamsvc', 'kube-dns-upstream'],
  )
  assert.ok(['', '/etc/kube-dns'].includes(kubeDns))
  assert.deepEqual(all, {
    addresses: ['169.254.20.10', '10.96.0.10'],
    corefile: '/etc/Corefile',
    template: '/etc/coredns/Corefile.base',
    upstreamService: 'kube-dns-upstream',
    interfaceName: 'nodelocaldns',
    filters: true,
    healthPort: 8080,
    syncIntervalMs: 60_000,
    metrics: { host: '0.0.0.0', port: 9353 },
    stays: false,
    reloadsAtOnce: false,
  })
})

test('every flag has its effect, with one dash or two, with `=` or without', () => {
  const all = settings(
    ...['--localip=fd00::10', '-localip', 'FD00::11, fd00::10', '-basecorefile=/base', '-kubednscm', '/cm'],
    ...['-setupinterface=false', '-interfacename', 'other', '-setupiptables=false', '--syncinterval', '5'],
    ...['-health-port=18080', '-metrics-listen-address', '[::1]:9999', '-skipteardown', '-reloadwithsignal=true'],
    ...['-corefile', '/no/effect'],
  )
  assert.deepEqual(all, {
    addresses: ['fd00::10', 'FD00::11'],
    corefile: '',
    template: '/base',
    kubeDns: '/cm',
    upstreamService: 'kube-dns',
    interfaceName: '',
    filters: false,
    healthPort: 18080,
    syncIntervalMs: 5000,
    metrics: { host: '::1', port: 9999 },
    stays: true,
    reloadsAtOnce: true,
  })
  assert.equal(settings('-localip', '1.2.3.4', '-syncinterval', '1m30s').syncIntervalMs, 90_000)
  assert.equal(settings('-localip', '1.2.3.4', '-setupinterface', '-interfacename', 'a.b-c_d').interfaceName, 'a.b-c_d')
  assert.deepEqual(settings('-localip', '1.2.3.4', '-metrics-listen-address', ':0').metrics, { host: '', port: 0 })
})

const BAD: readonly [args: readonly string[], message: RegExp][] = [
  [['-upstreamsvc', 'x'], /^flag --localip is missing/],
  [['-localip', ','], /^flag --localip needs a value/],
  [['-localip', '169.254.20'], /^flag --localip: '169\.254\.20' is no IP address/],
  [['-localip', 'fe80::1%eth0'], /^flag --localip: 'fe80::1%eth0' is no IP address/],
  [['-localip', '__PILLAR__LOCAL__DNS__'], /^flag --localip: '__PILLAR__LOCAL__DNS__'/],
  [['-localip', '1.2.3.4,fd00::1'], /^flag --localip: addresses of both families: 1\.2\.3\.4, fd00::1/],
  [['-localip', '1.2.3.4', '-conf', 'stdin'], /^flag --conf: /],
  [['-localip', '1.2.3.4', '-conf', '/a', '-basecorefile', '/a'], /^flag --conf: .*--basecorefile/],
  [['-localip', '1.2.3.4', '-upstreamsvc', 'kube dns'], /^flag --upstreamsvc: 'kube dns'/],
  [['-localip', '1.2.3.4', '-interfacename', 'sixteen-letters0'], /^flag --interfacename: /],
  [['-localip', '1.2.3.4', '-interfacename', 'a/b'], /^flag --interfacename: /],
  [['-localip', '1.2.3.4', '-interfacename=-x'], /^flag --interfacename: /],
  [['-localip', '1.2.3.4', '-interfacename', ''], /^flag --interfacename needs a value/],
  [['-localip', '1.2.3.4', '-syncinterval', '0'], /^flag --syncinterval is a number of seconds/],
  [['-localip', '1.2.3.4', '-syncinterval', 'often'], /^flag --syncinterval .*'often'/],
  [['-localip', '1.2.3.4', '-syncinterval', '-5'], /^flag --syncinterval .*'-5'/],
  [['-localip', '1.2.3.4', '-health-port', '0'], /^flag --health-port is a number from 1 to 65535/],
  [['-localip', '1.2.3.4', '-metrics-listen-address', '9353'], /^flag --metrics-listen-address is \[HOST\]:PORT/],
  [['-localip', '1.2.3.4', '-metrics-listen-address', ':65536'], /^flag --metrics-listen-address /],
  [['-localip', '1.2.3.4', '-metrics-listen-address', '[1.2.3.4]:1'], /^flag --metrics-listen-address /],
  [['-localip', '1.2.3.4', '-setupiptables=yes'], /^flag --setupiptables is true or false, not 'yes'/],
]

test('a value that is no good is an error that names its flag', () => {
  for (const [args, message] of BAD) {
    assert.throws(
      () => settings(...args),
      (error) => error instanceof FlagError && message.test(error.message),
      args.join(' '),
    )
  }
})

test('one of its flags makes it a node cache; those of all servers do not', () => {
  const isNodeLocal = (...args: string[]): boolean => hasNodeLocalFlags(Flags.parse(args, true))
  assert.ok(isNodeLocal('-localip', '1.2.3.4'))
  assert.ok(isNodeLocal('-setupiptables=false'))
  assert.ok(!isNodeLocal('-conf', '/etc/Corefile', '-pidfile', '/run/pid', '-dns.port', '53'))
})

test('exit codes: 2 for flags, 1 for what cannot be served', async () => {
  const cases: readonly [args: readonly string[], code: number, stderr: RegExp][] = [
    [['-localip', 'nonsense'], 2, /^peregrine: flag --localip: 'nonsense' is no IP address$/m],
    [['-skipteardown'], 2, /^peregrine: flag --localip is missing/m],
    [['-localips', '1.2.3.4'], 2, /^peregrine: unknown flag -localips$/m],
    // As CoreDNS has it: the word ends the flags.
    [['-localip', '1.2.3.4', '-setupinterface', 'false'], 1, /extra command line arguments: \[false\]/],
  ]
  for (const [args, code, stderr] of cases) {
    const ended = await run(args, { cwd: folder, name: 'node-cache' })
    assert.match(ended.stderr, stderr)
    assert.equal(ended.code, code, args.join(' '))
    assert.doesNotMatch(ended.stderr, /\n\s+at /)
  }
  const flags = [
    '-localip',
    '127.0.0.1',
    '-setupinterface=false',
    '-setupiptables=false',
    '-metrics-listen-address',
    ':0',
  ]
  const ended = await run([...flags, '-conf', 'Corefile', '-basecorefile', 'no-template'], {
    cwd: folder,
    name: 'node-cache',
  })
  assert.match(ended.stderr, /^peregrine: flag --basecorefile: ENOENT.*no-template/m)
  assert.equal(ended.code, 1)
})
