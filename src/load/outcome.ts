// What a command of the load tester came to: one run, a search for the capacity, or a comparison; and what was wrong with
// it, be it the answers or the measurement. Reports are made of this and of nothing else.

import type { RunResult, Target } from './run.ts'

/** Whether figures say something about the server. */
export interface Validity {
  readonly isValid: boolean
  /** Why they do not, a sentence each; empty if they do. */
  readonly reasons: readonly string[]
  /** What should be known about them all the same. */
  readonly remarks: readonly string[]
}

/** A run and whether it says something. */
export interface JudgedRun {
  readonly result: RunResult
  readonly validity: Validity
}

/** Bounds that were stated; null = none. */
export interface Bounds {
  /** Share of queries, 0..1. */
  readonly maxLoss: number | null
  /** Of the 99th percentile, from the intended time of sending on, in microseconds. */
  readonly maxP99Micros: number | null
}

/** One try of a search. */
export interface Trial extends JudgedRun {
  /** Queries a second. */
  readonly rate: number
  readonly phase: 'step' | 'bisect' | 'confirm'
  /** Within the bounds, at the rate asked for. */
  readonly passed: boolean
}

export interface RunOutcome extends JudgedRun {
  readonly kind: 'run'
}

export interface CapacityOutcome {
  readonly kind: 'capacity'
  /** The highest rate within the bounds, confirmed; 0 if there is none. */
  readonly rate: number
  /** The trials at that rate that passed, to all of them. */
  readonly confirmed: { readonly passed: number; readonly of: number }
  /** The lowest rate that was out of bounds; null if none was, for want of a generator or of a limit. */
  readonly failedRate: number | null
  readonly bounds: Bounds
  readonly trials: readonly Trial[]
  /** Of the search as a whole: not valid if the generator ended it, not the server. */
  readonly validity: Validity
}

/** Quartiles of a few values; NaN of none. */
export interface Quartiles {
  readonly low: number
  readonly median: number
  readonly high: number
}

/** One server of a comparison beside the first one. Ratios are taken within a round. */
export interface Compared {
  readonly target: Target
  readonly qps: Quartiles
  readonly p50Micros: Quartiles
  readonly p99Micros: Quartiles
  readonly loss: Quartiles
  /** CPU microseconds a query of its processes; null when none were named. */
  readonly cpuMicros: Quartiles | null
  /** To the first server; null for the first, and of CPU unless both have it. */
  readonly ratios: {
    readonly qps: Quartiles
    readonly p50: Quartiles
    readonly p99: Quartiles
    readonly cpu: Quartiles | null
  } | null
}

export interface ComparisonOutcome {
  readonly kind: 'comparison'
  /** In the order given. */
  readonly servers: readonly Compared[]
  /** By round, then by server. */
  readonly rounds: readonly (readonly JudgedRun[])[]
  readonly validity: Validity
}

export type Outcome = RunOutcome | CapacityOutcome | ComparisonOutcome

/** An answer that is not what it should be. Texts are lines as dig prints them. */
export interface WrongAnswer {
  /** `web.shop.svc.cluster.local. A`. */
  readonly question: string
  readonly server: string
  /** Who says so: `manifests`, `cluster` or the reference server. */
  readonly truth: string
  /** RCODE and records, a line each. */
  readonly got: readonly string[]
  readonly expected: readonly string[]
  /** What differs, in words. */
  readonly difference: string
  /** How often this question was answered so. */
  readonly times: number
}

/** What checking the answers came to. */
export interface Verification {
  /** Answers compared. */
  readonly checked: number
  readonly wrong: number
  /** Answers to questions that the truth says nothing about: names outside its zones. */
  readonly outside: number
  /** Answers that were to be compared and were not, because they came faster than they could be. */
  readonly unchecked: number
  /** Differences that were gone when both sides were asked again. */
  readonly passing: number
  /** The most frequent first, a bounded number. */
  readonly answers: readonly WrongAnswer[]
}

/** Everything there is to tell. */
export interface Report {
  /** The command line. */
  readonly command: readonly string[]
  readonly version: string
  /** ISO 8601. */
  readonly startedAt: string
  /** Where the queries came from, in words. */
  readonly queries: string
  readonly queryCount: number
  readonly machine: Readonly<Record<string, string | number>>
  readonly outcome: Outcome
  readonly bounds: Bounds
  /** The bounds that were broken, a sentence each; they make exit code 1. */
  readonly broken: readonly string[]
  /** null unless answers were checked. */
  readonly verification: Verification | null
}
