// What becomes of all that workers hand over for the log: lines of queries, errors of plugins, exceptions.

import { typeName } from '../dns/record-types.ts'
import type { ReadLogEntry } from '../workers/log-ring.ts'
import { ERROR_TEXT, type ErrorText, QUERY_TEXT } from '../workers/query-account.ts'
import type { ErrorsLog } from './errors-log.ts'
import type { LineSink } from './line-sink.ts'
import type { LogConsumer } from './log-pump.ts'
import type { Logger } from './logger.ts'
import type { LoggedQuery, QueryLog } from './query-log.ts'

/** Lines that gather before they go out. */
const LINES_MAX = 512

/** The consumer of a configuration's rings. */
export class LogLines implements LogConsumer {
  readonly #queries: QueryLog
  readonly #errors: readonly (ErrorsLog | null)[]
  readonly #sink: LineSink
  readonly #logger: Logger
  #lines = ''
  #count = 0

  /** @param errors  by the block's index; null where `errors` is not used */
  constructor(queries: QueryLog, errors: readonly (ErrorsLog | null)[], sink: LineSink, logger: Logger) {
    this.#queries = queries
    this.#errors = errors
    this.#sink = sink
    this.#logger = logger
  }

  query(entry: ReadLogEntry): void {
    this.#add(this.#queries.lineOf(entry))
  }

  /** Kinds of src/workers/query-account.ts; any other is an error of the core. */
  text(kind: number, text: string): void {
    if (kind === QUERY_TEXT) this.#add(this.#queries.line(JSON.parse(text) as LoggedQuery))
    else if (kind === ERROR_TEXT) this.#report(JSON.parse(text) as ErrorText)
    else this.#logger.error('', text)
  }

  flush(): void {
    if (this.#count === 0) return
    this.#sink.offer(this.#lines, this.#count)
    this.#lines = ''
    this.#count = 0
  }

  failed(error: unknown): void {
    this.#logger.error('', `a line of the log is lost: ${error instanceof Error ? error.message : String(error)}`)
  }

  #add(line: string): void {
    if (line === '') return
    this.#lines += `${line}\n`
    if (++this.#count === LINES_MAX) this.flush()
  }

  #report({ block, rcode, name, type, error }: ErrorText): void {
    this.#errors[block]?.report({ rcode, name, type: typeName(type), text: error })
  }
}
