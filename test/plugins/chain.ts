// A request to a plugin and what comes of it, for tests of plugins on whole messages.

import type { ResourceRecord } from '../../src/dns/message.ts'
import { typeName, typeNumber } from '../../src/dns/record-types.ts'
import {
  type Outcome,
  type Plugin,
  type Question,
  type Reply,
  type Request,
  replyOf,
} from '../../src/plugins/plugin.ts'

/** What a test reads of a request besides. */
export interface SeenRequest extends Request {
  /** Counters that were added to, with their labels. */
  readonly counted: string[]
}

/** A query `NAME TYPE [CLASS]` (class by number) from 10.1.2.3:1053 over UDP without EDNS, but for `changes`. */
export function requestOf(text: string, changes: Partial<Request> = {}): SeenRequest {
  const [name, type, qclass = '1'] = text.split(' ')
  const question: Question = { name, type: typeNumber(type), class: Number(qclass) }
  const counted: string[] = []
  return {
    client: { family: 4, address: '10.1.2.3', port: 1053 },
    local: { family: 4, address: '10.96.0.10', port: 53 },
    protocol: 'udp',
    server: 'dns://:53',
    zone: '.',
    view: '',
    id: 4711,
    opcode: 0,
    size: 33,
    asked: question,
    question,
    recursionDesired: true,
    checkingDisabled: false,
    authenticData: false,
    edns: null,
    authority: [],
    metadata: null,
    ask: () => assert('asks anew'),
    count: (what, labels) => void counted.push(labels === undefined ? what : `${what} ${JSON.stringify(labels)}`),
    counted,
    ...changes,
  }
}

function assert(what: string): never {
  throw new Error(what)
}

/** EDNS of a query. */
export function ednsOf(udpSize: number, ...codes: readonly number[]): NonNullable<Request['edns']> {
  return { version: 0, udpSize, dnssecOk: false, options: codes.map((code) => ({ code, data: new Uint8Array(0) })) }
}

/** Runs a plugin in front of `behind`; by default nothing may come that far. */
export function run(plugin: Plugin, request: Request, behind: (request: Request) => Outcome = notReached): Outcome {
  // biome-ignore lint/correctness/useYield: it waits for nothing
  const walk = plugin.serve(request, function* () {
    return behind(request)
  })
  const { done, value } = walk.next()
  if (!done) throw new Error('a plugin waits')
  return value
}

function notReached(): never {
  throw new Error('was passed on')
}

/** As run(), of a plugin that must reply. */
export function replyTo(plugin: Plugin, request: Request, behind?: (request: Request) => Outcome): Reply {
  const outcome = run(plugin, request, behind)
  if (outcome.kind !== 'reply') throw new Error(`no reply: ${JSON.stringify(outcome)}`)
  return outcome
}

/** A reply of a plugin behind. Records are `OWNER TTL TYPE RDATA`. */
export function replyWith(sections: { [Section in 'answer' | 'authority' | 'additional']?: readonly string[] }): Reply {
  const reply = replyOf('behind')
  for (const section of ['answer', 'authority', 'additional'] as const) {
    reply[section] = (sections[section] ?? []).map(recordOf)
  }
  return reply
}

/** A record: RDATA is an IPv4 address, an IPv6 address written out in full, or hexadecimal. */
export function recordOf(text: string): ResourceRecord {
  const [owner, ttl, type, rdata] = text.split(' ')
  const octets =
    type === 'A'
      ? Uint8Array.from(rdata.split('.'), Number)
      : Buffer.from(type === 'AAAA' ? rdata.replaceAll(':', '') : rdata, 'hex')
  return { owner, type: typeNumber(type), class: 1, ttl: Number(ttl), rdata: octets }
}

/** recordOf() the other way; strings of TXT and HINFO in quotes. */
export function textOf({ owner, ttl, type, rdata }: ResourceRecord): string {
  return `${owner} ${ttl} ${typeName(type)} ${rdataText(typeName(type), Buffer.from(rdata))}`
}

function rdataText(type: string, rdata: Buffer): string {
  const hex = rdata.toString('hex')
  if (type === 'A') return rdata.join('.')
  if (type === 'AAAA') return hex.match(/.{4}/g)!.join(':')
  if (type !== 'TXT' && type !== 'HINFO') return hex
  const strings: string[] = []
  for (let at = 0; at < rdata.length; at += rdata[at] + 1) {
    strings.push(JSON.stringify(rdata.toString('utf8', at + 1, at + 1 + rdata[at])))
  }
  return strings.join(' ')
}
