// What a Corefile of test/fixtures/corefiles/ must do once it is served, as a table says it; and the same file with free ports and
// with paths below the working directory, for where the real ones are not to be had.

import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { NODE_RESOLVER } from './upstreams.ts'

/** The folder of the files. */
export const COREFILES: string = resolve(import.meta.dirname, '../fixtures/corefiles')

/**
 * A question and what comes back, over UDP and over TCP.
 * - question: `NAME TYPE [CLASS]`, class IN unless CH is said
 * - result: an RCODE, or records as `[OWNER] TTL TYPE RDATA` in any order, owner if not given: the name asked.
 *   `NXDOMAIN` and `NODATA` come with the SOA of a zone that the name lies in, or of the zone that is said: `NXDOMAIN lan.`;
 *   `NXDOMAIN without SOA` and `NOERROR` come with nothing
 */
export type Ask = readonly [question: string, result: string | readonly string[], options?: AskOptions]

export interface AskOptions {
  /** Address to ask. Default: that of the fixture. */
  readonly at?: string
  /** Port to ask. Default: that of the fixture. */
  readonly port?: number
  /** AA. Default: true in all but REFUSED, SERVFAIL and referrals. */
  readonly authoritative?: boolean
  /** The server's identifier, asked for and expected (RFC 5001). */
  readonly nsid?: string
  /** An upstream says so: RA is set, AA is clear. `kept`: the second time, over TCP, it comes out of the cache, with AA; `hit`: the first time too. */
  readonly forwarded?: 'kept' | 'always' | 'hit'
}

/** Of {@link AskOptions.forwarded}: what an upstream says, with a cache and without. */
export const KEPT: AskOptions = { forwarded: 'kept' }
export const NOT_KEPT: AskOptions = { forwarded: 'always' }

/** A file and what it must do. Ports and paths are those of the file. */
export interface Fixture {
  /** Name of the file, without suffix. */
  readonly file: string
  /** Which of several uses of it this is. */
  readonly title?: string
  /** Where the file is mounted. Default `/etc/coredns/Corefile` */
  readonly path?: string
  /** Name of the program. Default `coredns` */
  readonly name?: string
  /** Asked. Default 53 */
  readonly port?: number
  /** Asked. Default 127.0.0.1 */
  readonly address?: string
  /** Other files, by absolute path. */
  readonly files?: Readonly<Record<string, string>>
  /** Ports of HTTP that the file opens; and their address, if not all or the loopback. */
  readonly http: {
    readonly health?: number
    readonly ready?: number
    readonly metrics?: number
    readonly host?: string
  }
  /** Lines of listeners at the start. Default `.:53` */
  readonly listeners?: readonly string[]
  /** Other lines at the start. */
  readonly says?: readonly RegExp[]
  readonly asks: readonly Ask[]
  /** Lines that the questions leave in the log. */
  readonly logs?: readonly RegExp[]
  /** What no line of the log says. */
  readonly hides?: RegExp
  /** Zones that `dns_requests_total` has after these questions, with the server's label for the fixture's address. */
  readonly counts?: readonly string[]
}

/** Where a fixture without a mounted one has its resolv.conf. */
export const RESOLV_CONF: string = `nameserver ${NODE_RESOLVER}\n`

/** The text of the file. */
export function textOf({ file }: Fixture): string {
  return readFileSync(`${COREFILES}/${file}.Corefile`, 'utf8')
}

/** All ports that a fixture opens. */
export function portsOf({ port = 53, http }: Fixture): number[] {
  return [port, http.health, http.ready, http.metrics].filter((each) => each !== undefined)
}

const ENDPOINT = /^(\s+)(health|ready|prometheus)(?: (\S*):(\d+))?( \{)?$/gm
const ENDPOINT_PORTS: Readonly<Record<string, number>> = { health: 8080, ready: 8181, prometheus: 9153 }

/** The text with other ports, in keys and for HTTP. @throws Error for one that has no other */
export function withPorts(text: string, ports: ReadonlyMap<number, number>): string {
  const mapped = (port: number): number => {
    const other = ports.get(port)
    if (other === undefined) throw new Error(`port ${port} is not in the table`)
    return other
  }
  return text
    .replace(/^\S.* \{$/gm, (keys) => keys.replace(/:(\d+)(?=\s)/g, (_, port) => `:${mapped(Number(port))}`))
    .replace(ENDPOINT, (_, indent, name, host = '', port = ENDPOINT_PORTS[name], brace = '') => {
      return `${indent}${name} ${host}:${mapped(Number(port))}${brace}`
    })
}

/** A path as it is below the working directory: that of the Corefile itself stays beside it. */
export function relativePath(path: string): string {
  return path.replace(/^\/etc\/coredns\//, '').replace(/^\//, '')
}

/** The text with {@link relativePath}s. */
export function withRelativePaths(text: string): string {
  return text.replace(/(?<= )\/(?:etc|rootfs)\/\S+/g, relativePath)
}
