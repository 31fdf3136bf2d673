// deploy/node-local: what other tools address by name is there, and what the installer leaves is a node cache that starts, in both modes of
// kube-proxy. That it also answers: forwarding.test.ts.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadAll } from 'js-yaml'
import { Flags } from '../../src/cli/flags.ts'
import { nodeLocalSettings } from '../../src/cli/node-local.ts'
import { configure } from '../../src/config/configure.ts'
import { readCorefile } from '../../src/config/corefile/read.ts'
import { NO_KUBE_DNS } from '../../src/node-local/kube-dns.ts'
import { corefileOf } from '../../src/node-local/template.ts'

interface Manifest {
  kind: string
  metadata: { name: string; namespace: string }
  data?: { Corefile: string }
  spec?: { template: { spec: { containers: { args: string[]; livenessProbe: { httpGet: unknown } }[] } } }
}

const TEXT = readFileSync(join(import.meta.dirname, '../../deploy/node-local/node-local-dns.yaml'), 'utf8')

/** As the installer's commands leave it: docs/node-local.md. */
function installed(mode: 'iptables' | 'IPVS'): Manifest[] {
  const forMode =
    mode === 'iptables'
      ? TEXT.replaceAll('__PILLAR__DNS__SERVER__', '10.96.0.10')
      : TEXT.replace(/[ ,]__PILLAR__DNS__SERVER__/g, '')
  const text = forMode
    .replaceAll('__PILLAR__LOCAL__DNS__', '169.254.20.10')
    .replaceAll('__PILLAR__DNS__DOMAIN__', 'cluster.local')
  return loadAll(text) as Manifest[]
}

test('kinds and names are those that tools know', () => {
  assert.deepEqual(
    installed('iptables').map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`),
    [
      'ServiceAccount kube-system/node-local-dns',
      'Service kube-system/kube-dns-upstream',
      'Service kube-system/node-local-dns',
      'ConfigMap kube-system/node-local-dns',
      'DaemonSet kube-system/node-local-dns',
    ],
  )
})

for (const [mode, addresses] of [
  ['iptables', ['169.254.20.10', '10.96.0.10']],
  ['IPVS', ['169.254.20.10']],
] as const) {
  test(`${mode} mode: the arguments are good, and so is the Corefile`, () => {
    const manifests = installed(mode)
    const [container] = manifests.at(-1)!.spec!.template.spec.containers
    const settings = nodeLocalSettings(Flags.parse(container.args, true))
    assert.deepEqual(settings.addresses, addresses)
    assert.deepEqual(container.livenessProbe.httpGet, {
      host: '169.254.20.10',
      path: '/health',
      port: settings.healthPort,
    })
    const template = manifests.find(({ kind }) => kind === 'ConfigMap')!.data!.Corefile
    const values = { addresses, clusterAddress: '10.97.0.53', clusterUnknown: '', kubeDns: NO_KUBE_DNS }
    const { text, warnings } = corefileOf(template, { ...values, path: settings.corefile })
    const { listeners } = configure(readCorefile(settings.corefile, {}, text), { defaultPort: 53 })
    assert.deepEqual(warnings, [])
    assert.deepEqual(
      listeners.map(({ address, port, zones }) => [address, port, ...zones.map(({ zone }) => zone)]),
      addresses.map((address) => [address, 53, 'cluster.local.', 'in-addr.arpa.', 'ip6.arpa.', '.']),
    )
  })
}
