// Answers and questions as people read them: lines much as dig prints them.

import { decodeMessage, flagNames, type Message, MessageError, type ResourceRecord } from '../../dns/message.ts'
import { rcodeName } from '../../dns/rcodes.ts'
import { rdataText, recordText } from '../../dns/record-text.ts'
import { CLASSES, className, typeName } from '../../dns/record-types.ts'

/** Lines of one answer; what is more is counted. */
const LINES_MAX = 50
/** Octets of a message that cannot be read which are shown. */
const OCTETS_MAX = 64

/** RCODE, flags and records, a line each, of any octets. */
export function answerLines(octets: Uint8Array): string[] {
  const message = decodedOrWhy(octets)
  if (typeof message === 'string') {
    const shown = Buffer.from(octets.subarray(0, OCTETS_MAX)).toString('hex')
    return [
      `;; cannot be read: ${message}`,
      `;; ${octets.length} octets: ${shown}${shown.length < 2 * octets.length ? '…' : ''}`,
    ]
  }
  const lines = [
    `;; status: ${rcodeName(message.rcode)}, flags: ${flagNames(message).join(' ')}`,
    ...sectionLines('ANSWER', message.answer),
    ...sectionLines('AUTHORITY', message.authority),
    ...sectionLines('ADDITIONAL', message.additional),
  ]
  if (lines.length <= LINES_MAX) return lines
  return [...lines.slice(0, LINES_MAX - 1), `;; and ${lines.length - LINES_MAX + 1} more lines`]
}

/** `web.shop.svc.cluster.local. A`; a class other than IN comes before the type. Of any octets. */
export function questionText(query: Uint8Array): string {
  const message = decodedOrWhy(query)
  if (typeof message === 'string') return `(a query that cannot be read: ${message})`
  if (message.question === null) return '(a query without a question)'
  const { name, type, class: questionClass } = message.question
  return `${name} ${questionClass === CLASSES.IN ? '' : `${className(questionClass)} `}${typeName(type)}`
}

/** `web.shop.svc.cluster.local. A 10.0.0.7`: without TTL and class. */
export function briefRecord({ owner, type, rdata }: ResourceRecord): string {
  return `${owner} ${typeName(type)} ${rdataText(type, rdata)}`
}

/** The message, or why it cannot be read. */
export function decodedOrWhy(octets: Uint8Array): Message | string {
  try {
    return decodeMessage(octets, 0, octets.length)
  } catch (error) {
    if (error instanceof MessageError) return error.message
    throw error
  }
}

function sectionLines(name: string, records: readonly ResourceRecord[]): string[] {
  return records.length === 0 ? [] : [`;; ${name} SECTION:`, ...records.map(recordText)]
}
