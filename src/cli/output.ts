// Standard output of a serving process: lines as CoreDNS writes them, or plain ones for people at a terminal.

import { createLineSink, type LineSink } from '../admin/line-sink.ts'
import { createLogger, type Logger, type LogLevel } from '../admin/logger.ts'
import type { Configuration } from '../config/configuration.ts'

const STDOUT = 1

/** What writes the lines of a process. */
export interface ProcessOutput {
  readonly logger: Logger
  readonly sink: LineSink
}

/** @param plain  lines without level but for warnings and errors */
export function processOutput(plain: boolean, { blocks }: Configuration): ProcessOutput {
  const sink = createLineSink(STDOUT)
  const write = (lines: string): void => sink.write(lines)
  const isDebug = blocks.some(({ plugins }) => plugins.debug !== undefined)
  return { sink, logger: plain ? plainLogger(write) : createLogger(write, isDebug) }
}

function plainLogger(write: (lines: string) => void): Logger {
  const log = (level: LogLevel, _plugin: string, text: string): void => {
    if (level === 'debug') return
    write(level === 'info' ? `${text}\n` : `${level}: ${text}\n`)
  }
  return {
    isDebug: false,
    log,
    debug: (plugin, text) => log('debug', plugin, text),
    info: (plugin, text) => log('info', plugin, text),
    warning: (plugin, text) => log('warning', plugin, text),
    error: (plugin, text) => log('error', plugin, text),
    fatal: (plugin, text) => log('fatal', plugin, text),
  }
}
