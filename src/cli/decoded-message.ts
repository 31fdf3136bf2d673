// A response as people read it: sections, names and RDATA in presentation format. Cold: for commands that print answers.
// Not here: messages as objects (src/dns/message.ts), the in-place parser of the query path (src/dns/question.ts).

import { decodeMessage as decode, flagNames, type ResourceRecord, rdataNames } from '../dns/message.ts'
import { rcodeName } from '../dns/rcodes.ts'
import { rdataText } from '../dns/record-text.ts'
import { CLASSES, TYPES, typeName } from '../dns/record-types.ts'

export { MessageError } from '../dns/message.ts'
export { typeNumber } from '../dns/record-types.ts'

/** One record. */
export interface DecodedRecord {
  /** Absolute, with final dot, spelled as on the wire. */
  readonly owner: string
  /** Seconds. */
  readonly ttl: number
  /** Mnemonic, or `TYPE4711` (RFC 3597 §5). */
  readonly type: string
  /** RDATA in presentation format. */
  readonly data: string
  /** Of A and AAAA, else ''. */
  readonly address: string
  /** Name in the RDATA of CNAME, NS, PTR and SRV, else ''. With final dot. */
  readonly target: string
  /** Of SRV, else 0. */
  readonly port: number
}

/** A response without its OPT record. */
export interface DecodedMessage {
  readonly rcode: string
  /** Of `qr aa tc rd ra ad cd` those that are set. */
  readonly flags: readonly string[]
  readonly answer: readonly DecodedRecord[]
  readonly authority: readonly DecodedRecord[]
  readonly additional: readonly DecodedRecord[]
}

const TARGET_TYPES: ReadonlySet<number> = new Set([TYPES.CNAME, TYPES.NS, TYPES.PTR, TYPES.SRV])

/** A query of class IN, recursion desired, no EDNS. `labels` as `labelsOfText` has them; their case is kept. */
export function encodeQuery(labels: readonly string[], type: number): Uint8Array {
  const header = Uint8Array.of(0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0)
  const name = labels.flatMap((label) => [Buffer.of(label.length), Buffer.from(label, 'latin1')])
  return new Uint8Array(Buffer.concat([header, ...name, Buffer.of(0, type >> 8, type & 255, 0, CLASSES.IN)]))
}

/** @throws MessageError */
export function decodeMessage(packet: Uint8Array): DecodedMessage {
  const message = decode(packet, 0, packet.length)
  return {
    rcode: rcodeName(message.rcode),
    flags: flagNames(message),
    answer: message.answer.map(decodedRecord),
    authority: message.authority.map(decodedRecord),
    additional: message.additional.map(decodedRecord),
  }
}

function decodedRecord(record: ResourceRecord): DecodedRecord {
  const { owner, ttl, type, rdata } = record
  const data = rdataText(type, rdata)
  const hasAddress = (type === TYPES.A && rdata.length === 4) || (type === TYPES.AAAA && rdata.length === 16)
  const names = TARGET_TYPES.has(type) ? rdataNames(record) : []
  const port = type === TYPES.SRV && names.length === 1 ? rdata[4] * 256 + rdata[5] : 0
  return { owner, ttl, type: typeName(type), data, address: hasAddress ? data : '', target: names[0] ?? '', port }
}
