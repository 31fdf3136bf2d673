// A report as one JSON object, for programs: docs/load-json.md has every field and its unit.

import type {
  Bounds,
  CapacityOutcome,
  Compared,
  ComparisonOutcome,
  JudgedRun,
  Outcome,
  Quartiles,
  Report,
  Validity,
  Verification,
} from '../outcome.ts'
import { cpuPerQueryNs, qpsOf, type RunResult, type RunSpec, type Schedule, type Target } from '../run.ts'
import { countFields, percentileFields, rounded } from './json-counts.ts'
import { secondFields } from './json-second.ts'

type Fields = Record<string, unknown>

/** The object that `--json` prints: plain data, nothing in it is NaN or undefined. */
export function reportJson(report: Report): Fields {
  const { outcome, verification } = report
  return {
    kind: outcome.kind,
    version: report.version,
    command: [...report.command],
    started_at: report.startedAt,
    queries: report.queries,
    query_count: report.queryCount,
    ...validityFields(outcome.validity),
    bounds: boundsFields(report.bounds),
    broken_bounds: [...report.broken],
    ...outcomeFields(outcome),
    verification: verification === null ? null : verificationFields(verification),
    machine: { ...report.machine },
  }
}

function outcomeFields(outcome: Outcome): Fields {
  switch (outcome.kind) {
    case 'run':
      return runFields(outcome.result)
    case 'capacity':
      return capacityFields(outcome)
    case 'comparison':
      return comparisonFields(outcome)
  }
}

function validityFields({ isValid, reasons, remarks }: Validity): Fields {
  return { valid: isValid, invalid_reasons: [...reasons], remarks: [...remarks] }
}

function boundsFields({ maxLoss, maxP99Micros }: Bounds): Fields {
  return { max_loss: maxLoss, max_p99_us: maxP99Micros }
}

function runFields(result: RunResult): Fields {
  const { spec, own } = result
  return {
    server: targetFields(spec.target),
    schedule: scheduleFields(spec.schedule),
    ...specFields(spec),
    run_started_at: result.startedAt,
    duration_s: rounded(result.seconds, 6),
    interrupted: result.interrupted,
    qps: rounded(qpsOf(result), 3),
    sent_qps: rounded(result.sent / result.seconds, 3),
    ...countFields(result),
    unsent: result.unsent,
    unsampled: result.unsampled,
    latency_us: percentileFields(result.latency),
    latency_raw_us: percentileFields(result.rawLatency),
    lateness_us: percentileFields(result.lateness),
    cpu_us_per_query: rounded(cpuPerQueryNs(result) / 1000, 3),
    server_cpu_s: result.serverCpuNs === null ? null : rounded(result.serverCpuNs / 1e9, 6),
    generator: {
      cpu_shares: own.cpuShares.map((share) => rounded(share, 4)),
      idle_shares: own.idleShares.map((share) => rounded(share, 4)),
      receive_drops: own.receiveDrops,
      udp_errors: { ...own.udpErrors },
      receive_batch: rounded(own.receiveBatch, 2),
    },
    series: result.series.map(secondFields),
  }
}

function targetFields(target: Target): Fields {
  return {
    label: target.label,
    address: target.address,
    port: target.port,
    transport: target.transport,
    server_name: target.serverName,
    path: target.path,
    verifies_certificate: target.verifiesCertificate,
  }
}

function scheduleFields(schedule: Schedule): Fields {
  switch (schedule.kind) {
    case 'open':
      return { kind: 'open', rate_qps: schedule.rate }
    case 'ramp':
      return { kind: 'ramp', from_qps: schedule.from, to_qps: schedule.to }
    case 'closed':
      return { kind: 'closed', outstanding: schedule.outstanding }
    case 'replay':
      return { kind: 'replay', speed: schedule.speed }
  }
}

function specFields(spec: RunSpec): Fields {
  return {
    sockets: spec.sockets,
    gso: spec.gso,
    timestamps: spec.isStamped === true ? 'kernel' : 'worker',
    sleeps: spec.sleeps === true,
    warmup_s: spec.warmupMs / 1000,
    planned_s: spec.durationMs / 1000,
    timeout_ms: spec.timeoutMs,
    late_ms: spec.lateMs,
    sample_every: spec.sampleEvery,
    passes: spec.passes,
  }
}

function capacityFields(outcome: CapacityOutcome): Fields {
  return {
    capacity_qps: rounded(outcome.rate, 3),
    confirmed: { ...outcome.confirmed },
    failed_rate_qps: outcome.failedRate,
    search_bounds: boundsFields(outcome.bounds),
    trials: outcome.trials.map((trial) => ({
      trial_qps: rounded(trial.rate, 3),
      phase: trial.phase,
      passed: trial.passed,
      ...judgedFields(trial),
    })),
  }
}

function judgedFields({ result, validity }: JudgedRun): Fields {
  return { ...validityFields(validity), ...runFields(result) }
}

function comparisonFields({ servers, rounds }: ComparisonOutcome): Fields {
  return {
    rounds: rounds.length,
    servers: servers.map((server, index) => ({
      ...comparedFields(server),
      runs: rounds.map((round) => judgedFields(round[index])),
    })),
  }
}

function comparedFields({ target, ratios, ...medians }: Compared): Fields {
  return {
    server: targetFields(target),
    qps: quartileFields(medians.qps),
    p50_us: quartileFields(medians.p50Micros),
    p99_us: quartileFields(medians.p99Micros),
    loss: quartileFields(medians.loss),
    cpu_us_per_query: medians.cpuMicros === null ? null : quartileFields(medians.cpuMicros),
    ratios:
      ratios === null
        ? null
        : {
            qps: quartileFields(ratios.qps),
            p50: quartileFields(ratios.p50),
            p99: quartileFields(ratios.p99),
            cpu: ratios.cpu === null ? null : quartileFields(ratios.cpu),
          },
  }
}

function quartileFields({ low, median, high }: Quartiles): Fields {
  return { q1: rounded(low, 6), median: rounded(median, 6), q3: rounded(high, 6) }
}

function verificationFields({ answers, ...counts }: Verification): Fields {
  return {
    checked: counts.checked,
    wrong: counts.wrong,
    outside: counts.outside,
    unchecked: counts.unchecked,
    passing: counts.passing,
    answers: answers.map((answer) => ({
      question: answer.question,
      server: answer.server,
      truth: answer.truth,
      got: [...answer.got],
      expected: [...answer.expected],
      difference: answer.difference,
      times: answer.times,
    })),
  }
}
