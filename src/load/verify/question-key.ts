// What makes two queries the same question, and whether an answer repeats it. Letter case of the QNAME makes no difference
// (RFC 1035 §2.3.3), the ID neither; flags, class, type and EDNS do.

import { FOLD, LABEL_LENGTH_MAX } from '../../dns/name.ts'
import { HEADER_LENGTH } from '../../dns/question.ts'

const TYPE_AND_CLASS_LENGTH = 4
/** A message without its ID. */
const FLAGS_OFFSET = 2

let scratch = Buffer.alloc(1024)

/** Equal for two queries exactly if they ask the same. @param query  a whole message with one question */
export function questionKey(query: Uint8Array): string {
  if (query.length > scratch.length) scratch = Buffer.alloc(query.length)
  for (let i = FLAGS_OFFSET; i < HEADER_LENGTH; i++) scratch[i] = query[i]
  const end = endOfName(query)
  for (let i = HEADER_LENGTH; i < end; i++) scratch[i] = FOLD[query[i]]
  for (let i = end; i < query.length; i++) scratch[i] = query[i]
  return scratch.toString('latin1', FLAGS_OFFSET, query.length)
}

/** First octet behind the question of a query; past the end of one that breaks off. */
export function endOfQuestion(query: Uint8Array): number {
  return endOfName(query) + TYPE_AND_CLASS_LENGTH
}

/** Does the response have the one question of the query, in any letter case? @param end  endOfQuestion(query) */
export function repeatsQuestion(response: Uint8Array, query: Uint8Array, end: number): boolean {
  if (response.length < end || response[4] !== 0 || response[5] !== 1) return false
  for (let i = HEADER_LENGTH; i < end; i++) {
    if (response[i] !== query[i] && (FOLD[response[i]] !== FOLD[query[i]] || i >= end - TYPE_AND_CLASS_LENGTH))
      return false
  }
  return true
}

/** Octets of labels are at most 63 and so never letters: a name is folded octet by octet. */
function endOfName(query: Uint8Array): number {
  let at = HEADER_LENGTH
  while (at < query.length && query[at] !== 0) {
    if (query[at] > LABEL_LENGTH_MAX) return query.length
    at += query[at] + 1
  }
  return Math.min(at + 1, query.length)
}
