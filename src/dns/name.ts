// Domain names in wire form: folding, hashing, text conversion. RFC 1035 §3.1, RFC 4343 for case.
// Not here: reading a name out of a packet (question.ts).

/** Octet -> the same octet with A..Z folded to a..z (RFC 4343 §3). */
export const FOLD: Uint8Array = Uint8Array.from({ length: 256 }, (_, octet) =>
  octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet,
)

/** Longest name on the wire, root octet included (RFC 1035 §2.3.4). */
export const NAME_LENGTH_MAX = 255
/** Longest label (RFC 1035 §2.3.4). */
export const LABEL_LENGTH_MAX = 63
/** A name of 255 octets has at most this many labels. */
export const LABEL_COUNT_MAX = 127

// FNV-1a over the folded octets of one label, its length first. The hash of a name is made of its labels' hashes from the
// right, so that the hash of every ancestor falls out on the way.
const FNV_BASIS = 0x811c9dc5 | 0
const FNV_PRIME = 0x01000193

/** Hash of the root name: where every name's hash begins. */
export const ROOT_HASH = 0x2545f491

/** First step of a label's hash. `length`: 1..63. */
export function labelHashStart(length: number): number {
  return Math.imul(FNV_BASIS ^ length, FNV_PRIME)
}

/** Next step: one folded octet. */
export function labelHashStep(hash: number, octet: number): number {
  return Math.imul(hash ^ octet, FNV_PRIME)
}

/** Hash (int32) of the name that has `labelHash`'s label in front of the name hashed as `parentHash`. */
export function childHash(parentHash: number, labelHash: number): number {
  const mixed = Math.imul(parentHash ^ labelHash ^ (labelHash >>> 15), 0x9e3779b1)
  return mixed ^ (mixed >>> 15)
}

/** Hash of one label given as folded octets. */
export function labelHash(octets: Uint8Array, start: number, length: number): number {
  let hash = labelHashStart(length)
  for (let i = start; i < start + length; i++) hash = labelHashStep(hash, octets[i])
  return hash
}

/** Hash of a label given as text of single-octet characters; upper case is folded. */
export function labelTextHash(label: string): number {
  let hash = labelHashStart(label.length)
  for (let i = 0; i < label.length; i++) hash = labelHashStep(hash, FOLD[label.charCodeAt(i) & 0xff])
  return hash
}

/** A name that cannot be put on the wire. */
export class NameError extends Error {
  readonly code = 'BAD_NAME'
}

/**
 * Labels of a name in presentation format (RFC 1035 §5.1, with \. \\ and \DDD), final dot optional; '.' and '' are the root.
 * @throws NameError for an empty label, one over 63 octets, or a name over 255
 */
export function labelsOfText(text: string): string[] {
  const labels: string[] = []
  let label = ''
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const character = text[i]
    if (character === '\\') {
      const decimal = /^\d{3}/.exec(text.slice(i + 1, i + 4))
      if (decimal !== null) {
        if (Number(decimal[0]) > 255) throw new NameError(`name '${text}': escape \\${decimal[0]} is over 255`)
        label += String.fromCharCode(Number(decimal[0]))
        i += 3
      } else {
        if (i + 1 === text.length) throw new NameError(`name '${text}' ends in a backslash`)
        label += text[++i]
      }
      quoted = true
    } else if (character === '.') {
      if (label === '' && !quoted) {
        if (text === '.') return []
        throw new NameError(`name '${text}' has an empty label`)
      }
      labels.push(label)
      label = ''
      quoted = false
    } else label += character
  }
  if (label !== '' || quoted) labels.push(label)
  if (labels.some((each) => each.length > LABEL_LENGTH_MAX)) {
    throw new NameError(`name '${text}' has a label of over ${LABEL_LENGTH_MAX} octets`)
  }
  if (wireLength(labels) > NAME_LENGTH_MAX) throw new NameError(`name '${text}' is over ${NAME_LENGTH_MAX} octets`)
  return labels
}

/** Octets that `labels` take on the wire, root octet included. */
export function wireLength(labels: readonly string[]): number {
  let length = 1
  for (const label of labels) length += label.length + 1
  return length
}

/** The wire form of `labels`, folded to lower case, root octet included. */
export function wireOfLabels(labels: readonly string[]): Uint8Array {
  const wire = new Uint8Array(wireLength(labels))
  let at = 0
  for (const label of labels) {
    wire[at++] = label.length
    for (let i = 0; i < label.length; i++) wire[at++] = FOLD[label.charCodeAt(i) & 0xff]
  }
  return wire
}

/** Presentation format of a name in uncompressed wire form, with a final dot. */
export function textOfWire(wire: Uint8Array, start = 0): string {
  let text = ''
  for (let at = start; wire[at] !== 0; at += wire[at] + 1) {
    for (let i = at + 1; i <= at + wire[at]; i++) text += escapedOctet(wire[i])
    text += '.'
  }
  return text === '' ? '.' : text
}

function escapedOctet(octet: number): string {
  if (octet === 0x2e || octet === 0x5c) return `\\${String.fromCharCode(octet)}`
  if (octet <= 0x20 || octet >= 0x7f) return `\\${String(octet).padStart(3, '0')}`
  return String.fromCharCode(octet)
}
