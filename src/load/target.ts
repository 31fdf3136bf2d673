// Who is asked: what the command line says of a server, as addresses. And the guard before it: load is for servers of one's own,
// so an address that anybody may have needs the word of the user.

import { BlockList, isIP, isIPv6 } from 'node:net'
import { LoadInputError } from './input-error.ts'
import type { Target, Transport } from './run.ts'

/** A server as it is named. */
export interface NamedTarget {
  readonly label: string
  /** Name or address, without brackets. */
  readonly host: string
  /** 1..65535. */
  readonly port: number
  readonly transport: Transport
  /** Path of the URL with its query; '' unless HTTPS. */
  readonly path: string
}

/** What the flags say for all servers. */
export interface TargetOptions {
  /** Of a server that is named without a scheme. */
  readonly transport: Transport
  /** Name that certificates are for; '' = the one that the server is named by. */
  readonly serverName: string
  readonly verifiesCertificate: boolean
}

/** All addresses of a name. Rejects if there are none. */
export type LookUp = (host: string) => Promise<readonly string[]>

/** A server, and every address that its name has. */
export interface ResolvedTarget {
  readonly target: Target
  /** The first one is that of `target`. */
  readonly addresses: readonly string[]
}

/** RFC 1035 §4.2, RFC 7858 §3.1, RFC 8484 §4.1. */
const PORTS: Readonly<Record<Transport, number>> = { udp: 53, tcp: 53, tls: 853, https: 443 }
/** RFC 8484 §4.1.1 leaves it open; this is the one that everybody has. */
const HTTPS_PATH = '/dns-query'
const SCHEME = /^(udp|tcp|tls|https):\/\//i
const HOST_NAME = /^(?=.{1,253}$)(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?$/i

/** Loopback, private and link-local ranges: RFC 1122 §3.2.1.3, RFC 1918, RFC 6598, RFC 3927; RFC 4291 §2.5.3, §2.5.6, RFC 4193. */
const NEAR = blockList([
  ['127.0.0.0', 8],
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['100.64.0.0', 10],
  ['169.254.0.0', 16],
  ['::1', 128],
  ['fc00::', 7],
  ['fe80::', 10],
])
/** Nobody's own address: "this network" and unspecified, multicast, broadcast. RFC 1122 §3.2.1.3, RFC 5771, RFC 4291 §2.5.2, §2.7. */
const NO_HOST = blockList([
  ['0.0.0.0', 8],
  ['224.0.0.0', 4],
  ['255.255.255.255', 32],
  ['::', 128],
  ['ff00::', 8],
])

/**
 * Reads `ADDR`, `ADDR:PORT`, `[V6]:PORT`, `NAME`, `NAME:PORT`, each with `udp://`, `tcp://`, `tls://` or `https://` in front;
 * `https://NAME/PATH` too.
 *
 * @param transport  without a scheme
 * @param flag       that said it
 * @throws LoadInputError naming flag and text
 */
export function parseTarget(text: string, transport: Transport, flag: string): NamedTarget {
  const wrong = (what: string): LoadInputError => new LoadInputError(`flag --${flag}: ${what}: '${text}'`)
  const scheme = SCHEME.exec(text)
  if (scheme === null && text.includes('://')) throw wrong('a scheme other than udp, tcp, tls and https')
  const way = scheme === null ? transport : (scheme[1].toLowerCase() as Transport)
  const rest = text.slice(scheme?.[0].length ?? 0)
  const slash = rest.indexOf('/')
  const authority = slash < 0 ? rest : rest.slice(0, slash)
  const path = slash < 0 || rest.slice(slash) === '/' ? '' : rest.slice(slash)
  if (path !== '' && way !== 'https') throw wrong('only https has a path')
  if (/[^!-~]/.test(path)) throw wrong('a path that is no part of a URL')
  const [host, portText] = hostAndPort(authority)
  if (host === '') throw wrong('no server in')
  if (isIP(host) === 0 && !HOST_NAME.test(host)) throw wrong('neither an address nor a name')
  if (isIP(host) === 0 && /^[\d.]+$/.test(host)) throw wrong('not an IPv4 address')
  const port = portText === undefined ? PORTS[way] : Number(portText)
  if (portText !== undefined && !/^\d{1,5}$/.test(portText)) throw wrong('not a port')
  if (port < 1 || port > 65_535) throw wrong('a port is 1 to 65535')
  return { label: text, host, port, transport: way, path: way === 'https' ? path || HTTPS_PATH : '' }
}

/**
 * Looks a server up.
 *
 * @param lookUp  asked for a host that is no address
 * @throws LoadInputError if there is no such name, or one of its addresses is nobody's
 */
export async function resolveTarget(
  named: NamedTarget,
  options: TargetOptions,
  lookUp: LookUp,
): Promise<ResolvedTarget> {
  const { label, host, port, transport, path } = named
  const addresses = isIP(host) > 0 ? [host] : await lookedUp(host, lookUp)
  const odd = addresses.find((address) => contains(NO_HOST, address))
  if (odd !== undefined) throw new LoadInputError(`server ${label}: ${odd} is not the address of a host`)
  const serverName = options.serverName || (isIP(host) > 0 ? '' : host.replace(/\.$/, ''))
  const target = {
    label,
    address: addresses[0],
    port,
    transport,
    serverName,
    path,
    verifiesCertificate: options.verifiesCertificate,
  }
  return { target, addresses }
}

/**
 * The addresses of a server that are neither near (loopback, private, link-local) nor of the cluster: load there may hit somebody else.
 *
 * @param isOfCluster  whether an address, in canonical form (RFC 5952), is that of a Service or an endpoint
 */
export function foreignAddresses(
  { addresses }: ResolvedTarget,
  isOfCluster: (address: string) => boolean = () => false,
): string[] {
  return addresses.filter((address) => !contains(NEAR, address) && !isOfCluster(address))
}

/** @throws LoadInputError if a server is out of bounds and the user has not vouched for it */
export function guardTarget(resolved: ResolvedTarget, isOfCluster?: (address: string) => boolean): void {
  const [foreign] = foreignAddresses(resolved, isOfCluster)
  if (foreign === undefined) return
  const { label, address } = resolved.target
  const where = label.includes(foreign) && foreign === address ? '' : ` (${foreign})`
  throw new LoadInputError(
    `server ${label}${where} is neither loopback nor private nor of the cluster; if it is yours, say --i-own-this-server`,
  )
}

async function lookedUp(host: string, lookUp: LookUp): Promise<readonly string[]> {
  try {
    const addresses = await lookUp(host)
    if (addresses.length > 0) return addresses
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new LoadInputError(`server ${host}: no address: ${code === 'ENOTFOUND' ? 'no such name' : (code ?? message)}`)
  }
  throw new LoadInputError(`server ${host}: no address`)
}

/** A port is what stands behind the last colon, but for an IPv6 address without brackets. */
function hostAndPort(authority: string): [host: string, port: string | undefined] {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(authority)
  if (bracketed !== null) return [isIPv6(bracketed[1]) ? bracketed[1] : '', bracketed[2]]
  if (isIPv6(authority)) return [authority, undefined]
  const colon = authority.lastIndexOf(':')
  return colon < 0 ? [authority, undefined] : [authority.slice(0, colon), authority.slice(colon + 1)]
}

function blockList(subnets: readonly (readonly [address: string, length: number])[]): BlockList {
  const list = new BlockList()
  for (const [address, length] of subnets) list.addSubnet(address, length, address.includes(':') ? 'ipv6' : 'ipv4')
  return list
}

/** An IPv4-mapped address is judged by the IPv4 in it. */
function contains(list: BlockList, address: string): boolean {
  return list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}
