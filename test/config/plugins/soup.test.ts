// Setups given anything: words that Corefiles are made of, in any order. A setup makes plain data of them, or refuses them with
// file and line; nothing else. PEREGRINE_FUZZ_ROUNDS: directives a plugin, 300 by default.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { PluginName } from '../../../src/config/configuration.ts'
import type { Directive, Property, Token } from '../../../src/config/corefile/syntax.ts'
import { SETUPS } from '../../../src/config/plugins/registry.ts'

const ROUNDS = Number(process.env.PEREGRINE_FUZZ_ROUNDS ?? 300)

/** All words that some setup knows, and values of all kinds. */
const WORDS = `
  errors stdout stacktrace consolidate show_first warning . example.org a..b {name} {common} class all error :8080 localhost:9153 [::1]:53
  8080 lameduck 5s 0s -1s 500ms 1h 1d monitor continuously runtime_metrics tls endpoint https://10.0.0.1 kubeconfig apiserver_qps 5 0 -5 1.5
  apiserver_burst apiserver_max_inflight namespaces namespace_labels labels a=b a in (x pods verified endpoint_pod_names ttl noendpoints
  fallthrough ignore empty_service multicluster zonal startup_timeout okd wildcard=off upstream resyncperiod 10.0.0.0/15 fd00::/8 10.0.0.1
  fe80::1%eth0 10.0.0.0/33 9.9.9.9 tls://9.9.9.9%a grpc://a https:// dns.example /etc/resolv.conf / /etc/passwd/x except force_tcp prefer_udp
  policy sequential max_fails health_check no_rec domain expire max_age max_idle_conns max_concurrent read_timeout max_connect_attempts
  tls_servername failover SERVFAIL NOERROR next next_on_nodata failfast_all_unhealthy_upstreams source_address resolver doh_method GET randomize_case success
  denial prefetch 10% serve_stale immediate verify serve_stale_policy prefer_positive servfail disable keepttl @kubernetes round_robin weighted
  prefer reload no_reverse fallthrough_unsupported IN ANY A AAAA match ( (.*) {1} answer additional authority rcode NXDOMAIN ederror var expr
  type() type()== name exact prefix suffix substring regex auto value continue stop type ttl 10-20 -30 30- - cname edns0 local nsid subnet set
  append replace unset 0xff 0xf {qname} {a/b} revert allow block filter drop net * apex headless query response clear aa rd ra localhost_prefix
  on off translate_all allow_ipv4 64:ff9b::/96 minTTL failureThreshold reload_by_mtime directory to source {{ }} {} \\ \\999 \u0000 ä #`
  .trim()
  .split(/\s+/)

const word = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('', ...WORDS) },
  { weight: 1, arbitrary: fc.string({ maxLength: 300 }) },
)
const line = fc.array(word, { minLength: 1, maxLength: 6 })
const lines = fc.array(fc.tuple(fc.array(word, { maxLength: 5 }), fc.array(line, { maxLength: 4 })), {
  minLength: 1,
  maxLength: 2,
})

const token = (text: string, number: number): Token => ({ text, file: 'Corefile', line: number })

function directive(plugin: string, args: readonly string[], properties: readonly string[][]): Directive {
  return {
    name: token(plugin, 1),
    args: args.map((text) => token(text, 1)),
    properties: properties.map(
      ([name, ...rest], i): Property => ({
        name: token(name, i + 2),
        args: rest.map((text) => token(text, i + 2)),
      }),
    ),
  }
}

/** What a plugin cannot do without; soup is added to it. */
const NEEDED: { readonly [K in PluginName]?: readonly [args: string[], properties: string[][]] } = {
  auto: [[], [['directory', 'd']]],
  autopath: [['@kubernetes'], []],
  bind: [['lo'], []],
  file: [['db'], []],
  forward: [['.', '9.9.9.9'], []],
  rewrite: [['name', 'a', 'b'], []],
  template: [['IN', 'A'], []],
  transfer: [[], [['to', '*']]],
  view: [['v'], [['expr', 'true']]],
}

/** Whether all numbers of a configuration are numbers. */
function hasNumbers(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  return typeof value !== 'object' || value === null || Object.values(value).every(hasNumbers)
}

/** @returns whether it was accepted */
function accepts(plugin: PluginName, directives: readonly Directive[]): boolean {
  let config: unknown
  try {
    config = SETUPS[plugin](directives, { zones: ['.'], root: '', warn() {}, withoutEffect() {} })
  } catch (error) {
    assert.match(String(error), /^CorefileError: Corefile:[1-6] - Error during parsing: \S/, plugin)
    return false
  }
  assert.notEqual(config, undefined)
  assert.deepEqual(structuredClone(config), config)
  assert.ok(hasNumbers(config))
  return true
}

for (const plugin of Object.keys(SETUPS) as PluginName[]) {
  test(`soup of words: ${plugin}`, () => {
    const [args, properties] = NEEDED[plugin] ?? [[], []]
    const counts = { read: 0, refused: 0 }
    const count = (directives: readonly Directive[]) => counts[accepts(plugin, directives) ? 'read' : 'refused']++
    const several = fc.property(lines, (soup) => void count(soup.map((each) => directive(plugin, ...each))))
    fc.assert(several, { numRuns: ROUNDS })
    const one = fc.property(fc.array(word, { maxLength: 2 }), fc.array(line, { maxLength: 2 }), (more, further) => {
      count([directive(plugin, [...args, ...more], [...properties, ...further])])
    })
    fc.assert(one, { numRuns: ROUNDS })
    assert.ok(counts.refused > 0, 'nothing was refused')
    assert.ok(counts.read > 0, 'nothing was accepted')
  })
}
