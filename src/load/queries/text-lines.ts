// Text files of a few words a line, as octets: a million lines in a fraction of a second. Blank lines, and what comes behind a `;` or
// `#` at the start of a word, do not count.

import { readFileSync } from 'node:fs'
import { LoadInputError } from '../input-error.ts'

/** What stands for standard input. */
export const STANDARD_INPUT = '-'

/** One line that says something. One object is used again and again. Each character is an octet. */
export interface Line {
  /** From 1. */
  number: number
  first: string
  /** '' = there is none. */
  second: string
  /** What comes behind the second word; '' = nothing. */
  rest: string
}

const NEWLINE = 0x0a
const SPACE = 0x20
const DELETE = 0x7f
const SEMICOLON = 0x3b
const HASH = 0x23
const BYTE_ORDER_MARK = Buffer.from('\uFEFF')

/**
 * All of a file, or of standard input.
 *
 * @throws LoadInputError if it cannot be read
 */
export function readOctets(path: string): Buffer {
  try {
    const octets = readFileSync(path === STANDARD_INPUT ? 0 : path)
    return octets.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK) ? octets.subarray(3) : octets
  } catch (error) {
    throw new LoadInputError(`${placeOf(path)}: ${reasonOf(error as NodeJS.ErrnoException)}`)
  }
}

/** A path as messages have it. */
export function placeOf(path: string): string {
  return path === STANDARD_INPUT ? '(standard input)' : path
}

/** Hands out each line that says something; `line` is good only until `take` returns. */
export function eachLine(octets: Buffer, take: (line: Line) => void): void {
  const line: Line = { number: 0, first: '', second: '', rest: '' }
  for (let start = 0; start < octets.length; ) {
    const newline = octets.indexOf(NEWLINE, start)
    const end = newline === -1 ? octets.length : newline
    line.number++
    const firstStart = wordStart(octets, start, end)
    if (firstStart < end) {
      const firstEnd = wordEnd(octets, firstStart, end)
      const secondStart = wordStart(octets, firstEnd, end)
      const secondEnd = wordEnd(octets, secondStart, end)
      const restStart = wordStart(octets, secondEnd, end)
      line.first = octets.toString('latin1', firstStart, firstEnd)
      line.second = octets.toString('latin1', secondStart, secondEnd)
      line.rest = restStart === end ? '' : octets.toString('latin1', restStart, end).trim()
      take(line)
    }
    start = end + 1
  }
}

/** Where the next word begins: `end` if there is none, or a comment. */
function wordStart(octets: Buffer, start: number, end: number): number {
  let at = start
  while (at < end && isBlank(octets[at])) at++
  return at < end && (octets[at] === SEMICOLON || octets[at] === HASH) ? end : at
}

function wordEnd(octets: Buffer, start: number, end: number): number {
  let at = start
  while (at < end && !isBlank(octets[at])) at++
  return at
}

/** Blanks and control characters, the CR of a CRLF among them. */
function isBlank(octet: number): boolean {
  return octet <= SPACE || octet === DELETE
}

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT') return 'no such file'
  if (code === 'EISDIR') return 'is a folder, not a file'
  if (code === 'EACCES') return 'may not be read'
  return message
}
