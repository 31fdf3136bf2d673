// Reports to test with, made by hand: a run with freezes and losses, a search of twelve trials, a comparison of three
// servers. All by seed, so that a failure comes again.

import { createHistogram, type Histogram, mergeHistograms, percentileMicros } from '../../../src/load/histogram.ts'
import type {
  Bounds,
  CapacityOutcome,
  Compared,
  ComparisonOutcome,
  JudgedRun,
  Outcome,
  Quartiles,
  Report,
  Trial,
  Validity,
  Verification,
} from '../../../src/load/outcome.ts'
import {
  type Counts,
  cpuPerQueryNs,
  lossOf,
  qpsOf,
  RCODES,
  type RunResult,
  type RunSpec,
  type Second,
  type Target,
} from '../../../src/load/run.ts'
import { quartiles } from '../../../src/load/statistics.ts'
import { COUNTERS } from '../../../src/load/tally.ts'
import { OWN, RESULT, SPEC, TARGET } from '../run-result.ts'

export const VALID: Validity = { isValid: true, reasons: [], remarks: [] }
export const NO_BOUNDS: Bounds = { maxLoss: null, maxP99Micros: null }

/** What a server is like. Times are microseconds. */
export interface Behaviour {
  /** Median latency. */
  readonly micros: number
  /** How far apart latencies are: sigma of a log-normal distribution. */
  readonly spread: number
  /** It stands still so long at the beginning of every `freezeEvery`th second; 0 = never. */
  readonly freezeMicros: number
  readonly freezeEvery: number
  /** Share of the queries lost in the seconds that it freezes in, and in all others. */
  readonly freezeLoss: number
  readonly loss: number
  /** CPU of a query, in nanoseconds; 0 = nobody looked. */
  readonly cpuNs: number
}

export const STEADY: Behaviour = {
  micros: 92,
  spread: 0.35,
  freezeMicros: 0,
  freezeEvery: 1,
  freezeLoss: 0,
  loss: 0,
  cpuNs: 4120,
}
export const FREEZING: Behaviour = {
  ...STEADY,
  freezeMicros: 100_000,
  freezeEvery: 4,
  freezeLoss: 0.004,
  loss: 0.00002,
}

export function aTarget(label = TARGET.label, more: Partial<Target> = {}): Target {
  return { ...TARGET, label, ...more }
}

export function aSpec(more: Partial<RunSpec> = {}): RunSpec {
  const schedule = { kind: 'open', rate: 50_000 } as const
  return { ...SPEC, schedule, warmupMs: 2000, durationMs: 30_000, timeoutMs: 2000, ...more }
}

/** A small generator of numbers in 0..1 (xorshift32). */
export function lots(seed: number): () => number {
  let state = seed | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

/** A run of a server, a second at a time. */
export function aRun(spec: RunSpec, behaviour: Behaviour, seed = 1): RunResult {
  const random = lots(seed)
  const rate = rateOf(spec)
  const warmup = Math.round(spec.warmupMs / 1000)
  const seconds = spec.durationMs / 1000
  const series: Second[] = []
  const raw: Histogram[] = []
  for (let index = -warmup; index < seconds; index++) {
    const { second, rawLatency } = aSecond(spec, behaviour, rate(Math.max(0, index) / seconds), index, random)
    series.push(second)
    if (index >= 0) raw.push(rawLatency)
  }
  const counted = series.filter(({ index }) => index >= 0)
  const counts = addCounts(counted)
  const lateness = createHistogram()
  lateness.recordValueWithCount(900, Math.max(1, counts.sent - 40))
  lateness.recordValueWithCount(41_000, 40)
  return {
    ...RESULT,
    ...counts,
    spec,
    startedAt: '2026-11-23T09:30:00.000Z',
    seconds,
    latency: mergeHistograms(counted.map(({ latency }) => latency)),
    rawLatency: mergeHistograms(raw),
    lateness,
    series,
    own: {
      ...OWN,
      cpuShares: [0.998],
      idleShares: [0.41],
      receiveBatch: spec.target.transport === 'udp' ? 11.4 : 0,
    },
    serverCpuNs: behaviour.cpuNs === 0 ? null : behaviour.cpuNs * counts.answered,
  }
}

function rateOf({ schedule }: RunSpec): (part: number) => number {
  switch (schedule.kind) {
    case 'open':
      return () => schedule.rate
    case 'ramp':
      return (part) => schedule.from + (schedule.to - schedule.from) * part
    case 'closed':
      return () => schedule.outstanding * 400
    case 'replay':
      return () => 1200 * schedule.speed
  }
}

function aSecond(spec: RunSpec, behaviour: Behaviour, rate: number, index: number, random: () => number) {
  const freezes = behaviour.freezeMicros > 0 && (index + 1) % behaviour.freezeEvery === 0
  const sent = Math.round(rate * (spec.schedule.kind === 'closed' ? 0.97 + 0.03 * random() : 1))
  const lost = Math.round(sent * (freezes ? behaviour.freezeLoss : behaviour.loss) * (0.5 + random()))
  const answered = sent - lost
  const latency = createHistogram()
  const rawLatency = createHistogram()
  if (lost > 0) for (const each of [latency, rawLatency]) each.recordValueWithCount(spec.timeoutMs * 1e6, lost)
  const frozen = freezes ? Math.round((answered * behaviour.freezeMicros) / 1e6) : 0
  recordUsual([latency, rawLatency], answered - frozen, behaviour, random)
  // What was to be sent while it stood still waits for what is left of it; the raw times see one batch of them.
  for (let part = 0; part < 50 && frozen > 0; part++) {
    const micros = behaviour.freezeMicros * (1 - part / 50) + behaviour.micros
    const times = Math.round((frozen * (part + 1)) / 50) - Math.round((frozen * part) / 50)
    latency.recordValueWithCount(Math.round(micros * 1000), times)
    rawLatency.recordValueWithCount(Math.round((part === 0 ? micros : behaviour.micros * 1.3) * 1000), times)
  }
  const rcodes = new Array<number>(RCODES).fill(0)
  rcodes[3] = Math.round(answered * 0.37)
  rcodes[2] = freezes ? Math.round(answered * 0.0004) : 0
  rcodes[0] = answered - rcodes[3] - rcodes[2]
  const second: Second = {
    index,
    seconds: 1,
    offered: rate,
    latency,
    sent,
    answered,
    lost,
    late: 0,
    truncated: freezes ? 3 : 0,
    unexpected: Math.round(lost / 9),
    mismatched: 0,
    malformed: 0,
    octetsSent: sent * 52,
    octetsReceived: answered * 118,
    connections: 0,
    rcodes,
    errors: {},
  }
  return { second, rawLatency }
}

// By quantiles of the distribution, a little shaken: 400 values stand for all.
function recordUsual(
  histograms: Histogram[],
  count: number,
  { micros, spread }: Behaviour,
  random: () => number,
): void {
  const record = (value: number, times: number): void => {
    if (times > 0) for (const each of histograms) each.recordValueWithCount(Math.round(1000 * value), times)
  }
  // A tail that grows heavier.
  let rest = count
  for (let rank = 10; rank < count && rank < 1e6; rank *= 4) {
    const times = Math.max(1, Math.round(rank / 40))
    record(micros * (1 + 3 * Math.log10(count / rank)) * (1 + random()), times)
    rest -= times
  }
  const parts = 400
  let given = 0
  for (let part = 0; part < parts; part++) {
    const until = Math.round((rest * (part + 1)) / parts)
    const quantile = (part + random()) / parts
    record(micros * Math.exp(spread * normalQuantile(quantile) + 0.02 * random()), until - given)
    given = until
  }
}

// Near enough between 0.0005 and 0.9995 (Tukey's lambda).
function normalQuantile(quantile: number): number {
  return (quantile ** 0.135 - (1 - quantile) ** 0.135) / 0.1975
}

function addCounts(seconds: readonly Second[]): Counts {
  const sum = (of: (second: Second) => number): number => seconds.reduce((total, second) => total + of(second), 0)
  const counters = COUNTERS.map((name) => [name, sum((second) => second[name])] as const)
  return {
    ...(Object.fromEntries(counters) as Record<(typeof COUNTERS)[number], number>),
    rcodes: Array.from({ length: RCODES }, (_, rcode) => sum((second) => second.rcodes[rcode])),
    errors: {},
  }
}

export function judged(result: RunResult, validity: Validity = VALID): JudgedRun {
  return { result, validity }
}

export function aReport(outcome: Outcome, more: Partial<Report> = {}): Report {
  return {
    command: ['peregrine', 'load', '--server', '127.0.0.1:5353', '--rate', '50000', '--duration', '30s'],
    version: '0.1.0',
    startedAt: '2026-11-23T09:29:57.000Z',
    queries: 'cluster mix of 10,000 Services and 100,000 endpoints, Zipf',
    queryCount: 65_536,
    machine: {
      kernel: 'Linux 6.1.0-41-amd64',
      processor: 'AMD EPYC 7B13',
      cores: 2,
      memory_mib: 7936,
      node: 'v26.10.0',
    },
    outcome,
    bounds: NO_BOUNDS,
    broken: [],
    verification: null,
    ...more,
  }
}

/** Half a minute of a server that freezes every fourth second. */
export function runReport(more: Partial<Report> = {}): Report {
  const result = aRun(aSpec(), FREEZING)
  return aReport({ kind: 'run', ...judged(result) }, { verification: aVerification(), ...more })
}

export function aVerification(): Verification {
  return {
    checked: 149_212,
    wrong: 317,
    outside: 1204,
    unchecked: 88,
    passing: 12,
    answers: [
      {
        question: 'web.shop.svc.cluster.local. A',
        server: '127.0.0.1:5353',
        truth: 'manifests',
        got: ['NOERROR', 'web.shop.svc.cluster.local. 5 IN A 10.96.12.7'],
        expected: ['NOERROR', 'web.shop.svc.cluster.local. 5 IN A 10.96.0.7'],
        difference: 'another address',
        times: 310,
      },
      {
        question: '_http._tcp.gone.shop.svc.cluster.local. SRV',
        server: '127.0.0.1:5353',
        truth: 'manifests',
        got: ['NXDOMAIN'],
        expected: [
          'NOERROR',
          '_http._tcp.gone.shop.svc.cluster.local. 5 IN SRV 0 50 8080 10-244-0-7.gone.shop.svc.cluster.local.',
          '_http._tcp.gone.shop.svc.cluster.local. 5 IN SRV 0 50 8080 10-244-0-8.gone.shop.svc.cluster.local.',
        ],
        difference: 'another RCODE',
        times: 7,
      },
    ],
  }
}

/** Twelve trials: steps that double, a bisection, three confirmations. */
export function capacityReport(more: Partial<Report> = {}): Report {
  const bounds: Bounds = { maxLoss: 0.001, maxP99Micros: 5000 }
  const tries: [rate: number, phase: Trial['phase']][] = [
    [10_000, 'step'],
    [20_000, 'step'],
    [40_000, 'step'],
    [80_000, 'step'],
    [160_000, 'step'],
    [320_000, 'step'],
    [240_000, 'bisect'],
    [200_000, 'bisect'],
    [180_000, 'bisect'],
    [190_000, 'confirm'],
    [190_000, 'confirm'],
    [190_000, 'confirm'],
  ]
  const limit = 193_000
  const trials = tries.map(([rate, phase], index): Trial => {
    const load = rate / limit
    const over = Math.max(0, load - 1)
    const behaviour: Behaviour = {
      ...STEADY,
      micros: 60 * (1 + load ** 4 * 4) + over * 60_000,
      spread: 0.3 + Math.min(1, load) * 0.4,
      loss: over * 0.7,
    }
    const spec = aSpec({ schedule: { kind: 'open', rate }, durationMs: 10_000, warmupMs: 1000 })
    const result = aRun(spec, behaviour, 100 + index)
    const passed = lossOf(result) <= 0.001 && percentileMicros(result.latency, 99) <= 5000
    return { ...judged(result), rate, phase, passed }
  })
  const outcome: CapacityOutcome = {
    kind: 'capacity',
    rate: 190_000,
    confirmed: { passed: 3, of: 3 },
    failedRate: 200_000,
    bounds,
    trials,
    validity: { isValid: true, reasons: [], remarks: ['The rate is known to 5 %.'] },
  }
  return aReport(outcome, {
    command: [
      'peregrine',
      'load',
      '--server',
      '127.0.0.1:5353',
      '--find-capacity',
      '--max-loss',
      '0.1%',
      '--max-p99',
      '5ms',
    ],
    bounds,
    ...more,
  })
}

/** Three servers, five rounds. */
export function comparisonReport(
  labels = ['127.0.0.1:5301', '127.0.0.1:5302', 'coredns.kube-system.example:53'],
): Report {
  const behaviours: Behaviour[] = [
    { ...STEADY, cpuNs: 4120 },
    { ...STEADY, micros: 210, spread: 0.6, loss: 0.0004, cpuNs: 12_400 },
    { ...STEADY, micros: 640, spread: 0.9, loss: 0.012, cpuNs: 41_300 },
  ]
  const rounds = [0, 1, 2, 3, 4].map((round) =>
    labels.map((label, index) => {
      const { micros, cpuNs, ...rest } = behaviours[index % behaviours.length]
      const drift = 1 + 0.06 * Math.sin(round * 2 + index)
      const behaviour = { ...rest, micros: micros * drift, cpuNs: cpuNs * (2 - drift) }
      const spec = aSpec({ target: aTarget(label), durationMs: 8000, warmupMs: 1000 })
      const reasons = round === 3 && index === 1 ? ['0.4 % of the queries were sent late (at most 0.1 %).'] : []
      return judged(aRun(spec, behaviour, 1000 + round * 10 + index), {
        isValid: reasons.length === 0,
        reasons,
        remarks: [],
      })
    }),
  )
  const outcome: ComparisonOutcome = {
    kind: 'comparison',
    servers: labels.map((_, index) =>
      compare(
        rounds.map((round) => round[index].result),
        rounds.map(([first]) => first.result),
        index,
      ),
    ),
    rounds,
    validity: { isValid: true, reasons: [], remarks: ['One of 15 runs was not valid and is left out of the medians.'] },
  }
  return aReport(outcome, {
    command: ['peregrine', 'load', ...labels.flatMap((label) => ['--server', label]), '--rounds', '5'],
  })
}

function compare(runs: readonly RunResult[], first: readonly RunResult[], index: number): Compared {
  const of = (value: (run: RunResult) => number): Quartiles => quartiles(runs.map(value))
  const ratio = (value: (run: RunResult) => number): Quartiles =>
    quartiles(runs.map((run, round) => value(run) / value(first[round])))
  const p50 = (run: RunResult): number => percentileMicros(run.latency, 50)
  const p99 = (run: RunResult): number => percentileMicros(run.latency, 99)
  return {
    target: runs[0].spec.target,
    qps: of(qpsOf),
    p50Micros: of(p50),
    p99Micros: of(p99),
    loss: of(lossOf),
    cpuMicros: of((run) => cpuPerQueryNs(run) / 1000),
    ratios: index === 0 ? null : { qps: ratio(qpsOf), p50: ratio(p50), p99: ratio(p99), cpu: ratio(cpuPerQueryNs) },
  }
}
