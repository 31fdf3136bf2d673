// The grammar: words, blocks, directives, properties, and the errors that people search for. Imports are in import.test.ts.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readCorefile, tryCorefile } from '../../../src/config/corefile/read.ts'
import { CorefileError, type Token } from '../../../src/config/corefile/syntax.ts'

const ENV = { ZONE: 'a.example', PORT: '1053', WORDS: 'two words', BRACE: '{', EMPTY: '' }

const words = (tokens: readonly Token[]): string[] => tokens.map(({ text }) => text)

/** Blocks as nested lists: [keys, [name, args, properties]…]. */
function shape(text: string): unknown {
  return readCorefile('Corefile', ENV, text).blocks.map(({ keys, directives }) => [
    words(keys),
    ...directives.map(({ name, args, properties }) => [
      [name.text, ...words(args)],
      ...properties.map((property) => [property.name.text, ...words(property.args)]),
    ]),
  ])
}

test('words', () => {
  const cases: [line: string, words: string[]][] = [
    ['cache 30', ['cache', '30']],
    ['\tcache\t30\r', ['cache', '30']],
    ['cache\u00a030\u3000x\u2028y', ['cache', '30', 'x', 'y']], // white space of Unicode; only the newline ends a line
    ['cache 30 # half a minute', ['cache', '30']],
    ['cache 30# half a', ['cache', '30', 'half', 'a']], // hides only up to white space
    ['log "a b" c', ['log', 'a b', 'c']],
    ['log a"b c', ['log', 'a"b', 'c']], // quotes act only where a word begins
    ['log "a"b', ['log', 'a', 'b']],
    ['log ""', ['log', '']],
    ['log "a \\" b"', ['log', 'a " b']],
    ['log "a \\. \\\\ b"', ['log', 'a \\. \\\\ b']], // other pairs stay
    ['log "# {"', ['log', '# {']],
    ['log "a\nb" c', ['log', 'a\nb', 'c']], // the newline is in the word, not behind it
    ['log a\\.b', ['log', 'a\\.b']],
    ['log "{" "}"', ['log', '{', '}']], // no braces
    ['log {common} {{x}}', ['log', '{common}', '{{x}}']],
    ['log {$ZONE}:{$PORT}', ['log', 'a.example:1053']],
    ['log {%ZONE%}:{%PORT%}', ['log', 'a.example:1053']],
    ['log "<{$ZONE}>"', ['log', '<a.example>']],
    ['log {$WORDS}', ['log', 'two words']], // not split again
    ['log {$BRACE}', ['log', '{']], // nor a brace
    ['log x{$NONE}y{$EMPTY}', ['log', 'xy']],
    ['log {$} {%%} {$ZONE', ['log', '{$}', '{%%}', '{$ZONE']],
    ['log {{$x}} "{{ $x }}"', ['log', '{}', '{{ $x }}']], // the trap of templates
    ['log {$constructor}', ['log', '']],
    ['{$ZONE} {$PORT}', ['a.example', '1053']], // a directive's name too
  ]
  for (const [line, expected] of cases) {
    const [{ directives }] = readCorefile('Corefile', ENV, `. {\n${line}\n}`).blocks
    assert.equal(directives.length, 1, line)
    assert.deepEqual([directives[0].name.text, ...words(directives[0].args)], expected, line)
  }
})

test('blocks', () => {
  const cases: [text: string, shape: unknown][] = [
    ['', []],
    ['\n# nothing\n\n', []],
    ['\ufeff.', [[['.']]]],
    ['.', [[['.']]]], // a block without plugins
    ['. {\n}', [[['.']]]],
    ['. { }', [[['.']]]],
    ['a b {\n}', [[['a', 'b']]]],
    ['a, b {\n}', [[['a', 'b']]]],
    ['a,\nb {\n}', [[['a', 'b']]]],
    ['a ,\n\nb ,c {\n}', [[['a', 'b', ',c']]]], // a comma in front is none
    ['a, , b', [[['a', 'b']]]],
    ['{$NONE} a', [[['a']]]],
    ['.:53{\nerrors', [[['.:53{'], [['errors']]]]], // a key with a brace in it
    [
      '.\nerrors\nlog . {\nclass error\n}\n',
      [
        [
          ['.'],
          [['errors']],
          [
            ['log', '.'],
            ['class', 'error'],
          ],
        ],
      ],
    ], // no braces
    [
      'a {\nerrors\n}\nb {\nlog\n}',
      [
        [['a'], [['errors']]],
        [['b'], [['log']]],
      ],
    ],
    ['a {\n}\nb\nlog', [[['a']], [['b'], [['log']]]]],
    ['. {\nerrors { }\n}', [[['.'], [['errors']]]]],
    ['. {\nerrors {\n}\n}', [[['.'], [['errors']]]]],
    ['. {\nhealth {\nlameduck 5s\n}\n}', [[['.'], [['health'], ['lameduck', '5s']]]]],
    ['. {\nhealth { lameduck 5s\n}\n}', [[['.'], [['health'], ['lameduck', '5s']]]]],
    ['. { errors\n}', [[['.'], [['errors']]]]],
    ['. { # here\n} # there', [[['.']]]],
    ['. {\nlog\nlog\n}', [[['.'], [['log']], [['log']]]]],
  ]
  for (const [text, expected] of cases) assert.deepEqual(shape(text), expected, text)
})

test('a token knows its line', () => {
  const [{ keys, directives }] = readCorefile('Corefile', ENV, '\r\n\na,\nb {\n  log "x\n\ny" z\n  errors\n}').blocks
  const places = [...keys, ...directives.flatMap(({ name, args }) => [name, ...args])]
  assert.deepEqual(
    places.map(({ text, file, line }) => [text, file, line]),
    [
      ['a', 'Corefile', 3],
      ['b', 'Corefile', 4],
      ['log', 'Corefile', 5],
      ['x\n\ny', 'Corefile', 5],
      ['z', 'Corefile', 7],
      ['errors', 'Corefile', 8],
    ],
  )
})

test('errors', () => {
  const open = "Unexpected token '{', expecting argument"
  const close = "Unexpected '}' because no matching opening brace"
  const count = (after: string) => `Wrong argument count or unexpected line ending after '${after}'`
  const cases: [text: string, line: number, stem: string][] = [
    ['{\n}', 1, open],
    ['.\n{\nerrors\n}', 2, open], // the brace stands on the line of the last key
    ['. {\n{\n', 2, open],
    ['. {\nhealth\n{\n', 3, open],
    ['. {\nhealth { {\n', 2, open],
    ['. {\nhealth {\nlameduck {\n', 3, open],
    ['a, {\n}', 1, open],
    ['}', 1, close],
    ['.\nerrors\n}', 3, close],
    ['. {\n}\n}', 3, close],
    ['. { errors }', 1, close],
    ['. {\nerrors { } }', 2, close],
    ['.:53{\nerrors\n}', 3, `${close}: '.:53{' at Corefile:1 needs white space before its brace`],
    ['. {\nhealth { lameduck 5s }\n}', 2, count('}')], // read as an argument of lameduck
    ['. {\nhealth {\nlameduck 5s }\n}', 3, count('}')],
    ['. {\nhealth {\n} 5\n}', 3, count('}')],
    ['. {\n} a', 2, count('}')],
    ['(a)\nerrors', 1, count('(a)')],
    ['. {\nimport\n}', 2, count('import')],
    ['. {\nimport a b\n}', 2, count('a')],
    ['. {', 1, 'Unexpected EOF'],
    ['. {\nhealth {\nlameduck 5s\n', 3, 'Unexpected EOF'],
    ['a,', 1, 'Unexpected EOF'],
    ['(a) {\nerrors {\n}\n', 3, 'Unexpected EOF'],
    ['. {\nlog "x\n}', 2, 'Unexpected EOF'],
    ['. {\nlog "x\\', 2, 'Unexpected EOF'],
    ['(a) {\n}\n(a) {\n}', 3, "snippet 'a' is defined twice; the first time at Corefile:1"],
  ]
  for (const [text, line, stem] of cases) {
    const { error, syntax } = tryCorefile('Corefile', ENV, text)
    assert.equal(syntax, null, text)
    assert.ok(error instanceof CorefileError)
    const expected = `Corefile:${line} - Error during parsing: ${stem}`
    assert.equal(error.message.slice(0, expected.length), expected, text)
    assert.throws(() => readCorefile('Corefile', ENV, text), CorefileError)
  }
})

test('long words and deep quotes take no stack', () => {
  const long = 'x'.repeat(1_000_000)
  const [{ directives }] = readCorefile('Corefile', ENV, `. {\nlog ${long} "${'\\"'.repeat(500_000)}"\n}`).blocks
  assert.deepEqual(
    directives[0].args.map(({ text }) => text.length),
    [1_000_000, 500_000],
  )
  for (const text of ['{$', '{%', '{$x', '{%x%', '}{$', '{%%']) {
    const [block] = readCorefile('Corefile', ENV, `. {\nlog ${text.repeat(300_000)}\n}`).blocks
    assert.ok(block.directives[0].args[0].text.length > 0, text)
  }
})
