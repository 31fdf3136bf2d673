// Where `peregrine load` says what there is to say: the live view, lines of JSON, the report and its page.

import { accessSync, constants, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { LoadInputError } from '../load/input-error.ts'
import { type LineWriter, openLines } from '../load/live/json-lines.ts'
import { type Live, silentLive } from '../load/live/live.ts'
import { plainLive } from '../load/live/plain-lines.ts'
import { canDraw, isUnicode, TerminalLive } from '../load/live/terminal.ts'
import type { Report } from '../load/outcome.ts'
import type { OutputPlan } from './load-plan.ts'
import { complaints } from './load-verdict.ts'

/** Standard output, or the like of it. */
export interface Output {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
  write(text: string): unknown
  /** Told when nobody reads any more. */
  on?(event: 'error', listener: () => void): unknown
}

/** The streams of a process, and what its environment says of its terminal. */
export interface OutputStreams {
  readonly stdout: Output
  readonly stderr: Output
  readonly env: NodeJS.ProcessEnv
}

const FAILED = 1

export class LoadOutput {
  readonly live: Live
  readonly #plan: OutputPlan
  readonly #streams: OutputStreams
  /** Of what was to be written, a line each. */
  readonly #failures: string[] = []

  /**
   * @param onBrokenPipe  nobody reads standard output any more
   * @throws LoadInputError if the page could not be written: better now than when there is one
   */
  constructor(plan: OutputPlan, streams: OutputStreams, onBrokenPipe: () => void) {
    checkWritable(plan.html)
    this.#plan = plan
    this.#streams = streams
    this.live = liveFor(plan, streams)
    streams.stdout.on?.('error', onBrokenPipe)
  }

  /** For a line of JSON a second; null if nobody wants them. @throws LoadInputError for a file that cannot be made */
  lines(): LineWriter | null {
    const { jsonLines } = this.#plan
    if (jsonLines === '') return null
    if (jsonLines !== '-') return this.#untilItFails(openLines(jsonLines))
    return { write: (line) => void this.#streams.stdout.write(line), close() {} }
  }

  /** Prints and writes what was asked for. @returns the exit code */
  async tell(report: Report): Promise<number> {
    const { stdout, stderr } = this.#streams
    const { json, jsonLines, html } = this.#plan
    const found = complaints(report)
    if (json) {
      const { reportJson } = await import('../load/report/json-report.ts')
      stdout.write(`${JSON.stringify(reportJson(report), null, stdout.isTTY === true ? 2 : undefined)}\n`)
      for (const complaint of found) stderr.write(`peregrine: ${complaint}\n`)
    } else {
      const { summaryText } = await import('../load/report/summary.ts')
      // Lines of JSON are for programs: people read the other stream.
      const output = jsonLines === '-' ? stderr : stdout
      output.write(summaryText(report))
    }
    if (html !== '') await this.#writePage(html, report)
    for (const failure of this.#failures) stderr.write(`peregrine: ${failure}\n`)
    return found.length + this.#failures.length === 0 ? 0 : FAILED
  }

  /** A full disk does not end the run. */
  #untilItFails(lines: LineWriter): LineWriter {
    let hasFailed = false
    const write = (line: string): void => {
      if (hasFailed) return
      try {
        lines.write(line)
      } catch (error) {
        hasFailed = true
        this.#failures.push(`flag --json-lines: ${(error as Error).message}`)
      }
    }
    return { write, close: () => lines.close() }
  }

  async #writePage(path: string, report: Report): Promise<void> {
    const { htmlReport } = await import('../load/report/html-report.ts')
    try {
      writeFileSync(path, htmlReport(report))
    } catch (error) {
      this.#failures.push(`flag --html: ${(error as Error).message}`)
    }
  }
}

function liveFor(plan: OutputPlan, { stdout, stderr, env }: OutputStreams): Live {
  const write = (line: string): void => void stderr.write(line)
  // Lines of JSON on the screen are all there is to see.
  const isOnScreen = plan.jsonLines === '-' && stdout.isTTY === true
  if (plan.quiet || isOnScreen) return silentLive(write)
  if (stderr.isTTY !== true || !canDraw(env)) return plainLive(write)
  return new TerminalLive(stderr, { isUnicode: isUnicode(env), clock: () => performance.now() })
}

function checkWritable(path: string): void {
  if (path === '') return
  try {
    const isThere = statSync(path, { throwIfNoEntry: false }) !== undefined
    accessSync(isThere ? path : dirname(path), constants.W_OK)
  } catch (error) {
    throw new LoadInputError(`flag --html: cannot write ${path}: ${(error as Error).message}`)
  }
}
