// Lines of the log: level in brackets, who says it, and the text. No timestamp: whoever runs the container adds one. What comes from queries
// cannot forge a line: control characters are written as \DDD, as in the presentation format of names (RFC 1035 §5.1).

/** Levels, in the order of their weight. */
export type LogLevel = 'debug' | 'info' | 'warning' | 'error' | 'fatal'

/** Says lines of a level. `plugin` '' is the core. */
export interface Logger {
  log(level: LogLevel, plugin: string, text: string): void
  debug(plugin: string, text: string): void
  info(plugin: string, text: string): void
  warning(plugin: string, text: string): void
  error(plugin: string, text: string): void
  fatal(plugin: string, text: string): void
  /** As the directive `debug` has it: lines of level debug are left out unless this is set. */
  isDebug: boolean
}

/** @param write  takes whole lines, the line break included */
export function createLogger(write: (lines: string) => void, isDebug = false): Logger {
  const logger: Logger = {
    isDebug,
    log(level, plugin, text) {
      if (level === 'debug' && !logger.isDebug) return
      write(`${logLine(level, plugin, text)}\n`)
    },
    debug: (plugin, text) => logger.log('debug', plugin, text),
    info: (plugin, text) => logger.log('info', plugin, text),
    warning: (plugin, text) => logger.log('warning', plugin, text),
    error: (plugin, text) => logger.log('error', plugin, text),
    fatal: (plugin, text) => logger.log('fatal', plugin, text),
  }
  return logger
}

/** One line, without its break: `[INFO] plugin/health: text`. */
export function logLine(level: LogLevel, plugin: string, text: string): string {
  const who = plugin === '' ? '' : `plugin/${plugin}: `
  return `[${level.toUpperCase()}] ${who}${escapeControls(text)}`
}

/** Control characters as \DDD; everything else as it is. */
export function escapeControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) => {
    const code = character.charCodeAt(0)
    return code > 255 ? `\\u${code.toString(16)}` : `\\${String(code).padStart(3, '0')}`
  })
}

/** A duration as Go writes it: `5s`, `1m30s`, `300ms`, `1.5s`, `0s`. */
export function durationText(milliseconds: number): string {
  const total = Math.max(0, milliseconds)
  if (total === 0) return '0s'
  if (total < 0.001) return `${Number((total * 1e6).toFixed(0))}ns`
  if (total < 1) return `${Number((total * 1e3).toFixed(3))}µs`
  if (total < 1000) return `${Number(total.toFixed(6))}ms`
  const hours = Math.floor(total / 3_600_000)
  const minutes = Math.floor(total / 60_000) % 60
  const seconds = `${Number(((total % 60_000) / 1000).toFixed(9))}s`
  if (hours > 0) return `${hours}h${minutes}m${seconds}`
  return minutes > 0 ? `${minutes}m${seconds}` : seconds
}
