// A line of JSON a second, while a load goes on.

import { closeSync, openSync, writeSync } from 'node:fs'
import { LoadInputError } from '../input-error.ts'
import { secondJson } from '../report/json-second.ts'
import type { Second } from '../run.ts'

/** Where lines go. */
export interface LineWriter {
  /** Takes a line with its end. @throws Error as the system has it: the disk is full, nobody reads */
  write(line: string): void
  close(): void
}

/** A file that is made, or emptied. @throws LoadInputError if it cannot be written */
export function openLines(path: string): LineWriter {
  let file: number
  try {
    file = openSync(path, 'w')
  } catch (error) {
    throw new LoadInputError(`flag --json-lines: cannot write ${path}: ${(error as Error).message}`)
  }
  return { write: (line) => void writeSync(file, line), close: () => closeSync(file) }
}

/**
 * The line of a second.
 *
 * @param label  of the server that was asked
 * @param run    which of many runs it belongs to, from 1 on
 * @param now    when it was over
 */
export function secondLine(second: Second, label: string, run: number, now: Date): string {
  return `${JSON.stringify({ time: now.toISOString(), run, ...secondJson(second, label) })}\n`
}
