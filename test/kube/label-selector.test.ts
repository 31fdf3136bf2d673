// Label selectors: what is one, what it means, and that writing and reading are inverse. Cases after client-go's own table.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  LabelSelector,
  LabelSelectorError,
  type Requirement,
  type SelectorOperator,
} from '../../src/kube/label-selector.ts'

const LONG = 'a'.repeat(63)

test('selectors as client-go writes them', () => {
  const cases: [text: string, written: string][] = [
    ['', ''],
    [' \t\r\n', ''],
    ['x=a,y=b,z=c', 'x=a,y=b,z=c'],
    ['x = a , y == b', 'x=a,y==b'],
    ['x!=a,y=b', 'x!=a,y=b'],
    ['x=', 'x='],
    ['x= ,z= ', 'x=,z='],
    ['x!=', 'x!='],
    ['!x', '!x'],
    ['! x', '!x'],
    ['\rx', 'x'],
    ['b,a', 'a,b'], // sorted by key
    ['z!=a,z', 'z!=a,z'], // of one key: as they came
    ['tier in (front, back),app=x', 'app=x,tier in (back,front)'],
    ['tier notin(b,a,b)', 'tier notin (a,b)'], // no space is needed, duplicates go
    ['x in (abc,)', 'x in (,abc)'],
    ['x in ()', 'x in ()'],
    ['x notin (abc,,def),bar,z in (),w', 'bar,w,x notin (,abc,def),z in ()'],
    ['x\tin\n( a )', 'x in (a)'],
    ['notin=in', 'notin=in'], // words of the language are keys and values too
    ['in in (in,notin)', 'in in (in,notin)'],
    ['notin', 'notin'],
    ['!in,in', '!in,in'],
    ['this-is-a-dns.domain.com/key-with-dash', 'this-is-a-dns.domain.com/key-with-dash'],
    ['0.1.2.domain/99 notin (10.10.100.1, tick.tack.clock)', '0.1.2.domain/99 notin (10.10.100.1,tick.tack.clock)'],
    ['X_y.Z-1=A_b.C-2', 'X_y.Z-1=A_b.C-2'],
    [`${LONG}=${LONG}`, `${LONG}=${LONG}`],
    [`${'p'.repeat(253)}/x`, `${'p'.repeat(253)}/x`],
  ]
  for (const [text, written] of cases) assert.equal(LabelSelector.parse(text).toString(), written, text)
})

test('what is no selector: where it goes wrong, and what was expected there', () => {
  const cases: [text: string, position: number, expected: RegExp][] = [
    ['tier in (front', 14, /^',' or '\)'$/],
    ['tier in (front back)', 15, /^',' or '\)'$/],
    ['tier in front', 8, /^'\('$/],
    ['tier in', 7, /^'\('$/],
    ['tier in (a=b)', 10, /^',' or '\)'$/],
    ['tier in ((a))', 9, /^a label value/],
    ['tier in (a))', 11, /^',' or the end$/],
    ['a in (b', 7, /^',' or '\)'$/],
    ['a in (', 6, /^a label value/],
    ['x=a||y=b', 2, /^a label value/],
    ['x==a==b', 4, /^',' or the end$/],
    ['!x=a', 2, /^',' or the end$/],
    ['!', 1, /^a label key/],
    ['!!x', 1, /^a label key/],
    ['x!', 1, /^=, ==, !=, in, notin, ',' or the end$/],
    ['x y', 2, /^=, ==/],
    ['x inn (a)', 2, /^=, ==/],
    ['x>1', 1, /^=, ==/],
    ['x<1', 1, /^=, ==/],
    ['x===a', 3, /^a label value/],
    ['x=!a', 2, /^a label value/],
    ['x=(a)', 2, /^a label value/],
    [',x', 0, /^a label key/],
    ['x,', 2, /^a label key/],
    ['x,,y', 2, /^a label key/],
    ['=a', 0, /^a label key/],
    ['(x)', 0, /^a label key/],
    ['-x', 0, /^a label key/],
    ['x-', 0, /^a label key/],
    ['ü', 0, /^a label key/],
    ['x\0', 0, /^a label key/],
    ['/x', 0, /^a label key/],
    ['a/', 0, /^a label key/],
    ['a/b/c', 0, /^a label key/],
    ['Example.com/x', 0, /^a label key/], // a prefix is lower case
    ['a..b/x', 0, /^a label key/],
    ['a_b/x', 0, /^a label key/],
    ['x=-a', 2, /^a label value/],
    ['x=a.', 2, /^a label value/],
    ['x=a/b', 2, /^a label value/],
    ['x in (a,_b)', 8, /^a label value/],
    [`${LONG}a`, 0, /^a label key/],
    [`x=${LONG}a`, 2, /^a label value/],
    [`${'p'.repeat(254)}/x`, 0, /^a label key/],
  ]
  for (const [text, position, expected] of cases) {
    assert.throws(
      () => LabelSelector.parse(text),
      (error: Error) => {
        assert.ok(error instanceof LabelSelectorError, `${text}: ${error.stack}`)
        assert.equal(error.position, position, `${text}: ${error.message}`)
        assert.match(error.expected, expected, text)
        return true
      },
      text,
    )
  }
})

test('the message says where and what', () => {
  const message = (text: string) => {
    try {
      LabelSelector.parse(text)
    } catch (error) {
      return (error as Error).message
    }
    return ''
  }
  assert.equal(message('tier in (front'), "at character 15: found the end, expected ',' or ')'")
  assert.equal(message('a in b'), "at character 6: found 'b', expected '('")
})

test('what a selector selects', () => {
  const cases: [selector: string, labels: Record<string, string>, matches: boolean][] = [
    ['', {}, true],
    ['x=y', { x: 'y' }, true],
    ['x==y', { x: 'z' }, false],
    ['x=y', {}, false],
    ['x=', { x: '' }, true],
    ['x=', {}, false], // missing is not empty
    ['x!=y', {}, true],
    ['x!=y', { x: 'y' }, false],
    ['x!=y', { x: 'z' }, true],
    ['x', { x: '' }, true],
    ['x', { y: 'x' }, false],
    ['!x', { y: 'x' }, true],
    ['!x', { x: '' }, false],
    ['x in (a,b)', { x: 'b' }, true],
    ['x in (a,b)', { x: 'c' }, false],
    ['x in (a,b)', {}, false],
    ['x in ()', { x: '' }, true],
    ['x notin (a,b)', {}, true],
    ['x notin (a,b)', { x: 'a' }, false],
    ['x notin (a,b)', { x: 'c' }, true],
    ['x=y,z=w', { x: 'y', z: 'w' }, true],
    ['x=y,z=w', { x: 'y' }, false],
    ['x,x!=a', { x: 'b' }, true],
    ['constructor', {}, false], // what every object has is no label
    ['!toString', {}, true],
  ]
  for (const [selector, labels, matches] of cases) {
    assert.equal(LabelSelector.parse(selector).matches(labels), matches, `${selector} ${JSON.stringify(labels)}`)
  }
})

const word = fc.oneof(
  fc.constantFrom('in', 'notin', 'a', LONG),
  fc.stringMatching(/^[A-Za-z0-9]([-A-Za-z0-9_.]{0,5}[A-Za-z0-9])?$/),
)
const prefix = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,3}[a-z0-9])?(\.[a-z0-9]{1,3}){0,2}$/)
const key = fc.oneof(
  word,
  fc.tuple(prefix, word).map((parts) => parts.join('/')),
)
const value = fc.oneof(fc.constant(''), word)
const counts: Record<SelectorOperator, [number, number]> = {
  exists: [0, 0],
  missing: [0, 0],
  '=': [1, 1],
  '==': [1, 1],
  '!=': [1, 1],
  in: [1, 4],
  notin: [1, 4],
}
const requirement: fc.Arbitrary<Requirement> = fc
  .constantFrom(...(Object.keys(counts) as SelectorOperator[]))
  .chain((operator) => {
    const [minLength, maxLength] = counts[operator]
    return fc.record({ key, operator: fc.constant(operator), values: fc.array(value, { minLength, maxLength }) })
  })

test('read is the inverse of write', () => {
  fc.assert(
    fc.property(fc.array(requirement, { maxLength: 5 }), (requirements) => {
      const selector = new LabelSelector(requirements)
      assert.deepEqual(LabelSelector.parse(selector.toString()).requirements, selector.requirements)
    }),
  )
})

test('any text is a selector or a LabelSelectorError, and what was read reads the same again', () => {
  const pieces = fc.constantFrom('a', 'in', 'notin', '=', '!', '(', ')', ',', ' ', '<', 'a/b', '-', '\n', 'é')
  let read = 0
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
      const text = parts.join('')
      try {
        const selector = LabelSelector.parse(text)
        assert.deepEqual(LabelSelector.parse(selector.toString()), selector)
        read++
      } catch (error) {
        assert.ok(error instanceof LabelSelectorError, String(error))
        assert.ok(error.position >= 0 && error.position <= text.length)
      }
    }),
    { numRuns: 2000 },
  )
  assert.ok(read > 50, `only ${read} texts were selectors`)
})
