// Plugin chaos: says which server this is, in class CH (RFC 4892 §2.1). Other questions are the next plugin's.

import { randomInt } from 'node:crypto'
import { hostname } from 'node:os'
import type { ChaosConfig } from '../config/configuration.ts'
import { TYPES } from '../dns/record-types.ts'
import { type Plugin, replyOf, type Walk } from './plugin.ts'

const CLASS_CH = 3
/** Longest character string (RFC 1035 §3.3). */
const STRING_LENGTH_MAX = 255

/** The plugin `chaos`. */
export function createChaos({ version, authors }: ChaosConfig): Plugin {
  const versions = [stringRdata(version)]
  const hosts = [stringRdata(hostname())]
  const credits = authors.map(stringRdata)
  const known = new Map<string, () => readonly Uint8Array[]>([
    ['version.bind.', () => versions],
    ['version.server.', () => versions],
    ['hostname.bind.', () => hosts],
    ['id.server.', () => hosts],
    ['authors.bind.', () => shuffled(credits)],
  ])
  return {
    name: 'chaos',
    *serve(request, next): Walk {
      const { name, type, class: qclass } = request.question
      const strings = qclass === CLASS_CH && type === TYPES.TXT ? known.get(name) : undefined
      if (strings === undefined) return yield* next(request)
      const reply = replyOf('chaos')
      reply.answer = strings().map((rdata) => ({ owner: name, type, class: qclass, ttl: 0, rdata }))
      return reply
    },
  }
}

function stringRdata(text: string): Uint8Array {
  const octets = Buffer.from(text, 'utf8').subarray(0, STRING_LENGTH_MAX)
  return Buffer.concat([Buffer.from([octets.length]), octets])
}

function shuffled<T>(list: readonly T[]): T[] {
  const order = [...list]
  for (let left = order.length; left > 1; left--) {
    const other = randomInt(left)
    ;[order[left - 1], order[other]] = [order[other], order[left - 1]]
  }
  return order
}
