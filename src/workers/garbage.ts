// One full garbage collection at a moment of our choosing: before the first query. Without it a heap keeps what starting up
// and reading a large cluster left behind until it is needed again, often for hours; a query worker would keep it for good.

/** What Node's flag --expose-gc, given by the launcher, defines. */
type Collect = (options: { type: 'major'; execution: 'sync'; flavor: 'last-resort' | 'regular' }) => void

/** Collects all garbage of this thread and gives the memory back; takes tens of milliseconds. Nothing without --expose-gc. */
export function collectGarbage(): void {
  const collect = (globalThis as { gc?: Collect }).gc
  collect?.({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}

/** What a worker is sent, in place of an assignment, to call letGo(). */
export const LET_GO = 'let go'

/**
 * Collects all garbage of this thread while it serves, a few milliseconds: shared memory goes when no thread holds it any more, and a thread
 * that makes no garbage of its own would hold it for good.
 */
export function letGo(): void {
  const collect = (globalThis as { gc?: Collect }).gc
  collect?.({ type: 'major', execution: 'sync', flavor: 'regular' })
}
