// What is measured: how each forwarder is started. All alike: one thread for queries, one listening socket, everything
// forwarded to one upstream, room for about as many answers, no prefetch, nothing stale, no DNSSEC, no log of queries, and
// as many queries under way as come. The rest is as Debian ships it.

import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ZONE } from '../../src/load/queries/synthetic-cluster.ts'
import { findProgram, lacking } from '../serve/process.ts'

/** What a server is asked. */
export type Purpose = 'hits' | 'misses'

/** What a target needs to know to be started. */
export interface Setting {
  readonly purpose: Purpose
  /** Exists, empty, the target's own. */
  readonly folder: string
  readonly port: number
  readonly upstreamPort: number
  /** The cluster's objects: only Peregrine serves them. */
  readonly manifests: string
  /** `bin/peregrine` of the checkout to measure. */
  readonly launcher: string
}

/** One forwarder that can be measured. */
export interface Target {
  readonly name: string
  /** What its figures stand for, as the report prints it. */
  readonly configuration: string
  /** '' = can run here, otherwise why not. */
  missing(launcher: string): string
  /** Writes the configuration and says what to execute (without pinning). */
  prepare(setting: Setting): string[]
}

/** The one that the others are compared with. */
export const OWN = 'peregrine'

const ADDRESS = '127.0.0.1'
/** Answers that a cache has room for; where it is counted in octets, room for at least as many. */
const ENTRIES = 20_000
/** Seconds that an answer may be kept, at most. */
const KEEP = 3_600

/** In the order in which a round visits them. */
export const TARGETS: readonly Target[] = [
  {
    name: OWN,
    configuration: `--workers 1; kubernetes, forward (max_concurrent 0), cache (${ENTRIES} entries each), errors, prometheus`,
    missing: (launcher) => (existsSync(launcher) ? '' : `${launcher} is not there`),
    prepare: preparePeregrine,
  },
  {
    name: 'unbound',
    configuration:
      'num-threads 1; so-reuseport no; iterator alone; msg-cache 16 MiB, rrset-cache 32 MiB, one slab; prefetch no; ' +
      'serve-expired no; num-queries-per-thread 4096, outgoing-range 8192; so-rcvbuf 4 MiB; verbosity 0',
    missing: () => lacking('unbound'),
    prepare: prepareUnbound,
  },
  {
    name: 'dnsdist',
    configuration:
      `one listener (reusePort=false), one backend of 8 sockets (one thread of its own for answers); packet cache of ` +
      `${ENTRIES} entries; no health checks; receive buffers 4 MiB; one TCP worker; no log`,
    missing: () => lacking('dnsdist'),
    prepare: prepareDnsdist,
  },
  {
    name: 'dnsmasq',
    configuration:
      `one thread, as always; cache-size ${ENTRIES * 5} (a tenth of it for names above 50 characters), for misses its ` +
      'default of 150 (it walks the whole of a full cache for what it adds); dns-forward-max 10000; no log; receive ' +
      'buffers as the kernel has them',
    missing: () => lacking('dnsmasq'),
    prepare: prepareDnsmasq,
  },
]

function preparePeregrine({ folder, port, upstreamPort, manifests, launcher }: Setting): string[] {
  const conf = join(folder, 'Corefile')
  writeFileSync(
    conf,
    `.:${port} {
  bind ${ADDRESS}
  errors
  prometheus ${ADDRESS}:0
  kubernetes ${ZONE} {
    pods insecure
    ttl 30
  }
  forward . ${ADDRESS}:${upstreamPort} {
    max_concurrent 0
  }
  cache ${KEEP} {
    success ${ENTRIES} ${KEEP}
    denial ${ENTRIES} ${KEEP}
  }
}
`,
  )
  return [launcher, '-conf', conf, '--manifests', manifests, '--workers', '1']
}

function prepareUnbound({ folder, port, upstreamPort }: Setting): string[] {
  const conf = join(folder, 'unbound.conf')
  writeFileSync(
    conf,
    `server:
  interface: ${ADDRESS}@${port}
  access-control: 127.0.0.0/8 allow
  do-not-query-localhost: no
  num-threads: 1
  so-reuseport: no
  so-rcvbuf: 4m
  module-config: "iterator"
  msg-cache-size: 16m
  rrset-cache-size: 32m
  msg-cache-slabs: 1
  rrset-cache-slabs: 1
  infra-cache-slabs: 1
  key-cache-slabs: 1
  cache-max-ttl: ${KEEP}
  cache-max-negative-ttl: ${KEEP}
  outgoing-range: 8192
  num-queries-per-thread: 4096
  prefetch: no
  serve-expired: no
  verbosity: 0
  log-queries: no
  use-syslog: no
  username: ""
  chroot: ""
  directory: "${folder}"
  pidfile: ""
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: ${ADDRESS}@${upstreamPort}
`,
  )
  return [findProgram('unbound'), '-d', '-c', conf]
}

/** The query for its own security status would leave the machine: it is off. */
function prepareDnsdist({ folder, port, upstreamPort }: Setting): string[] {
  const conf = join(folder, 'dnsdist.conf')
  writeFileSync(
    conf,
    `setSecurityPollSuffix("")
setLocal("${ADDRESS}:${port}", {reusePort=false})
setACL({"127.0.0.0/8"})
setMaxUDPOutstanding(65535)
setMaxTCPClientThreads(1)
setUDPSocketBufferSizes(${4 << 20}, ${4 << 20})
setVerboseHealthChecks(false)
newServer({address="${ADDRESS}:${upstreamPort}", sockets=8}):setUp()
getPool(""):setCache(newPacketCache(${ENTRIES}, {maxTTL=${KEEP}, maxNegativeTTL=${KEEP}}))
`,
  )
  return [findProgram('dnsdist'), '--supervised', '--disable-syslog', '-C', conf]
}

function prepareDnsmasq({ folder, purpose, port, upstreamPort }: Setting): string[] {
  const conf = join(folder, 'dnsmasq.conf')
  writeFileSync(
    conf,
    `port=${port}
listen-address=${ADDRESS}
bind-interfaces
no-resolv
no-poll
no-hosts
server=${ADDRESS}#${upstreamPort}
${purpose === 'hits' ? `cache-size=${ENTRIES * 5}` : ''}
dns-forward-max=10000
pid-file
log-facility=-
`,
  )
  return [findProgram('dnsmasq'), '--keep-in-foreground', `--conf-file=${conf}`]
}
