// Every family of metrics: name, kind, labels, buckets. Names and labels are an interface: dashboards and alerts are written against them
// (section 11 of the Corefile reference). Ours begin with `peregrine_`.

import { TIME_BOUNDS } from '../counting/values.ts'
import { BATCH_BOUNDS, SIZE_BOUNDS } from '../workers/counters.ts'
import { SLIM_TIME_BOUNDS } from './histogram.ts'

/** One family. */
export interface Family {
  /** In full. */
  readonly name: string
  readonly kind: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  /** Labels other than these are not shown: samples that differ in those alone are added up. */
  readonly labels: readonly string[]
  /** Upper bounds of a histogram's buckets. */
  readonly bounds: readonly number[]
}

/** Upper bounds of the programming latency, in seconds. */
export const PROGRAMMING_BOUNDS: readonly number[] = Array.from({ length: 20 }, (_, k) => 0.001 * 2 ** k)
/** Upper bounds of durations of requests to the API server, in seconds. */
export const REST_BOUNDS: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
/** Upper bounds of how long a publication takes, in seconds. */
export const PUBLISH_BOUNDS: readonly number[] = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10]

const BLOCK = ['server', 'zone', 'view']

/** All families, sorted by name. */
export const FAMILIES: readonly Family[] = [
  ...coredns([
    counter('panics_total', 'Exceptions while answering.', []),
    gauge('build_info', 'Always 1: version, revision and platform version of this server.', [
      'version',
      'revision',
      'goversion',
    ]),
    gauge('plugin_enabled', 'Always 1: a plugin that a server block uses.', [...BLOCK, 'name']),
    counter('dns_requests_total', 'Queries.', [...BLOCK, 'proto', 'family', 'type']),
    histogram('dns_request_duration_seconds', 'From the arrival of a query to its reply.', BLOCK, TIME_BOUNDS),
    histogram('dns_request_size_bytes', 'Lengths of queries.', [...BLOCK, 'proto'], SIZE_BOUNDS),
    histogram('dns_response_size_bytes', 'Lengths of replies.', [...BLOCK, 'proto'], SIZE_BOUNDS),
    counter('dns_do_requests_total', 'Queries with DO.', BLOCK),
    counter('dns_responses_total', 'Replies.', [...BLOCK, 'rcode', 'plugin']),
    counter('dns_https_responses_total', 'Replies over HTTPS.', ['server', 'status']),
    counter('dns_https3_responses_total', 'Replies over HTTP/3.', ['server', 'status']),
    counter('dns_quic_responses_total', 'Replies over QUIC.', ['server', 'status']),
    gauge('cache_entries', 'Entries of the cache.', ['server', 'type', 'zones', 'view']),
    counter('cache_hits_total', 'Answers out of the cache.', ['server', 'type', 'zones', 'view']),
    counter('cache_evictions_total', 'Entries that made room for others.', ['server', 'type', 'zones', 'view']),
    ...[
      ['requests', 'Queries that came to the cache.'],
      ['misses', 'Queries that the cache had no answer for.'],
      ['prefetch', 'Entries that were renewed before they ran out.'],
      ['drops', 'Replies that were not cached because they do not fit the query.'],
      ['served_stale', 'Answers out of entries that had run out.'],
    ].map(([what, help]) => counter(`cache_${what}_total`, help, ['server', 'zones', 'view'])),
    counter('forward_healthcheck_broken_total', 'Times that all upstreams were down.', []),
    counter('forward_max_concurrent_rejects_total', 'Queries over the limit of concurrent ones.', []),
    histogram(
      'proxy_request_duration_seconds',
      'Exchanges with upstreams.',
      ['proxy_name', 'to', 'rcode'],
      TIME_BOUNDS,
    ),
    counter('proxy_healthcheck_failures_total', 'Failed health checks of upstreams.', ['proxy_name', 'to']),
    counter('proxy_conn_cache_hits_total', 'Connections used again.', ['proxy_name', 'to', 'proto']),
    counter('proxy_conn_cache_misses_total', 'Connections made anew.', ['proxy_name', 'to', 'proto']),
    // Removed upstream, still in dashboards.
    counter('forward_requests_total', 'Queries to an upstream.', ['to']),
    counter('forward_responses_total', 'Replies of an upstream.', ['to', 'rcode']),
    histogram('forward_request_duration_seconds', 'Exchanges with an upstream.', ['to', 'rcode'], TIME_BOUNDS),
    counter('forward_healthcheck_failures_total', 'Failed health checks of an upstream.', ['to']),
    counter('forward_conn_cache_hits_total', 'Connections to an upstream used again.', ['to', 'proto']),
    counter('forward_conn_cache_misses_total', 'Connections to an upstream made anew.', ['to', 'proto']),
    histogram('health_request_duration_seconds', 'Requests of the process to its own endpoint.', [], SLIM_TIME_BOUNDS),
    counter('health_request_failures_total', 'Failed requests of the process to its own endpoint.', []),
    gauge('hosts_entries', 'Pairs of name and address in a hosts file and inline.', ['hostsfile']),
    gauge('hosts_reload_timestamp_seconds', 'When a hosts file was read last.', []),
    counter('reload_failed_total', 'Reloads that failed.', []),
    gauge('reload_version_info', 'Always 1: fingerprint of the configuration.', ['hash', 'value']),
    counter('template_matches_total', 'Queries that a template matched.', [...BLOCK, 'class', 'type']),
    ...['template', 'rr'].map((what) =>
      counter(
        `template_${what}_failures_total`,
        what === 'rr' ? 'Outputs of templates that are no record.' : 'Templates that failed.',
        [...BLOCK, 'class', 'type', 'section', 'template'],
      ),
    ),
    counter('dns64_requests_translated_total', 'Replies with translated addresses.', ['server']),
    histogram(
      'kubernetes_dns_programming_duration_seconds',
      'From a change of a Service or its endpoints to its being served.',
      ['service_kind'],
      PROGRAMMING_BOUNDS,
    ),
    histogram(
      'kubernetes_rest_client_request_duration_seconds',
      'Requests to the API server.',
      ['verb', 'host'],
      REST_BOUNDS,
    ),
    histogram(
      'kubernetes_rest_client_rate_limiter_duration_seconds',
      'Waits of requests to the API server for their turn.',
      ['verb', 'host'],
      REST_BOUNDS,
    ),
    counter('kubernetes_rest_client_requests_total', 'Requests to the API server.', ['code', 'method', 'host']),
    counter('acl_blocked_requests_total', 'Queries that were refused.', BLOCK),
    counter('acl_filtered_requests_total', 'Queries that got an empty reply.', BLOCK),
    counter('acl_dropped_requests_total', 'Queries that got no reply.', BLOCK),
    counter('acl_allowed_requests_total', 'Queries that were let through.', ['server', 'view']),
    counter('autopath_success_total', 'Queries that were spared a walk of the search path.', ['server']),
    counter('local_localhost_requests_total', 'Queries for localhost.<domain>.', []),
    counter('nodecache_setup_errors_total', 'Errors while setting up the node.', ['errortype']),
  ]),
  ...ours([
    gauge('index_version', 'Version of the index that is served.', ['index']),
    gauge('index_names', 'Names in the index.', ['index']),
    gauge('index_bytes', 'Memory of the index: live, reserved, and in limbo until its readers have left.', [
      'index',
      'state',
    ]),
    gauge('index_complete', 'Whether everything has been listed: 1 or 0.', ['index']),
    gauge('index_age_seconds', 'Age of the oldest data in the index; 0 while it follows its source.', ['index']),
    histogram(
      'index_publish_duration_seconds',
      'From a change that came in to the version with it.',
      [],
      PUBLISH_BOUNDS,
    ),
    histogram('batch_messages', 'Messages that were taken in at once.', [], BATCH_BOUNDS),
    counter('socket_drops_total', 'Datagrams that the kernel dropped because the receive buffer was full.', []),
    counter('worker_restarts_total', 'Workers that were replaced.', []),
    counter('log_lines_dropped_total', 'Lines of the log that were dropped.', []),
    counter('messages_received_total', 'Messages taken in.', []),
    counter('messages_answered_total', 'Replies handed to the kernel.', []),
    counter('messages_unanswered_total', 'Messages that by the rules get no reply.', []),
    counter('messages_resumed_total', 'Queries that a failed worker left to its successor.', []),
    counter('send_errors_total', 'Replies that the kernel did not take.', []),
    counter('receive_errors_total', 'Receive calls that failed.', []),
    counter('connections_total', 'TCP connections accepted.', []),
    counter('connections_refused_total', 'TCP connections closed at once, over a limit.', []),
    counter('connection_timeouts_total', 'TCP connections closed for taking too long.', []),
  ]),
  counter('process_cpu_seconds_total', 'CPU time, user and system.', []),
  gauge('process_open_fds', 'Open file descriptors.', []),
  gauge('process_max_fds', 'Limit of open file descriptors.', []),
  gauge('process_resident_memory_bytes', 'Resident memory.', []),
  gauge('process_virtual_memory_bytes', 'Virtual memory.', []),
  gauge('process_virtual_memory_max_bytes', 'Limit of virtual memory.', []),
  gauge('process_start_time_seconds', 'Start of the process since the epoch.', []),
  counter('process_network_receive_bytes_total', 'Octets received over the network by this network namespace.', []),
  counter('process_network_transmit_bytes_total', 'Octets sent over the network by this network namespace.', []),
  gauge('go_info', 'Always 1: the version of Node.js, under the name that dashboards know.', ['version']),
  gauge('go_threads', 'Threads of the process.', []),
  gauge('go_memstats_alloc_bytes', 'Heap in use by the main thread.', []),
  gauge('go_memstats_sys_bytes', 'Heap obtained by the main thread.', []),
].sort((a, b) => (a.name < b.name ? -1 : 1))

function counter(name: string, help: string, labels: readonly string[]): Family {
  return { name, kind: 'counter', help, labels, bounds: [] }
}

function gauge(name: string, help: string, labels: readonly string[]): Family {
  return { name, kind: 'gauge', help, labels, bounds: [] }
}

function histogram(name: string, help: string, labels: readonly string[], bounds: readonly number[]): Family {
  return { name, kind: 'histogram', help, labels, bounds }
}

function coredns(families: readonly Family[]): Family[] {
  return families.map((family) => ({ ...family, name: `coredns_${family.name}` }))
}

function ours(families: readonly Family[]): Family[] {
  return families.map((family) => ({ ...family, name: `peregrine_${family.name}` }))
}
