// Numbers for people: 1,234,567; 92 µs; 1.84 ms; 0.25 %. The page of the report runs this file too, in the browser, so it
// imports nothing.

/** What stands where there is no number. */
export const NO_NUMBER = '–'

/** With commas between thousands; whole from 100 on, and three digits below. NaN and infinities are NO_NUMBER. */
export function countText(value: number): string {
  if (!Number.isFinite(value)) return NO_NUMBER
  if (Number.isInteger(value) || Math.abs(value) >= 99.95) return withCommas(Math.round(value))
  return digitsText(value)
}

/** A time given in microseconds, with the unit that keeps it short; three digits, of microseconds two from 10 on. */
export function microsText(micros: number): string {
  if (!Number.isFinite(micros)) return NO_NUMBER
  if (micros < 0) return `-${microsText(-micros)}`
  if (micros === 0) return '0 µs'
  if (micros < 0.0995) return `${digitsText(micros * 1000)} ns`
  if (micros < 9.995) return `${micros.toFixed(2)} µs`
  if (micros < 999.5) return `${Math.round(micros)} µs`
  if (micros < 999.5e3) return `${digitsText(micros / 1e3)} ms`
  return `${micros < 99.95e6 ? digitsText(micros / 1e6) : withCommas(Math.round(micros / 1e6))} s`
}

/** A time given in microseconds that somebody chose: `2 s`, `1.5 ms`. */
export function spanText(micros: number): string {
  const [number, unit] = microsText(micros).split(' ')
  if (unit === undefined) return number
  return `${number.includes('.') ? Number(number) : number} ${unit}`
}

/** What a query costs, in microseconds: three digits, where costs differ by less than latencies do. */
export function costText(micros: number): string {
  return micros >= 9.995 && micros < 99.95 ? `${micros.toFixed(1)} µs` : microsText(micros)
}

/** A share (0..1) in percent, three digits, and as many as it takes to tell almost all from all. */
export function shareText(share: number): string {
  if (!Number.isFinite(share)) return NO_NUMBER
  const percent = share * 100
  if (percent === 0) return '0 %'
  if (percent < 0.0001) return '< 0.0001 %'
  if (percent < 1) return `${Number(percent.toPrecision(3))} %`
  // What is not all must not look like all.
  if (percent < 100 && percent > 99.99) return '> 99.99 %'
  return `${Number(percent.toFixed(percent < 10 || percent > 99 ? 2 : 1))} %`
}

/** How many times as much, as `1.25×`. */
export function ratioText(ratio: number): string {
  if (!Number.isFinite(ratio)) return NO_NUMBER
  return `${ratio >= 99.95 ? withCommas(Math.round(ratio)) : ratio < 0.1 && ratio > 0 ? Number(ratio.toPrecision(2)) : ratio.toFixed(2)}×`
}

/** Octets, with prefixes of 1000. */
export function octetsText(octets: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let unit = 0
  while (octets >= 999.5 && unit < units.length - 1) {
    octets /= 1000
    unit++
  }
  return `${unit === 0 ? octets : digitsText(octets)} ${units[unit]}`
}

/** A value, the least digits that tell three of them. */
function digitsText(value: number): string {
  const size = Math.abs(value)
  return value.toFixed(size < 9.995 ? 2 : size < 99.95 ? 1 : 0)
}

function withCommas(value: number): string {
  return String(value).replace(/\B(?=(?:\d{3})+$)/g, ',')
}
