// Plugin whoami: answers every question with who asked it: address, port and transport.

import type { ResourceRecord } from '../dns/message.ts'
import { TYPES } from '../dns/record-types.ts'
import { addressOctets } from './networks.ts'
import { type Plugin, replyOf, type Walk } from './plugin.ts'

/** The plugin `whoami`. It never passes a query on. */
export function createWhoami(): Plugin {
  return {
    name: 'whoami',
    *serve({ question, client, protocol }): Walk {
      const reply = replyOf('whoami')
      const record = (owner: string, type: number, rdata: Uint8Array): ResourceRecord => {
        return { owner, type, class: question.class, ttl: 0, rdata }
      }
      const address = addressOctets(client.address)
      if (address !== null) {
        reply.additional.push(record(question.name, address.length === 4 ? TYPES.A : TYPES.AAAA, address))
      }
      const below = question.name === '.' ? '' : question.name
      reply.additional.push(record(`_${protocol}.${below}`, TYPES.SRV, portRdata(client.port)))
      return reply
    },
  }
}

/** RFC 2782: priority 0, weight 0, the port, the root for a target. */
function portRdata(port: number): Uint8Array {
  return Uint8Array.of(0, 0, 0, 0, port >> 8, port & 0xff, 0)
}
