// Domain names in wire form and as text: folding, conversion. RFC 1035 §3.1, RFC 4343 for case.
// Not here: reading a name out of a packet (question.ts), keys of the index (key.ts).

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
