// The query log: from what a worker entered (src/workers/log-ring.ts) to a line as the block's `log` rules want it. On the main thread; no rule
// is worked out twice. Reference: 5.2 and 12 of the Corefile's.

import type { LogRule } from '../config/configuration.ts'
import { textOfWire } from '../dns/name.ts'
import { rcodeName } from '../dns/rcodes.ts'
import { className, typeName } from '../dns/record-types.ts'
import { formatAddress } from '../kube/address.ts'
import { LOG_DENIAL, LOG_ERROR, LOG_SUCCESS, logClass, type ReadLogEntry } from '../workers/log-ring.ts'
import { classMaskOf } from '../workers/query-account.ts'
import { escapeControls } from './logger.ts'

/** A query of the log as text: entries that come with metadata are handed over as JSON of this. */
export interface LoggedQuery {
  /** Index of the block. */
  readonly rules: number
  /** Addresses without brackets; '' if not known. */
  readonly client: { readonly address: string; readonly port: number }
  readonly local: { readonly address: string; readonly port?: number }
  readonly id: number
  readonly opcode: number
  /** Presentation format, lower case, with a final dot. */
  readonly name: string
  /** -1 if there was no question that parses; class likewise. */
  readonly type: number
  readonly class: number
  /** 1 over TCP, else 0. */
  readonly stream: number
  readonly size: number
  readonly dnssecOk: number
  readonly bufsize: number
  readonly replied: number
  /** The header's second word of the reply. */
  readonly flags: number
  readonly rcode: number
  readonly answerCount: number
  readonly replySize: number
  readonly seconds: number
  readonly metadata: Readonly<Record<string, string>> | null
}

const UNKNOWN = '-'
const CLASS_NAMES: Readonly<Record<number, string>> = {
  [LOG_SUCCESS]: 'success',
  [LOG_DENIAL]: 'denial',
  [LOG_ERROR]: 'error',
}
const QUESTION_TAIL = 4
const TEXTS_MAX = 1024

type Part = string | ((query: LoggedQuery) => string)

/** What the placeholders stand for, but for metadata. */
const PLACEHOLDERS: Readonly<Record<string, (query: LoggedQuery) => string>> = {
  type: ({ type }) => (type < 0 ? UNKNOWN : typeName(type)),
  class: (query) => (query.class < 0 ? UNKNOWN : className(query.class)),
  name: ({ name }) => name.replaceAll('"', '\\"'),
  proto: ({ stream }) => (stream === 1 ? 'tcp' : 'udp'),
  remote: ({ client }) => bracketed(client.address),
  port: ({ client }) => String(client.port),
  local: ({ local }) => bracketed(local.address),
  size: ({ size }) => String(size),
  rcode: ({ rcode }) => rcodeName(rcode),
  rsize: ({ replySize }) => String(replySize),
  duration: ({ seconds }) => `${decimal(seconds)}s`,
  '>id': ({ id }) => String(id),
  '>opcode': ({ opcode }) => String(opcode),
  '>do': ({ dnssecOk }) => (dnssecOk === 1 ? 'true' : 'false'),
  '>bufsize': ({ bufsize }) => String(bufsize),
  '>rflags': ({ replied, flags }) => (replied === 1 ? flagsText(flags) : UNKNOWN),
}

/** In the order of the line. */
const FLAGS: readonly [name: string, bit: number][] = [
  ['qr', 0x8000],
  ['aa', 0x0400],
  ['tc', 0x0200],
  ['rd', 0x0100],
  ['ra', 0x0080],
  ['z', 0x0040],
  ['ad', 0x0020],
  ['cd', 0x0010],
]

/** Makes lines for all blocks of a configuration. */
export class QueryLog {
  readonly #blocks: readonly (readonly CompiledRule[])[]
  readonly #addresses = new Map<string, string>()

  /** @param rules  by the block's index */
  constructor(rules: readonly (readonly LogRule[])[]) {
    this.#blocks = rules.map((each) => each.map(compile))
  }

  /** The line, without its break; '' if the block does not want one. */
  line(query: LoggedQuery): string {
    const rule = this.#blocks[query.rules]?.find((each) => each.takes(query.name))
    if (rule === undefined || (rule.mask & logClass(query.rcode, query.answerCount)) === 0) return ''
    let line = '[INFO] '
    for (const part of rule.parts) line += typeof part === 'string' ? part : part(query)
    return line
  }

  /** The same for an entry of a ring. */
  lineOf(entry: ReadLogEntry): string {
    const rules = this.#blocks[entry.rules]
    if (rules === undefined || rules.length === 0) return ''
    return this.line(this.#decode(entry))
  }

  #decode(entry: ReadLogEntry): LoggedQuery {
    const { question, questionLength } = entry
    const tail = questionLength - QUESTION_TAIL
    return {
      rules: entry.rules,
      client: { address: this.#address(entry.client, entry.clientLength), port: entry.clientPort },
      local: { address: this.#address(entry.local, entry.localLength) },
      id: entry.id,
      opcode: (entry.flags >> 11) & 0x0f,
      name: tail < 1 ? '.' : textOfWire(question).toLowerCase(),
      type: tail < 1 ? -1 : question[tail] * 256 + question[tail + 1],
      class: tail < 1 ? -1 : question[tail + 2] * 256 + question[tail + 3],
      stream: entry.stream,
      size: entry.size,
      dnssecOk: entry.dnssecOk,
      bufsize: entry.bufsize,
      replied: entry.replied,
      flags: entry.flags,
      rcode: entry.rcode,
      answerCount: entry.answerCount,
      replySize: entry.replySize,
      seconds: entry.seconds,
      metadata: null,
    }
  }

  /** Clients are few and ask often. */
  #address(octets: Uint8Array, length: number): string {
    if (length === 0) return ''
    if (length === 4) return `${octets[0]}.${octets[1]}.${octets[2]}.${octets[3]}`
    const key = octets.join()
    let text = this.#addresses.get(key)
    if (text === undefined) {
      text = formatAddress(octets, length)
      if (this.#addresses.size >= TEXTS_MAX) this.#addresses.clear()
      this.#addresses.set(key, text)
    }
    return text
  }
}

interface CompiledRule {
  readonly takes: (name: string) => boolean
  readonly mask: number
  readonly parts: readonly Part[]
}

function compile({ names, format, classes }: LogRule): CompiledRule {
  const suffixes = names.map((name) => `.${name}`)
  return {
    takes: names.includes('.')
      ? () => true
      : (name) => names.includes(name) || suffixes.some((suffix) => name.endsWith(suffix)),
    mask: classMaskOf(classes),
    parts: partsOf(format),
  }
}

/** Cuts a format at its placeholders. One without end is text. */
function partsOf(format: string): Part[] {
  const parts: Part[] = []
  let at = 0
  for (const { 0: whole, 1: name, index } of format.matchAll(/\{([^{}]*)\}/g)) {
    if (index > at) parts.push(format.slice(at, index))
    parts.push(partOf(name))
    at = index + whole.length
  }
  if (at < format.length) parts.push(format.slice(at))
  return parts
}

function partOf(name: string): Part {
  if (name.startsWith('/')) return metadataPart(name.slice(1))
  return Object.hasOwn(PLACEHOLDERS, name) ? PLACEHOLDERS[name] : UNKNOWN
}

/** `log/type` and `log/class` are what this plugin itself says. */
function metadataPart(label: string): Part {
  if (label === 'log/class') return ({ rcode, answerCount }) => CLASS_NAMES[logClass(rcode, answerCount)]
  if (label === 'log/type') {
    return ({ rcode, answerCount }) => (rcode === 0 && answerCount === 0 ? 'NODATA' : rcodeName(rcode))
  }
  return ({ metadata }) => {
    const value = metadata !== null && Object.hasOwn(metadata, label) ? metadata[label] : ''
    return value === '' ? UNKNOWN : escapeControls(value)
  }
}

function flagsText(flags: number): string {
  let text = ''
  for (const [name, bit] of FLAGS) if ((flags & bit) !== 0) text += text === '' ? name : `,${name}`
  return text
}

function bracketed(address: string): string {
  if (address === '') return UNKNOWN
  return address.includes(':') ? `[${address}]` : address
}

/** To the nanosecond, without an exponent and without zeros at the end. */
function decimal(seconds: number): string {
  const text = Math.max(0, seconds).toFixed(9)
  let end = text.length
  while (text[end - 1] === '0') end--
  return text.slice(0, text[end - 1] === '.' ? end - 1 : end)
}
