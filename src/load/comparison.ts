// Several servers in one go, run by run in turn, so that whatever else the machine does falls on all alike.

import type { ComparisonOutcome, JudgedRun } from './outcome.ts'
import type { RunSpec } from './run.ts'
import type { RunEvents, Runner } from './session.ts'

/** What a caller wants to know while the comparison goes on. Rounds and servers count from 0. */
export interface ComparisonEvents extends RunEvents {
  runStarts?(round: number, server: number): void
  /** A run has ended. */
  run?(round: number, server: number, judged: JudgedRun): void
}

/**
 * Compares.
 *
 * @param specs   one a server, at least two; the first is what the others are compared with
 * @param rounds  every server once in each; at least 1
 * @param pids    processes of each server, in the order of `specs`; empty where none are named
 * @param signal  ends it early: only whole rounds count
 * @throws LoadInputError for fewer than two servers or no round
 */
export async function compareServers(
  _runner: Runner,
  _specs: readonly RunSpec[],
  _rounds: number,
  _events: ComparisonEvents = {},
  _pids: readonly (readonly number[])[] = [],
  _signal?: AbortSignal,
): Promise<ComparisonOutcome> {
  throw new Error('compareServers is not written yet')
}
