// How an index knows its clients: below an apex of its own (layout.ts, REFERENCE) each address is one label, and refers to a name.
// Written by kube, read by plugins: the spelling is here.

const ADDRESS_WORDS = 4
const MAPPED_WORD = 0xffff
const RADIX = 36
/** Of the largest number of 32 bits. */
const DIGITS = 7

/**
 * The label of an address: at most 7 octets for IPv4, so that label and length make two words of a key; 28 for IPv6. An IPv4 address mapped into
 * IPv6 (RFC 4291 §2.5.5.2) is the IPv4 address.
 *
 * @param octets  in network order   @param length  how many of them count, 4 or 16
 */
export function clientLabel(octets: Uint8Array, length: number): string {
  const view = new DataView(octets.buffer, octets.byteOffset, length)
  if (length === 4) return view.getUint32(0).toString(RADIX)
  const words = Array.from({ length: ADDRESS_WORDS }, (_, word) => view.getUint32(4 * word))
  const [first, second, third, last] = words
  if (first === 0 && second === 0 && third === MAPPED_WORD) return last.toString(RADIX)
  return words.map((word) => word.toString(RADIX).padStart(DIGITS, '0')).join('')
}
