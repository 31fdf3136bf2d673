// Huge pages for memory that is read at random: a lookup in a large index misses the caches anyway, and need not miss the
// page tables too. Advice only: where the kernel does not take it, everything works, slower.

import { MADV_HUGEPAGE } from './layouts.ts'
import { addressOfShared, adviseMemory } from './libc.ts'

const HUGE_PAGE = 2 * 2 ** 20

/** Asks for huge pages wherever `buffer` covers whole ones. @returns whether the kernel took the advice */
export function adviseHugePages(buffer: SharedArrayBuffer): boolean {
  const address = addressOfShared(buffer)
  const first = Math.ceil(address / HUGE_PAGE) * HUGE_PAGE
  const last = Math.floor((address + buffer.byteLength) / HUGE_PAGE) * HUGE_PAGE
  return last > first && adviseMemory(first, last - first, MADV_HUGEPAGE) === 0
}
