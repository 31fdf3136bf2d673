// The search for a server's capacity: the highest rate at which it stays within stated bounds.

import type { Bounds, CapacityOutcome, Trial } from './outcome.ts'
import type { RunSpec } from './run.ts'
import type { RunEvents, Runner } from './session.ts'

/** How to search. Rates are queries a second. */
export interface CapacityOptions {
  readonly bounds: Bounds
  /** The first rate that is tried. */
  readonly startRate: number
  /** No higher rate is tried. */
  readonly maxRate: number
  /** Length of one trial without its warm-up. */
  readonly trialMs: number
  /** The search ends when pass and failure are as close as this share of the rate: 0.01 = 1 %. */
  readonly resolution: number
  /** Trials at the rate that was found, and how many of them have to pass. */
  readonly confirmations: number
  readonly confirmationsNeeded: number
  /** Between two trials, so that queues drain. */
  readonly pauseMs: number
  /** The search ends after so many trials, repeated ones included. */
  readonly maxTrials: number
}

/** What most searches want; bounds of 0.1 % loss and 10 ms. */
export const CAPACITY_DEFAULTS: CapacityOptions = {
  bounds: { maxLoss: 0.001, maxP99Micros: 10_000 },
  startRate: 1000,
  maxRate: 10_000_000,
  trialMs: 2000,
  resolution: 0.02,
  confirmations: 5,
  confirmationsNeeded: 4,
  pauseMs: 200,
  maxTrials: 60,
}

/** What a caller wants to know while the search goes on. */
export interface CapacityEvents extends RunEvents {
  /** A trial begins. */
  trialStarts?(rate: number, phase: Trial['phase']): void
  /** A trial has ended. */
  trial?(trial: Trial): void
}

/**
 * Searches.
 *
 * @param base    everything of a trial but its schedule and its length; its warm-up is kept
 * @param pids    processes of the server
 * @param signal  ends it early: what was found so far is returned
 * @throws LoadInputError for options that make no sense
 */
export async function findCapacity(
  _runner: Runner,
  _base: RunSpec,
  _options: CapacityOptions,
  _events: CapacityEvents = {},
  _pids: readonly number[] = [],
  _signal?: AbortSignal,
): Promise<CapacityOutcome> {
  throw new Error('findCapacity is not written yet')
}
