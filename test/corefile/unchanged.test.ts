// The same Corefiles exactly as they are, where their ports, addresses and paths are to be had: in a namespace of its own, with an
// /etc of its own, and with what they forward to at the addresses they name (upstreams.ts). And one of them as Kubernetes runs it: a user without rights but that to low ports, and files that cannot be written.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { after, test } from 'node:test'
import { hasProgram, insideNamespace } from '../server/namespace.ts'
import { CorefileServer, httpGet, WAIT_MS } from './corefile-server.ts'
import { type Fixture, RESOLV_CONF, textOf } from './fixture.ts'
import { differences } from './fixture-checks.ts'
import { DISTRIBUTIONS } from './fixtures.ts'
import { CUSTOMIZATIONS } from './fixtures-customized.ts'
import { addressesOf, NODE_RESOLVER, Upstreams } from './upstreams.ts'

const FIXTURES = [...DISTRIBUTIONS, ...CUSTOMIZATIONS]
const OWN = ['169.254.20.10', '10.96.0.10', '169.254.10.10', '169.254.10.11']
const ADDRESSES = [...new Set([...OWN, NODE_RESOLVER, ...addressesOf(FIXTURES.flatMap(textsOf))])]
/** What others forward to is this one's own. */
const NODE_LOCAL = 'nodelocaldns'
const ENDPOINTS = [8080, 8181, 9153]
const USER = 65532
// What is mounted there, if anything, is not needed here.
const PRIVATE_ETC = `
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work
mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc`

const lengths = ADDRESSES.map((address) => `${address}/${address.includes(':') ? 128 : 32}`)
if (insideNamespace(import.meta.filename, { addresses: lengths, timeoutMs: 400_000 })) tests()

let upstreams: Upstreams | undefined
let upstreamsFor = ''

/** Upstreams for some of the Corefiles stay until others are wanted; a port is shared with others of the same user alone. */
async function withUpstreams({ file }: Fixture, before: readonly string[]): Promise<Record<string, string>> {
  const wanted = `${file === NODE_LOCAL} ${before}`
  if (wanted !== upstreamsFor) {
    await upstreams?.stop()
    const texts = FIXTURES.filter((each) => (each.file === NODE_LOCAL) === (file === NODE_LOCAL)).flatMap(textsOf)
    upstreams = await Upstreams.start(texts, { isHere: true, before })
    upstreamsFor = wanted
  }
  return upstreams!.env
}

/** The file, and what else has to do with it. */
function textsOf(fixture: Fixture): string[] {
  return [textOf(fixture), ...Object.values(fixture.files ?? {})]
}

function tests(): void {
  const { status, stderr } = spawnSync('sh', ['-ec', PRIVATE_ETC], { encoding: 'utf8', timeout: 10_000 })
  if (status !== 0) {
    test('Corefiles as they are', { skip: `needs an overlay over /etc: ${stderr}` }, () => {})
    return
  }
  after(() => upstreams?.stop())
  for (const fixture of FIXTURES) {
    test(`${fixture.file} ${fixture.title ?? ''}`.trim(), { timeout: 2 * WAIT_MS }, () => serves(fixture))
  }
  const isRoot = process.getuid?.() === 0 && hasUsers()
  const skip = !hasProgram('setpriv') ? 'needs setpriv: apt-get install util-linux' : !isRoot && 'needs root'
  test(`kubeadm as user ${USER}`, { skip, timeout: 2 * WAIT_MS }, async () => {
    const rights = ['--inh-caps=-all,+net_bind_service', '--ambient-caps=-all,+net_bind_service', '--no-new-privs']
    const who = [`--reuid=${USER}`, `--regid=${USER}`, '--clear-groups', '--bounding-set=-all,+net_bind_service']
    await serves(DISTRIBUTIONS.find(({ file }) => file === 'kubeadm')!, ['setpriv', ...who, ...rights])
  })
}

/** Is there any user but root in this namespace? */
function hasUsers(): boolean {
  return spawnSync('setpriv', [`--reuid=${USER}`, '--clear-groups', 'true']).status === 0
}

async function serves(fixture: Fixture, before: readonly string[] = []): Promise<void> {
  const { path = '/etc/coredns/Corefile', name = 'coredns', port = 53, address, files = {}, http } = fixture
  // The only path that is not below /etc; the root of the file system stays as it is.
  const belowEtc = (text: string): string => text.replace(/(?<=^| )\/rootfs\//gm, '/etc/rootfs/')
  const mounted = { '/etc/resolv.conf': RESOLV_CONF, [path]: belowEtc(textOf(fixture)), ...files }
  for (const [each, text] of Object.entries(mounted)) {
    mkdirSync(dirname(belowEtc(each)), { recursive: true })
    writeFileSync(belowEtc(each), text)
  }
  const env = await withUpstreams(fixture, before)
  const server = await CorefileServer.launch({ text: '', conf: ['-conf', path], name, port, address, before, env })
  try {
    chmodSync(server.folder, 0o755)
    await server.serving()
    const found = await differences(server, fixture, (each) => each)
    for (const closed of ENDPOINTS.filter((each) => ![http.health, http.ready, http.metrics].includes(each))) {
      const error = await httpGet({ path: '/', port: closed }).catch(({ code }) => code)
      if (error !== 'ECONNREFUSED') found.push(`${fixture.file}: port ${closed} is open`)
    }
    assert.equal(found.length, 0, `\n${found.join('\n')}`)
    assert.equal(await server.stop('SIGQUIT'), 0)
  } finally {
    server.kill()
    await server.exit()
    for (const folder of ['/etc/coredns', '/etc/rootfs', '/etc/microshift']) {
      rmSync(folder, { recursive: true, force: true })
    }
  }
}
