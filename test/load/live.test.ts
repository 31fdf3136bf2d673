// What is seen of a load while it runs: the picture in the terminal, plain lines, lines of JSON.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { createHistogram } from '../../src/load/histogram.ts'
import { LoadInputError } from '../../src/load/input-error.ts'
import {
  ASCII_SIGNS,
  doneShare,
  type FrameState,
  figuresText,
  frameLines,
  secondsLeft,
  timeText,
  UNICODE_SIGNS,
} from '../../src/load/live/frame.ts'
import { openLines, secondLine } from '../../src/load/live/json-lines.ts'
import { figuresOf, type Phase, Sums, silentLive } from '../../src/load/live/live.ts'
import { plainLive } from '../../src/load/live/plain-lines.ts'
import { canDraw, isUnicode, type Terminal, TerminalLive } from '../../src/load/live/terminal.ts'
import type { Second } from '../../src/load/run.ts'

const PHASE: Phase = {
  title: '127.0.0.1:53 over UDP: 1,000 queries a second (open loop)',
  step: '',
  warmupMs: 1000,
  lengthMs: 11_000,
  queries: null,
  beforeMs: 0,
  afterMs: 0,
}

/** A second of 1,000 queries sent, of which some were lost; half of the answers took 1 ms, the others 2. */
function second(index: number, lost = 0, seconds = 1): Second {
  const latency = createHistogram()
  latency.recordValueWithCount(1e6, 500)
  latency.recordValueWithCount(2e6, 500 - lost)
  const zero = { late: 0, truncated: 0, unexpected: 0, mismatched: 0, malformed: 0, octetsSent: 0, octetsReceived: 0 }
  const counts = { ...zero, connections: 0, rcodes: new Array(16).fill(0), errors: {} }
  return { index, seconds, offered: 1000, latency, sent: 1000, answered: 1000 - lost, lost, ...counts }
}

function sums(...seconds: Second[]): Sums {
  const sum = new Sums()
  for (const each of seconds) sum.add(each)
  return sum
}

function state(more: Partial<FrameState> = {}): FrameState {
  return { phase: PHASE, elapsedMs: 5500, sums: sums(second(0, 10)), last: figuresOf(second(0, 10)), note: '', ...more }
}

test('the picture: who, how far, and the last second', () => {
  assert.deepEqual(frameLines(state(), 79, UNICODE_SIGNS), [
    '127.0.0.1:53 over UDP: 1,000 queries a second (open loop)',
    '████████████████████░░░░░░░░░░░░░░░░░░░░  50 %  6 s, 6 s left',
    '990 answered/s of 1,000, lost 10 (1 %), p50 1.00 ms, p99 2.00 ms',
  ])
  const phase = { ...PHASE, step: 'round 2 of 5', beforeMs: 11_000, afterMs: 33_000 }
  assert.deepEqual(frameLines(state({ phase, elapsedMs: 0, note: 'a note' }), 49, ASCII_SIGNS), [
    'round 2 of 5: 127.0.0.1:53 over UDP: 1,000 queri~',
    '##........  20 %  0 s, 44 s left',
    '990 answered/s of 1,000, lost 10 (1 %), p50 1.00~',
    'a note',
  ])
  assert.equal(frameLines(state(), 40, ASCII_SIGNS)[1], '50 %  6 s, 6 s left') // no room for a bar
})

test('a terminal that shows ASCII alone is given nothing else', () => {
  const phase = { ...PHASE, title: 'grün 😀', lengthMs: null }
  const last = { ...figuresOf(second(0)), p50Micros: 92, offered: Number.NaN }
  const text = frameLines(state({ phase, last }), 79, ASCII_SIGNS)
  assert.deepEqual(text, ['gr?n ?', '6 s', '1,000 answered/s of -, lost 10 (1 %), p50 92 us, p99 2.00 ms'])
})

test('every line fits, whatever the width', () => {
  const widths = fc.integer({ min: 1, max: 200 })
  const texts = fc.string({ unit: 'binary' })
  const times = fc.double({ min: 0, max: 1e8, noNaN: true })
  fc.assert(
    fc.property(
      widths,
      texts,
      times,
      fc.option(times),
      fc.option(times),
      (width, title, elapsedMs, lengthMs, afterMs) => {
        const phase = { ...PHASE, title, lengthMs: lengthMs === 0 ? 1 : lengthMs, afterMs }
        for (const line of frameLines(state({ phase, elapsedMs, note: title }), width, UNICODE_SIGNS)) {
          assert.ok([...line].length <= width, line)
          // biome-ignore lint/suspicious/noControlCharactersInRegex: none may get through.
          assert.doesNotMatch(line, /[\u0000-\u001f\u007f-\u009f]/)
        }
      },
    ),
  )
})

test('how much is done, and what is left', () => {
  const cases: [phase: Partial<Phase>, elapsedMs: number, done: number, left: number][] = [
    [{}, 0, 0, 11],
    [{}, 11_000, 1, 0],
    [{}, 15_000, 1, 0], // the last answers are waited for
    [{ beforeMs: 11_000, afterMs: 22_000 }, 5500, 16.5 / 44, 27.5],
    [{ beforeMs: 99_000, afterMs: null }, 5500, 0.5, 5.5], // a search: of this trial
    [{ lengthMs: null }, 5500, Number.NaN, Number.NaN],
    [{ lengthMs: null, queries: 4000 }, 5000, 0.25, 15], // 1,000 of 4,000 queries in five seconds
    [{ lengthMs: null, queries: 500 }, 5000, 1, 0],
  ]
  for (const [phase, elapsedMs, done, left] of cases) {
    const at = state({ phase: { ...PHASE, ...phase }, elapsedMs })
    assert.equal(doneShare(at), done, JSON.stringify(phase))
    assert.equal(secondsLeft(at), left, JSON.stringify(phase))
  }
  const waiting = frameLines(state({ elapsedMs: 12_000 }), 79, ASCII_SIGNS)[1]
  assert.match(waiting, /^#{40} 100 % {2}12 s, waiting for answers$/)
  const trial = frameLines(state({ phase: { ...PHASE, afterMs: null } }), 99, ASCII_SIGNS)[1]
  assert.match(trial, / 6 s, 6 s left of the trial$/)
})

test('figures of a second', () => {
  assert.equal(figuresText({ last: null, sums: sums() }), 'starting')
  // What is lost counts over the run, and not while it warms up.
  const both = [second(-1, 500), second(0, 5), second(1, 20)]
  const warm = figuresText({ last: figuresOf(both[0]), sums: sums(both[0]) })
  assert.equal(warm, '500 answered/s of 1,000, warming up, p50 1.00 ms, p99 1.00 ms')
  const last = figuresText({ last: figuresOf(both[2]), sums: sums(...both) })
  assert.equal(last, '980 answered/s of 1,000, lost 25 (1.25 %), p50 1.00 ms, p99 2.00 ms')
  const short = figuresText({ last: figuresOf(second(0, 0, 0.5)), sums: sums() })
  assert.match(short, /^2,000 answered\/s of 1,000, /)
  assert.match(figuresText({ last: figuresOf(second(0, 0, 0)), sums: sums() }), /^– answered\/s of 1,000, /)
})

test('times', () => {
  const cases: [seconds: number, text: string][] = [
    [0, '0 s'],
    [59.4, '59 s'],
    [59.6, '1:00'],
    [65, '1:05'],
    [3599, '59:59'],
    [3725, '1:02:05'],
    [86_400, '24:00:00'],
  ]
  for (const [seconds, text] of cases) assert.equal(timeText(seconds), text)
})

/** A terminal that knows what is written to it here, and fails on everything else. */
class Screen implements Terminal {
  columns: number
  rows: number
  cursorIsHidden = false
  writes = 0
  readonly lines: string[] = ['']
  /** Lines that have left at the top. */
  scrolled = 0
  #row = 0
  #column = 0

  constructor(columns: number, rows: number) {
    this.columns = columns
    this.rows = rows
  }

  write(text: string): void {
    this.writes++
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a terminal is about.
    for (const [sign] of text.matchAll(/\x1b\[[?\d]*[a-zA-Z]|./gsu)) this.#take(sign)
  }

  get text(): string {
    return this.lines.join('\n').trimEnd()
  }

  #take(sign: string): void {
    if (sign === '\r') this.#column = 0
    else if (sign === '\n') this.#feed()
    else if (sign === '\x1b[?25l') this.cursorIsHidden = true
    else if (sign === '\x1b[?25h') this.cursorIsHidden = false
    else if (sign === '\x1b[K') this.lines[this.#row] = this.lines[this.#row].slice(0, this.#column)
    else if (sign === '\x1b[J') {
      this.lines[this.#row] = this.lines[this.#row].slice(0, this.#column)
      this.lines.length = this.#row + 1
    } else if (sign.startsWith('\x1b[') && sign.endsWith('A')) {
      const up = Number(sign.slice(2, -1))
      assert.ok(
        up > 0 && up <= this.#row - this.scrolled,
        `the cursor cannot go ${up} up from line ${this.#row - this.scrolled}`,
      )
      this.#row -= up
    } else {
      assert.ok(sign >= ' ', `the terminal does not know ${JSON.stringify(sign)}`)
      assert.ok(this.#column < this.columns - 1, 'the last column stays free')
      const line = this.lines[this.#row].padEnd(this.#column)
      this.lines[this.#row] = line.slice(0, this.#column) + sign + line.slice(this.#column + 1)
      this.#column++
    }
  }

  #feed(): void {
    this.#column = 0
    this.#row++
    this.lines[this.#row] ??= ''
    this.scrolled = Math.max(this.scrolled, this.#row - this.rows + 1)
  }
}

test('the picture is drawn over itself, and is gone in the end', () => {
  const screen = new Screen(80, 24)
  screen.write('$ peregrine load\n')
  let now = 0
  const live = new TerminalLive(screen, { isUnicode: false, clock: () => now })
  live.begin(PHASE)
  assert.equal(screen.cursorIsHidden, true)
  const first = screen.text.split('\n')
  assert.deepEqual(first, ['$ peregrine load', PHASE.title, `${'.'.repeat(40)}   0 %  0 s, 11 s left`, 'starting'])
  now = 11_000
  const before = screen.writes
  live.second(second(0))
  assert.equal(screen.writes, before + 1, 'one write a picture')
  assert.equal(screen.text.split('\n').length, 4)
  assert.match(screen.text, /\n#{40} 100 % .*\n1,000 answered\/s of 1,000, lost 0 \(0 %\), p50 1\.00 ms, p99 2\.00 ms$/)
  live.note('the last trial')
  live.draw()
  assert.equal(screen.text.split('\n').length, 5)
  live.note('')
  live.draw()
  assert.doesNotMatch(screen.text, /the last trial/)
  live.say('something happened')
  assert.deepEqual(screen.text.split('\n').slice(0, 3), ['$ peregrine load', 'something happened', PHASE.title])
  assert.equal(screen.text.split('\n').length, 5)
  live.begin({ ...PHASE, title: 'short' })
  assert.deepEqual(screen.text.split('\n').slice(2), ['short', `${'.'.repeat(40)}   0 %  0 s, 11 s left`, 'starting'])
  live.close()
  assert.equal(screen.text, '$ peregrine load\nsomething happened')
  assert.equal(screen.cursorIsHidden, false)
  live.close()
  live.draw()
  live.say('later')
  assert.equal(screen.text, '$ peregrine load\nsomething happened\nlater')
  assert.equal(screen.cursorIsHidden, false)
})

test('narrow and low terminals, and those that do not know their size', () => {
  for (const [columns, rows] of [
    [20, 24],
    [2, 3],
    [80, 2],
    [0, 0],
  ]) {
    const screen = new Screen(columns || 80, rows || 24)
    const told = { columns, rows, write: (text: string) => screen.write(text) }
    const live = new TerminalLive(told, { isUnicode: true, clock: () => 0 })
    live.begin(PHASE)
    for (let index = 0; index < 5; index++) live.second(second(index))
    assert.equal(screen.scrolled, 0)
    live.close()
    assert.equal(screen.text, '')
  }
})

test('the process may end at any time: the cursor comes back', () => {
  const screen = new Screen(80, 24)
  const before = process.listenerCount('exit')
  const live = new TerminalLive(screen, { isUnicode: false, clock: () => 0 })
  live.begin(PHASE)
  assert.equal(process.listenerCount('exit'), before + 1)
  const [listener] = process.listeners('exit').slice(-1)
  ;(listener as () => void)()
  assert.deepEqual([screen.text, screen.cursorIsHidden], ['', false])
  live.close()
  assert.equal(process.listenerCount('exit'), before)
})

test('which terminals can be drawn on, and with what', () => {
  const cases: [env: NodeJS.ProcessEnv, draws: boolean, unicode: boolean][] = [
    [{ TERM: 'xterm-256color', LANG: 'en_US.UTF-8' }, true, true],
    [{ TERM: 'screen', LANG: 'C.utf8' }, true, true],
    [{ TERM: 'dumb', LANG: 'C' }, false, false],
    [{ TERM: '' }, false, false],
    [{}, false, false],
    [{ TERM: 'xterm', LANG: 'en_US.UTF-8', LC_ALL: 'C' }, true, false], // the first of LC_ALL, LC_CTYPE, LANG counts
    [{ TERM: 'xterm', LANG: 'C', LC_CTYPE: 'C.UTF-8' }, true, true],
    [{ TERM: 'xterm', LANG: 'C.UTF-8', LC_ALL: '' }, true, true],
  ]
  for (const [env, draws, unicode] of cases) {
    assert.deepEqual([canDraw(env), isUnicode(env)], [draws, unicode], JSON.stringify(env))
  }
})

test('plain lines', () => {
  const written: string[] = []
  const live = plainLive((line) => written.push(line))
  live.begin({ ...PHASE, step: 'trial 1 (step)' })
  live.second(second(-1, 5))
  live.second(second(0, 10))
  live.note('a note')
  live.say('a line')
  live.begin(PHASE)
  live.second(second(9))
  live.close()
  assert.deepEqual(written, [
    `trial 1 (step): ${PHASE.title}\n`,
    '     0 s  995 answered/s of 1,000, warming up, p50 1.00 ms, p99 2.00 ms\n',
    '     1 s  990 answered/s of 1,000, lost 10 (1 %), p50 1.00 ms, p99 2.00 ms\n',
    'a note\n',
    'a line\n',
    `${PHASE.title}\n`,
    '    10 s  1,000 answered/s of 1,000, lost 0 (0 %), p50 1.00 ms, p99 2.00 ms\n',
  ])
})

test('nothing but lines that stay', () => {
  const written: string[] = []
  const live = silentLive((line) => written.push(line))
  live.begin(PHASE)
  live.second(second(0))
  live.note('a note')
  live.say('a line')
  live.close()
  assert.deepEqual(written, ['a line\n'])
})

const folder = mkdtempSync(join(tmpdir(), 'peregrine-live-'))
after(() => rmSync(folder, { recursive: true }))

test('lines of JSON', () => {
  const path = join(folder, 'lines')
  const lines = openLines(path)
  const now = new Date('2026-01-02T03:04:05.678Z')
  lines.write(secondLine(second(-1), 'a server', 1, now))
  lines.write(secondLine(second(0, 10), 'a server', 2, now))
  lines.close()
  const [first, next, ...rest] = readFileSync(path, 'utf8').split('\n')
  assert.deepEqual(rest, [''])
  const { time, run, server, second: index, sent, lost } = JSON.parse(next)
  assert.deepEqual([time, run, server, index, sent, lost], [now.toISOString(), 2, 'a server', 0, 1000, 10])
  assert.equal(JSON.parse(first).second, -1)
  const nowhere = join(folder, 'no', 'such')
  assert.throws(() => openLines(nowhere), LoadInputError)
  assert.throws(() => openLines(nowhere), /^Error: flag --json-lines: cannot write /)
})
