// Plugin local: names of the loopback and the reverse zones beside it are answered here (RFC 6761 §6.3, RFC 6303 §4), and not asked of anyone.

import type { LocalConfig } from '../config/configuration.ts'
import type { ResourceRecord } from '../dns/message.ts'
import { labelsOfText, wireOfLabels } from '../dns/name.ts'
import { TYPES } from '../dns/record-types.ts'
import { addressOctets } from './networks.ts'
import { type Plugin, type Question, type Reply, replyOf, type Walk } from './plugin.ts'
import { isInZone } from './zone-match.ts'

const NAME = 'local'
const CLASS_IN = 1
const NXDOMAIN = 3
const TTL = 604_800

const LOCALHOST = 'localhost.'
const LOOPBACK_REVERSE = '1.0.0.127.in-addr.arpa.'
const REVERSE_ZONES = ['0.in-addr.arpa.', '127.in-addr.arpa.', '255.in-addr.arpa.']
const LOCALHOST_WIRE = wireOf(LOCALHOST)
const ADDRESSES: ReadonlyMap<number, Uint8Array> = new Map([
  [TYPES.A, addressOctets('127.0.0.1')!],
  [TYPES.AAAA, addressOctets('::1')!],
])
/** MNAME localhost., RNAME root.localhost., serial 1, nothing to refresh, negative TTL. */
const SOA = Buffer.concat([LOCALHOST_WIRE, wireOf('root.localhost.'), numbers(1, 0, 0, 0, TTL)])

/** The plugin `local`. */
export function createLocal({ localhostPrefix }: LocalConfig): Plugin {
  return {
    name: NAME,
    *serve(request, next): Walk {
      const { question } = request
      const reply = question.class === CLASS_IN ? answer(question) : null
      if (reply !== null) return reply
      if (localhostPrefix && question.class === CLASS_IN && question.name.startsWith(LOCALHOST)) {
        request.count('local_localhost_requests_total')
        return loopback(question, question.name)
      }
      return yield* next(request)
    },
  }
}

/** What the zones here say; null: the name is in none of them. */
function answer(question: Question): Reply | null {
  if (isInZone(question.name, LOCALHOST)) return loopback(question, LOCALHOST)
  const zone = REVERSE_ZONES.find((each) => isInZone(question.name, each))
  return zone === undefined ? null : reverse(question, zone)
}

function loopback(question: Question, zone: string): Reply {
  const address = ADDRESSES.get(question.type)
  return address === undefined ? apexOrNothing(question, zone, 0) : positive(question, address)
}

function reverse(question: Question, zone: string): Reply {
  if (question.name === LOOPBACK_REVERSE && question.type === TYPES.PTR) return positive(question, LOCALHOST_WIRE)
  const exists = question.name === zone || isInZone(LOOPBACK_REVERSE, question.name)
  return apexOrNothing(question, zone, exists ? 0 : NXDOMAIN)
}

/** SOA and NS of the zone at its apex, else a negative reply with its SOA (RFC 2308 §3). */
function apexOrNothing(question: Question, zone: string, rcode: number): Reply {
  if (question.name === zone && question.type === TYPES.SOA) return positive(question, SOA)
  if (question.name === zone && question.type === TYPES.NS) return positive(question, LOCALHOST_WIRE)
  const reply = replyOf(NAME, rcode)
  reply.authority.push(record(zone, TYPES.SOA, SOA))
  return reply
}

function positive({ name, type }: Question, rdata: Uint8Array): Reply {
  const reply = replyOf(NAME)
  reply.answer.push(record(name, type, rdata))
  return reply
}

function record(owner: string, type: number, rdata: Uint8Array): ResourceRecord {
  return { owner, type, class: CLASS_IN, ttl: TTL, rdata }
}

function wireOf(name: string): Uint8Array {
  return wireOfLabels(labelsOfText(name))
}

function numbers(...values: readonly number[]): Uint8Array {
  const octets = Buffer.alloc(4 * values.length)
  for (const [i, value] of values.entries()) octets.writeUInt32BE(value, 4 * i)
  return octets
}
