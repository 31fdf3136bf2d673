// A request of a chain as a message, for what works in place. Cold.

import { encodeMessage } from '../dns/message.ts'
import type { Request } from '../plugins/plugin.ts'

const EDNS_SIZE = 4096

/** The question of a request as a message. @returns its octets; throws MessageError for a name that cannot be on the wire */
export function writeRequest(request: Request, into: Uint8Array): number {
  const { question, recursionDesired, checkingDisabled, authenticData, edns } = request
  const flags = { authoritative: false, truncated: false, recursionAvailable: false, rcode: 0, response: false }
  const opt = edns === null ? null : { version: 0, udpSize: EDNS_SIZE, dnssecOk: edns.dnssecOk, options: [] }
  const sections = { answer: [], authority: [], additional: [], edns: opt }
  const header = { id: 0, opcode: 0, recursionDesired, checkingDisabled, authenticData }
  return encodeMessage({ ...header, ...flags, question, ...sections }, into, 0, into.length)
}
