// `node-cache`: the server of a node, with its interface, its rules and its Corefile around it. Flags in, exit code out.

import { existsSync } from 'node:fs'
import { isIP, isIPv6 } from 'node:net'
import { createLineSink } from '../admin/line-sink.ts'
import { createLogger } from '../admin/logger.ts'
import type { HttpAddress } from '../config/configuration.ts'
import { DurationError, parseDuration } from '../config/duration.ts'
import { standBelowGuard } from '../node-local/guard.ts'
import { NodeSetup } from '../node-local/node-setup.ts'
import type { NodeLocalSettings } from '../node-local/settings.ts'
import { FlagError, type Flags } from './flags.ts'
import { serve } from './serve.ts'
import { serveRequest } from './serve-request.ts'

const STDOUT = 1
const KUBE_DNS = '/etc/kube-dns'
const TEMPLATE = '/etc/coredns/Corefile.base'
const SYNC_INTERVAL = '60'
const METRICS = '0.0.0.0:9353'
const PORT_MAX = 65_535
const DAY_MS = 86_400_000
/** IFNAMSIZ, less the octet that ends a name. */
const INTERFACE_NAME_MAX = 15

/** Serves until a signal ends it. @returns the exit code @throws what stands in the way of starting */
export async function serveNodeLocal(flags: Flags, version: readonly string[]): Promise<number> {
  const settings = nodeLocalSettings(flags)
  const unguarded = standBelowGuard(settings)
  const sink = createLineSink(STDOUT)
  const logger = createLogger((lines) => sink.write(lines))
  if (unguarded !== '') logger.warning('', `node-cache: ${unguarded}`)
  const setup = new NodeSetup(settings, logger)
  try {
    await setup.prepare()
    const request = await serveRequest(flags, version, true)
    return await serve({
      ...request,
      setupErrors: () => setup.errors.counts,
      onServing: (reload) => setup.serving(reload),
      onLeaving: () => setup.leave(),
    })
  } finally {
    await setup.leave()
    await sink.flush()
  }
}

/** @throws FlagError */
export function nodeLocalSettings(flags: Flags): NodeLocalSettings {
  const corefile = flags.text('conf', '')
  const template = flags.text('basecorefile', TEMPLATE)
  if (corefile === 'stdin') throw new FlagError('flag --conf: a node cache writes its Corefile, it needs a file')
  if (corefile === template)
    throw new FlagError('flag --conf: it is the file of --basecorefile, which would be overwritten')
  return {
    addresses: addressesOf(flags),
    corefile,
    template,
    kubeDns: flags.text('kubednscm', existsSync(KUBE_DNS) ? KUBE_DNS : ''),
    upstreamService: serviceName(flags.text('upstreamsvc', 'kube-dns')),
    interfaceName: flags.isOn('setupinterface', true) ? interfaceName(flags.text('interfacename', 'nodelocaldns')) : '',
    filters: flags.isOn('setupiptables', true),
    healthPort: flags.number('health-port', 8080),
    syncIntervalMs: intervalOf(flags.text('syncinterval', SYNC_INTERVAL)),
    metrics: httpAddress(flags.text('metrics-listen-address', METRICS)),
    stays: flags.isOn('skipteardown', false),
    reloadsAtOnce: flags.isOn('reloadwithsignal', false),
  }
}

function addressesOf(flags: Flags): string[] {
  const addresses = flags.list('localip', []).map((text) => text.trim())
  if (addresses.length === 0) throw new FlagError('flag --localip is missing: a node cache needs its own addresses')
  for (const address of addresses) {
    if (isIP(address) === 0 || address.includes('%'))
      throw new FlagError(`flag --localip: '${address}' is no IP address`)
  }
  if (new Set(addresses.map((address) => isIP(address))).size > 1) {
    throw new FlagError(`flag --localip: addresses of both families: ${addresses.join(', ')}`)
  }
  return [...new Set(addresses)]
}

function serviceName(text: string): string {
  if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/i.test(text)) {
    throw new FlagError(`flag --upstreamsvc: '${text}' is no name of a Service`)
  }
  return text
}

function interfaceName(text: string): string {
  if (!/^[\w.@-]+$/.test(text) || /^(?:-.*|\.\.?)$/.test(text) || text.length > INTERFACE_NAME_MAX) {
    throw new FlagError(`flag --interfacename: '${text}' is no name of an interface`)
  }
  return text
}

/** Seconds, or a time with units. */
function intervalOf(text: string): number {
  try {
    const ms = /^\d+$/.test(text) ? Number(text) * 1000 : parseDuration(text)
    if (ms >= 1000 && ms <= DAY_MS) return ms
  } catch (error) {
    if (!(error instanceof DurationError)) throw error
  }
  throw new FlagError(`flag --syncinterval is a number of seconds from 1 to 86400, not '${text}'`)
}

function httpAddress(text: string): HttpAddress {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]\s]*)):(\d{1,5})$/.exec(text) ?? []
  if (digits === undefined || Number(digits) > PORT_MAX || (bracketed !== undefined && !isIPv6(bracketed))) {
    throw new FlagError(`flag --metrics-listen-address is [HOST]:PORT, not '${text}'`)
  }
  return { host: bracketed ?? plain ?? '', port: Number(digits) }
}
