// Which proxy the environment names for a server, as Go programs read it: HTTPS_PROXY, HTTP_PROXY, NO_PROXY, in capitals or not.
// See golang.org/x/net/http/httpproxy.

import { BlockList, isIP } from 'node:net'

/** URL of the proxy for `server`, undefined for none. Loopback addresses have none. */
export function environmentProxy(server: URL, env: NodeJS.ProcessEnv): string | undefined {
  const name = server.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY'
  const proxy = env[name] || env[name.toLowerCase()]
  if (!proxy || isExempt(server, env.NO_PROXY || env.no_proxy || '')) return undefined
  return proxy.includes('://') ? proxy : `http://${proxy}`
}

function isExempt(server: URL, noProxy: string): boolean {
  const host = server.hostname.replace(/^\[|\]$/g, '').toLowerCase()
  const port = server.port || (server.protocol === 'https:' ? '443' : '80')
  if (host === 'localhost' || isWithin(host, '127.0.0.0/8') || host === '::1') return true
  return noProxy.split(',').some((entry) => matches(entry.trim().toLowerCase(), host, port))
}

/** An entry is `*`, an address, a range, or a domain (all below a leading dot, itself too without), the latter and addresses with a port or not. */
function matches(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true
  if (entry === '') return false
  if (entry.includes('/')) return isWithin(host, entry)
  const { name, port: onlyPort } = splitPort(entry)
  if (onlyPort !== '' && onlyPort !== port) return false
  if (isIP(name) !== 0 || isIP(host) !== 0) return name === host
  const domain = name.replace(/^\*(?=\.)/, '')
  return domain.startsWith('.') ? host.endsWith(domain) : host === domain || host.endsWith(`.${domain}`)
}

function splitPort(entry: string): { name: string; port: string } {
  if (isIP(entry) !== 0) return { name: entry, port: '' }
  const [, bracketed, plain, port = ''] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(entry) ?? []
  return { name: bracketed ?? plain ?? entry, port }
}

function isWithin(host: string, range: string): boolean {
  const family = isIP(host)
  const [address, length] = range.split('/')
  if (family === 0 || isIP(address) !== family) return false
  const bits = Number(length)
  if (!Number.isInteger(bits) || bits < 0 || bits > (family === 4 ? 32 : 128)) return false
  const list = new BlockList()
  const type = family === 4 ? 'ipv4' : 'ipv6'
  list.addSubnet(address, bits, type)
  return list.check(host, type)
}
