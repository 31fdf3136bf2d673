// The picture in the terminal: drawn over itself, a write each time, so that nothing flickers. Lines are cut to the width, or
// the cursor would not find back. Control sequences: ECMA-48 §8.3 (CUU, EL, ED), and DEC's for the cursor (DECTCEM).

import type { Second } from '../run.ts'
import { ASCII_SIGNS, type FrameState, frameLines, type Signs, UNICODE_SIGNS } from './frame.ts'
import { figuresOf, type Live, type Phase, type SecondFigures, Sums } from './live.ts'

/** A terminal: process.stderr is one. */
export interface Terminal {
  readonly columns?: number
  readonly rows?: number
  write(text: string): unknown
}

export interface TerminalOptions {
  /** Whether it shows more than ASCII. */
  readonly isUnicode: boolean
  /** Milliseconds. */
  readonly clock: () => number
}

const DRAW_EVERY_MS = 100
const COLUMNS = 80
const ROWS = 24
const HIDE_CURSOR = '\x1b[?25l'
const SHOW_CURSOR = '\x1b[?25h'
const ERASE_LINE_END = '\x1b[K'
const ERASE_BELOW = '\x1b[J'

/** Draws on a terminal until it is closed. The cursor comes back however the process ends, SIGKILL apart. */
export class TerminalLive implements Live {
  readonly #terminal: Terminal
  readonly #signs: Signs
  readonly #clock: () => number
  readonly #timer: NodeJS.Timeout
  readonly #onExit = (): void => this.#erase()
  #phase: Phase | null = null
  #beganMs = 0
  #sums = new Sums()
  #last: SecondFigures | null = null
  #note = ''
  /** Lines of the picture above the cursor. */
  #drawn = 0

  constructor(terminal: Terminal, { isUnicode, clock }: TerminalOptions) {
    this.#terminal = terminal
    this.#signs = isUnicode ? UNICODE_SIGNS : ASCII_SIGNS
    this.#clock = clock
    this.#timer = setInterval(() => this.draw(), DRAW_EVERY_MS).unref()
    process.on('exit', this.#onExit)
  }

  begin(phase: Phase): void {
    this.#phase = phase
    this.#beganMs = this.#clock()
    this.#sums = new Sums()
    this.#last = null
    this.draw()
  }

  second(second: Second): void {
    this.#sums.add(second)
    this.#last = figuresOf(second)
    this.draw()
  }

  note(text: string): void {
    this.#note = text
  }

  say(line: string): void {
    this.#terminal.write(`${this.#back()}${ERASE_BELOW}${line}\n`)
    this.#drawn = 0
    this.draw()
  }

  close(): void {
    clearInterval(this.#timer)
    process.off('exit', this.#onExit)
    this.#erase()
    this.#phase = null
  }

  /** Draws the picture as it is now. */
  draw(): void {
    if (this.#phase === null) return
    const { columns = COLUMNS, rows = ROWS } = this.#terminal
    // In the last column the cursor would be between two lines; in the last row a line feed moves the picture.
    const width = Math.max(1, (columns || COLUMNS) - 1)
    const lines = frameLines(this.#state(this.#phase), width, this.#signs).slice(0, Math.max(1, (rows || ROWS) - 1))
    const text = lines.map((line) => `${line}${ERASE_LINE_END}\n`).join('')
    this.#terminal.write(`${this.#drawn === 0 ? HIDE_CURSOR : ''}${this.#back()}${text}${ERASE_BELOW}`)
    this.#drawn = lines.length
  }

  #state(phase: Phase): FrameState {
    const elapsedMs = this.#clock() - this.#beganMs
    return { phase, elapsedMs, sums: this.#sums, last: this.#last, note: this.#note }
  }

  /** To where the picture begins. */
  #back(): string {
    return this.#drawn === 0 ? '\r' : `\x1b[${this.#drawn}A\r`
  }

  #erase(): void {
    if (this.#phase === null) return
    this.#terminal.write(`${this.#back()}${ERASE_BELOW}${SHOW_CURSOR}`)
    this.#drawn = 0
  }
}

/** Whether a terminal can be drawn on, by what its environment says. */
export function canDraw(env: NodeJS.ProcessEnv): boolean {
  return env.TERM !== undefined && env.TERM !== '' && env.TERM !== 'dumb'
}

/** Whether it shows more than ASCII (locale(7): the first of the three that is set counts). */
export function isUnicode(env: NodeJS.ProcessEnv): boolean {
  return /utf-?8/i.test(env.LC_ALL || env.LC_CTYPE || env.LANG || '')
}
