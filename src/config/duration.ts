// Durations as Go writes them, and so CoreDNS's configuration: `5s`, `1m30s`, `1.5h`, `0`.
// Follows time.ParseDuration, its limit of 64 bits of nanoseconds and its error messages included.

/** A text that is no duration. */
export class DurationError extends Error {
  readonly code = 'BAD_DURATION'
}

/** Nanoseconds. The micro sign has two code points. */
const UNITS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
}
const LEAST = -(2n ** 63n)
const MOST = 2n ** 63n - 1n
const NANOSECONDS_A_MILLISECOND = 1e6
const PART = /(\d*)(?:\.(\d*))?([^.\d]*)/y

/** @returns milliseconds, with a fraction if there is one; less than 0 if the text says so @throws DurationError */
export function parseDuration(text: string): number {
  const invalid = () => new DurationError(`invalid duration '${text}'`)
  const unsigned = text.replace(/^[-+]/, '')
  if (unsigned === '0') return 0
  if (unsigned === '') throw invalid()
  let sum = 0n
  for (PART.lastIndex = 0; PART.lastIndex < unsigned.length; ) {
    const [, whole, fraction = '', unit] = PART.exec(unsigned)!
    if (whole === '' && fraction === '') throw invalid()
    if (unit === '') throw new DurationError(`missing unit in duration '${text}'`)
    if (!Object.hasOwn(UNITS, unit)) throw new DurationError(`unknown unit '${unit}' in duration '${text}'`)
    sum += BigInt(whole) * UNITS[unit] + BigInt(Math.trunc(Number(`0.${fraction}`) * Number(UNITS[unit])))
  }
  const signed = text.startsWith('-') ? -sum : sum
  if (signed < LEAST || signed > MOST) throw invalid()
  return Number(signed) / NANOSECONDS_A_MILLISECOND
}
