// Plugin transfer: who may have which zone (Corefile reference 6.7, cluster DNS reference 3.8). It stands before all plugins that have names, and
// answers every AXFR and IXFR, if only by refusing it. Not here: what is in a zone, and how it is sent.

import type { TransferConfig } from '../config/configuration.ts'
import type { ResourceRecord } from '../dns/message.ts'
import { TYPES } from '../dns/record-types.ts'
import { serialOf } from '../dns/transfer-messages.ts'
import { addressOctets, compileNetworks, type Networks } from './networks.ts'
import type { Failure, Plugin, Walk } from './plugin.ts'
import { isInZone } from './zone-match.ts'

const NAME = 'transfer'
const SERVFAIL = 2
const REFUSED = 5
const CLASS_IN = 1
/** In place of an address. */
export const ANYONE = '*'

interface Permission {
  readonly zone: string
  /** null = anyone. */
  readonly peers: Networks | null
}

/** The plugin `transfer`: all directives of a block; without any, nobody gets a zone. */
export function createTransfer(configs: readonly TransferConfig[] = []): Plugin {
  const permissions = configs.flatMap(permissionsOf).sort((a, b) => b.zone.length - a.zone.length)
  return {
    name: NAME,
    *serve(request, next): Walk {
      const { question, client, protocol, authority } = request
      const { name: zone, type } = question
      if (!isTransfer(type)) return yield* next(request)
      if (protocol !== 'tcp' || question.class !== CLASS_IN) return failure(REFUSED)
      // The longest zone decides, the first directive among equals.
      const permission = permissions.find((each) => isInZone(zone, each.zone))
      if (permission === undefined || !isAllowed(permission, client.address)) return failure(REFUSED)
      if (type === TYPES.AXFR) return { kind: 'transfer', zone, serial: null, plugin: NAME }
      const serial = serialAsked(authority)
      if (serial === null) return failure(SERVFAIL, 'an IXFR has one SOA in its authority section')
      return { kind: 'transfer', zone, serial, plugin: NAME }
    },
  }
}

/** Whether a QTYPE asks for a zone. */
export function isTransfer(type: number): boolean {
  return type === TYPES.AXFR || type === TYPES.IXFR
}

/** An address with its port, as the configuration has it, taken apart. */
export function addressAndPortOf(text: string): { address: string; port: number } {
  const colon = text.lastIndexOf(':')
  const address = text.slice(0, colon)
  return { address: address.startsWith('[') ? address.slice(1, -1) : address, port: Number(text.slice(colon + 1)) }
}

function permissionsOf({ zones, to }: TransferConfig): Permission[] {
  // Who asks comes from any port.
  const peers = to.includes(ANYONE) ? null : compileNetworks(to.map((each) => addressAndPortOf(each).address))
  return zones.map((zone) => ({ zone, peers }))
}

function isAllowed({ peers }: Permission, address: string): boolean {
  if (peers === null) return true
  const octets = addressOctets(address)
  return octets !== null && peers.has(octets)
}

/** RFC 1995 §3. */
function serialAsked(authority: readonly ResourceRecord[]): number | null {
  return authority.length === 1 && authority[0].type === TYPES.SOA ? serialOf(authority[0]) : null
}

function failure(rcode: number, error = ''): Failure {
  return { kind: 'failure', rcode, error, plugin: NAME }
}
