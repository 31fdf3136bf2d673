// Plugin any: a question for all types gets one small record (RFC 8482 §4.2).

import { TYPES } from '../dns/record-types.ts'
import { type Plugin, replyOf, type Walk } from './plugin.ts'

const TTL = 8482
const OBSOLETED = rdataOf('ANY obsoleted', 'See RFC 8482')

/** The plugin `any`. */
export function createAny(): Plugin {
  return {
    name: 'any',
    *serve(request, next): Walk {
      const { name, type, class: qclass } = request.question
      if (type !== TYPES.ANY) return yield* next(request)
      const reply = replyOf('any')
      reply.answer.push({ owner: name, type: TYPES.HINFO, class: qclass, ttl: TTL, rdata: OBSOLETED })
      return reply
    },
  }
}

function rdataOf(...strings: readonly string[]): Uint8Array {
  return Buffer.concat(strings.flatMap((text) => [Buffer.from([text.length]), Buffer.from(text, 'latin1')]))
}
