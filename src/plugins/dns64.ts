// Plugin dns64: IPv6 addresses for names that only have IPv4 ones (RFC 6147), made of a prefix and the IPv4 address (RFC 6052 §2.2).

import type { Dns64Config } from '../config/configuration.ts'
import type { ResourceRecord } from '../dns/message.ts'
import { TYPES } from '../dns/record-types.ts'
import { type Network, NetworkError, parseNetwork } from './networks.ts'
import { type Plugin, type Reply, type Request, replyOf, type Serve, type Walk } from './plugin.ts'

const NAME = 'dns64'
const CLASS_IN = 1
const NXDOMAIN = 3
/** Longest life of what is made for a name whose SOA is not known, in seconds (RFC 6147 §5.1.7). */
const TTL_WITHOUT_SOA = 600
/** RFC 6052 §2.2. */
const PREFIX_LENGTHS: readonly number[] = [32, 40, 48, 56, 64, 96]
/** Octet of the address that stays 0 whatever the prefix (RFC 6052 §2.2). */
const RESERVED_OCTET = 8

/** The plugin `dns64`. @throws NetworkError for a prefix that is none, or of a wrong length */
export function createDns64({ prefix, translateAll, allowIpv4 }: Dns64Config): Plugin {
  const network = parsePrefix(prefix)
  return {
    name: NAME,
    *serve(request, next): Walk {
      const { question, client } = request
      const isAsked = question.type === TYPES.AAAA && question.class === CLASS_IN && (allowIpv4 || client.family === 6)
      if (!isAsked) return yield* next(request)
      const first = yield* next(request)
      if (first.kind !== 'reply' || first.rcode === NXDOMAIN) return first
      if (!translateAll && first.answer.some(({ type }) => type === TYPES.AAAA)) return first
      const second = yield* askForA(request, next)
      if (second.kind !== 'reply' || !second.answer.some(({ type }) => type === TYPES.A)) return first
      request.count('dns64_requests_translated_total')
      return translated(first, second, network)
    },
  }
}

/** Reads a prefix. @throws NetworkError */
export function parsePrefix(text: string): Network {
  const network = parseNetwork(text)
  if (network.octets.length !== 16 || !text.includes('/') || !PREFIX_LENGTHS.includes(network.length)) {
    throw new NetworkError(`invalid prefix '${text}': IPv6, of ${PREFIX_LENGTHS.join(', ')} bits`)
  }
  return network
}

/** The address that stands for `ipv4` (4 octets) behind a prefix: 16 octets. */
export function embedded({ octets, length }: Network, ipv4: Uint8Array): Uint8Array {
  const address = Uint8Array.from(octets)
  address[RESERVED_OCTET] = 0
  let at = length / 8
  for (const octet of ipv4) {
    if (at === RESERVED_OCTET) at++
    address[at++] = octet
  }
  return address
}

function* askForA(request: Request, next: Serve): Walk {
  const { question } = request
  try {
    request.question = { ...question, type: TYPES.A }
    return yield* next(request)
  } finally {
    request.question = question
  }
}

/** The reply about A records as one about AAAA records. `first` is the one that lacked them. */
function translated(first: Reply, second: Reply, network: Network): Reply {
  const soa = first.authority.find(({ type }) => type === TYPES.SOA)
  const ttlMax = soa?.ttl ?? TTL_WITHOUT_SOA
  const answer = second.answer.map((record): ResourceRecord => {
    if (record.type !== TYPES.A) return record
    const rdata = embedded(network, record.rdata)
    return { ...record, type: TYPES.AAAA, ttl: Math.min(record.ttl, ttlMax), rdata }
  })
  const reply = replyOf(NAME, second.rcode)
  const { authoritative, recursionAvailable, truncated, authority, additional, options } = second
  // What was made here is not what was signed (RFC 6147 §5.5).
  return Object.assign(reply, { authoritative, recursionAvailable, truncated, answer, authority, additional, options })
}
