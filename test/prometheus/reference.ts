// Section 11 of the Corefile reference as a table: every family, its type, labels and buckets. Written from the text, not from src/admin.

import assert from 'node:assert/strict'
import { type Exposition, without } from './exposition.ts'

export interface ReferenceFamily {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly labels: readonly string[]
  /** Upper bounds as they are written, without `+Inf`. */
  readonly buckets: readonly string[]
}

const TIME = '0.00025 0.0005 0.001 0.002 0.004 0.008 0.016 0.032 0.064 0.128 0.256 0.512 1.024 2.048 4.096 8.192'
const SLIM = '0.00025 0.0025 0.025 0.25 2.5'
const SIZE = '0 100 200 300 400 511 1023 2047 4095 8291 16000 32000 48000 64000'
const REST = '0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10'
const PROGRAMMING = [
  '0.001 0.002 0.004 0.008 0.016 0.032 0.064 0.128 0.256 0.512',
  '1.024 2.048 4.096 8.192 16.384 32.768 65.536 131.072 262.144 524.288',
].join(' ')

// name, type, labels, buckets
const ROWS: readonly (readonly [string, ReferenceFamily['type'], string, string?])[] = [
  // 11.1
  ['build_info', 'gauge', 'version revision goversion'],
  ['panics_total', 'counter', ''],
  ['plugin_enabled', 'gauge', 'server zone view name'],
  ['dns_requests_total', 'counter', 'server zone view proto family type'],
  ['dns_request_duration_seconds', 'histogram', 'server zone view', TIME],
  ['dns_request_size_bytes', 'histogram', 'server zone view proto', SIZE],
  ['dns_response_size_bytes', 'histogram', 'server zone view proto', SIZE],
  ['dns_do_requests_total', 'counter', 'server zone view'],
  ['dns_responses_total', 'counter', 'server zone view rcode plugin'],
  ['dns_https_responses_total', 'counter', 'server status'],
  ['dns_https3_responses_total', 'counter', 'server status'],
  ['dns_quic_responses_total', 'counter', 'server status'],
  // 11.2
  ['cache_entries', 'gauge', 'server type zones view'],
  ['cache_hits_total', 'counter', 'server type zones view'],
  ['cache_evictions_total', 'counter', 'server type zones view'],
  ['cache_requests_total', 'counter', 'server zones view'],
  ['cache_misses_total', 'counter', 'server zones view'],
  ['cache_prefetch_total', 'counter', 'server zones view'],
  ['cache_drops_total', 'counter', 'server zones view'],
  ['cache_served_stale_total', 'counter', 'server zones view'],
  ['forward_healthcheck_broken_total', 'counter', ''],
  ['forward_max_concurrent_rejects_total', 'counter', ''],
  ['proxy_request_duration_seconds', 'histogram', 'proxy_name to rcode', TIME],
  ['proxy_healthcheck_failures_total', 'counter', 'proxy_name to'],
  ['proxy_conn_cache_hits_total', 'counter', 'proxy_name to proto'],
  ['proxy_conn_cache_misses_total', 'counter', 'proxy_name to proto'],
  ['health_request_duration_seconds', 'histogram', '', SLIM],
  ['health_request_failures_total', 'counter', ''],
  ['hosts_entries', 'gauge', 'hostsfile'],
  ['hosts_reload_timestamp_seconds', 'gauge', ''],
  ['reload_failed_total', 'counter', ''],
  ['reload_version_info', 'gauge', 'hash value'],
  ['template_matches_total', 'counter', 'server zone view class type'],
  ['template_template_failures_total', 'counter', 'server zone view class type section template'],
  ['template_rr_failures_total', 'counter', 'server zone view class type section template'],
  ['dns64_requests_translated_total', 'counter', 'server'],
  ['kubernetes_dns_programming_duration_seconds', 'histogram', 'service_kind', PROGRAMMING],
  ['kubernetes_rest_client_request_duration_seconds', 'histogram', 'verb host', REST],
  ['kubernetes_rest_client_rate_limiter_duration_seconds', 'histogram', 'verb host', REST],
  ['kubernetes_rest_client_requests_total', 'counter', 'code method host'],
  // Removed upstream, still in dashboards.
  ['forward_requests_total', 'counter', 'to'],
  ['forward_responses_total', 'counter', 'to rcode'],
  ['forward_request_duration_seconds', 'histogram', 'to rcode', TIME],
  ['forward_healthcheck_failures_total', 'counter', 'to'],
  ['forward_conn_cache_hits_total', 'counter', 'to proto'],
  ['forward_conn_cache_misses_total', 'counter', 'to proto'],
  // 11.3
  ['acl_blocked_requests_total', 'counter', 'server zone view'],
  ['acl_filtered_requests_total', 'counter', 'server zone view'],
  ['acl_dropped_requests_total', 'counter', 'server zone view'],
  ['acl_allowed_requests_total', 'counter', 'server view'],
  ['autopath_success_total', 'counter', 'server'],
  ['local_localhost_requests_total', 'counter', ''],
  // Section 16: what the mixin of NodeLocal DNSCache asks for.
  ['nodecache_setup_errors_total', 'counter', 'errortype'],
]

/** All families of `coredns_*`, by full name. */
export const REFERENCE: ReadonlyMap<string, ReferenceFamily> = new Map(
  ROWS.map(([row, type, labels, buckets = '']) => {
    const name = `coredns_${row}`
    return [name, { name, type, labels: wordsOf(labels), buckets: wordsOf(buckets) }]
  }),
)

/** Section 11.4: what of the process is used outside. */
export const PROCESS: ReadonlyMap<string, 'counter' | 'gauge'> = new Map([
  ['process_cpu_seconds_total', 'counter'],
  ['process_resident_memory_bytes', 'gauge'],
  ['process_virtual_memory_bytes', 'gauge'],
  ['process_virtual_memory_max_bytes', 'gauge'],
  ['process_start_time_seconds', 'gauge'],
  ['process_open_fds', 'gauge'],
  ['process_max_fds', 'gauge'],
  ['process_network_receive_bytes_total', 'counter'],
  ['process_network_transmit_bytes_total', 'counter'],
  ['go_memstats_alloc_bytes', 'gauge'],
  ['go_info', 'gauge'],
])

/** Section 11.5: without labels, hence 0 from the start. */
export const FROM_THE_START: readonly string[] = [...REFERENCE.values()]
  .filter(({ type, labels }) => type === 'counter' && labels.length === 0)
  .map(({ name }) => name)

/** Values of the label `type`; all other types are `other`. */
export const TYPE_LABELS: readonly string[] = [
  ...['A', 'AAAA', 'ANY', 'AXFR', 'CNAME', 'DNSKEY', 'DS', 'HTTPS', 'IXFR', 'MX', 'NS', 'NSEC', 'NSEC3', 'PTR'],
  ...['RRSIG', 'SOA', 'SRV', 'SVCB', 'TXT'],
]

/** Compares name, type, labels and buckets of every `coredns_*` family of a page. @returns how many there are */
export function compareWithReference(page: Exposition): number {
  const families = [...page.families.values()].filter(({ name }) => name.startsWith('coredns_'))
  for (const { name, type, samples } of families) {
    const reference = REFERENCE.get(name)
    assert.ok(reference !== undefined, `${name} is in the reference`)
    assert.equal(type, reference.type, name)
    const labels = new Set(samples.map((sample) => Object.keys(without(sample.labels, 'le')).sort().join()))
    assert.deepEqual([...labels], [[...reference.labels].sort().join()], name)
    const buckets = new Set(samples.flatMap((sample) => sample.labels.le ?? []))
    assert.deepEqual([...buckets], type === 'histogram' ? [...reference.buckets, '+Inf'] : [], name)
  }
  return families.length
}

function wordsOf(text: string): string[] {
  return text === '' ? [] : text.split(' ')
}
