// Who says what right answers are: a record model (src/cli/record-model.ts), or another server (reference-server.ts).

import type { ComparisonRules } from './difference.ts'

/** Someone who knows the answers. */
export interface Truth {
  /** For people: `manifests`, `cluster`, or the server's label. */
  readonly name: string
  /** What its answers lay down. */
  readonly rules: Pick<ComparisonRules, 'limitsTtls' | 'covers'>
  /**
   * The right answer to a query, a whole message; its ID does not matter. Not cut off, if that can be.
   *
   * @param query  a whole message, only read, and not after this call
   * @returns null if the truth says nothing about it: a name outside its zones. Rejects with NoTruthError if it should and cannot.
   */
  answer(query: Uint8Array): Uint8Array | null | Promise<Uint8Array | null>
  /**
   * Looks whether what it says about a query is still so. Absent: nothing ever changes.
   *
   * Never rejects: what cannot be looked up stays as it was.
   * @param sinceMs  the next answer() is what was true at this time or later (as performance.now() has it)
   * @returns whether answers to other queries may have changed as well
   */
  refresh?(query: Uint8Array, sinceMs: number): Promise<boolean>
}

/** The truth about a query cannot be had. */
export class NoTruthError extends Error {
  readonly code = 'NO_TRUTH'
}
