// Which responses answer a question.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { queryMessage } from '../../../src/load/query-table.ts'
import { OTHER_QUESTION, QuestionMatch, SAME_BUT_CASE, SAME_QUESTION } from '../../../src/load/question-match.ts'
import { answerTo } from '../streams/framed-server.ts'
import { message, tableOf } from './tables.ts'

const NAMES = ['x.test', 'Web-1.shop.test', 'web-1.shop.tesu']
const table = tableOf(NAMES)
const match = new QuestionMatch(table)

/** Of the second query, whose name is Web-1.shop.test. */
function matchOf(response: Uint8Array): number {
  const room = Buffer.concat([Buffer.alloc(3, 0xee), response, Buffer.alloc(3, 0xee)])
  const octets = new Uint8Array(256).fill(0xee)
  octets.set(response, 8)
  const byWords = match.of(1, octets, 8, response.length, new Uint32Array(octets.buffer))
  assert.equal(byWords, match.of(1, room, 3, response.length))
  return byWords
}

const withoutQuestion = (rcode: number): Buffer => {
  const response = answerTo(Buffer.from(queryMessage(table, 1)).subarray(0, 12), rcode)
  response.writeUInt16BE(0, 4)
  return response
}

const asked = (name: string, type?: 'A' | 'AAAA'): Buffer => answerTo(Buffer.from(message(name, type)))

const cases: [what: string, response: Uint8Array, match: number][] = [
  ['the same', asked('Web-1.shop.test'), SAME_QUESTION],
  ['in lower case', asked('web-1.shop.test'), SAME_BUT_CASE],
  ['in upper case', asked('WEB-1.SHOP.TEST'), SAME_BUT_CASE],
  ['another type', asked('Web-1.shop.test', 'AAAA'), OTHER_QUESTION],
  ['another last letter', asked('Web-1.shop.tesu'), OTHER_QUESTION],
  ['a longer name', asked('Web-1.shop.test.test'), OTHER_QUESTION],
  ['a shorter one', asked('x.test'), OTHER_QUESTION],
  // 0x0d and 0x2d differ in the bit that letters do.
  ['no letter', asked('Web\r1.shop.test'), OTHER_QUESTION],
  ['FORMERR without the question', withoutQuestion(1), SAME_QUESTION],
  ['NOERROR without the question', withoutQuestion(0), OTHER_QUESTION],
]

for (const [what, response, expected] of cases) test(what, () => assert.equal(matchOf(response), expected))

test('cut short, it is another question', () => {
  const whole = asked('Web-1.shop.test')
  for (let length = 12; length < whole.length; length++) {
    assert.equal(matchOf(whole.subarray(0, length)), OTHER_QUESTION, `${length} octets`)
  }
})

test('any octets', () =>
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 12, maxLength: 60 }), (response) => {
      assert.equal(
        matchOf(response),
        response[4] + response[5] === 0 && (response[3] & 15) !== 0 ? SAME_QUESTION : OTHER_QUESTION,
      )
    }),
  ))
