// Where names stand in the RDATA of a reply, by type, as numbers for the hot path; and RDATA that is not what its type says.
// RFC 3597 §4: the types of dns/message-rdata.ts may come compressed; the newer ones with a name in them must not.

import { RDATA_LAYOUTS } from '../dns/message-rdata.ts'
import { LABEL_LENGTH_MAX, NAME_LENGTH_MAX } from '../dns/name.ts'
import { TYPES } from '../dns/record-types.ts'

const CLASS_IN = 1
const ANY_LENGTH = 0xff
const TABLED = 66 // HTTPS is the last of them
const PLAIN = 1

/** Type -> names in its RDATA that may be compressed when it comes; PLAIN_NAME: one that may not. */
const names = new Uint8Array(TABLED)
const octetsBefore = new Uint8Array(TABLED)
const stringsBefore = new Uint8Array(TABLED)
const octetsBehind = new Uint8Array(TABLED)
const mayCompress = new Uint8Array(TABLED)
const plainNames = new Uint8Array(TABLED)
const { A, AAAA, RRSIG, NSEC, SVCB, HTTPS } = TYPES

for (const [type, { octets, strings, names: count, rest, compressed }] of RDATA_LAYOUTS) {
  names[type] = count
  octetsBefore[type] = octets
  stringsBefore[type] = strings
  octetsBehind[type] = rest < 0 ? ANY_LENGTH : rest
  mayCompress[type] = compressed ? 1 : 0
}
for (const [type, octets] of [
  [RRSIG, 18],
  [NSEC, 0],
  [SVCB, 2],
  [HTTPS, 2],
]) {
  plainNames[type] = PLAIN
  octetsBefore[type] = octets
}

/** How many names stand in the RDATA of `type` that are to be read as names: 0, 1 or 2. */
export function nameCount(type: number): number {
  return type < TABLED ? names[type] : 0
}

/** May the names in its RDATA be written compressed? */
export function compressesNames(type: number): boolean {
  return mayCompress[type] !== 0
}

/** Index of the first name in the RDATA message[at, end) of a type that has one; `end` or more if it breaks off before. */
export function firstName(message: Uint8Array, at: number, end: number, type: number): number {
  at += octetsBefore[type]
  for (let i = stringsBefore[type]; i > 0 && at < end; i--) at += message[at] + 1
  return at
}

/** Is `length` right for what stands behind the last name? */
export function restFits(type: number, length: number): boolean {
  return octetsBehind[type] === ANY_LENGTH || octetsBehind[type] === length
}

/** Is message[at, end) good RDATA of a type without names that may be compressed? Unknown types are. */
export function plainRdataFits(
  message: Uint8Array,
  at: number,
  end: number,
  type: number,
  rdataClass: number,
): boolean {
  if (type === A) return rdataClass !== CLASS_IN || end - at === 4
  if (type === AAAA) return rdataClass !== CLASS_IN || end - at === 16
  if (type >= TABLED || plainNames[type] === 0) return true
  at += octetsBefore[type]
  const first = at
  for (;;) {
    if (at >= end) return false
    const length = message[at]
    if (length > LABEL_LENGTH_MAX) return false
    at += length + 1
    if (length === 0) return at <= end && at - first <= NAME_LENGTH_MAX
  }
}
