// One query as a stub resolver puts it on the wire: RFC 1035 §4.1, with the OPT of RFC 6891 §6.1.2 if wanted. The ID is 0: senders
// choose one. Not here: reading what comes back.

import { LABEL_LENGTH_MAX, labelsOfText, NAME_LENGTH_MAX, NameError } from '../../dns/name.ts'
import { HEADER_LENGTH } from '../../dns/question.ts'
import { CLASSES, TYPES, typeNumber } from '../../dns/record-types.ts'
import { LoadInputError } from '../input-error.ts'

/** What the OPT of a query says. */
export interface EdnsOptions {
  /** Octets of the largest UDP answer that is welcome, 512..65535. */
  readonly udpSize: number
  /** DO: DNSSEC records are welcome (RFC 3225 §3). */
  readonly dnssecOk: boolean
}

const TYPE_AND_CLASS_LENGTH = 4
const OPT_LENGTH = 11
const FLAG_RD = 0x0100
const DO = 0x80
const UDP_SIZE_MIN = 512
const UDP_SIZE_MAX = 65_535
const DOT = 0x2e
const BACKSLASH = 0x5c
const OCTET_MAX = 0xff
/** Bit that tells a small letter from a capital one. */
const CASE = 0x20
const SMALL_A = 0x61
const SMALL_Z = 0x7a

/**
 * A message of its own for one query.
 *
 * @param type  mnemonic or `TYPE123`, in any case
 * @throws LoadInputError for what is no name, no type or no UDP size
 */
export function encodeQuery(name: string, type: string, edns: EdnsOptions | null = null): Uint8Array {
  const number = typeNumber(type)
  if (number < 0) throw new LoadInputError(`no record type is called '${type}'`)
  try {
    return new QueryEncoder(edns).encode(name, number).slice()
  } catch (error) {
    if (error instanceof NameError) throw new LoadInputError(error.message)
    throw error
  }
}

/** Writes queries, one at a time, always into the same octets. */
export class QueryEncoder {
  readonly #octets = new Uint8Array(HEADER_LENGTH + NAME_LENGTH_MAX + TYPE_AND_CLASS_LENGTH + OPT_LENGTH)
  readonly #opt: Uint8Array | null

  /** @throws LoadInputError for a UDP size out of range */
  constructor(edns: EdnsOptions | null) {
    this.#opt = edns === null ? null : optRecord(edns)
    // RD; one question; the OPT is the one additional record.
    this.#octets.set([0, 0, FLAG_RD >>> 8, FLAG_RD & OCTET_MAX, 0, 1, 0, 0, 0, 0, 0, edns === null ? 0 : 1])
  }

  /**
   * @param name  in presentation format, the final dot optional; each character stands for an octet
   * @param type  0..65535
   * @returns a view, good until the next call
   * @throws NameError for what is no name
   */
  encode(name: string, type: number): Uint8Array {
    const octets = this.#octets
    let at = this.#writePlain(name)
    if (at < 0) at = this.#writeQuoted(name)
    octets[at++] = type >>> 8
    octets[at++] = type & OCTET_MAX
    octets[at++] = 0
    octets[at++] = CLASSES.IN
    if (this.#opt !== null) {
      octets.set(this.#opt, at)
      at += OPT_LENGTH
    }
    return octets.subarray(0, at)
  }

  /** Writes a name without escapes, as nearly all are. @returns where it ends, or -1 for any other name, and for what is none */
  #writePlain(name: string): number {
    const octets = this.#octets
    const length = name.length
    if (length > NAME_LENGTH_MAX) return -1
    let lengthAt = HEADER_LENGTH
    let at = lengthAt + 1
    for (let i = 0; i < length; i++) {
      const code = name.charCodeAt(i)
      if (code === DOT) {
        const labelLength = at - lengthAt - 1
        if (labelLength === 0 || labelLength > LABEL_LENGTH_MAX) return -1
        octets[lengthAt] = labelLength
        lengthAt = at++
      } else if (code === BACKSLASH || code > OCTET_MAX) return -1
      else octets[at++] = code
    }
    const labelLength = at - lengthAt - 1
    if (labelLength > LABEL_LENGTH_MAX) return -1
    octets[lengthAt] = labelLength
    if (labelLength > 0) octets[at++] = 0
    return at - HEADER_LENGTH > NAME_LENGTH_MAX ? -1 : at
  }

  #writeQuoted(name: string): number {
    const octets = this.#octets
    let at = HEADER_LENGTH
    for (const label of labelsOfText(name)) {
      octets[at++] = label.length
      for (let i = 0; i < label.length; i++) {
        const code = label.charCodeAt(i)
        if (code > OCTET_MAX) throw new NameError(`name '${name}' has a character that is no octet`)
        octets[at++] = code
      }
    }
    octets[at++] = 0
    return at
  }
}

/** Gives each letter of QNAME a case by lot (draft-vixie-dnsext-dns0x20-00); everything else stays. */
export function randomiseCase(message: Uint8Array, random: () => number): void {
  let bits = 0
  let left = 0
  for (let at = HEADER_LENGTH; message[at] !== 0; ) {
    const end = at + 1 + message[at]
    for (at++; at < end; at++) {
      const small = message[at] | CASE
      if (small < SMALL_A || small > SMALL_Z) continue
      if (left === 0) {
        bits = random() * 2 ** 32
        left = 32
      }
      message[at] = (bits & 1) === 0 ? small : small & ~CASE
      bits >>>= 1
      left--
    }
  }
}

function optRecord({ udpSize, dnssecOk }: EdnsOptions): Uint8Array {
  if (!Number.isInteger(udpSize) || udpSize < UDP_SIZE_MIN || udpSize > UDP_SIZE_MAX) {
    throw new LoadInputError(
      `an EDNS UDP size of ${udpSize}: ${UDP_SIZE_MIN} to ${UDP_SIZE_MAX} octets can be asked for`,
    )
  }
  return Uint8Array.of(0, 0, TYPES.OPT, udpSize >>> 8, udpSize & OCTET_MAX, 0, 0, dnssecOk ? DO : 0, 0, 0, 0)
}
