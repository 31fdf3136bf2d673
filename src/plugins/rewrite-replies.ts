// What rules of rewrite do to what comes back. Records are never changed in place: whoever answered may keep them.

import type { ResourceRecord } from '../dns/message.ts'
import { rdataNames } from '../dns/message.ts'
import { TYPES } from '../dns/record-types.ts'
import type { Failure, Outcome, Reply, Request, Walk } from './plugin.ts'
import { replyOf } from './plugin.ts'
import { changeOwner, changeValues, type NameChange } from './rewrite-names.ts'

/** What one rule does to an outcome; a walk if it has to ask. @throws NameError if a name becomes none */
export type ReplyChange = (outcome: Outcome, request: Request) => Outcome | Walk

/** Owner names. */
export function ownerNames(change: NameChange): ReplyChange {
  return eachRecord((record) => changeOwner(record, change))
}

/** Names inside of CNAME, DNAME, SOA, SRV, MX, NAPTR, NS and PTR. */
export function valueNames(change: NameChange): ReplyChange {
  return eachRecord((record) => changeValues(record, change))
}

/** Both, so that what points at a record still does. */
export function allNames(change: NameChange): ReplyChange {
  return eachRecord((record) => changeValues(changeOwner(record, change), change))
}

/** Seconds. */
export function ttlWithin(min: number, max: number): ReplyChange {
  return eachRecord((record) => {
    const ttl = Math.max(min, Math.min(max, record.ttl))
    return ttl === record.ttl ? record : { ...record, ttl }
  })
}

/** A failure is nothing written: with another RCODE it becomes a reply. */
export function rcodeFrom(from: number, to: number): ReplyChange {
  return (outcome) => {
    if (outcome.kind === 'silence' || outcome.kind === 'transfer' || outcome.rcode !== from) return outcome
    return outcome.kind === 'reply' ? { ...outcome, rcode: to } : writtenFailure(outcome, to)
  }
}

function writtenFailure({ plugin }: Failure, rcode: number): Reply {
  return { ...replyOf(plugin, rcode), authoritative: false }
}

/** An option of the reply is taken out. */
export function withoutOption(code: number): ReplyChange {
  return (outcome) =>
    outcome.kind === 'reply'
      ? { ...outcome, options: outcome.options.filter((option) => option.code !== code) }
      : outcome
}

/** The first CNAME whose target fits gets another; what stood behind it is asked anew. */
export function cnameTarget(change: NameChange): ReplyChange {
  return (outcome, request) => {
    if (outcome.kind !== 'reply') return outcome
    for (const [index, record] of outcome.answer.entries()) {
      if (record.type !== TYPES.CNAME) continue
      const target = change(rdataNames(record)[0]?.toLowerCase() ?? '')
      if (target === null) continue
      const kept = [...outcome.answer.slice(0, index), changeValues(record, () => target)]
      if (request.question.type === TYPES.CNAME) return { ...outcome, answer: kept }
      return followed(outcome, kept, target, request)
    }
    return outcome
  }
}

function* followed(reply: Reply, kept: readonly ResourceRecord[], name: string, request: Request): Walk {
  const outcome = yield* request.ask({ ...request.question, name })
  if (outcome.kind !== 'reply') return outcome
  return {
    ...outcome,
    authoritative: reply.authoritative && outcome.authoritative,
    answer: [...kept, ...outcome.answer],
    options: reply.options,
    plugin: reply.plugin,
  }
}

function eachRecord(change: (record: ResourceRecord) => ResourceRecord): ReplyChange {
  return (outcome) =>
    outcome.kind === 'reply'
      ? {
          ...outcome,
          answer: outcome.answer.map(change),
          authority: outcome.authority.map(change),
          additional: outcome.additional.map(change),
        }
      : outcome
}
