// The ConfigMap of kube-dns, mounted as a folder: `stubDomains` and `upstreamNameservers`, each a file of JSON. What is in them becomes part of
// a Corefile, so nothing but names and addresses is let through.

import { readFileSync } from 'node:fs'
import { isIP, isIPv6 } from 'node:net'
import { join } from 'node:path'
import { zoneName } from '../config/zone-names.ts'
import { NameError } from '../dns/name.ts'

/** Its two keys that have to do with us. */
export interface KubeDns {
  /** Zone as a key of a Corefile (`corp.example`) -> servers, `IP` or `IP:PORT`; never empty. */
  readonly stubDomains: ReadonlyMap<string, readonly string[]>
  /** Servers for all other names; empty = those of the node. */
  readonly upstreamNameservers: readonly string[]
}

/** A value that is no good. The message names the file. */
export class KubeDnsError extends Error {
  override readonly name = 'KubeDnsError'
  readonly code = 'KUBE_DNS'
}

/** What there is without a ConfigMap. */
export const NO_KUBE_DNS: KubeDns = { stubDomains: new Map(), upstreamNameservers: [] }

/** As forward takes them. */
const SERVERS_MAX = 15

/**
 * Reads the folder; a file that is not there is empty, and so is a folder that is not.
 * @param folder  '' = none
 * @throws KubeDnsError
 */
export function readKubeDns(folder: string): KubeDns {
  if (folder === '') return NO_KUBE_DNS
  return {
    stubDomains: stubDomainsOf(readJson(folder, 'stubDomains')),
    upstreamNameservers: serversOf(readJson(folder, 'upstreamNameservers') ?? [], 'upstreamNameservers'),
  }
}

/** undefined if there is nothing. */
function readJson(folder: string, name: string): unknown {
  try {
    const text = readFileSync(join(folder, name), 'utf8')
    return text.trim() === '' ? undefined : JSON.parse(text)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw new KubeDnsError(`${join(folder, name)}: ${message}`)
  }
}

function stubDomainsOf(value: unknown): Map<string, readonly string[]> {
  const stubDomains = new Map<string, readonly string[]>()
  if (value === undefined || value === null) return stubDomains
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new KubeDnsError('stubDomains: it is no object of zones and lists of servers')
  }
  for (const [text, servers] of Object.entries(value)) {
    const list = serversOf(servers, `stubDomains: ${text}`)
    if (list.length === 0) throw new KubeDnsError(`stubDomains: ${text}: no servers`)
    const zone = zoneOf(text)
    if (stubDomains.has(zone)) throw new KubeDnsError(`stubDomains: ${text}: there twice`)
    stubDomains.set(zone, list)
  }
  return stubDomains
}

function zoneOf(text: string): string {
  // An underscore is usual; what a Corefile reads as something else (braces, quotes, ports, comments) is in no name of a host.
  if (!/^[\w.-]+$/.test(text)) throw new KubeDnsError(`stubDomains: '${text}' is no domain name`)
  try {
    const zone = zoneName(text)
    return zone === '.' ? zone : zone.slice(0, -1)
  } catch (error) {
    if (!(error instanceof NameError)) throw error
    throw new KubeDnsError(`stubDomains: ${error.message}`)
  }
}

function serversOf(value: unknown, where: string): string[] {
  if (!Array.isArray(value)) throw new KubeDnsError(`${where}: it is no list of servers`)
  if (value.length > SERVERS_MAX) throw new KubeDnsError(`${where}: over ${SERVERS_MAX} servers`)
  return value.map((server) => {
    if (typeof server !== 'string' || !isServer(server)) {
      throw new KubeDnsError(`${where}: ${JSON.stringify(server)} is no IP address, with or without port`)
    }
    return server
  })
}

/** `IP`, `IPv4:PORT`, `[IPv6]:PORT`. */
function isServer(text: string): boolean {
  if (text.includes('%')) return false
  if (isIP(text) !== 0) return true
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? []
  const isAddress = bracketed === undefined ? isIP(plain ?? '') === 4 : isIPv6(bracketed)
  return isAddress && Number(port) > 0 && Number(port) < 65_536
}
