// matchesQuestion(): whether a reply is one to the question that was asked, in a table.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { wireOfName } from '../../src/dns/message-names.ts'
import { MALFORMED, MATCH, matchesQuestion, OTHER_CASE, OTHER_QUESTION } from '../../src/forward/ready-answer.ts'
import { reply } from './ready-octets.ts'

const asked = new Uint8Array([...wireOfName('w.example.'), 0, 1, 0, 1])
const answeredQuestion: [name: string, message: Uint8Array, verdict: number, exactly: number][] = [
  ['the same', reply([0, 0, 0]), MATCH, MATCH],
  ['another case', reply([0, 0, 0]).with(13, 0x57), MATCH, OTHER_CASE],
  ['another letter', reply([0, 0, 0]).with(13, 0x56), OTHER_QUESTION, OTHER_QUESTION],
  ['another type', reply([0, 0, 0]).with(24, 2), OTHER_QUESTION, OTHER_QUESTION],
  ['another class', reply([0, 0, 0]).with(26, 2), OTHER_QUESTION, OTHER_QUESTION],
  [
    'a shorter name',
    new Uint8Array([...reply([0, 0, 0]).subarray(0, 12), 0, 0, 1, 0, 1]),
    OTHER_QUESTION,
    OTHER_QUESTION,
  ],
  [
    'a longer name',
    new Uint8Array([...reply([0, 0, 0]).subarray(0, 12), ...wireOfName('w.example.com.'), 0, 1, 0, 1]),
    OTHER_QUESTION,
    OTHER_QUESTION,
  ],
  ['a query', reply([0, 0, 0]).with(2, 1), MALFORMED, MALFORMED],
  ['a bare header', reply([0, 0, 0]).subarray(0, 12).with(5, 0), MALFORMED, MALFORMED],
  ['two questions', reply([0, 0, 0]).with(5, 2), MALFORMED, MALFORMED],
  ['half a question', reply([0, 0, 0]).subarray(0, 25), MALFORMED, MALFORMED],
  ['a runt', reply([0, 0, 0]).subarray(0, 11), MALFORMED, MALFORMED],
  ['a pointer for a name', reply([0, 0, 0]).with(12, 0xc0), MALFORMED, MALFORMED],
]
for (const [name, message, verdict, exactly] of answeredQuestion) {
  test(`whose question: ${name}`, () => {
    const apart = new Uint8Array(message.length + 20).fill(0xc0)
    apart.set(message, 9)
    for (const [octets, at] of [
      [message, 0],
      [apart, 9],
    ] as const) {
      assert.equal(matchesQuestion(octets, at, message.length, asked, false), verdict)
      assert.equal(matchesQuestion(octets, at, message.length, asked, true), exactly)
    }
  })
}

test('octets that differ by 32 and are no letters', () => {
  const at = new Uint8Array([...wireOfName('@['), 0, 1, 0, 1])
  const grave = new Uint8Array([...wireOfName('`{'), 0, 1, 0, 1])
  const message = new Uint8Array([...reply([0, 0, 0]).subarray(0, 12), ...grave])
  assert.equal(matchesQuestion(message, 0, message.length, grave, false), MATCH)
  assert.equal(matchesQuestion(message, 0, message.length, at, false), OTHER_QUESTION)
})
