// Setups of the cluster's names: kubernetes (table 5.14 of the cluster DNS reference, and the options of 3.1), k8s_external,
// ocp_dnsnameresolver, autopath.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { KubernetesConfig } from '../../../src/config/configuration.ts'
import { reading, refusal } from './reading.ts'

const DEFAULTS: KubernetesConfig = {
  zones: ['lab.local.'],
  endpoint: '',
  tls: null,
  kubeconfig: '',
  context: '',
  apiserverQps: 0,
  apiserverBurst: 0,
  apiserverMaxInflight: 0,
  namespaces: null,
  labels: '',
  namespaceLabels: '',
  pods: 'disabled',
  endpointPodNames: false,
  ttl: 5,
  noEndpoints: false,
  fallthrough: null,
  ignoreEmptyService: false,
  multicluster: [],
  zonal: false,
  startupTimeoutMs: 5000,
  okd: null,
}

test('options of kubernetes', () => {
  const okd = { wildcard: true, shortNames: false, openshiftAlias: false }
  const cases: [options: string, differences: Partial<KubernetesConfig>][] = [
    ['', {}],
    ['namespaces one two', { namespaces: ['one', 'two'] }],
    ['namespaces one\nnamespaces two one', { namespaces: ['one', 'two'] }],
    ['namespace_labels tier=front', { namespaceLabels: 'tier=front' }],
    ['labels tier in (front, back),app=x', { labels: 'tier in (front, back),app=x' }],
    ['labels "a in (x, y)"', { labels: 'a in (x, y)' }],
    ['pods disabled', { pods: 'disabled' }],
    ['pods insecure', { pods: 'insecure' }],
    ['pods verified', { pods: 'verified' }],
    ['fallthrough', { fallthrough: ['.'] }],
    ['fallthrough ip6.arpa', { fallthrough: ['ip6.arpa.'] }],
    ['ttl 56', { ttl: 56 }],
    ['ttl 0', { ttl: 0 }],
    ['ttl 3600', { ttl: 3600 }],
    ['noendpoints', { noEndpoints: true }],
    ['endpoint_pod_names', { endpointPodNames: true }],
    ['ignore empty_service', { ignoreEmptyService: true }],
    ['ignore empty_service and so on', { ignoreEmptyService: true }],
    ['zonal', { zonal: true }],
    ['startup_timeout 1s', { startupTimeoutMs: 1000 }],
    ['startup_timeout 0s', { startupTimeoutMs: 0 }],
    ['apiserver_max_inflight 0', {}],
    ['startup_timeout 1m30s', { startupTimeoutMs: 90_000 }],
    ['kubeconfig f', { kubeconfig: 'f' }],
    ['kubeconfig f ctx', { kubeconfig: 'f', context: 'ctx' }],
    ['endpoint https://10.0.0.1:6443', { endpoint: 'https://10.0.0.1:6443' }],
    ['tls c k /ca', { tls: { cert: 'c', key: 'k', ca: '/ca' } }],
    ['apiserver_qps 12.5', { apiserverQps: 12.5 }],
    ['apiserver_qps 0', {}],
    ['apiserver_burst 20', { apiserverBurst: 20 }],
    ['apiserver_max_inflight 3', { apiserverMaxInflight: 3 }],
    ['multicluster', {}],
    ['multicluster LAB.local', { multicluster: ['lab.local.'] }],
    ['okd', { okd }],
    ['okd openshift-alias=on wildcard=off', { okd: { ...okd, wildcard: false, openshiftAlias: true } }],
    ['okd short-names=on', { okd: { ...okd, shortNames: true } }],
  ]
  for (const [options, differences] of cases) {
    const { config, warnings } = reading('kubernetes', `kubernetes lab.local {\n${options}\n}`)
    assert.deepEqual(config, { ...DEFAULTS, ...differences }, options)
    assert.deepEqual(warnings, [], options)
  }
})

test('zones of kubernetes', () => {
  const cases: [line: string, zones: string[]][] = [
    ['kubernetes', ['cluster.local.', 'in-addr.arpa.']], // those of the block
    ['kubernetes Lab.Local lab.local', ['lab.local.']],
    ['kubernetes lab.local 10.0.0.0/15', ['lab.local.', '0.10.in-addr.arpa.', '1.10.in-addr.arpa.']],
    ['kubernetes cluster.local in-addr.arpa ip6.arpa', ['cluster.local.', 'in-addr.arpa.', 'ip6.arpa.']],
    ['kubernetes xin-addr.arpa', ['xin-addr.arpa.']], // a forward zone
  ]
  for (const [line, zones] of cases) assert.deepEqual(reading('kubernetes', line).config.zones, zones, line)
  assert.match(
    refusal('kubernetes', 'kubernetes 10.0.0.0/16'),
    /^Corefile:1 - .*plugin\/kubernetes: non-reverse zone name/,
  )
  assert.match(refusal('kubernetes', 'kubernetes in-addr.arpa ip6.arpa'), /non-reverse zone name/)
})

test('what kubernetes refuses', () => {
  const cases: [options: string, message: RegExp][] = [
    ['namespaces', /^Corefile:2 - .*: Wrong argument count or unexpected line ending after 'namespaces'$/],
    [
      'namespaces one\nnamespace_labels tier=front',
      /^Corefile:3 - .*plugin\/kubernetes: namespaces and namespace_labels/,
    ],
    ['labels tier in (front', /^Corefile:2 - .*plugin\/kubernetes: at character/],
    ['labels', /Wrong argument count/],
    ['pods maybe', /plugin\/kubernetes: 'maybe' is none of disabled, insecure, verified/],
    ['pods', /Wrong argument count/],
    ['pods insecure verified', /Wrong argument count/],
    ['ttl 3601', /'3601' is no whole number from 0 to 3600/],
    ['ttl -1', /no whole number/],
    ['ttl 30s', /no whole number/],
    ['noendpoints please', /Wrong argument count or unexpected line ending after 'please'/],
    ['zonal yes', /Wrong argument count/],
    ['endpoint_pod_names yes', /Wrong argument count/],
    ['ignore nothing', /'nothing' is none of empty_service/],
    ['ignore', /Wrong argument count/],
    ['startup_timeout', /Wrong argument count/],
    ['startup_timeout 1', /missing unit/],
    ['startup_timeout soon', /invalid duration/],
    ['kubeconfig f ctx more', /Wrong argument count or unexpected line ending after 'more'/],
    ['kubeconfig', /Wrong argument count/],
    ['zonal\nnoendpoints', /^Corefile:3 - .*zonal and noendpoints/],
    ['multicluster set.local', /not authoritative for the multicluster zone 'set.local.'/],
    ['apiserver_burst -5', /'-5' is no whole number of at least 0/],
    ['apiserver_qps -1', /no number of at least 0/],
    ['apiserver_qps fast', /no number/],
    ['apiserver_qps', /Wrong argument count/],
    ['apiserver_max_inflight 1.5', /no whole number/],
    ['endpoint', /Wrong argument count/],
    ['endpoint 10.0.0.1', /no URL/],
    ['endpoint ftp://10.0.0.1', /no URL/],
    ['tls cert key', /Wrong argument count or unexpected line ending after 'key'/],
    ['tls a b c d', /Wrong argument count/],
    ['okd wildcard', /'wildcard' is none of wildcard=/],
    ['okd wildcard=maybe', /none of wildcard=/],
    ['tttl 5', /^Corefile:2 - .*plugin\/kubernetes: unknown property 'tttl'$/],
  ]
  for (const [options, message] of cases) {
    assert.match(refusal('kubernetes', `kubernetes lab.local {\n${options}\n}`), message, options)
  }
  assert.match(
    refusal('kubernetes', 'kubernetes a\nkubernetes b'),
    /^Corefile:2 - .*plugin\/kubernetes: this plugin can only be used once per Server Block/,
  )
})

test('kubernetes: old options are ignored, with a warning; paths follow root', () => {
  const old = reading(
    'kubernetes',
    'kubernetes {\n upstream /etc/resolv.conf\n resyncperiod 5m\n endpoint http://a http://b\n}',
  )
  assert.deepEqual(
    old.warnings.map((line) => line.split(': ').slice(0, 3).join(': ')),
    [
      "2: plugin/kubernetes: 'upstream' is ignored",
      "3: plugin/kubernetes: 'resyncperiod' is ignored",
      '4: plugin/kubernetes: only the first endpoint is used',
    ],
  )
  assert.equal(old.config.endpoint, 'http://a')
  const rooted = reading('kubernetes', 'kubernetes {\n kubeconfig k\n tls c /k ca\n}', { root: '/r' })
  assert.equal(rooted.config.kubeconfig, '/r/k')
  assert.deepEqual(rooted.config.tls, { cert: '/r/c', key: '/k', ca: '/r/ca' })
})

test('k8s_external', () => {
  const defaults = { apex: 'dns', ttl: 5, headless: false, fallthrough: null }
  assert.deepEqual(reading('k8s_external', 'k8s_external').config, {
    zones: ['cluster.local.', 'in-addr.arpa.'],
    ...defaults,
  })
  assert.deepEqual(
    reading('k8s_external', 'k8s_external a b {\n apex Top\n ttl 30\n headless\n fallthrough\n}').config,
    {
      zones: ['a.', 'b.'],
      apex: 'top',
      ttl: 30,
      headless: true,
      fallthrough: ['.'],
    },
  )
  assert.deepEqual(reading('k8s_external', 'k8s_external a {\n ttl 30\n}\nk8s_external b a').config, {
    ...defaults,
    zones: ['a.', 'b.'],
    ttl: 30,
  })
  const cases: [options: string, message: RegExp][] = [
    ['apex', /Wrong argument count/],
    [`apex ${'a'.repeat(64)}`, /not one label/],
    ['apex -a', /not one label/],
    ['apex a.b', /plugin\/k8s_external: 'a.b' is not one label/],
    ['ttl 3601', /no whole number from 0 to 3600/],
    ['headless yes', /Wrong argument count/],
    ['headfull', /unknown property 'headfull'/],
  ]
  for (const [options, message] of cases) {
    assert.match(refusal('k8s_external', `k8s_external {\n${options}\n}`), message, options)
  }
})

test('ocp_dnsnameresolver is told to be without effect', () => {
  const resolver = reading(
    'ocp_dnsnameresolver',
    'ocp_dnsnameresolver {\n namespaces a b\n minTTL 10\n failureThreshold 3\n}',
  )
  assert.deepEqual(resolver.config, { namespaces: ['a', 'b'], minTtl: 10, failureThreshold: 3 })
  assert.match(resolver.withoutEffect.join(), /^1: ocp_dnsnameresolver/)
  assert.deepEqual(reading('ocp_dnsnameresolver', 'ocp_dnsnameresolver').config, {
    namespaces: [],
    minTtl: 5,
    failureThreshold: 5,
  })
  const least = reading(
    'ocp_dnsnameresolver',
    'ocp_dnsnameresolver {\n namespaces a\n minTTL 1\n failureThreshold 1\n}',
  )
  assert.deepEqual(least.config, { namespaces: ['a'], minTtl: 1, failureThreshold: 1 })
  assert.match(refusal('ocp_dnsnameresolver', 'ocp_dnsnameresolver {\n minttl 5\n}'), /unknown property 'minttl'/)
  assert.match(refusal('ocp_dnsnameresolver', 'ocp_dnsnameresolver {\n minTTL 0\n}'), /no whole number/)
})

test('autopath: zones, and the search list of a file', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'peregrine-autopath-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const searchIn = (text: string): readonly string[] => {
    writeFileSync(join(folder, 'resolv.conf'), text)
    return reading('autopath', 'autopath a b resolv.conf', { root: folder }).config.search
  }
  const { config, withoutEffect } = reading('autopath', 'autopath @kubernetes')
  assert.deepEqual([config.zones, config.source], [['cluster.local.', 'in-addr.arpa.'], '@kubernetes'])
  assert.deepEqual(withoutEffect, [])
  assert.deepEqual(searchIn('nameserver 10.0.0.1\nsearch Corp.example b.example. # and so on\noptions ndots:5\n'), [
    'corp.example.',
    'b.example.',
  ])
  assert.deepEqual(
    searchIn('search a.example\n  search\tb.example  c.example'),
    ['b.example.', 'c.example.'],
    'the last',
  )
  assert.deepEqual(searchIn('search a.example\ndomain d.example more'), ['d.example.'])
  assert.deepEqual(searchIn('nameserver 10.0.0.1\n#search a\nsearch\n'), [])
  assert.deepEqual(searchIn('search . a..b fine.example'), ['fine.example.'])
  assert.equal(searchIn(`search ${Array.from({ length: 99 }, (_, i) => `n${i}`).join(' ')}`).length, 32)
  const { source, zones } = reading('autopath', 'autopath a b resolv.conf', { root: folder }).config
  assert.deepEqual([source, zones], [join(folder, 'resolv.conf'), ['a.', 'b.']])
  assert.match(refusal('autopath', `autopath ${folder}/none`), /cannot read .*ENOENT/)
  assert.match(refusal('autopath', 'autopath'), /Wrong argument count/)
  assert.match(refusal('autopath', 'autopath @nomad'), /'@nomad' has no search list/)
})
