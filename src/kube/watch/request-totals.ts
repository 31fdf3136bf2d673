// How many requests the API server got and how long they took, since the process started: for metrics. Counted in the feed thread,
// handed over as totals. Not here: the requests (api-client.ts), and the names of metrics.

/** Upper bounds of the buckets of Durations, in seconds. */
export const REQUEST_SECONDS: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** In place of a status for a request that got no answer. */
export const NO_ANSWER = '<error>'

/** How long something took. */
export interface Durations {
  /** How often it took no longer than each of REQUEST_SECONDS, but longer than the one before; and longer than all. */
  readonly counts: readonly number[]
  /** Seconds. */
  readonly sum: number
}

/** All requests to one server. All of them are GETs. */
export interface RequestTotals {
  /** Host and port, as in the URL. */
  readonly host: string
  /** By status, or NO_ANSWER. */
  readonly codes: Readonly<Record<string, number>>
  /** From the request to the head of its answer. */
  readonly durations: Durations
  /** For a turn, so that there are no more requests a second than allowed. */
  readonly waits: Durations
}

class DurationMeter implements Durations {
  readonly counts: number[] = new Array(REQUEST_SECONDS.length + 1).fill(0)
  sum = 0

  add(seconds: number): void {
    let bucket = 0
    while (bucket < REQUEST_SECONDS.length && seconds > REQUEST_SECONDS[bucket]) bucket++
    this.counts[bucket]++
    this.sum += seconds
  }
}

interface HostMeter extends RequestTotals {
  readonly codes: Record<string, number>
  readonly durations: DurationMeter
  readonly waits: DurationMeter
}

/** Counts the requests of one thread. */
export class RequestMeter {
  readonly #hosts = new Map<string, HostMeter>()
  #isChanged = false

  /**
   * One request has been answered, or has failed.
   * @param code  its status, or NO_ANSWER
   */
  add(host: string, code: string, waitSeconds: number, seconds: number): void {
    const meter = this.#of(host)
    meter.codes[code] = (meter.codes[code] ?? 0) + 1
    meter.durations.add(seconds)
    meter.waits.add(waitSeconds)
    this.#isChanged = true
  }

  /** The totals, if they have changed since this was called last, else null. They go on changing: send them at once. */
  takeChanged(): readonly RequestTotals[] | null {
    if (!this.#isChanged) return null
    this.#isChanged = false
    // As plain data: what is posted keeps no methods.
    return Array.from(this.#hosts.values(), ({ host, codes, durations, waits }) => ({
      host,
      codes: { ...codes },
      durations: { counts: [...durations.counts], sum: durations.sum },
      waits: { counts: [...waits.counts], sum: waits.sum },
    }))
  }

  #of(host: string): HostMeter {
    let meter = this.#hosts.get(host)
    if (meter === undefined) {
      meter = { host, codes: {}, durations: new DurationMeter(), waits: new DurationMeter() }
      this.#hosts.set(host, meter)
    }
    return meter
  }
}

/** Two counts together, by host: a thread that is started again begins at nothing. */
export function sumOfTotals(a: readonly RequestTotals[], b: readonly RequestTotals[]): readonly RequestTotals[] {
  if (a.length === 0) return b
  return Array.from(Map.groupBy([...a, ...b], ({ host }) => host).values(), (same) => same.reduce(sum))
}

function sum(a: RequestTotals, b: RequestTotals): RequestTotals {
  const codes = { ...a.codes }
  for (const [code, count] of Object.entries(b.codes)) codes[code] = (codes[code] ?? 0) + count
  const durations = sumOfDurations(a.durations, b.durations)
  return { host: a.host, codes, durations, waits: sumOfDurations(a.waits, b.waits) }
}

function sumOfDurations(a: Durations, b: Durations): Durations {
  return { counts: a.counts.map((count, i) => count + b.counts[i]), sum: a.sum + b.sum }
}
