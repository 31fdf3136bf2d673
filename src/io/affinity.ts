// Keeps a thread on one core.

import { mapMemory, setAffinity, unmapMemory, viewMemory } from './libc.ts'

// Room for 1,024 cores: what glibc's cpu_set_t has.
const MASK_LENGTH = 128

/** From now on the calling thread runs on that core alone. @throws SystemError (EINVAL: it may not, or there is none) */
export function keepOnCore(core: number): void {
  const memory = mapMemory(MASK_LENGTH)
  try {
    const mask = new Uint8Array(viewMemory(memory, MASK_LENGTH))
    if (core < MASK_LENGTH * 8) mask[core >>> 3] = 1 << (core & 7)
    setAffinity(memory, MASK_LENGTH)
  } finally {
    unmapMemory(memory, MASK_LENGTH)
  }
}
