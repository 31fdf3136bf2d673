// What a reader holds: the announcement that keeps the writer from reusing memory under it.
//
// A reader's word (layout.ts, `readerWord`) is 0 while it holds nothing, PINNED while it is about to take the newest version,
// and else the version it reads. PINNED first, then the load of ROOT: whatever the load returns, a writer that looks at the
// word afterwards sees PINNED or that version, so nothing reachable from it is reused. Both steps are one store and one load
// in any case: wait-free. All of these accesses are sequentially consistent (ECMA-262 §29.10).

import { attachRegion, type Region, readerWord, rootVersion, rootWord } from './layout.ts'

/** Announced by a reader that holds no version: idle, blocked or gone. */
export const HOLDS_NOTHING = 0
/** Announced by a reader between two versions: nothing at all may be reused. */
export const PINNED = -1

/** Holds the newest version for `reader` and returns its root; 0 if nothing has been published. */
export function holdNewest(region: Region, reader: number): number {
  const { words } = region
  Atomics.store(words, readerWord(reader), PINNED)
  const root = Atomics.load(words, rootWord())
  Atomics.store(words, readerWord(reader), root === 0 ? HOLDS_NOTHING : rootVersion(words, root))
  return root
}

/** Lets go of whatever `reader` holds. Also called on behalf of a reader whose thread is gone. */
export function holdNothing(region: Region, reader: number): void {
  Atomics.store(region.words, readerWord(reader), HOLDS_NOTHING)
}

/** May memory that was retired by the publication of `version` be reused, as far as readers 0..readerCount-1 go? */
export function allHavePassed(region: Region, readerCount: number, version: number): boolean {
  for (let reader = 0; reader < readerCount; reader++) {
    const held = Atomics.load(region.words, readerWord(reader))
    if (held === HOLDS_NOTHING) continue
    if (held === PINNED || ((held - version) | 0) < 0) return false
  }
  return true
}

/** One region as one reader holds it, for all that answer out of it: they must see one version. */
export class HeldRegion {
  readonly region: Region
  readonly #reader: number
  /** Of the version that is held; 0 = nothing is published, or nothing held. */
  root = 0

  /** @throws LayoutError if the buffer is no index */
  constructor(buffer: SharedArrayBuffer, reader: number) {
    this.region = attachRegion(buffer)
    this.#reader = reader
  }

  /** Holds the newest version from now on. */
  hold(): void {
    this.root = holdNewest(this.region, this.#reader)
  }

  release(): void {
    holdNothing(this.region, this.#reader)
  }
}
