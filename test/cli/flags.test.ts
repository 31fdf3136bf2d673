// The command line: which flags are wrong and what is said then, where records come from, and how a cluster is followed.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { loadAll } from 'js-yaml'
import { configFromFlags } from '../../src/cli/flag-config.ts'
import { FlagError, Flags, usage } from '../../src/cli/flags.ts'
import type { FeedConfig, ServerConfig } from '../../src/config/server-config.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const PEREGRINE = join(ROOT, 'bin/peregrine')
const NOWHERE: NodeJS.ProcessEnv = {}

function config(args: readonly string[], env: NodeJS.ProcessEnv = NOWHERE): ServerConfig {
  return configFromFlags(Flags.parse(args), env)
}

function feed(...args: string[]): FeedConfig {
  const { source } = config(['--kubeconfig', 'k', ...args])
  assert.ok(source.kind === 'api')
  return source.feed
}

const WRONG: [args: string[], message: string][] = [
  [['--no-such-flag'], 'unknown flag --no-such-flag'],
  [['-no-such-flag=1'], 'unknown flag -no-such-flag'],
  [['--__proto__', 'x'], 'unknown flag --__proto__'],
  [['--constructor=x'], 'unknown flag --constructor'],
  [['--toString'], 'unknown flag --toString'],
  [['--kubeconfig'], 'flag --kubeconfig needs a value'],
  [['--kubeconfig='], 'flag --kubeconfig needs a value'],
  [['--kubeconfig', 'f', '--context', ''], 'flag --context needs a value'],
  [['--context', 'c'], 'flag --context needs --kubeconfig'],
  [['--context', 'c', '--manifests', 'm'], 'flag --context needs --kubeconfig'],
  [['--kubeconfig', 'f', '--manifests', 'm'], 'flags --manifests and --kubeconfig exclude each other'],
  [['--namespaces'], 'flag --namespaces needs a value'],
  [['--namespaces', ''], 'flag --namespaces needs a value'],
  [['--namespaces', ','], 'flag --namespaces needs a value'],
  [
    ['--namespaces', 'one', '--namespace_labels', 'tier=front'],
    'flags --namespaces and --namespace_labels exclude each other',
  ],
  [['--labels', 'tier in (front'], "flag --labels: at character 15: found the end, expected ',' or ')'"],
  [
    ['--namespace_labels', 'a b'],
    "flag --namespace_labels: at character 3: found 'b', expected =, ==, !=, in, notin, ',' or the end",
  ],
  [['--pods', 'maybe'], "flag --pods is disabled or insecure or verified, not 'maybe'"],
  [['--endpoint_pod_names=please'], "flag --endpoint_pod_names is true or false, not 'please'"],
  [['--noendpoints=please'], "flag --noendpoints is true or false, not 'please'"],
  [['--ignore', 'nothing'], "flag --ignore is empty_service, not 'nothing'"],
  [['--zonal', '--noendpoints'], 'flags --zonal and --noendpoints exclude each other'],
  [['--ttl', '3601'], "flag --ttl is a number from 0 to 3600, not '3601'"],
  [['--ttl', '-1'], "flag --ttl is a number from 0 to 3600, not '-1'"],
  [['--startup_timeout', 'soon'], "flag --startup_timeout: invalid duration 'soon'"],
  [['--startup_timeout', '5'], "flag --startup_timeout: missing unit in duration '5'"],
  [['--startup_timeout', '5d'], "flag --startup_timeout: unknown unit 'd' in duration '5d'"],
  [['--startup_timeout', '-5s'], "flag --startup_timeout: a time cannot be less than 0: '-5s'"],
  [['--startup_timeout', ''], "flag --startup_timeout: invalid duration ''"],
  [['--audit-interval', '-1ms'], "flag --audit-interval: a time cannot be less than 0: '-1ms'"],
  [['--apiserver_qps', '-1'], "flag --apiserver_qps is a number, 0 or more, not '-1'"],
  [['--apiserver_qps', ''], "flag --apiserver_qps is a number, 0 or more, not ''"],
  [['--apiserver_qps', 'NaN'], "flag --apiserver_qps is a number, 0 or more, not 'NaN'"],
  [['--apiserver_qps', '1e999'], "flag --apiserver_qps is a number, 0 or more, not '1e999'"],
  [['--apiserver_burst', '-5'], "flag --apiserver_burst is a number from 0 to 2147483647, not '-5'"],
  [['--apiserver_burst', '1.5'], "flag --apiserver_burst is a number from 0 to 2147483647, not '1.5'"],
  [['--apiserver_max_inflight', '-1'], "flag --apiserver_max_inflight is a number from 0 to 2147483647, not '-1'"],
  [['--page-size', '0'], "flag --page-size is a number from 1 to 10000, not '0'"],
  [['--page-size', '10001'], "flag --page-size is a number from 1 to 10000, not '10001'"],
  [['--streaming-lists', 'yes'], "flag --streaming-lists is on or off, not 'yes'"],
  [['--state-dir', ''], 'flag --state-dir needs a value'],
  [['--multicluster', 'a..b'], 'flag --multicluster: '],
]

test('wrong flags, with and without a cluster', () => {
  for (const env of [NOWHERE, inCluster]) {
    for (const [args, message] of WRONG) {
      assert.throws(
        () => config(args, env),
        (error: Error) => {
          assert.ok(error instanceof FlagError, String(error))
          assert.equal(error.message.slice(0, message.endsWith(': ') ? message.length : undefined), message)
          return true
        },
        args.join(' '),
      )
    }
  }
})

test('a wrong flag ends the process with code 2, and one line says why', () => {
  for (const flag of ['--context', '--labels', '--startup_timeout', '--apiserver_burst']) {
    const [args, message] = WRONG.find(([[name]]) => name === flag)!
    for (const command of ['serve', 'explain']) {
      const { status, stdout, stderr } = spawnSync(PEREGRINE, [command, ...args], { encoding: 'utf8', timeout: 20_000 })
      assert.equal(status, 2, stderr)
      assert.equal(stderr, `peregrine: ${message}\nperegrine: --help lists the flags\n`)
      assert.equal(stdout, '')
    }
  }
})

let folder: string
const inCluster: NodeJS.ProcessEnv = { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443' }
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'peregrine-flags-'))
  mkdirSync(join(folder, 'empty'))
  writeFileSync(join(folder, 'token'), 'secret')
  inCluster.PEREGRINE_SERVICE_ACCOUNT = folder
})
after(() => rmSync(folder, { recursive: true }))

test('where records come from, first to last', () => {
  const home = { HOME: '/root', KUBECONFIG: '/root/.kube/config' }
  const examples = join(ROOT, 'examples')
  const cases: [args: string[], env: NodeJS.ProcessEnv, source: unknown][] = [
    [[], NOWHERE, [examples]],
    [[], home, [examples]], // a kubeconfig of the user's is used when it is asked for, and only then
    [['--manifests', 'a', '--manifests', 'b,c'], NOWHERE, ['a', 'b,c']], // a comma is part of a path
    [['--manifests', 'a'], inCluster, ['a']],
    [['--kubeconfig', 'k'], home, { kubeconfig: 'k', context: '' }],
    [['--kubeconfig', 'k', '--context', 'c'], inCluster, { kubeconfig: 'k', context: 'c' }],
    [['-kubeconfig=k'], NOWHERE, { kubeconfig: 'k', context: '' }],
    [[], inCluster, { kubeconfig: '', context: '' }],
    [[], { ...inCluster, ...home }, { kubeconfig: '', context: '' }],
    [[], { ...inCluster, KUBERNETES_SERVICE_HOST: '' }, [examples]],
    [[], { ...inCluster, KUBERNETES_SERVICE_PORT: undefined }, [examples]],
    [[], { ...inCluster, PEREGRINE_SERVICE_ACCOUNT: join(folder, 'empty') }, [examples]], // no token, no rights
    [[], { ...inCluster, PEREGRINE_SERVICE_ACCOUNT: join(folder, 'none') }, [examples]],
  ]
  for (const [args, env, expected] of cases) {
    const { source } = config(args, env)
    const said = `${args.join(' ')} ${JSON.stringify(env)}`
    assert.deepEqual(source.kind === 'api' ? source.feed.connection : source.paths, expected, said)
  }
})

test('addresses: loopback, but everything in a Pod that follows its cluster', () => {
  const addresses = (args: string[], env: NodeJS.ProcessEnv) => config(args, env).addresses
  const loopback = ['127.0.0.1', '::1']
  const hasIpv6 = Object.values(networkInterfaces()).some((entries) => entries!.some(({ family }) => family === 'IPv6'))
  assert.deepEqual(addresses([], NOWHERE), loopback)
  assert.deepEqual(addresses(['--kubeconfig', 'k'], inCluster), loopback)
  assert.deepEqual(addresses(['--manifests', 'm'], inCluster), loopback)
  assert.deepEqual(addresses([], inCluster), hasIpv6 ? ['0.0.0.0', '::'] : ['0.0.0.0'])
  assert.deepEqual(addresses(['--listen', '10.0.0.1'], inCluster), ['10.0.0.1'])
  assert.equal(config([], inCluster).port, 5353)
})

test('how a cluster is followed unless said otherwise', () => {
  assert.deepEqual(feed(), {
    connection: { kubeconfig: 'k', context: '' },
    resources: ['namespaces', 'services', 'endpointslices'],
    labelSelector: '',
    namespaceSelector: '',
    podNames: false,
    zones: false,
    qps: 100,
    burst: 200,
    maxInflight: 0,
    auditIntervalMs: 300_000,
    pageSize: 500,
    streamingLists: true,
    startupTimeoutMs: 5_000,
    stateDir: '',
  } satisfies FeedConfig)
})

test('what each option changes in how a cluster is followed', () => {
  const all = ['namespaces', 'services', 'endpointslices', 'pods', 'serviceimports'] as const
  const cases: [args: string, changed: Partial<FeedConfig>][] = [
    ['--pods verified', { resources: all.slice(0, 4) }],
    ['--pods insecure', { resources: all.slice(0, 3) }],
    ['--pods disabled', { resources: all.slice(0, 3) }],
    ['--noendpoints', { resources: all.slice(0, 2) }],
    ['--multicluster set.local', { resources: all.filter((name) => name !== 'pods') }],
    ['--multicluster set.local --pods verified', { resources: all }],
    ['--labels tier|in|(front,|back),app=x', { labelSelector: 'app=x,tier in (back,front)' }],
    ['--labels a=b --labels c', { labelSelector: 'c' }], // the last counts, as in CoreDNS
    ['--labels=', { labelSelector: '' }],
    ['--namespace_labels !legacy', { namespaceSelector: '!legacy' }],
    ['--namespaces one,two', {}], // a matter of the index: the watches are cluster-wide
    ['--endpoint_pod_names', { podNames: true }],
    ['--zonal', { zones: true }],
    ['--ignore empty_service', {}],
    ['--ttl 0', {}],
    ['--startup_timeout 1s', { startupTimeoutMs: 1000 }],
    ['--startup_timeout=1m30s', { startupTimeoutMs: 90_000 }],
    ['--startup_timeout 0', { startupTimeoutMs: 0 }],
    ['--startup_timeout 1000h', { startupTimeoutMs: 2 ** 31 - 1 }], // the longest that a timer of Node's can wait
    ['--apiserver_qps 0.5', { qps: 0.5 }],
    ['--apiserver_qps 20', { qps: 20 }],
    ['--apiserver_qps 0', { qps: 100 }],
    ['--apiserver_burst 1', { burst: 1 }],
    ['--apiserver_burst 0', { burst: 200 }],
    ['--apiserver_max_inflight 4', { maxInflight: 4 }],
    ['--apiserver_max_inflight 0', { maxInflight: 0 }],
    ['--page-size 1', { pageSize: 1 }],
    ['--streaming-lists off', { streamingLists: false }],
    ['--audit-interval 0', { auditIntervalMs: 0 }],
    ['--audit-interval 500ms', { auditIntervalMs: 500 }],
    ['--audit-interval 10000h', { auditIntervalMs: 2 ** 31 - 1 }],
    ['--state-dir off', { stateDir: 'off' }],
    ['--state-dir /srv/state', { stateDir: '/srv/state' }],
  ]
  const plain = feed()
  for (const [args, changed] of cases) {
    assert.deepEqual(feed(...args.split(' ').map((word) => word.replaceAll('|', ' '))), { ...plain, ...changed }, args)
  }
})

test('what options change in the names', () => {
  const cases: [args: string[], part: (config: ServerConfig) => unknown, expected: unknown][] = [
    [[], ({ cluster }) => cluster.namespaces, null],
    [['--namespaces', 'one,two'], ({ cluster }) => cluster.namespaces, ['one', 'two']],
    [['--namespaces', 'one', '-namespaces=two'], ({ cluster }) => cluster.namespaces, ['one', 'two']], // adds up
    [[], ({ cluster }) => cluster.ttl, 5],
    [['--ttl', '56'], ({ cluster }) => cluster.ttl, 56],
    [['--ttl', '0'], ({ cluster }) => cluster.ttl, 0],
    [['--pods', 'verified'], ({ cluster }) => cluster.schema.pods, 'verified'],
    [['--endpoint_pod_names'], ({ cluster }) => cluster.schema.endpointPodNames, true],
    [['--ignore', 'empty_service'], ({ cluster }) => cluster.schema.ignoreEmptyService, true],
    [['--noendpoints'], ({ cluster }) => cluster.schema.noEndpoints, true],
    [['--zonal'], ({ cluster }) => cluster.schema.zonal, true],
  ]
  for (const [args, part, expected] of cases) {
    assert.deepEqual(part(config(['--kubeconfig', 'k', ...args])), expected, args.join(' '))
    assert.deepEqual(part(config(['--manifests', 'm', ...args])), expected, args.join(' '))
  }
})

test('flags of the feed change nothing about manifests', () => {
  const plain = config(['--manifests', 'm'])
  const flags =
    '--labels a --namespace_labels b --startup_timeout 1s --apiserver_qps 1 --apiserver_burst 1 --page-size 9'
  assert.deepEqual(config(['--manifests', 'm', ...flags.split(' '), '--state-dir', 'off']), plain)
})

test('the usage text has a line for each flag, and says where records come from', () => {
  const text = usage()
  for (const flag of ['kubeconfig FILE', 'context NAME', 'labels SELECTOR', 'startup_timeout TIME', 'state-dir DIR']) {
    assert.match(text, new RegExp(`^  --${flag} `, 'm'))
  }
  assert.match(text, /--manifests, else from --kubeconfig, else from the cluster/)
  for (const line of text.split('\n')) assert.ok(line.length <= 120, line)
})

interface Role {
  kind: string
  metadata: { name: string; namespace?: string }
  rules?: { apiGroups: string[]; resources: string[]; verbs: string[] }[]
  roleRef?: unknown
  subjects?: unknown
}

test('deploy/rbac.yaml grants what can be followed, and nothing else', () => {
  const [account, role, binding, ...rest] = loadAll(readFileSync(join(ROOT, 'deploy/rbac.yaml'), 'utf8')) as Role[]
  assert.deepEqual(rest, [])
  assert.deepEqual(account, {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'peregrine', namespace: 'kube-system' },
  })
  assert.deepEqual([role!.kind, binding!.kind], ['ClusterRole', 'ClusterRoleBinding'])
  const { metadata } = account!
  assert.deepEqual(binding!.subjects, [{ kind: 'ServiceAccount', ...metadata }])
  assert.deepEqual(binding!.roleRef, {
    apiGroup: 'rbac.authorization.k8s.io',
    kind: 'ClusterRole',
    name: role!.metadata.name,
  })
  const granted = role!.rules!.flatMap(({ apiGroups, resources, verbs }) => {
    assert.deepEqual(verbs, ['list', 'watch'])
    return apiGroups.flatMap((group) => resources.map((resource) => [resource, group]))
  })
  const groups = { endpointslices: 'discovery.k8s.io', serviceimports: 'multicluster.x-k8s.io' } as Record<
    string,
    string
  >
  const followed = feed('--pods', 'verified', '--multicluster', 'set.local').resources
  assert.deepEqual(granted.sort(), followed.map((resource) => [resource, groups[resource] ?? '']).sort())
})
