// $GENERATE of zone files: one line for many records. Not in an RFC; as BIND has it.
// Not here: the directive's place in a file (zone-file.ts).

import { RecordTextError } from './record-text-scanner.ts'

/** Most records that one line makes. */
const GENERATED_MAX = 65_536
const VALUE_MAX = 2 ** 31 - 1

/**
 * Numbers of `START-STOP[/STEP]`, in order.
 * @throws RecordTextError
 */
export function generatedValues(range: string): number[] {
  const parts = /^(\d{1,10})-(\d{1,10})(?:\/(\d{1,10}))?$/.exec(range)
  if (parts === null) throw new RecordTextError(`'${range}' is no range START-STOP[/STEP]`)
  const [start, stop, step] = [Number(parts[1]), Number(parts[2]), Number(parts[3] ?? 1)]
  if (start > stop || stop > VALUE_MAX || step === 0) throw new RecordTextError(`'${range}' is an empty range`)
  const count = Math.floor((stop - start) / step) + 1
  if (count > GENERATED_MAX) throw new RecordTextError(`'${range}' makes over ${GENERATED_MAX} records`)
  return Array.from({ length: count }, (_, i) => start + i * step)
}

/**
 * A token with the value in place of each `$` and `${OFFSET[,WIDTH[,BASE]]}`. `$$` and `\$` are a dollar sign.
 * @throws RecordTextError
 */
export function generatedToken(token: string, value: number): string {
  if (!token.includes('$')) return token
  return token.replace(/\\[\s\S]|\$\$|\$\{([^}]*)\}|\$/g, (found, modifier?: string) => {
    if (found === '$') return String(value)
    if (found === '$$') return '\\$'
    return modifier === undefined ? found : modified(value, modifier)
  })
}

function modified(value: number, modifier: string): string {
  const parts = /^([+-]?\d{1,10})(?:,(\d{1,3})(?:,([doxXnN]))?)?$/.exec(modifier)
  if (parts === null) throw new RecordTextError(`'\${${modifier}}' is not \${OFFSET[,WIDTH[,BASE]]}`)
  const number = value + Number(parts[1])
  const width = Number(parts[2] ?? 0)
  const base = parts[3] ?? 'd'
  if (base === 'd') return number < 0 ? `-${String(-number).padStart(width - 1, '0')}` : padded(number, 10, width)
  if (number < 0) throw new RecordTextError(`'\${${modifier}}' of ${value} is below 0`)
  if (base === 'o') return padded(number, 8, width)
  const digits = base === 'X' || base === 'N' ? number.toString(16).toUpperCase() : number.toString(16)
  if (base === 'x' || base === 'X') return digits.padStart(width, '0')
  // Nibbles for the reverse tree: low digit first; the width counts the dots too.
  return [...digits.padStart(Math.ceil(width / 2), '0')].reverse().join('.')
}

function padded(value: number, base: number, width: number): string {
  return value.toString(base).padStart(width, '0')
}
