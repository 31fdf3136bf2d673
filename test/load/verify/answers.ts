// Answers as a test wants them: out of one line of text, and on the wire in several ways.

import { encodeMessage, type Message, type ResourceRecord } from '../../../src/dns/message.ts'
import { wireOfName } from '../../../src/dns/message-names.ts'
import { rcodeNumber } from '../../../src/dns/rcodes.ts'
import { parseRecord } from '../../../src/dns/record-text.ts'
import { CLASSES, typeNumber } from '../../../src/dns/record-types.ts'
import { encodeQuery } from '../../server/wire.ts'

export const ORIGIN = 'shop.svc.cluster.local.'
export const SOA = 'cluster.local. 5 SOA ns.dns.cluster.local. hostmaster.cluster.local. 17 7200 1800 86400 5'

const FLAGS = ['qr', 'aa', 'tc', 'rd', 'ra', 'ad', 'cd', 'query'] as const

/**
 * A response out of `RCODE FLAG… | RECORD | RECORD ; RECORD of authority ; RECORD of additional`: records as in a zone file,
 * relative to ORIGIN, TTL 5 unless they say another. Flag `query` clears QR.
 */
export function message(question: string, text: string): Message {
  const [name, type] = question.split(' ')
  const [answerText, authority = '', additional = ''] = text.split(/\s*;\s*/)
  const [head, ...answer] = answerText.split(/\s*\|\s*/)
  const [rcode, ...flags] = head.split(' ')
  for (const flag of flags) if (!FLAGS.some((known) => known === flag)) throw new Error(`no flag ${flag}`)
  return {
    id: 0x1234,
    opcode: 0,
    response: !flags.includes('query'),
    authoritative: flags.includes('aa'),
    truncated: flags.includes('tc'),
    recursionDesired: true,
    recursionAvailable: flags.includes('ra'),
    authenticData: flags.includes('ad'),
    checkingDisabled: flags.includes('cd'),
    rcode: rcodeNumber(rcode),
    question: question === '' ? null : { name: absolute(name), type: typeNumber(type), class: CLASSES.IN },
    answer: answer.map(record),
    authority: records(authority),
    additional: records(additional),
    edns: null,
  }
}

/** As message(), on the wire. */
export function answer(question: string, text: string): Uint8Array {
  return encoded(message(question, text))
}

/** With names compressed. */
export function encoded(response: Message): Uint8Array {
  const octets = new Uint8Array(65_535)
  return octets.slice(0, encodeMessage(response, octets, 0, octets.length))
}

/** With no name compressed. */
export function encodedPlainly(response: Message): Uint8Array {
  const { question } = response
  const header = encoded({ ...response, question: null, answer: [], authority: [], additional: [], edns: null })
  const sections = [response.answer, response.authority, response.additional]
  const counts = [question === null ? 0 : 1, ...sections.map(({ length }) => length)]
  header.set(
    counts.flatMap((count) => [count >>> 8, count & 255]),
    4,
  )
  const wire = ({ owner, type, class: recordClass, ttl, rdata }: ResourceRecord): Uint8Array[] => [
    wireOfName(owner),
    words(type, recordClass, ttl >>> 16, ttl & 0xffff, rdata.length),
    rdata,
  ]
  const asked = question === null ? [] : [wireOfName(question.name), words(question.type, question.class)]
  return new Uint8Array(Buffer.concat([header, ...asked, ...sections.flat().flatMap(wire)]))
}

/** A query for `NAME TYPE`, relative to ORIGIN. */
export function query(question: string): Uint8Array {
  const [name, type] = question.split(' ')
  return new Uint8Array(encodeQuery({ name: absolute(name), type, id: 0 }))
}

/** The response with another ID. */
export function withId(octets: Uint8Array, id: number): Uint8Array {
  const copy = octets.slice()
  copy[0] = id >>> 8
  copy[1] = id & 255
  return copy
}

function absolute(name: string): string {
  return name.endsWith('.') ? name : `${name}.${ORIGIN}`
}

function record(text: string): ResourceRecord {
  return parseRecord(text, { origin: ORIGIN, ttl: 5, class: CLASSES.IN })
}

function records(text: string): ResourceRecord[] {
  return text === '' ? [] : text.split(/\s*\|\s*/).map(record)
}

function words(...values: number[]): Uint8Array {
  return Uint8Array.from(values.flatMap((value) => [value >>> 8, value & 255]))
}
