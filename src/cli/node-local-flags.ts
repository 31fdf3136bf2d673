// The flags of `node-cache` (reference, section 15.1), part of the one table. Not here: what they mean.

const PORT = [1, 65_535] as const

export const NODE_LOCAL_FLAGS = {
  localip: { kind: 'list', argument: 'A,B', help: 'own addresses, all of one family' },
  basecorefile: {
    kind: 'text',
    argument: 'FILE',
    help: 'template of --conf, which is written (/etc/coredns/Corefile.base)',
  },
  corefile: { kind: 'text', argument: 'FILE', help: 'has no effect, as ever; --conf is what counts' },
  kubednscm: {
    kind: 'text',
    argument: 'DIR',
    help: "kube-dns' ConfigMap, for its stub domains and upstream servers (/etc/kube-dns)",
  },
  upstreamsvc: { kind: 'text', argument: 'NAME', help: "Service of the cluster's DNS servers (kube-dns)" },
  setupinterface: { kind: 'toggle', help: 'make an interface with the addresses (true)' },
  interfacename: { kind: 'text', argument: 'NAME', help: 'name of that interface (nodelocaldns)' },
  setupiptables: { kind: 'toggle', help: 'make rules of the packet filter (true)' },
  syncinterval: {
    kind: 'text',
    argument: 'SECONDS',
    help: 'time between two looks at interface and rules (60)',
  },
  'health-port': { kind: 'integer', range: PORT, argument: 'N', help: 'port of health checks (8080)' },
  'metrics-listen-address': {
    kind: 'text',
    argument: 'ADDR',
    help: 'where the metrics of its setup are (0.0.0.0:9353)',
  },
  skipteardown: { kind: 'toggle', help: 'leave interface and rules at the end (false)' },
  reloadwithsignal: { kind: 'toggle', help: 'load a rewritten Corefile at once, without `reload` (false)' },
} as const

/** Whether one of them is given: then this is the cache of a node. */
export function hasNodeLocalFlags(flags: { has(name: keyof typeof NODE_LOCAL_FLAGS): boolean }): boolean {
  return (Object.keys(NODE_LOCAL_FLAGS) as (keyof typeof NODE_LOCAL_FLAGS)[]).some((name) => flags.has(name))
}
