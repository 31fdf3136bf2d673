// Counts and latencies as fields of JSON: what a run and a second of it have in common. docs/load-json.md says what they mean.

import { rcodeName } from '../../dns/rcodes.ts'
import { type Histogram, percentileMicros } from '../histogram.ts'
import { type Counts, lossOf } from '../run.ts'

/** The percentiles that are told: name of the field -> percent. */
const PERCENTS = { p50: 50, p90: 90, p99: 99, p999: 99.9, max: 100 }

type Fields = Record<string, unknown>

/** Everything that is counted. */
export function countFields(counts: Counts): Fields {
  return {
    sent: counts.sent,
    answered: counts.answered,
    lost: counts.lost,
    loss: rounded(lossOf(counts), 9),
    late: counts.late,
    truncated: counts.truncated,
    unexpected: counts.unexpected,
    mismatched: counts.mismatched,
    malformed: counts.malformed,
    octets_sent: counts.octetsSent,
    octets_received: counts.octetsReceived,
    connections: counts.connections,
    rcodes: rcodeFields(counts.rcodes),
    errors: { ...counts.errors },
  }
}

/** Microseconds by percentile; 0 of nothing. */
export function percentileFields(histogram: Histogram): Fields {
  const fields: Fields = {}
  for (const [name, percent] of Object.entries(PERCENTS))
    fields[name] = rounded(percentileMicros(histogram, percent), 3)
  return fields
}

/** Answers by name of their RCODE; those that there were. */
export function rcodeFields(rcodes: readonly number[]): Record<string, number> {
  const fields: Record<string, number> = {}
  for (const [rcode, answers] of rcodes.entries()) if (answers > 0) fields[rcodeName(rcode)] = answers
  return fields
}

/** The number with so many places; null for what JSON has no number for. */
export function rounded(value: number, places: number): number | null {
  return Number.isFinite(value) ? Number(value.toFixed(places)) : null
}
