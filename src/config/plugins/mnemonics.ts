// Arguments that are mnemonics of DNS: types, classes, RCODEs. Numbers come out.

import { rcodeNumber } from '../../dns/rcodes.ts'
import { classNumber, typeNumber } from '../../dns/record-types.ts'
import type { Token } from '../corefile/syntax.ts'
import { Refusal } from './setup.ts'

/** A type: `AAAA`, `TYPE28`. */
export function typeOf(token: Token): number {
  return numberOf(token, 'type', typeNumber)
}

/** A class: `IN`, `CLASS1`. */
export function classOf(token: Token): number {
  return numberOf(token, 'class', classNumber)
}

/** An RCODE: `NXDOMAIN`, `3`. */
export function rcodeOf(token: Token): number {
  return numberOf(token, 'RCODE', rcodeNumber)
}

function numberOf(token: Token, kind: string, read: (text: string) => number): number {
  const number = read(token.text)
  if (number < 0) throw new Refusal(token, `'${token.text}' is no ${kind}`)
  return number
}
