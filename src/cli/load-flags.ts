// The flags of `peregrine load`, part of the one table, and how they are grouped in its help. Not here: what they mean (load-plan.ts).

const RATE = [1, 10_000_000] as const
const SHARE = 'of all queries, 0..1 or 60%'

export const LOAD_FLAGS = {
  server: {
    kind: 'repeated',
    argument: 'ADDR[:PORT]',
    help: 'who is asked, also udp://, tcp://, tls:// or https://NAME/PATH; several are compared',
  },
  protocol: {
    kind: 'text',
    choices: ['udp', 'tcp', 'tls', 'https'],
    argument: 'KIND',
    help: 'of servers named without one: udp, tcp, tls or https (udp)',
  },
  'tls-server-name': { kind: 'text', argument: 'NAME', help: 'name that the certificate is for (that of the server)' },
  insecure: { kind: 'switch', help: 'do not check certificates' },
  'i-own-this-server': { kind: 'switch', help: 'the servers are mine, wherever their addresses are' },
  queries: {
    kind: 'text',
    argument: 'FILE',
    help: "queries: 'NAME TYPE' a line as dnsperf has them, or a ConfigMap of such",
  },
  pcap: {
    kind: 'text',
    argument: 'FILE',
    help: 'queries: those in a capture (pcap, pcapng), at the times they have there',
  },
  speed: { kind: 'number', argument: 'X', help: 'with --pcap: so many times as fast (1)' },
  search: {
    kind: 'list',
    argument: 'A,B',
    help: 'with --queries: look up names without a type below these, as resolvers do',
  },
  services: {
    kind: 'integer',
    range: [1, 1_000_000],
    argument: 'N',
    help: 'queries: for the names of a made-up cluster of so many Services',
  },
  endpoints: {
    kind: 'integer',
    range: [0, 8_000_000],
    argument: 'N',
    help: 'endpoints of all of them (10 a Service)',
  },
  'write-manifests': { kind: 'text', argument: 'DIR', help: 'write the made-up cluster there as manifests, and end' },
  'write-zone': { kind: 'text', argument: 'FILE', help: 'write the made-up cluster there as a zone file, and end' },
  seed: { kind: 'integer', range: [0, 2 ** 32 - 1], argument: 'N', help: 'the same one makes the same queries (1)' },
  count: {
    kind: 'integer',
    range: [1, 16_777_216],
    argument: 'N',
    help: 'queries in the mix, sent again and again (262144)',
  },
  distribution: {
    kind: 'text',
    choices: ['zipf', 'uniform'],
    argument: 'KIND',
    help: 'of names: zipf or uniform (zipf)',
  },
  'zipf-exponent': { kind: 'number', argument: 'X', help: 'with zipf, 0..4: how much the first names are ahead (1)' },
  'nxdomain-share': { kind: 'text', argument: 'SHARE', help: `what search paths ask in vain, ${SHARE} (0.6)` },
  'external-share': { kind: 'text', argument: 'SHARE', help: 'names outside of the cluster (0.12)' },
  'srv-share': { kind: 'text', argument: 'SHARE', help: 'SRV of named ports (0.02)' },
  'ptr-share': { kind: 'text', argument: 'SHARE', help: 'PTR of addresses (0.02)' },
  'single-a-share': { kind: 'text', argument: 'SHARE', help: 'A without the AAAA that comes with it else (0.06)' },
  'external-names': {
    kind: 'text',
    argument: 'FILE',
    help: 'names outside of the cluster, a line each (example.com and such)',
  },
  pairs: {
    kind: 'onoff',
    argument: 'on|off',
    help: 'A and AAAA together from one socket, as resolvers of C send them (on)',
  },
  clients: {
    kind: 'integer',
    range: [1, 65_536],
    argument: 'N',
    help: 'search paths that are walked at the same time (64)',
  },
  'case-randomization': { kind: 'switch', help: 'letters of names in random case (0x20)' },
  edns: {
    kind: 'integer',
    range: [512, 65_535],
    argument: 'OCTETS',
    help: 'queries with OPT, which says this size (none)',
  },
  dnssec: { kind: 'switch', help: 'queries with DO set (--edns 1232)' },
  outstanding: {
    kind: 'integer',
    range: [1, 1_000_000],
    argument: 'N',
    help: 'closed loop: so many queries under way, the next when one is answered (128)',
  },
  rate: { kind: 'integer', range: RATE, argument: 'N', help: 'open loop: so many queries a second, answered or not' },
  ramp: { kind: 'text', argument: 'FROM:TO', help: 'open loop, from one rate to the other' },
  'find-capacity': { kind: 'switch', help: 'search the highest rate within --max-p99 (10ms) and --max-loss (0.1)' },
  'start-rate': { kind: 'integer', range: RATE, argument: 'N', help: 'first rate of that search (1000)' },
  'max-rate': { kind: 'integer', range: RATE, argument: 'N', help: 'highest rate of that search (10000000)' },
  trial: { kind: 'duration', argument: 'TIME', help: 'length of one trial of that search (2s)' },
  duration: { kind: 'duration', argument: 'TIME', help: 'what counts, of each run (10s; of several servers 5s)' },
  warmup: { kind: 'duration', argument: 'TIME', help: 'before anything counts (1s; of a capture 0)' },
  passes: {
    kind: 'integer',
    range: [1, 2 ** 31 - 1],
    argument: 'N',
    help: 'send all queries so often, instead of --duration',
  },
  timeout: { kind: 'duration', argument: 'TIME', help: 'unanswered after this, a query is lost (5s)' },
  sockets: {
    kind: 'integer',
    range: [1, 62_000],
    argument: 'N',
    help: 'UDP sockets (128), or connections (16), all workers together',
  },
  cores: { kind: 'list', argument: 'A,B-C', help: 'keep the workers on these cores, in turn (any)' },
  gso: { kind: 'switch', help: 'UDP segmentation offload: several queries to a call' },
  sleep: { kind: 'switch', help: 'the workers sleep while there is nothing to do; all is up to 1 ms later then' },
  timestamps: {
    kind: 'text',
    choices: ['kernel', 'worker'],
    argument: 'WHOSE',
    help: 'UDP: who says when an answer came: kernel or worker (kernel)',
  },
  rounds: { kind: 'integer', range: [1, 1000], argument: 'N', help: 'of several servers: each once a round (5)' },
  pid: {
    kind: 'repeated',
    argument: 'N[,N]',
    help: "processes of the server, for its CPU time; once for each --server, '-' for none",
  },
  verify: {
    kind: 'optional',
    pattern: /^(?:all|\d{1,9})$/,
    argument: 'all|N',
    help: 'check every answer, or one of N (all)',
  },
  reference: {
    kind: 'text',
    argument: 'SERVER',
    help: 'check against this server, not against manifests or the cluster',
  },
  strict: { kind: 'switch', help: 'AA, authority and additional sections have to agree too' },
  'max-loss': { kind: 'text', argument: 'PERCENT', help: 'bound: more lost queries make exit code 1' },
  'max-p99': { kind: 'duration', argument: 'TIME', help: 'bound: a higher 99th percentile makes exit code 1' },
  'json-lines': { kind: 'text', argument: 'FILE', help: "a line of JSON a second there; '-' is standard output" },
  html: { kind: 'text', argument: 'FILE', help: 'write a report with plots there, which needs no network' },
  metrics: { kind: 'text', argument: '[ADDR:]PORT', help: 'Prometheus metrics there while it runs (127.0.0.1)' },
} as const

/** Whether a flag means something to `load` alone. */
export function isLoadFlag(name: string): boolean {
  return Object.hasOwn(LOAD_FLAGS, name)
}

/** Flags of other commands that mean something to `load` too: what records a cluster makes, and how it is read. */
export const MODEL_FLAGS = [
  ...(['zone', 'ttl', 'pods', 'namespaces', 'namespace_labels', 'labels', 'endpoint_pod_names', 'ignore'] as const),
  ...([
    'noendpoints',
    'zonal',
    'multicluster',
    'okd',
    'okd-wildcard',
    'okd-short-names',
    'okd-openshift-alias',
  ] as const),
  ...(['startup_timeout', 'apiserver_qps', 'apiserver_burst', 'apiserver_max_inflight', 'page-size'] as const),
  'streaming-lists',
] as const

/** The groups of its help: a title, and flags with another text than in the table. */
export const LOAD_GROUPS = [
  ['Who is asked', ['server', 'protocol', 'tls-server-name', 'insecure', 'i-own-this-server']],
  [
    'What is asked (without any: the cluster this runs in, else the application in examples/)',
    [
      ['manifests', 'queries: for the names of these manifests; repeatable'],
      ['kubeconfig', 'queries: for the names of the cluster that this file names'],
      'context',
      ...(['services', 'endpoints', 'write-manifests', 'write-zone', 'queries', 'search', 'pcap', 'speed'] as const),
    ],
  ],
  [
    'How often which (manifests, clusters)',
    [
      ...(['seed', 'count', 'distribution', 'zipf-exponent', 'nxdomain-share', 'external-share', 'srv-share'] as const),
      ...(['ptr-share', 'single-a-share', 'external-names', 'pairs', 'clients'] as const),
    ],
  ],
  ['What queries look like', ['case-randomization', 'edns', 'dnssec']],
  [
    'When (without any: --outstanding)',
    [
      ...(['outstanding', 'rate', 'ramp', 'find-capacity', 'start-rate', 'max-rate', 'trial'] as const),
      ...(['duration', 'warmup', 'passes', 'timeout'] as const),
    ],
  ],
  [
    'By what',
    [
      'sockets',
      ['workers', 'threads that send (half of the usable cores)'],
      ...(['cores', 'sleep', 'gso', 'timestamps'] as const),
      ['transport', 'UDP by batched system calls (io) or by node:dgram (dgram): auto, io or dgram (auto)'],
    ],
  ],
  ['Several servers, and their CPU time', ['rounds', 'pid']],
  ['Are the answers right', ['verify', 'reference', 'strict']],
  ['What has to hold', ['max-loss', 'max-p99']],
  [
    'What is printed',
    [['json', 'one JSON object instead of the summary'], 'json-lines', 'html', 'metrics', ['quiet', 'no progress']],
  ],
] as const

/** Help that is longer than a line a flag. */
export const LOAD_NOTES: readonly string[] = [
  'What records a cluster makes is told as to `serve`: --zone, --ttl, --pods, --namespaces, --okd and the like.',
  'Exit codes: 0 done; 1 a bound is broken, answers are wrong, or it failed; 2 wrong input, or no answer from the server.',
  'Times are written 500us, 10ms, 5s, 1m30s. Everything else: docs/load.md.',
]
