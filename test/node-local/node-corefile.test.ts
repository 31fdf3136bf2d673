// The written Corefile over its life: first writing, changes of template and ConfigMap, and everything that may be in the way.

import assert from 'node:assert/strict'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { NodeCorefile, NodeCorefileError } from '../../src/node-local/node-corefile.ts'
import { type NodeLocalSettings, serviceVariable } from '../../src/node-local/settings.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'peregrine-node-corefile-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const ROOT = '. {\n  bind 169.254.20.10\n  forward . __PILLAR__UPSTREAM__SERVERS__\n}\n'
const SERVED = ROOT.replace('__PILLAR__UPSTREAM__SERVERS__', '/etc/resolv.conf')

function path(name: string): string {
  return join(folder, name)
}

function nodeCorefile(env: NodeJS.ProcessEnv = {}): NodeCorefile {
  const settings: NodeLocalSettings = {
    addresses: ['169.254.20.10'],
    corefile: path('Corefile'),
    template: path('Corefile.base'),
    kubeDns: path('kube-dns'),
    upstreamService: 'kube-dns-upstream',
    interfaceName: '',
    filters: false,
    healthPort: 8080,
    syncIntervalMs: 60_000,
    metrics: { host: '', port: 0 },
    stays: false,
    reloadsAtOnce: false,
  }
  return new NodeCorefile(settings, env)
}

function read(): string {
  return readFileSync(path('Corefile'), 'utf8')
}

test('it is written at first, and again only when it says something else', () => {
  writeFileSync(path('Corefile.base'), ROOT)
  const corefile = nodeCorefile()
  assert.deepEqual(corefile.begin(), { isWritten: true, warnings: [], errors: 0 })
  assert.equal(read(), SERVED)
  const { ino } = statSync(path('Corefile'))
  assert.deepEqual(corefile.look(), { isWritten: false, warnings: [], errors: 0 })
  assert.equal(statSync(path('Corefile')).ino, ino)
  // As a mounted ConfigMap changes: by a link to another folder.
  mkdirSync(path('..1'))
  writeFileSync(path('..1/upstreamNameservers'), '["1.1.1.1"]')
  symlinkSync('..1', path('kube-dns'))
  assert.equal(corefile.look().isWritten, true)
  assert.equal(read(), ROOT.replace('__PILLAR__UPSTREAM__SERVERS__', '1.1.1.1'))
  // A new file in the place of the old one, and no draft left.
  assert.notEqual(statSync(path('Corefile')).ino, ino)
  assert.deepEqual(readdirSync(folder).sort(), ['..1', 'Corefile', 'Corefile.base', 'kube-dns'])
})

test('what is no good changes nothing; it is counted at each look and told once', () => {
  writeFileSync(path('Corefile.base'), ROOT)
  mkdirSync(path('kube-dns'))
  writeFileSync(path('kube-dns/upstreamNameservers'), '["1.1.1.1"]')
  const corefile = nodeCorefile()
  corefile.begin()
  const good = read()
  writeFileSync(path('kube-dns/upstreamNameservers'), '["nonsense"]')
  const first = corefile.look()
  assert.deepEqual([first.isWritten, first.errors, first.warnings.length], [false, 1, 1])
  assert.match(first.warnings[0], /^upstreamNameservers: "nonsense" is no IP address/)
  assert.deepEqual(corefile.look(), { isWritten: false, warnings: [], errors: 1 })
  assert.equal(read(), good)
  // The template still counts, with what was last good of the ConfigMap.
  writeFileSync(path('Corefile.base'), `# changed\n${ROOT}`)
  assert.deepEqual(corefile.look(), { isWritten: true, warnings: [], errors: 1 })
  assert.equal(read(), `# changed\n${good}`)
  rmSync(path('Corefile.base'))
  const gone = corefile.look()
  assert.deepEqual([gone.isWritten, gone.errors], [false, 2])
  assert.match(gone.warnings.join(), /^flag --basecorefile: ENOENT.*Corefile\.base/)
  // Well again, and told anew when it is not.
  writeFileSync(path('Corefile.base'), ROOT)
  writeFileSync(path('kube-dns/upstreamNameservers'), '')
  assert.deepEqual(corefile.look(), { isWritten: true, warnings: [], errors: 0 })
  writeFileSync(path('kube-dns/upstreamNameservers'), '["nonsense"]')
  assert.equal(corefile.look().warnings.length, 1)
})

test('without a template the file that is there is served; without that there is nothing to serve by', () => {
  const broken = nodeCorefile()
  assert.throws(
    () => broken.begin(),
    (error) => error instanceof NodeCorefileError && /^flag --basecorefile: /.test(error.message),
  )
  writeFileSync(path('Corefile'), '\n')
  assert.throws(() => nodeCorefile().begin(), NodeCorefileError)
  writeFileSync(path('Corefile'), SERVED)
  const look = nodeCorefile().begin()
  assert.deepEqual([look.isWritten, look.errors], [false, 1])
  assert.equal(read(), SERVED)
})

test('the address of the cluster DNS is in the environment, by the name of its Service', () => {
  assert.equal(serviceVariable('kube-dns-upstream'), 'KUBE_DNS_UPSTREAM_SERVICE_HOST')
  writeFileSync(path('Corefile.base'), '. {\n  forward . __PILLAR__CLUSTER__DNS__\n}\n')
  assert.throws(
    () => nodeCorefile().begin(),
    /Corefile\.base: __PILLAR__CLUSTER__DNS__: flag --upstreamsvc is kube-dns-upstream, and the environment has no KUBE_DNS_UPSTREAM_SERVICE_HOST$/,
  )
  nodeCorefile({ KUBE_DNS_UPSTREAM_SERVICE_HOST: 'fd00:10::a' }).begin()
  assert.match(read(), /forward \. fd00:10::a$/m)
})

test('a place where it cannot be written is an error that names the flag', () => {
  writeFileSync(path('Corefile.base'), ROOT)
  mkdirSync(path('Corefile'))
  assert.throws(() => nodeCorefile().begin(), /^NodeCorefileError: flag --conf: /)
  assert.deepEqual(readdirSync(folder).sort(), ['Corefile', 'Corefile.base'])
})
