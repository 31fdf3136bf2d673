// The FNV-1a hash: OKD's endpoint labels are made of it, and addresses and names that must be the same every time.

/** The 32-bit FNV-1a hash of an ASCII text, 0..2^32-1. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
