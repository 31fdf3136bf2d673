import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compileRegexp, RegexpError } from '../../src/config/regexp.ts'

test('patterns match as in Go: anywhere, leftmost, the first alternative', () => {
  const cases: [pattern: string, text: string, groups: (string | undefined)[] | null][] = [
    ['shop', 'web.shop.svc.', ['shop']],
    ['(.*)\\.mine\\.example', 'a.b.mine.example.', ['a.b.mine.example', 'a.b']],
    ['a|ab', 'xab', ['a']],
    ['(a)|(b)', 'b', ['b', undefined, 'b']],
    ['^b', 'ab', null],
    ['a\\z', 'a\n', null],
    ['a$', 'a\n', null], // not before a last newline
    ['(?i)WEB', 'web.', ['web']],
    ['\\Qa.b\\E', 'a.b', ['a.b']],
    ['\\Qa.b\\E', 'axb', null],
    ['[[:digit:]]+', 'web-12.', ['12']],
    ['\\bsvc\\b', 'a.svc.b', ['svc']],
    ['(?U)a+', 'aaa', ['a']],
    ['x{,3}', 'x{,3}', ['x{,3}']], // literal: Go knows no open beginning
    ['', 'a', ['']],
    ['\\p{Greek}(.)', 'aβ🙂', ['β🙂', '🙂']],
  ]
  for (const [pattern, text, groups] of cases) {
    const regexp = compileRegexp(pattern)
    assert.deepEqual(regexp.exec(text)?.groups ?? null, groups, pattern)
    assert.equal(regexp.test(text), groups !== null, pattern)
  }
})

test('named groups and the place of a match', () => {
  const match = compileRegexp('(?P<svc>[^.]+)\\.(?<ns>b)(?P<none>x)?').exec('🙂.a.b.c')!
  assert.deepEqual([...match.named], [['svc', 'a'], ['ns', 'b'], ['none', '']]) // biome-ignore format: pairs
  assert.deepEqual([match.start, match.end], [3, 6])
})

test('a pattern that is none, or that could take long, is an error', () => {
  const cases: [pattern: string, says: RegExp][] = [
    ['(a', /missing closing \)/],
    ['(?=a)', /invalid or unsupported Perl syntax/],
    ['(?<=a)b', /invalid named capture/],
    ['(a)\\1', /invalid escape sequence/],
    ['a**', /invalid nested repetition/],
    ['a{1001}', /invalid repeat count/],
    ['\\C', /invalid escape sequence/],
    ['a'.repeat(10_001), /longer than 10000 characters/],
    ['(?:a?){500}a{500}$', /too costly/],
    ['(?:a?){120}a{120}$', /too costly: 363 steps/],
    ['((((a?){10}){10}){10})*b', /too costly/],
  ]
  for (const [pattern, says] of cases)
    assert.throws(
      () => compileRegexp(pattern),
      (error) => error instanceof RegexpError && says.test(error.message),
      pattern,
    )
})

test('long patterns are taken where a character costs little', () => {
  const names = Array.from({ length: 60 }, (_, index) => `ads${index * 7919}\\.example${index % 7}\\.com`)
  const regexp = compileRegexp(`^(?:${names.join('|')})\\.$`)
  assert.equal(regexp.test('ads7919.example1.com.'), true)
  assert.equal(regexp.test('ads7919.example2.com.'), false)
  assert.equal(compileRegexp(`^(${'[a-z]{1,63}\\.'.repeat(4)})$`).test('a.b.c.d.'), true)
})

const anyAtom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '(a|b)', '(?:ab)', '\\.', '(b)?', 'a*', '(.*?)', 'b{2}')
test('agrees with the language own engine where that means the same', () => {
  const anyPattern = fc.array(anyAtom, { maxLength: 6 }).map((atoms) => atoms.join(''))
  const anyText = fc.array(fc.constantFrom('a', 'b', '.'), { maxLength: 12 }).map((parts) => parts.join(''))
  let found = 0
  fc.assert(
    fc.property(anyPattern, anyText, (pattern, text) => {
      const expected = new RegExp(pattern).exec(text)
      const match = compileRegexp(pattern).exec(text)
      assert.deepEqual(match?.groups ?? null, expected && [...expected])
      if (match === null) return
      assert.equal(match.start, expected!.index)
      found++
    }),
    { numRuns: 1000 },
  )
  assert(found > 100)
})
