// A load as plain lines, one a second: for logs, and for terminals that cannot be drawn on.

import type { Second } from '../run.ts'
import { figuresText } from './frame.ts'
import { figuresOf, type Live, type Phase, Sums } from './live.ts'

/** @param write  takes a line with its end */
export function plainLive(write: (line: string) => void): Live {
  let sums = new Sums()
  return {
    begin({ step, title }: Phase) {
      sums = new Sums()
      write(`${step === '' ? title : `${step}: ${title}`}\n`)
    },
    second(second: Second) {
      sums.add(second)
      write(`${String(second.index + 1).padStart(6)} s  ${figuresText({ last: figuresOf(second), sums })}\n`)
    },
    note: (text) => write(`${text}\n`),
    say: (line) => write(`${line}\n`),
    close() {},
  }
}
