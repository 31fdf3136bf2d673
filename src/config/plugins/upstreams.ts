// Where `forward` sends queries to: what its TO arguments say, files of nameservers included.

import { readFileSync, statSync } from 'node:fs'
import { isIP } from 'node:net'
import { NameError } from '../../dns/name.ts'
import type { ForwardConfig, NameserverFile, Upstream } from '../configuration.ts'
import type { Token } from '../corefile/syntax.ts'
import { zoneName } from '../zone-names.ts'
import { pathOf } from './arguments.ts'
import { Refusal, type SetupContext } from './setup.ts'

/** After files are read and duplicates dropped. */
const UPSTREAMS_MAX = 15
const PORT_MAX = 65_535
const PORTS: Readonly<Record<Upstream['transport'], number>> = { dns: 53, tls: 853, https: 443 }

/** An upstream as it is written, and where. */
interface Target {
  readonly token: Token
  readonly transport: Upstream['transport']
  /** Without scheme. */
  readonly rest: string
}

/**
 * Upstreams in the order of the arguments, without duplicates, and the files that some of them are from.
 *
 * @throws Refusal for what is neither address, file nor host name, and for none or too many of them
 */
export function upstreamsOf(
  args: readonly Token[],
  context: SetupContext,
): Pick<ForwardConfig, 'upstreams' | 'nameserverFiles'> {
  const nameserverFiles: NameserverFile[] = []
  const found = new Map<string, Upstream>()
  for (const token of args) {
    for (const upstream of targetsOf(token, context, nameserverFiles)) {
      found.set(`${upstream.transport} ${upstream.host} ${upstream.port} ${upstream.serverName}`, upstream)
    }
  }
  if (found.size === 0) throw new Refusal(args[0], 'no valid upstream addresses found')
  if (found.size > UPSTREAMS_MAX) {
    throw new Refusal(args[0], `more than ${UPSTREAMS_MAX} TOs configured: ${found.size}`)
  }
  return { upstreams: [...found.values()], nameserverFiles }
}

function targetsOf(token: Token, context: SetupContext, files: NameserverFile[]): Upstream[] {
  const target = schemeOf(token)
  const upstream = address(target)
  if (upstream !== null) return [upstream]
  const path = pathOf({ ...token, text: target.rest }, context)
  if (!isFile(token, path)) return [hostName(target)]
  const nameservers = readNameservers(token, path)
  files.push({ path, nameservers })
  return nameservers.map((rest) => fileEntry({ ...target, rest }, path))
}

function schemeOf(token: Token): Target {
  const [, scheme, rest] = /^([A-Za-z0-9]+):\/\/(.*)$/s.exec(token.text) ?? []
  if (scheme === undefined) return { token, transport: 'dns', rest: token.text }
  const transport = scheme.toLowerCase()
  if (transport !== 'dns' && transport !== 'tls' && transport !== 'https') {
    throw new Refusal(token, `'${token.text}': upstreams are asked by dns://, tls:// or https:// alone`)
  }
  return { token, transport, rest }
}

/** What stands behind the scheme. */
interface Parts {
  readonly host: string
  /** Behind `%`; '' = none. */
  readonly name: string
  /** '' = none. */
  readonly port: string
}

/** `HOST`, `HOST:PORT`, `[IPV6]:PORT`, and IPv6 without brackets; `%NAME` behind the host or at the end. null: neither. */
function partsOf(rest: string): Parts | null {
  const [, alone = '', zone = ''] = /^([^%[\]]*)(?:%([^%[\]:]+))?$/.exec(rest) ?? []
  if (isIP(alone) === 6) return { host: alone, name: zone, port: '' }
  const parts = /^(?:\[([^\]%]*)(?:%([^\]]+))?\]|([^[\]%:/]+))(?:%([^%:/]+))?(?::(\d{1,5}))?(?:%([^%:/]+))?$/.exec(rest)
  if (parts === null) return null
  const [, bracketed, within, plain, before, port = '', behind] = parts
  if (bracketed !== undefined && isIP(bracketed) !== 6) return null
  return { host: bracketed ?? plain, name: before ?? behind ?? within ?? '', port }
}

/** null: no address. */
function address({ token, transport, rest }: Target): Upstream | null {
  const parts = partsOf(rest)
  return parts === null || isIP(parts.host) === 0 ? null : upstreamOf(token, transport, parts)
}

function upstreamOf(token: Token, transport: Upstream['transport'], { host, name, port }: Parts): Upstream {
  // For plain DNS what follows % is the zone of a link-local address.
  return { transport, host, port: portOf(token, transport, port), serverName: transport === 'dns' ? '' : name }
}

function portOf(token: Token, transport: Upstream['transport'], text: string): number {
  if (text === '') return PORTS[transport]
  const port = Number(text)
  if (port < 1 || port > PORT_MAX)
    throw new Refusal(token, `'${token.text}': port ${text} is not from 1 to ${PORT_MAX}`)
  return port
}

/** A name to be resolved once. */
function hostName({ token, transport, rest }: Target): Upstream {
  const parts = partsOf(rest)
  if (parts === null || !isHostName(parts.host)) {
    throw new Refusal(token, `not an IP address, host name or file: "${token.text}"`)
  }
  return upstreamOf(token, transport, parts)
}

/** Letters, digits and hyphens, and not all digits and dots: that is an address with a mistake in it. */
function isHostName(text: string): boolean {
  if (!/^[A-Za-z0-9_](?:[-A-Za-z0-9_.]*[A-Za-z0-9_.])?$/.test(text) || /^[\d.]+$/.test(text)) return false
  try {
    zoneName(text)
    return true
  } catch (error) {
    if (error instanceof NameError) return false
    throw error
  }
}

function isFile(token: Token, path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isFile() === true
  } catch (error) {
    throw new Refusal(token, `cannot look at ${path}: ${(error as Error).message}`)
  }
}

function readNameservers(token: Token, path: string): string[] {
  try {
    return nameserversOf(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new Refusal(token, `cannot read ${path}: ${(error as Error).message}`)
  }
}

/** What the `nameserver` lines of a file like resolv.conf(5) say. */
export function nameserversOf(text: string): string[] {
  return [...text.matchAll(/^[ \t]*nameserver[ \t]+([^\s#;]+)/gm)].map(([, server]) => server)
}

function fileEntry(target: Target, path: string): Upstream {
  const upstream = address(target)
  if (upstream === null) throw new Refusal(target.token, `${path}: nameserver '${target.rest}' is no IP address`)
  return { ...upstream, serverName: '' } // what follows % there is a zone of a link-local address
}
