// What dashboards in use ask for (section 16 of the Corefile reference): the mixins' own, Grafana 5926, 14981, 15762, dotdc's and kin. Variables
// of Grafana are filled in as it fills them in.

/**
 * `data`: returns something while queries are asked. `quiet`: valid, but nothing of that kind happens to the server of the test.
 * `never`: the panel stays empty here.
 */
export type Outcome = 'data' | 'quiet' | 'never'

const JOB = 'job="kube-dns"'
const FORWARD = `${JOB},proxy_name="forward"`

/** Panel, query, outcome. */
export const PANELS: readonly (readonly [panel: string, query: string, outcome: Outcome])[] = [
  // Variables and heads.
  ['variable: instances', 'coredns_build_info', 'data'],
  ['variable: versions', 'group by (version, goversion) (coredns_build_info)', 'data'],
  ['up', `sum(up{${JOB}})`, 'data'],
  ['plugins', `sum by (name) (coredns_plugin_enabled{${JOB}})`, 'data'],
  ['plugins of a block', `coredns_plugin_enabled{${JOB},zone=".",view="",name="kubernetes"}`, 'data'],
  ['version of the configuration', `coredns_reload_version_info{${JOB}}`, 'data'],
  ['failed reloads', `increase(coredns_reload_failed_total{${JOB}}[1h])`, 'data'],
  ['panics', `sum(rate(coredns_panics_total{${JOB}}[5m]))`, 'data'],
  // Requests.
  ['requests', `sum(rate(coredns_dns_requests_total{${JOB}}[5m]))`, 'data'],
  ['by protocol', `sum by (proto) (rate(coredns_dns_requests_total{${JOB}}[5m]))`, 'data'],
  ['by family', `sum by (family) (rate(coredns_dns_requests_total{${JOB}}[5m]))`, 'data'],
  ['by type', `sum by (type) (rate(coredns_dns_requests_total{${JOB}}[5m]))`, 'data'],
  ['by zone', `sum by (zone) (rate(coredns_dns_requests_total{${JOB}}[5m]))`, 'data'],
  ['of the root', `sum(rate(coredns_dns_requests_total{${JOB},zone=".",server=~"dns://.*"}[5m]))`, 'data'],
  ['of no zone', `sum(rate(coredns_dns_requests_total{${JOB},zone="dropped"}[5m]))`, 'data'],
  ['by instance', `sum by (instance) (rate(coredns_dns_requests_total{instance=~".*"}[2m]))`, 'data'],
  ['by pod', `topk(5, sum by (pod) (rate(coredns_dns_requests_total{namespace="kube-system"}[5m])))`, 'data'],
  ['IPv4 over UDP', `sum(irate(coredns_dns_requests_total{${JOB},proto="udp",family="1"}[5m]))`, 'data'],
  ['addresses', `sum by (type) (rate(coredns_dns_requests_total{${JOB},type=~"A|AAAA"}[5m]))`, 'data'],
  ['with DO', `sum(rate(coredns_dns_do_requests_total{${JOB}}[5m])) by (zone)`, 'data'],
  ['total', `sum(coredns_dns_requests_total{${JOB}})`, 'data'],
  // Responses.
  ['by RCODE', `sum by (rcode) (rate(coredns_dns_responses_total{${JOB}}[5m]))`, 'data'],
  ['by plugin', `sum by (plugin) (rate(coredns_dns_responses_total{${JOB}}[5m]))`, 'data'],
  ['NXDOMAIN', `sum(rate(coredns_dns_responses_total{${JOB},rcode="NXDOMAIN"}[5m]))`, 'data'],
  [
    'share of SERVFAIL',
    `sum(rate(coredns_dns_responses_total{${JOB},rcode="SERVFAIL"}[5m])) / sum(rate(coredns_dns_responses_total{${JOB}}[5m]))`,
    'data',
  ],
  [
    'share of NOERROR',
    `sum(rate(coredns_dns_responses_total{${JOB},rcode="NOERROR"}[5m])) by (server) / sum(rate(coredns_dns_responses_total{${JOB}}[5m])) by (server)`,
    'data',
  ],
  // Durations and sizes.
  ...[0.5, 0.9, 0.95, 0.99].map(
    (q) =>
      [
        `duration, ${q}`,
        `histogram_quantile(${q}, sum(rate(coredns_dns_request_duration_seconds_bucket{${JOB}}[5m])) by (server, zone, le))`,
        'data',
      ] as const,
  ),
  [
    'mean duration',
    `sum(rate(coredns_dns_request_duration_seconds_sum{${JOB}}[5m])) / sum(rate(coredns_dns_request_duration_seconds_count{${JOB}}[5m]))`,
    'data',
  ],
  ['heat map', `sum(increase(coredns_dns_request_duration_seconds_bucket{${JOB}}[1m])) by (le)`, 'data'],
  ...['udp', 'tcp'].flatMap((proto) =>
    ['request', 'response'].map(
      (what) =>
        [
          `size of a ${what} over ${proto}`,
          `histogram_quantile(0.99, sum(rate(coredns_dns_${what}_size_bytes_bucket{${JOB},proto="${proto}"}[5m])) by (le, proto))`,
          'data',
        ] as const,
    ),
  ),
  ['octets out', `sum(rate(coredns_dns_response_size_bytes_sum{${JOB}}[5m]))`, 'data'],
  // Health, hosts, templates.
  [
    'health',
    `histogram_quantile(0.95, sum(rate(coredns_health_request_duration_seconds_bucket{${JOB}}[5m])) by (instance, le))`,
    'data',
  ],
  ['failed health', `increase(coredns_health_request_failures_total{${JOB}}[5m])`, 'data'],
  ['hosts', `coredns_hosts_entries{${JOB}}`, 'data'],
  ['hosts read', `time() - coredns_hosts_reload_timestamp_seconds{${JOB}}`, 'data'],
  ['templates', `sum by (zone, class, type) (rate(coredns_template_matches_total{${JOB}}[5m]))`, 'data'],
  // Kubernetes.
  [
    'programming latency (SLI)',
    `histogram_quantile(0.99, sum(rate(coredns_kubernetes_dns_programming_duration_seconds_bucket{${JOB}}[5m])) by (service_kind, le))`,
    'data',
  ],
  ['API requests', `sum by (code, method) (coredns_kubernetes_rest_client_requests_total{${JOB}})`, 'data'],
  [
    'API request rate',
    `sum by (verb, host) (rate(coredns_kubernetes_rest_client_request_duration_seconds_count{${JOB}}[5m]))`,
    'data',
  ],
  ['API waits', `coredns_kubernetes_rest_client_rate_limiter_duration_seconds_sum{${JOB}}`, 'data'],
  // Process.
  ['memory', `process_resident_memory_bytes{${JOB}}`, 'data'],
  ['CPU', `rate(process_cpu_seconds_total{${JOB}}[5m])`, 'data'],
  ['up since', `time() - process_start_time_seconds{${JOB}}`, 'data'],
  ['descriptors', `process_open_fds{${JOB}} / process_max_fds{${JOB}}`, 'data'],
  ['heap', `go_memstats_alloc_bytes{${JOB}}`, 'data'],
  ['platform', `count by (version) (go_info{${JOB}})`, 'data'],
  ['goroutines', `go_goroutines{${JOB}}`, 'never'],
  // NodeLocal DNSCache.
  ['setup errors', 'sum by (errortype) (coredns_nodecache_setup_errors_total{job="nodelocaldns"})', 'data'],
  // Forward: the families without labels are there from the start.
  ['health checks all failed', `sum(rate(coredns_forward_healthcheck_broken_total{${JOB}}[5m]))`, 'data'],
  ['too many at once', `sum(rate(coredns_forward_max_concurrent_rejects_total{${JOB}}[5m]))`, 'data'],
  ['forwarded', `sum(rate(coredns_proxy_request_duration_seconds_count{${FORWARD}}[5m])) by (to)`, 'data'],
  ['RCODE of upstreams', `sum(rate(coredns_proxy_request_duration_seconds_count{${FORWARD}}[5m])) by (rcode)`, 'data'],
  [
    'duration of forwarding',
    `histogram_quantile(0.99, sum(rate(coredns_proxy_request_duration_seconds_bucket{${FORWARD}}[5m])) by (to, le))`,
    'data',
  ],
  ['connections used again', `sum(rate(coredns_proxy_conn_cache_hits_total{${FORWARD}}[5m])) by (to, proto)`, 'data'],
  ['connections made', `sum(rate(coredns_proxy_conn_cache_misses_total{${FORWARD}}[5m])) by (to, proto)`, 'data'],
  ['forwarded (old name)', `sum(rate(coredns_forward_requests_total{${JOB}}[5m])) by (to)`, 'data'],
  ['RCODE of upstreams (old name)', `sum(rate(coredns_forward_responses_total{${JOB}}[5m])) by (rcode)`, 'data'],
  [
    'duration of forwarding (old name)',
    `histogram_quantile(0.95, sum(rate(coredns_forward_request_duration_seconds_bucket{${JOB}}[5m])) by (to, le))`,
    'data',
  ],
  // Cache.
  ['entries', `sum(coredns_cache_entries{${JOB}}) by (type)`, 'data'],
  ['hits', `sum(rate(coredns_cache_hits_total{${JOB}}[5m])) by (type)`, 'data'],
  ['misses', `sum(rate(coredns_cache_misses_total{${JOB}}[5m]))`, 'data'],
  [
    'hit ratio',
    `sum(rate(coredns_cache_hits_total{${JOB}}[5m])) / sum(rate(coredns_cache_requests_total{${JOB}}[5m]))`,
    'data',
  ],
  ['prefetched', `sum(rate(coredns_cache_prefetch_total{${JOB}}[5m]))`, 'data'],
  ['stale', `sum(rate(coredns_cache_served_stale_total{${JOB}}[5m]))`, 'data'],
  ['evictions', `sum(rate(coredns_cache_evictions_total{${JOB}}[5m])) by (type)`, 'quiet'],
]
