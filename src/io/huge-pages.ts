// Huge pages for memory that is read at random: a lookup in a large index misses the caches anyway, and need not miss the
// page tables too. Advice only: where the kernel does not take it, everything works, slower.

import { MADV_HUGEPAGE } from './layouts.ts'
import { addressOfShared, adviseMemory } from './libc.ts'

const HUGE_PAGE = 2 * 2 ** 20
// A small index fits the caches, or nearly, and has no use for what huge pages round up: 3 MB of 24.
const SMALL_PAGES = 32 * 2 ** 20

/** Asks for huge pages wherever `buffer`, but for its first 32 MiB, covers whole ones. @returns whether the kernel took the advice */
export function adviseHugePages(buffer: SharedArrayBuffer): boolean {
  const address = addressOfShared(buffer)
  const first = Math.ceil((address + SMALL_PAGES) / HUGE_PAGE) * HUGE_PAGE
  const last = Math.floor((address + buffer.byteLength) / HUGE_PAGE) * HUGE_PAGE
  return last > first && adviseMemory(first, last - first, MADV_HUGEPAGE) === 0
}
