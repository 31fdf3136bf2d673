// A report as text: the sections as dig prints them, then the reasons. Everything but records is a comment, so that the
// output is a zone file.

import type { Origin } from '../kube/records.ts'
import type { ExplainedRecord, Report } from './explain.ts'

/** Ends in a newline. */
export function formatReport(report: Report): string {
  const { question, why } = report
  const lines: string[] = []
  if (report.completed !== '') lines.push(`; ${report.given} is asked as ${question.name} (${report.completed})`)
  lines.push(`;; status: ${report.rcode}, flags: ${report.flags.join(' ')}`)
  lines.push('', ';; QUESTION', `;${question.name}\tIN\t${question.type}`)
  for (const section of ['answer', 'authority', 'additional'] as const) {
    if (report[section].length === 0) continue
    lines.push('', `;; ${section.toUpperCase()}`, ...report[section].map(recordLine))
  }
  lines.push('', ';; WHY')
  if (why.zone !== '') lines.push(reason('zone', `${why.zone}.`))
  if (why.nodeName !== '')
    lines.push(reason(why.node === 'missing' ? 'encloser' : 'node', `${why.nodeName}. ${nodeText(report)}`))
  lines.push(reason('rule', why.rule))
  if (report.rcode === 'NOERROR' && report.answer.length === 0) lines.push(reason('types', typesText(report)))
  for (const record of [...report.answer, ...report.additional]) lines.push(...originLines(record))
  for (const sentence of why.around) lines.push(reason('around', sentence))
  return `${lines.join('\n')}\n`
}

/** One field of one object, in a line. */
export function originText({ kind, object, field, endpoint }: Origin): string {
  const text = `${kind} ${object}, ${field}`
  if (endpoint === undefined) return text
  const details = [endpoint.address]
  if (endpoint.hostname !== '') details.push(`hostname ${endpoint.hostname}`)
  if (endpoint.podName !== '') details.push(`Pod ${endpoint.podName}`)
  if (endpoint.zone !== '') details.push(`zone ${endpoint.zone}`)
  return `${text} (${details.join(', ')})`
}

function recordLine({ owner, ttl, type, data }: ExplainedRecord): string {
  return `${owner}\t${ttl}\tIN\t${type}\t${data}`
}

function reason(label: string, text: string): string {
  return `; ${label.padEnd(8)} ${text}`
}

function nodeText({ why, question }: Report): string {
  if (why.node === 'missing') return `is the closest name that exists; ${question.name} does not`
  if (why.node === 'wildcard') return '(source of synthesis)'
  if (why.node === 'address') return '(the address is in the name below it)'
  return `(${why.node})`
}

function typesText({ types, question }: Report): string {
  return types.length === 0
    ? 'the name exists and has no records'
    : `no ${question.type}; the name has ${types.join(', ')}`
}

function originLines({ type, data, origins }: ExplainedRecord): string[] {
  return origins.map((origin, i) =>
    reason(i === 0 ? 'from' : '', `${i === 0 ? `${type} ${data}:` : ' '} ${originText(origin)}`),
  )
}
