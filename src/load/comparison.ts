// Several servers in one go, run by run in turn, so that whatever else the machine does falls on all alike. Every other round goes
// backwards (A B, B A, …): what drifts evenly then favours each as often as the other. Ratios are taken within a round, and of
// several their median: a round that was disturbed does not count for more than one.

import { percentileMicros } from './histogram.ts'
import { LoadInputError } from './input-error.ts'
import type { Compared, ComparisonOutcome, JudgedRun, Quartiles, Validity } from './outcome.ts'
import { cpuPerQueryNs, lossOf, qpsOf, type RunResult, type RunSpec } from './run.ts'
import type { RunEvents, Runner } from './session.ts'
import { pairwiseRatios, quartiles } from './statistics.ts'
import { judge } from './validity.ts'

/** What a caller wants to know while the comparison goes on. Rounds and servers count from 0. */
export interface ComparisonEvents extends RunEvents {
  runStarts?(round: number, server: number): void
  /** A run has ended. */
  run?(round: number, server: number, judged: JudgedRun): void
}

/** Share of the rounds in which all runs have to say something. */
const VALID_ROUNDS_MIN = 0.5
/** Fewer have no quartiles to speak of. */
const ROUNDS_FOR_QUARTILES = 4

/**
 * Compares. Rounds in which a run says nothing about its server are left out of the figures, unless they are most.
 *
 * @param specs   one a server, at least two; the first is what the others are compared with
 * @param rounds  every server once in each; at least 1. An even number cancels what drifts
 * @param pids    processes of each server, in the order of `specs`; empty where none are named
 * @param signal  ends it early: only whole rounds count
 * @throws LoadInputError for fewer than two servers or no round; what the runner throws
 */
export async function compareServers(
  runner: Runner,
  specs: readonly RunSpec[],
  rounds: number,
  events: ComparisonEvents = {},
  pids: readonly (readonly number[])[] = [],
  signal?: AbortSignal,
): Promise<ComparisonOutcome> {
  if (specs.length < 2) throw new LoadInputError('a comparison needs two servers or more')
  if (!(rounds >= 1)) throw new LoadInputError(`a comparison of ${rounds} rounds`)
  const done: JudgedRun[][] = []
  while (done.length < rounds) {
    const round = await runRound(runner, specs, done.length, events, pids, signal)
    if (round === null) break
    done.push(round)
  }
  const valid = done.filter((round) => round.every(({ validity }) => validity.isValid))
  const counted = valid.length >= done.length * VALID_ROUNDS_MIN ? valid : done
  const results = specs.map((_, server) => counted.map((round) => round[server].result))
  return {
    kind: 'comparison',
    servers: specs.map(({ target }, server) => ({
      target,
      ...figures(results[server]),
      ratios: server === 0 ? null : ratios(results[server], results[0]),
    })),
    rounds: done,
    validity: validityOf(done, valid.length, rounds, specs),
  }
}

/** @returns null if it was ended early */
async function runRound(
  runner: Runner,
  specs: readonly RunSpec[],
  round: number,
  events: ComparisonEvents,
  pids: readonly (readonly number[])[],
  signal: AbortSignal | undefined,
): Promise<JudgedRun[] | null> {
  const order = specs.map((_, server) => server)
  if (round % 2 === 1) order.reverse()
  const judged: JudgedRun[] = []
  for (const server of order) {
    if (signal?.aborted) return null
    events.runStarts?.(round, server)
    const result = await runner.run(specs[server], events, pids[server] ?? [], signal)
    if (result.interrupted) return null
    judged[server] = { result, validity: judge(result) }
    events.run?.(round, server, judged[server])
  }
  return judged
}

function figures(results: readonly RunResult[]): Omit<Compared, 'target' | 'ratios'> {
  return {
    qps: quartiles(results.map(qpsOf)),
    p50Micros: quartiles(latencies(results, 50)),
    p99Micros: quartiles(latencies(results, 99)),
    loss: quartiles(results.map(lossOf)),
    cpuMicros: quartilesOfAny(cpuMicros(results)),
  }
}

function ratios(results: readonly RunResult[], bases: readonly RunResult[]): Compared['ratios'] {
  return {
    qps: quartiles(pairwiseRatios(results.map(qpsOf), bases.map(qpsOf))),
    p50: quartiles(pairwiseRatios(latencies(results, 50), latencies(bases, 50))),
    p99: quartiles(pairwiseRatios(latencies(results, 99), latencies(bases, 99))),
    cpu: quartilesOfAny(pairwiseRatios(cpuMicros(results), cpuMicros(bases))),
  }
}

function latencies(results: readonly RunResult[], percent: number): number[] {
  return results.map(({ latency }) => percentileMicros(latency, percent))
}

/** Not finite for runs without. */
function cpuMicros(results: readonly RunResult[]): number[] {
  return results.map((result) => cpuPerQueryNs(result) / 1000)
}

/** Of those that are numbers; null if none is. */
function quartilesOfAny(values: readonly number[]): Quartiles | null {
  const known = values.filter(Number.isFinite)
  return known.length === 0 ? null : quartiles(known)
}

function validityOf(
  done: readonly (readonly JudgedRun[])[],
  validCount: number,
  rounds: number,
  specs: readonly RunSpec[],
): Validity {
  const reasons: string[] = []
  const remarks: string[] = []
  if (done.length === 0) reasons.push('the comparison was ended before its first round was over')
  else if (done.length < rounds) remarks.push(`the comparison was ended after ${done.length} of ${rounds} rounds`)
  const spoiled = done.length - validCount
  if (spoiled > 0) {
    const isInvalid = validCount < done.length * VALID_ROUNDS_MIN
    const left = isInvalid ? 'which are too many to be left out' : 'which are left out'
    const first = done.flat().find(({ validity }) => !validity.isValid)
    const because = `${first?.result.spec.target.label}: ${first?.validity.reasons[0]}`
    ;(isInvalid ? reasons : remarks).push(`${spoiled} of ${done.length} rounds say nothing, ${left}; ${because}`)
  }
  if (done.length > 0 && done.length < ROUNDS_FOR_QUARTILES)
    remarks.push(
      `${done.length} rounds are too few to tell chance from a difference: quartiles need ${ROUNDS_FOR_QUARTILES}`,
    )
  return { isValid: reasons.length === 0, reasons, remarks: [...remarks, ...remarksOf(done, specs)] }
}

/** What was remarked of the runs of each server, as it was said first. */
function remarksOf(done: readonly (readonly JudgedRun[])[], specs: readonly RunSpec[]): string[] {
  return specs.flatMap(({ target }, server) => {
    const runs = done.map((round) => round[server].validity.remarks)
    const remarked = runs.filter((remarks) => remarks.length > 0)
    return remarked.length === 0
      ? []
      : [`${target.label}, ${remarked.length} of ${runs.length} runs: ${remarked[0][0]}`]
  })
}
