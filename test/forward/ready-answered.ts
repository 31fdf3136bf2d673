// A ready form as a whole answer to the question of some message.

import { Query, readName } from '../../src/dns/question.ts'
import { beginResponse, endResponse, Response } from '../../src/dns/response.ts'
import { appendReady } from '../../src/forward/ready-form.ts'

const response = new Response()
const query = new Query()
const packet = new Uint8Array(65536 + 7)

/**
 * What a client gets that asked the question of `message`.
 * @param ttl  as for appendReady()
 */
export function answered(
  words: Int32Array,
  octets: Uint8Array,
  ref: number,
  message: Uint8Array,
  ttl: number,
): Uint8Array {
  const start = 7
  const nameEnd = readName(query, message, 12, message.length)
  packet.set(message.subarray(0, nameEnd + 4), start)
  packet[start + 2] = 0
  query.questionEnd = nameEnd + 4
  query.hasOpt = false
  beginResponse(response, query, start, 65535)
  const flags = appendReady(response, packet, words, octets, ref, ttl)
  return packet.slice(start, start + endResponse(response, query, packet, flags & 15, false, 1232))
}
