// A file that others replace: looked at by its path, so that a symbolic link that is turned round (a ConfigMap's) is seen, and read
// where it looks changed. Not here: when (static-zones.ts).

import { createHash } from 'node:crypto'
import type { Stats } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'

/** One look at a file. */
export type Look =
  /** As it was, or as good as: the same content. */
  | { readonly kind: 'same' }
  | { readonly kind: 'changed'; readonly content: Buffer }
  /** It is not there, or cannot be read. */
  | { readonly kind: 'missing'; readonly reason: string }

export class WatchedFile {
  readonly path: string
  #stamp = ''
  #digest = ''

  constructor(path: string) {
    this.path = path
  }

  /** Reads the file if something about it differs from the last look at which it was there. Never throws. */
  async look(): Promise<Look> {
    try {
      const stamp = stampOf(await stat(this.path))
      if (stamp === this.#stamp) return { kind: 'same' }
      const content = await readFile(this.path)
      const digest = createHash('sha256').update(content).digest('hex')
      this.#stamp = stamp
      if (digest === this.#digest) return { kind: 'same' }
      this.#digest = digest
      return { kind: 'changed', content }
    } catch (error) {
      return { kind: 'missing', reason: (error as Error).message }
    }
  }
}

/** What differs when another file is there, or another content, as far as the file system tells. */
export function stampOf({ dev, ino, size, mtimeMs, ctimeMs }: Stats): string {
  return `${dev} ${ino} ${size} ${mtimeMs} ${ctimeMs}`
}
