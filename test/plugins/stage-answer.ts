// Asks one stage as a worker would: a query in a packet, the response read back.

import assert from 'node:assert/strict'
import { Query, readQuery } from '../../src/dns/question.ts'
import { beginResponse, endResponse, Response } from '../../src/dns/response.ts'
import { HeldRegion } from '../../src/index/reader.ts'
import { AUTHORITATIVE, FAIL, PASS, type Stage } from '../../src/plugins/stage.ts'
import { type Edns, encodeQuery, FLAG, type Response as Read, readResponse, recordText } from '../server/wire.ts'

const CANARY = 0xee
const BEHIND = 300 // octets behind a response that are looked at
const packet = new Uint8Array(new ArrayBuffer(70_000), 4, 66_000)
const query = new Query()
const response = new Response()

/** A stage, and the region that it answers from. */
export interface HeldStage {
  readonly stage: Stage
  readonly held: HeldRegion
}

export interface Asked {
  readonly edns?: Edns
  /** Octets of the response at most. */
  readonly size?: number
  /** Where in the packet the message begins. */
  readonly start?: number
}

/** A stage as a worker has it: made from a copy of its source. */
export function holdStage<S extends { readonly region: SharedArrayBuffer }>(
  source: S,
  create: (source: S, held: HeldRegion) => Stage,
): HeldStage {
  const copy = structuredClone(source)
  const held = new HeldRegion(copy.region, 0)
  const stage = create(copy, held)
  stage.setHome(packet)
  return { stage, held }
}

/** 'PASS', 'FAIL', or the response. */
export function ask(
  { stage, held }: HeldStage,
  name: string,
  type: string | number,
  asked: Asked = {},
): 'PASS' | 'FAIL' | Read {
  const { start = 0, size = 65_535 } = asked
  const message = encodeQuery({ name, type, edns: asked.edns })
  const end = Math.min(start + Math.max(size, message.length) + BEHIND, packet.length)
  packet.fill(CANARY, 0, end)
  packet.set(message, start)
  assert.equal(readQuery(query, packet, start, message.length), 0, 'a query')
  beginResponse(response, query, start, size)
  const before = [query.zone, query.meta, query.entry, query.stage]
  held.hold()
  stage.beginBatch()
  const result = stage.answer(query, packet, start, response)
  held.release()
  assert.deepEqual([query.zone, query.meta, query.entry, query.stage], before, 'the query is left to other stages')
  assert.equal(
    Buffer.compare(packet.subarray(start, start + query.questionEnd), message.subarray(0, query.questionEnd)),
    0,
  )
  if (result === PASS || result === FAIL) {
    assert.deepEqual(
      [response.at, response.answerCount, response.authorityCount, response.additionalCount, response.truncated],
      [start + query.questionEnd, 0, 0, 0, false],
      'nothing is left behind',
    )
    return result === PASS ? 'PASS' : 'FAIL'
  }
  const rcode = result & 0x0f
  const length = endResponse(response, query, packet, rcode, (result & AUTHORITATIVE) !== 0, 1232)
  assert.ok(length <= size, `${length} octets where ${size} are allowed`)
  assert.ok(
    packet.subarray(0, start).every((octet) => octet === CANARY),
    'nothing before the message',
  )
  assert.ok(
    packet.subarray(start + size, end).every((octet) => octet === CANARY),
    'nothing behind its limit',
  )
  return readResponse(packet.slice(start, start + length))
}

/** The same in lines: RCODE and flags, then the records of each section, with a prefix for authority ('~') and additional ('+'). */
export function askText(stage: HeldStage, name: string, type: string | number, asked: Asked = {}): string[] {
  const read = ask(stage, name, type, asked)
  if (typeof read === 'string') return [read]
  const flags = [read.flags & FLAG.AA ? 'AA' : '', read.flags & FLAG.TC ? 'TC' : ''].filter((flag) => flag !== '')
  return [
    [read.rcode, ...flags].join(' '),
    ...read.answer.map(recordText),
    ...read.authority.map((record) => `~ ${recordText(record)}`),
    ...read.additional.map((record) => `+ ${recordText(record)}`),
  ]
}
