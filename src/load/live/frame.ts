// The picture of a load in the terminal, as lines: who is asked, how far it is, and the last second. A pure function of what is
// known; not here: putting it on the screen (terminal.ts).

import { countText, microsText, shareText } from '../report/number-text.ts'
import { printable } from '../report/text-table.ts'
import type { Phase, SecondFigures, Sums } from './live.ts'

/** What a picture is made of. */
export interface FrameState {
  readonly phase: Phase
  /** Since the run began, milliseconds. */
  readonly elapsedMs: number
  readonly sums: Sums
  /** null before the first second is over. */
  readonly last: SecondFigures | null
  /** '' = none. */
  readonly note: string
}

/** Signs that bars are made of. */
export interface Signs {
  readonly full: string
  readonly empty: string
  readonly ellipsis: string
  /** The terminal shows nothing else: what is not ASCII would take two columns, or none. */
  readonly isAscii: boolean
}

export const UNICODE_SIGNS: Signs = { full: '█', empty: '░', ellipsis: '…', isAscii: false }
export const ASCII_SIGNS: Signs = { full: '#', empty: '.', ellipsis: '~', isAscii: true }

const BAR_MAX = 40
const BAR_MIN = 5
/** What stands behind a bar takes no more, so that the bar's length does not change with the digits. */
const TAIL_ROOM = 38

/**
 * Three or four lines.
 *
 * @param width  characters that a line may have, 1 or more
 */
export function frameLines(state: FrameState, width: number, signs: Signs): string[] {
  const { phase, note } = state
  const lines = [phase.step === '' ? phase.title : `${phase.step}: ${phase.title}`, barLine(state, width, signs)]
  lines.push(figuresText(state))
  if (note !== '') lines.push(note)
  return lines.map((line) => fitted(signs.isAscii ? asciiText(line) : printable(line), width, signs.ellipsis))
}

/** The last second, and what was lost so far: `12,345 answered/s (12,400 sent/s), lost 3 (0.02 %), p50 92 µs, p99 1.84 ms`. */
export function figuresText({ last, sums }: Pick<FrameState, 'last' | 'sums'>): string {
  if (last === null) return 'starting'
  const lost = last.isWarmup ? 'warming up' : `lost ${countText(sums.lost)} (${shareText(lossOf(sums))})`
  const rates = `${countText(Math.round(last.qps))} answered/s of ${countText(Math.round(last.offered))}`
  return `${rates}, ${lost}, p50 ${microsText(last.p50Micros)}, p99 ${microsText(last.p99Micros)}`
}

/** How much of everything is done, 0..1; NaN if nobody knows. */
export function doneShare({ phase, elapsedMs, sums }: Pick<FrameState, 'phase' | 'elapsedMs' | 'sums'>): number {
  const { lengthMs, queries, beforeMs, afterMs } = phase
  if (lengthMs === null) return queries === null ? Number.NaN : Math.min(1, sums.sentEver / queries)
  const own = Math.min(elapsedMs, lengthMs)
  // A search does not know how many trials it will make: of this one, then.
  if (afterMs === null) return own / lengthMs
  return (beforeMs + own) / (beforeMs + lengthMs + afterMs)
}

/** Seconds until it is over; NaN if nobody knows. */
export function secondsLeft(state: Pick<FrameState, 'phase' | 'elapsedMs' | 'sums'>): number {
  const { phase, elapsedMs } = state
  const { lengthMs, afterMs } = phase
  if (lengthMs === null) {
    const done = doneShare(state)
    return done > 0 ? (elapsedMs / done - elapsedMs) / 1000 : Number.NaN
  }
  return (Math.max(0, lengthMs - elapsedMs) + (afterMs ?? 0)) / 1000
}

function barLine(state: FrameState, width: number, signs: Signs): string {
  const { phase, elapsedMs } = state
  const done = doneShare(state)
  const text = `${timeText(elapsedMs / 1000)}${endText(phase, elapsedMs, secondsLeft(state))}`
  if (Number.isNaN(done)) return text
  const tail = `${String(Math.floor(done * 100)).padStart(3)} %  ${text}`
  const room = Math.min(BAR_MAX, width - TAIL_ROOM - 1)
  if (room < BAR_MIN) return tail.trimStart()
  const full = Math.min(room, Math.floor(done * room))
  return `${signs.full.repeat(full)}${signs.empty.repeat(room - full)} ${tail}`
}

function endText({ lengthMs, afterMs }: Phase, elapsedMs: number, left: number): string {
  if (lengthMs !== null && elapsedMs > lengthMs) return ', waiting for answers'
  if (Number.isNaN(left)) return ''
  return `, ${timeText(left)} left${afterMs === null ? ' of the trial' : ''}`
}

/** `9 s`, `1:05`, `1:02:03`. */
export function timeText(seconds: number): string {
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  const shown = parts[0] === 0 ? parts.slice(1) : parts
  return shown.map((part, index) => (index === 0 ? String(part) : String(part).padStart(2, '0'))).join(':')
}

function lossOf({ sent, lost }: Sums): number {
  return sent === 0 ? 0 : lost / sent
}

function asciiText(text: string): string {
  return text
    .replaceAll('µ', 'u')
    .replaceAll('–', '-')
    .replaceAll(/[^ -~]/gu, '?')
}

function fitted(line: string, width: number, ellipsis: string): string {
  const signs = [...line]
  return signs.length <= width ? line : `${signs.slice(0, width - 1).join('')}${ellipsis}`
}
