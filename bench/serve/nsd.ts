// NSD as every measurement has it: one server process, no limits of rate, no control, its files in a folder of ours.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram } from './process.ts'

/** A zone's name and the path of its file. */
export type ZoneFile = readonly [zone: string, path: string]

/**
 * Writes its configuration.
 *
 * @param options  more lines of its `server:` section
 * @returns what to execute; it listens on 127.0.0.1
 */
export function nsdCommand(
  folder: string,
  port: number,
  zones: readonly ZoneFile[],
  options: readonly string[] = [],
): string[] {
  const conf = join(folder, 'nsd.conf')
  writeFileSync(
    conf,
    `server:
  server-count: 1
  ip-address: 127.0.0.1@${port}
${options.map((line) => `  ${line}\n`).join('')}\
  username: ""
  chroot: ""
  zonesdir: "${folder}"
  database: ""
  zonelistfile: "${folder}/zone.list"
  xfrdfile: "${folder}/xfrd.state"
  xfrdir: "${folder}"
  pidfile: "${folder}/nsd.pid"
  logfile: "${folder}/nsd.log"
  rrl-ratelimit: 0
remote-control:
  control-enable: no
${zones.map(([name, path]) => `zone:\n  name: ${name}\n  zonefile: "${path}"\n`).join('')}`,
  )
  return [findProgram('nsd'), '-d', '-c', conf]
}
