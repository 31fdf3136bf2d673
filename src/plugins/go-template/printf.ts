// Go's fmt.Sprintf, for the kinds of values that templates have. What does not fit is told in the text, as Go does: `%!d(string=x)`.

import { exponentText, floatText, Struct, textOf, typeNameOf, type Value } from './values.ts'

const DIRECTIVE = /%([-+# 0]*)(\*|\d+)?(?:\.(\*|\d*))?([\s\S])?/g
/** Characters that width and precision may ask for. */
const FIELD_LENGTH_MAX = 1000

interface Spec {
  readonly flags: string
  readonly width: number
  /** -1: none. */
  readonly precision: number
  readonly verb: string
}

/** Formats `values` as `format` says. */
export function formatted(format: string, values: readonly Value[]): string {
  let used = 0
  const text = format.replace(DIRECTIVE, (_found, flags: string, width?: string, precision?: string, verb?: string) => {
    if (verb === undefined) return '%!(NOVERB)'
    const size = (written?: string): number => {
      if (written === '*') return Number(values[used++] ?? 0)
      return written === undefined ? -1 : Number(written)
    }
    const [asked, digits] = [size(width), size(precision)]
    if (Math.max(asked, digits) > FIELD_LENGTH_MAX) return '%!(BADWIDTH)'
    if (verb === '%') return '%'
    if (used >= values.length) return `%!${verb}(MISSING)`
    const spec = {
      flags: asked < -1 ? `${flags}-` : flags,
      width: asked < -1 ? -asked : asked,
      precision: digits,
      verb,
    }
    return padded(verbText(spec, values[used++] ?? null), spec)
  })
  if (used >= values.length) return text
  const extra = values.slice(used).map((value) => `${typeNameOf(value)}=${textOf(value ?? null)}`)
  return `${text}%!(EXTRA ${extra.join(', ')})`
}

function verbText(spec: Spec, value: Value): string {
  const { verb } = spec
  if (verb === 'v') return spec.flags.includes('#') && typeof value === 'string' ? quoted(value) : textOf(value)
  if (verb === 'T') return typeNameOf(value)
  // A list takes the verb for each of its elements.
  if (Array.isArray(value)) return `[${value.map((each) => verbText(spec, each)).join(' ')}]`
  const found =
    typeof value === 'bigint'
      ? wholeText(spec, value)
      : typeof value === 'number'
        ? floatingText(spec, value)
        : typeof value === 'string'
          ? stringText(spec, value)
          : typeof value === 'boolean' && verb === 't'
            ? String(value)
            : null
  return found ?? `%!${verb}(${value === null ? '' : `${typeNameOf(value)}=`}${describe(value)})`
}

const describe = (value: Value) => (value instanceof Struct || typeof value === 'function' ? '' : textOf(value))

function wholeText({ flags, precision, verb }: Spec, value: bigint): string | null {
  if (verb === 'c') return String.fromCodePoint(codePoint(value))
  if (verb === 'q') return `'${String.fromCodePoint(codePoint(value))}'`
  if (verb === 'U') return `U+${value.toString(16).toUpperCase().padStart(4, '0')}`
  const radix = { d: 10, x: 16, X: 16, o: 8, O: 8, b: 2 }[verb]
  if (radix === undefined) return null
  const sign = value < 0n ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : ''
  const digits = (value < 0n ? -value : value).toString(radix).padStart(precision, '0')
  const prefix = verb === 'O' ? '0o' : flags.includes('#') ? ({ x: '0x', X: '0X', o: '0', b: '0b' }[verb] ?? '') : ''
  return `${sign}${prefix}${verb === 'X' ? digits.toUpperCase() : digits}`
}

const codePoint = (value: bigint) => (value >= 0n && value <= 0x10ffffn ? Number(value) : 0xfffd)

function floatingText({ flags, precision, verb }: Spec, value: number): string | null {
  const digits = precision < 0 ? 6 : Math.min(precision, 100)
  const sign = value >= 0 && flags.includes('+') ? '+' : ''
  switch (verb) {
    case 'f':
    case 'F':
      return sign + value.toFixed(digits)
    case 'e':
    case 'E': {
      const text = exponentText(value.toExponential(digits))
      return sign + (verb === 'E' ? text.toUpperCase() : text)
    }
    case 'g':
    case 'G':
      return sign + (precision < 0 ? floatText(value) : floatText(Number(value.toPrecision(Math.max(1, digits)))))
    default:
      return null
  }
}

function stringText({ flags, precision, verb }: Spec, value: string): string | null {
  const text = precision < 0 ? value : [...value].slice(0, precision).join('')
  switch (verb) {
    case 's':
      return text
    case 'q':
      return quoted(text)
    case 'x':
    case 'X': {
      const octets = [...Buffer.from(text)].map((octet) => octet.toString(16).padStart(2, '0'))
      const hexadecimal = octets.join(flags.includes(' ') ? ' ' : '')
      return verb === 'X' ? hexadecimal.toUpperCase() : hexadecimal
    }
    default:
      return null
  }
}

const quoted = (text: string) => JSON.stringify(text)

function padded(text: string, { flags, width, verb }: Spec): string {
  const missing = width - [...text].length
  if (missing <= 0) return text
  if (flags.includes('-')) return text + ' '.repeat(missing)
  if (!flags.includes('0') || verb === 'q') return ' '.repeat(missing) + text
  const [sign] = /^[-+ ]?(?:0[xX])?/.exec(text)!
  return sign + '0'.repeat(missing) + text.slice(sign.length)
}
