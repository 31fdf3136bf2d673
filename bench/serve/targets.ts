// What is measured: how each server is started on one core with the names of one cluster. Peers run as their packages
// ship them, told only where to listen, to use one core for UDP, and to keep their files in a folder of ours.

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ZONE } from '../../src/load/queries/synthetic-cluster.ts'
import { nsdCommand } from './nsd.ts'
import { findProgram, lacking } from './process.ts'

/** What a target needs to know to be started. */
export interface Setting {
  /** Exists, empty, the target's own. */
  readonly folder: string
  readonly port: number
  readonly manifests: string
  readonly zoneFile: string
  /** `bin/peregrine` of the checkout to measure. */
  readonly launcher: string
}

/** One server that can be measured. */
export interface Target {
  readonly name: string
  /** Whether it serves names; the echoes only flip a bit. */
  readonly answers: boolean
  /** '' = can run here, otherwise why not. */
  missing(launcher: string): string
  /** Writes the configuration and says what to execute (without pinning). */
  prepare(setting: Setting): string[]
}

const ADDRESS = '127.0.0.1'
const HERE = import.meta.dirname

/** In the order in which a round visits them. */
export const TARGETS: readonly Target[] = [
  {
    name: 'echo',
    answers: false,
    missing: () => '',
    prepare: ({ port }) => [process.execPath, join(HERE, 'echo.ts'), String(port)],
  },
  {
    name: 'echo-c',
    answers: false,
    missing: () => lacking('cc'),
    prepare: ({ folder, port }) => {
      const program = join(folder, 'echo')
      execFileSync('cc', ['-O2', '-o', program, join(HERE, 'echo.c')])
      return [program, String(port)]
    },
  },
  {
    name: 'peregrine',
    answers: true,
    missing: (launcher) => (existsSync(launcher) ? '' : `${launcher} is not there`),
    prepare: ({ port, manifests, launcher }) => {
      const listen = ['-dns.port', String(port), '--listen', ADDRESS]
      return [launcher, 'serve', '--manifests', manifests, ...listen, '--workers', '1']
    },
  },
  {
    name: 'corefile',
    answers: true,
    missing: (launcher) => (existsSync(launcher) ? '' : `${launcher} is not there`),
    prepare: ({ folder, port, manifests, launcher }) => {
      const conf = join(folder, 'Corefile')
      writeFileSync(conf, kubeadm(port))
      return [launcher, '-conf', conf, '--manifests', manifests, '--workers', '1']
    },
  },
  { name: 'knot', answers: true, missing: () => lacking('knotd'), prepare: prepareKnot },
  {
    name: 'nsd',
    answers: true,
    missing: () => lacking('nsd'),
    prepare: ({ folder, port, zoneFile }) => nsdCommand(folder, port, [[ZONE, zoneFile]]),
  },
  { name: 'gdnsd', answers: true, missing: () => lacking('gdnsd'), prepare: prepareGdnsd },
]

/** Peregrine by the Corefile that kubeadm writes, counting everything. */
function kubeadm(port: number): string {
  return `.:${port} {
  bind ${ADDRESS}
  errors
  health ${ADDRESS}:0 {
    lameduck 0s
  }
  ready ${ADDRESS}:0
  kubernetes ${ZONE} in-addr.arpa ip6.arpa {
    pods insecure
    fallthrough in-addr.arpa ip6.arpa
    ttl 30
  }
  prometheus ${ADDRESS}:0
  forward . ${ADDRESS}
  cache 30
  loop
  reload
  loadbalance
}
`
}

function prepareKnot({ folder, port, zoneFile }: Setting): string[] {
  const conf = join(folder, 'knot.conf')
  writeFileSync(
    conf,
    `server:
  rundir: "${folder}"
  pidfile: "${folder}/knot.pid"
  listen: ${ADDRESS}@${port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
log:
  - target: stderr
    any: info
database:
  storage: "${folder}"
template:
  - id: default
    storage: "${folder}"
    semantic-checks: off
    zonefile-sync: -1
    journal-content: none
zone:
  - domain: ${ZONE}
    file: "${zoneFile}"
`,
  )
  return [findProgram('knotd'), '-c', conf]
}

function prepareGdnsd({ folder, port, zoneFile }: Setting): string[] {
  for (const name of ['zones', 'run', 'state']) mkdirSync(join(folder, name))
  // The zone's name is the file's.
  symlinkSync(zoneFile, join(folder, 'zones', ZONE))
  writeFileSync(
    join(folder, 'config'),
    `options => {
  listen => ${ADDRESS}:${port}
  udp_threads => 1
  tcp_threads => 1
  run_dir => ${folder}/run
  state_dir => ${folder}/state
}
`,
  )
  return [findProgram('gdnsd'), '-c', folder, 'start']
}
