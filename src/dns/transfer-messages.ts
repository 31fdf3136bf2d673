// A zone in messages: AXFR and IXFR (RFC 5936, RFC 1995). Records in, messages out, one at a time, so that whoever sends them can rest in between.
// Not here: what is in a zone, and who may have it.

import { encodeMessage, type Message, MessageError, type MessageQuestion, type ResourceRecord } from './message.ts'
import { TYPES } from './record-types.ts'

/** What the messages take over from the query. Plain data. */
export interface TransferQuery {
  readonly id: number
  readonly recursionDesired: boolean
  readonly checkingDisabled: boolean
  /** As it came. */
  readonly question: MessageQuestion
  /** What OPT is to say; null: there was none. */
  readonly edns: { readonly udpSize: number; readonly dnssecOk: boolean } | null
}

const RECORD_FIXED_LENGTH = 10
const MESSAGE_LENGTH_MAX = 65_535
/**
 * Octets of records, before compression, that go into one message. Far below what fits: pointers reach the first 16 KiB alone,
 * and a message is made in about a millisecond.
 */
const RECORDS_LENGTH_MAX = 24_000
const HEADER_LENGTH = 12
const FLAGS = 2
const TRUNCATED = 0x02
const SOA_NUMBERS_LENGTH = 20

const scratch = new Uint8Array(MESSAGE_LENGTH_MAX)

/**
 * The messages that carry `records`, which begin and end with the SOA. Each is in memory of its own.
 * @param serial  IXFR: the serial that the client has, and with it the SOA alone is sent; null: AXFR
 * @throws MessageError for a record that fits no message
 */
export function* transferMessages(
  query: TransferQuery,
  records: Iterable<ResourceRecord>,
  serial: number | null,
): Generator<Uint8Array<ArrayBuffer>, void, void> {
  let answer: ResourceRecord[] = []
  let length = 0
  let isFirst = true
  for (const record of records) {
    const recordLength = record.owner.length + 1 + RECORD_FIXED_LENGTH + record.rdata.length
    if (answer.length > 0 && length + recordLength > RECORDS_LENGTH_MAX) {
      yield messageOf(query, answer, isFirst)
      isFirst = false
      answer = []
      length = 0
    }
    answer.push(record)
    length += recordLength
    if (isFirst && answer.length === 1 && serial !== null && serialOf(record) === serial) break
  }
  yield messageOf(query, answer, isFirst)
}

/** A message without records that says why there is no transfer. */
export function transferFailure(query: TransferQuery, rcode: number): Uint8Array<ArrayBuffer> {
  return encoded({ ...headOf(query, true), rcode })
}

/** Serial of an SOA; null for any other record, and for one that is too short. */
export function serialOf({ type, rdata }: ResourceRecord): number | null {
  if (type !== TYPES.SOA || rdata.length < SOA_NUMBERS_LENGTH) return null
  const view = new DataView(rdata.buffer, rdata.byteOffset, rdata.length)
  return view.getUint32(rdata.length - SOA_NUMBERS_LENGTH)
}

function messageOf(query: TransferQuery, answer: ResourceRecord[], isFirst: boolean): Uint8Array<ArrayBuffer> {
  const message = encoded({ ...headOf(query, isFirst), authoritative: true, answer })
  if ((message[FLAGS] & TRUNCATED) !== 0) {
    throw new MessageError(`a record of ${answer[0].owner} with ${answer[0].rdata.length} octets fits no message`)
  }
  return message
}

function encoded(message: Message): Uint8Array<ArrayBuffer> {
  return scratch.slice(0, encodeMessage(message, scratch, 0, MESSAGE_LENGTH_MAX))
}

/** Question and OPT stand in the first message alone (RFC 5936 §2.2.1, §2.2.5). */
function headOf({ id, recursionDesired, checkingDisabled, question, edns }: TransferQuery, isFirst: boolean): Message {
  return {
    id,
    opcode: 0,
    response: true,
    authoritative: false,
    truncated: false,
    recursionDesired,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled,
    rcode: 0,
    question: isFirst ? question : null,
    answer: [],
    authority: [],
    additional: [],
    edns: isFirst && edns !== null ? { version: 0, ...edns, options: [] } : null,
  }
}

/** RCODE in the header of a message. */
export function rcodeOf(message: Uint8Array): number {
  return message.length < HEADER_LENGTH ? 0 : message[FLAGS + 1] & 0x0f
}
