// Setups of what asks other servers and keeps what they say: forward, cache.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { CacheConfig, ForwardConfig } from '../../../src/config/configuration.ts'
import { reading, refusal } from './reading.ts'

const folder = mkdtempSync(join(tmpdir(), 'peregrine-forward-'))
after(() => rmSync(folder, { recursive: true }))

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

/** Upstreams, as short text. */
function upstreams(to: string, root = ''): string[] {
  const [{ upstreams }] = reading('forward', `forward . ${to}`, { root }).config
  return upstreams.map(({ transport, host, port, serverName }) => `${transport} ${host} ${port} ${serverName}`.trim())
}

const DEFAULTS: ForwardConfig = {
  from: '.',
  to: ['9.9.9.9'],
  upstreams: [{ transport: 'dns', host: '9.9.9.9', port: 53, serverName: '' }],
  nameserverFiles: [],
  except: [],
  forceTcp: false,
  preferUdp: false,
  policy: 'random',
  maxFails: 2,
  healthCheck: { intervalMs: 500, recursionDesired: true, domain: '.' },
  expireMs: 10_000,
  maxAgeMs: 0,
  maxIdleConns: 0,
  maxConcurrent: 0,
  readTimeoutMs: 2000,
  maxConnectAttempts: -1,
  tls: null,
  tlsServername: '',
  failover: [],
  next: [],
  nextOnNodata: false,
  failfastAllUnhealthyUpstreams: false,
  sourceAddress: '',
  resolver: [],
  dohMethod: 'POST',
  randomizeCase: false,
}

test('where forward sends queries', () => {
  const resolvConf = file(
    'resolv.conf',
    '# nameserver 1.1.1.1\nsearch a b\nnameserver 10.0.0.1\n nameserver\tfe80::1%eth0 \nnameserver 10.0.0.1\noptions x\n',
  )
  const cases: [to: string, expected: string[]][] = [
    ['9.9.9.9', ['dns 9.9.9.9 53']],
    ['9.9.9.9:1 9.9.9.9:65535', ['dns 9.9.9.9 1', 'dns 9.9.9.9 65535']],
    ['9.9.9.9:5353 dns://9.9.9.10', ['dns 9.9.9.9 5353', 'dns 9.9.9.10 53']],
    ['2001:db8::1', ['dns 2001:db8::1 53']],
    ['[2001:db8::1]:5353 [2001:db8::1]', ['dns 2001:db8::1 5353', 'dns 2001:db8::1 53']],
    ['fe80::1%eth0', ['dns fe80::1 53']],
    ['tls://9.9.9.9', ['tls 9.9.9.9 853']],
    ['tls://9.9.9.9%dns.example', ['tls 9.9.9.9 853 dns.example']],
    ['tls://9.9.9.9%dns.example:8853', ['tls 9.9.9.9 8853 dns.example']],
    ['tls://9.9.9.9:8853%dns.example', ['tls 9.9.9.9 8853 dns.example']],
    ['tls://2620:fe::fe%dns.example', ['tls 2620:fe::fe 853 dns.example']],
    ['tls://[2620:fe::fe]:8853%dns.example', ['tls 2620:fe::fe 8853 dns.example']],
    ['https://9.9.9.9', ['https 9.9.9.9 443']],
    ['9.9.9.9 9.9.9.9:53 tls://9.9.9.9', ['dns 9.9.9.9 53', 'tls 9.9.9.9 853']], // duplicates dropped
    [resolvConf, ['dns 10.0.0.1 53', 'dns fe80::1 53']],
    [`9.9.9.9 ${resolvConf}`, ['dns 9.9.9.9 53', 'dns 10.0.0.1 53', 'dns fe80::1 53']],
    ['dns.example', ['dns dns.example 53']],
    ['dns.example:5353', ['dns dns.example 5353']],
    ['tls://dns.example', ['tls dns.example 853']],
    ['https://dns.example:8443', ['https dns.example 8443']],
  ]
  for (const [to, expected] of cases) assert.deepEqual(upstreams(to), expected, to)
  const most = Array.from({ length: 15 }, (_, i) => `10.0.0.${i}`).join(' ')
  assert.equal(upstreams(most).length, 15)
  assert.deepEqual(upstreams('resolv.conf', folder), ['dns 10.0.0.1 53', 'dns fe80::1 53'])
  const [{ nameserverFiles }] = reading('forward', 'forward . 9.9.9.9 tls://resolv.conf', { root: folder }).config
  assert.deepEqual(nameserverFiles, [{ path: resolvConf, nameservers: ['10.0.0.1', 'fe80::1%eth0', '10.0.0.1'] }])
})

test('upstreams that forward refuses', () => {
  const empty = file('empty', '# nothing\n')
  const broken = file('broken', 'nameserver dns.example\n')
  const many = Array.from({ length: 16 }, (_, i) => `10.0.0.${i}`).join(' ')
  const cases: [to: string, message: RegExp][] = [
    ['grpc://9.9.9.9', /plugin\/forward: 'grpc:\/\/9.9.9.9': upstreams are asked by/],
    ['quic://9.9.9.9', /upstreams are asked by/],
    [empty, /plugin\/forward: no valid upstream addresses found$/],
    [broken, /nameserver 'dns.example' is no IP address/],
    ['/no/such/file', /not an IP address, host name or file: "\/no\/such\/file"/],
    [folder, /not an IP address/],
    ['9.9.9', /not an IP address/],
    ['9.9.9.999', /not an IP address/],
    ['9.9.9.9:0', /port 0 is not from 1 to 65535/],
    ['9.9.9.9:65536', /port 65536/],
    ['[9.9.9.9]:53', /not an IP address/],
    ['https://9.9.9.9/dns-query', /not an IP address/],
    ['""', /empty path/],
    [many, /more than 15 TOs configured: 16/],
  ]
  for (const [to, message] of cases) {
    assert.match(refusal('forward', `forward . ${to}`), /^Corefile:1 - Error during parsing: plugin\/forward: /, to)
    assert.match(refusal('forward', `forward . ${to}`), message, to)
  }
  assert.match(refusal('forward', 'forward .'), /: Wrong argument count or unexpected line ending after '\.'$/)
  assert.match(refusal('forward', 'forward'), /: Wrong argument count or unexpected line ending after 'forward'$/)
})

test('properties of forward', () => {
  const cases: [properties: string, differences: Partial<ForwardConfig>][] = [
    ['', {}],
    ['except a.example 10.0.0.0/8\nexcept B.example', { except: ['a.example.', '10.in-addr.arpa.', 'b.example.'] }],
    ['force_tcp\nprefer_udp', { forceTcp: true, preferUdp: true }],
    ['policy random', {}],
    ['policy round_robin', { policy: 'round_robin' }],
    ['policy sequential', { policy: 'sequential' }],
    ['max_fails 0', { maxFails: 0 }],
    ['health_check 5s', { healthCheck: { intervalMs: 5000, recursionDesired: true, domain: '.' } }],
    [
      'health_check 5s no_rec domain Example.org',
      { healthCheck: { intervalMs: 5000, recursionDesired: false, domain: 'example.org.' } },
    ],
    ['health_check 5s domain a', { healthCheck: { intervalMs: 5000, recursionDesired: true, domain: 'a.' } }],
    ['expire 20s\nmax_age 20s', { expireMs: 20_000, maxAgeMs: 20_000 }],
    ['max_idle_conns 0\nmax_concurrent 0\nmax_age 0s', {}],
    ['resolver 10.0.0.1:9', { resolver: ['10.0.0.1:9'] }],
    ['max_idle_conns 7', { maxIdleConns: 7 }],
    ['max_concurrent 1000', { maxConcurrent: 1000 }],
    ['read_timeout 500ms', { readTimeoutMs: 500 }],
    ['max_connect_attempts 0', { maxConnectAttempts: 0 }],
    ['tls', { tls: { cert: '', key: '', ca: '' } }],
    ['tls ca', { tls: { cert: '', key: '', ca: 'ca' } }],
    ['tls c k', { tls: { cert: 'c', key: 'k', ca: '' } }],
    ['tls c k ca', { tls: { cert: 'c', key: 'k', ca: 'ca' } }],
    ['tls_servername dns.example', { tlsServername: 'dns.example' }],
    ['failover SERVFAIL refused\nfailover 3', { failover: [2, 5, 3] }],
    ['next NXDOMAIN', { next: [3] }],
    ['next_on_nodata', { nextOnNodata: true }],
    ['failfast_all_unhealthy_upstreams', { failfastAllUnhealthyUpstreams: true }],
    ['source_address 10.0.0.9', { sourceAddress: '10.0.0.9' }],
    ['resolver 10.0.0.1 ::1', { resolver: ['10.0.0.1:53', '[::1]:53'] }],
    ['doh_method GET', { dohMethod: 'GET' }],
    ['randomize_case', { randomizeCase: true }],
  ]
  for (const [properties, differences] of cases) {
    const { config } = reading('forward', `forward . 9.9.9.9 {\n${properties}\n}`)
    assert.deepEqual(config, [{ ...DEFAULTS, ...differences }], properties)
  }
  const refused: [properties: string, message: RegExp][] = [
    ['except', /Wrong argument count/],
    ['force_tcp yes', /Wrong argument count/],
    ['policy least_conn', /'least_conn' is none of random, round_robin, sequential/],
    ['max_fails -1', /no whole number/],
    ['health_check', /Wrong argument count/],
    ['health_check 0s', /not more than 0/],
    ['health_check 5s domain', /Wrong argument count or unexpected line ending after 'domain'/],
    ['health_check 5s fast', /'fast' is none of no_rec, domain/],
    ['expire -1s', /less than 0s/],
    ['tls_servername a..b', /empty label/],
    ['max_age 1ms', /max_age is less/],
    ['max_fails 4294967296', /from 0 to 4294967295/],
    ['max_age 9s', /^Corefile:2 - .*max_age is less than expire \(10s\)/],
    ['max_concurrent many', /no whole number/],
    ['read_timeout 2', /missing unit/],
    ['tls a b c d', /Wrong argument count/],
    ['failover', /Wrong argument count/],
    ['failover NOERROR', /NOERROR is no reason/],
    ['failover 0', /NOERROR is no reason/],
    ['failover SERVFAILED', /'SERVFAILED' is no RCODE/],
    ['next', /Wrong argument count/],
    ['source_address eth0', /no IP address/],
    ['resolver dns.example', /no IP address and port/],
    ['randomize_case on', /Wrong argument count/],
    ['doh_method PUT', /'PUT' is none of POST, GET/],
    ['spray', /^Corefile:2 - .*plugin\/forward: unknown property 'spray'/],
  ]
  for (const [properties, message] of refused) {
    assert.match(refusal('forward', `forward . 9.9.9.9 {\n${properties}\n}`), message, properties)
  }
  assert.match(
    refusal('forward', 'forward . tls://9.9.9.9%a {\n force_tcp\n tls_servername b\n}'),
    /^Corefile:3 - .*cannot both be given/,
  )
})

test('forward: FROM; several add up', () => {
  const several = reading('forward', 'forward Corp.Example 10.0.0.1\nforward 10.0.0.0/15 10.0.0.2\nforward . 10.0.0.3')
  assert.deepEqual(
    several.config.map(({ from, to }) => [from, ...to]),
    [
      ['corp.example.', '10.0.0.1'],
      ['0.10.in-addr.arpa.', '10.0.0.2'],
      ['.', '10.0.0.3'],
    ],
  )
  assert.deepEqual(several.warnings, [
    "2: plugin/forward: '10.0.0.0/15' is 2 zones, only the first is forwarded: 0.10.in-addr.arpa.",
  ])
  assert.equal(several.withoutEffect.length, 0)
})

const CACHE: CacheConfig = {
  zones: ['cluster.local.', 'in-addr.arpa.'],
  success: { capacity: 9984, ttl: 3600, minTtl: 5 },
  denial: { capacity: 9984, ttl: 1800, minTtl: 5 },
  prefetch: { amount: 0, durationMs: 60_000, percentage: 10 },
  serveStale: null,
  preferPositive: false,
  servfailMs: 5000,
  disableSuccess: [],
  disableDenial: [],
  keepTtl: false,
}

test('cache', () => {
  const capped = { capacity: 9984, ttl: 30, minTtl: 5 }
  const stale = { durationMs: 3_600_000, mode: 'immediate', verifyTimeoutMs: 0, ttl: 0, recheckMs: 0 } as const
  const cases: [text: string, differences: Partial<CacheConfig>][] = [
    ['cache', {}],
    ['cache 30', { success: capped, denial: capped }],
    ['cache example.org', { zones: ['example.org.'] }],
    ['cache 30 a b', { zones: ['a.', 'b.'], success: capped, denial: capped }],
    ['cache {\n success 5000\n}', { success: { capacity: 5000, ttl: 3600, minTtl: 5 } }],
    ['cache 30 {\n denial 9984 5\n}', { success: capped, denial: { ...capped, ttl: 5 } }],
    [
      'cache {\n success 1 2 3\n denial 4 5 6\n}',
      { success: { capacity: 1, ttl: 2, minTtl: 3 }, denial: { capacity: 4, ttl: 5, minTtl: 6 } },
    ],
    ['cache {\n prefetch 10\n}', { prefetch: { amount: 10, durationMs: 60_000, percentage: 10 } }],
    ['cache {\n prefetch 10 2m 90%\n}', { prefetch: { amount: 10, durationMs: 120_000, percentage: 90 } }],
    ['cache {\n prefetch 0\n}', {}],
    ['cache {\n success 0 1 0\n}', { success: { capacity: 0, ttl: 1, minTtl: 0 } }],
    ['cache {\n serve_stale 1h immediate 0\n}', { serveStale: stale }],
    ['cache 2147483647', { success: { ...capped, ttl: 2 ** 31 - 1 }, denial: { ...capped, ttl: 2 ** 31 - 1 } }],
    ['cache {\n serve_stale\n}', { serveStale: stale }],
    ['cache {\n serve_stale 3600s verify\n}', { serveStale: { ...stale, mode: 'verify' } }],
    [
      'cache {\n serve_stale verify 100ms 7 2s\n}',
      { serveStale: { ...stale, mode: 'verify', verifyTimeoutMs: 100, ttl: 7, recheckMs: 2000 } },
    ],
    ['cache {\n serve_stale 5m immediate 30s\n}', { serveStale: { ...stale, durationMs: 300_000, ttl: 30 } }],
    ['cache {\n serve_stale_policy prefer_positive\n}', { preferPositive: true }],
    ['cache {\n servfail 0\n}', { servfailMs: 0 }],
    ['cache {\n servfail 5m\n}', { servfailMs: 300_000 }],
    ['cache {\n keepttl\n}', { keepTtl: true }],
    [
      'cache {\n disable success cluster.local\n disable denial cluster.local a\n}',
      { disableSuccess: ['cluster.local.'], disableDenial: ['cluster.local.', 'a.'] },
    ],
    ['cache {\n disable denial\n}', { disableDenial: ['cluster.local.', 'in-addr.arpa.'] }],
  ]
  for (const [text, differences] of cases) {
    const { config, warnings } = reading('cache', text)
    assert.deepEqual(config, { ...CACHE, ...differences }, text)
    assert.deepEqual(warnings, [], text)
  }
  const refused: [text: string, message: RegExp][] = [
    ['cache 0', /plugin\/cache: '0' is no whole number from 1/],
    ['cache 2147483648', /no whole number/],
    ['cache -30', /no whole number/],
    ['cache {\n success\n}', /Wrong argument count/],
    ['cache {\n success 1 2 3 4\n}', /Wrong argument count/],
    ['cache {\n success many\n}', /no whole number/],
    ['cache {\n denial 1 0\n}', /no whole number/],
    ['cache {\n prefetch\n}', /Wrong argument count/],
    ['cache {\n prefetch 1 10\n}', /missing unit/],
    ['cache {\n prefetch 1 10s 9%\n}', /from 10 to 90/],
    ['cache {\n prefetch 1 10s 91%\n}', /from 10 to 90/],
    ['cache {\n prefetch 1 10s 50\n}', /last character of percentage should be '%'/],
    ['cache {\n serve_stale later\n}', /invalid duration/],
    ['cache {\n serve_stale 1h sometimes\n}', /'sometimes' is none of immediate, verify/],
    ['cache {\n serve_stale 1h immediate 1 2s 3\n}', /Wrong argument count/],
    ['cache {\n serve_stale_policy prefer_negative\n}', /none of prefer_positive/],
    ['cache {\n servfail 301s\n}', /more than 300s/],
    ['cache {\n servfail -1s\n}', /less than 0s/],
    ['cache {\n disable\n}', /Wrong argument count/],
    ['cache {\n disable all\n}', /'all' is none of success, denial/],
    ['cache {\n keepttl yes\n}', /Wrong argument count/],
    ['cache {\n capacity 1\n}', /unknown property 'capacity'/],
    ['cache\ncache', /^Corefile:2 - .*only be used once/],
  ]
  for (const [text, message] of refused) assert.match(refusal('cache', text), message, text)
})

test('cache: a duration, or a second number, is a zone, and says so loudly', () => {
  const cases: [line: string, zones: string[], advice: RegExp][] = [
    ['cache 3600s', ['3600s.'], /^1: plugin\/cache: '3600s' IS TAKEN AS A ZONE.*write 'cache 3600'$/],
    ['cache 1h', ['1h.'], /write 'cache 3600'$/],
    ['cache 30 60', ['60.'], /'60' IS TAKEN AS A ZONE/],
  ]
  for (const [line, zones, advice] of cases) {
    const { config, warnings } = reading('cache', line)
    assert.deepEqual(config.zones, zones, line)
    assert.equal(warnings.length, 1, line)
    assert.match(warnings[0], advice)
  }
})
