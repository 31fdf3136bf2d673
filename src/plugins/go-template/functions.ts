// Functions that templates may call: Go's builtin ones, and parseInt. All but `and` and `or`, which work out no more of their arguments than they need.

import { TemplateError } from './lexer.ts'
import { formatted } from './printf.ts'
import { type Callable, isTrue, textOf, typeNameOf, type Value } from './values.ts'

const ENCODER = new TextEncoder()
const DECODER = new TextDecoder()

/** How a function is called: least and most arguments, and what it does. */
interface Definition {
  readonly least: number
  readonly most: number
  readonly call: Callable
}

const define = (least: number, most: number, call: Callable): Definition => ({ least, most, call })

/** By name. `and` and `or` are only listed here: the executor knows them. */
export const FUNCTIONS: ReadonlyMap<string, Definition> = new Map([
  ['and', define(1, Infinity, (...values) => values.find((value) => !isTrue(value)) ?? values.at(-1))],
  ['or', define(1, Infinity, (...values) => values.find(isTrue) ?? values.at(-1))],
  ['not', define(1, 1, (value) => !isTrue(value))],
  ['len', define(1, 1, lengthOf)],
  ['index', define(1, Infinity, (value, ...keys) => keys.reduce(elementAt, value))],
  ['slice', define(1, 4, sliced)],
  ['print', define(0, Infinity, printed)],
  ['println', define(0, Infinity, (...values) => `${values.map(argumentText).join(' ')}\n`)],
  ['printf', define(1, Infinity, (format, ...values) => formatted(stringOf(format), values))],
  ['eq', define(2, Infinity, (first, ...others) => others.some((other) => isEqual(first, other)))],
  ['ne', define(2, 2, (a, b) => !isEqual(a, b))],
  ['lt', define(2, 2, (a, b) => isLess(a, b))],
  ['le', define(2, 2, (a, b) => isLess(a, b) || isEqual(a, b))],
  ['gt', define(2, 2, (a, b) => !isLess(a, b) && !isEqual(a, b))],
  ['ge', define(2, 2, (a, b) => !isLess(a, b))],
  ['parseInt', define(3, 3, parseInteger)],
])

/** Calls a function. @throws TemplateError */
export function callFunction(name: string, args: readonly Value[]): Value {
  const { least, most, call } = FUNCTIONS.get(name)!
  if (args.length < least || args.length > most) {
    const want = most === Infinity ? `at least ${least}` : least === most ? `${least}` : `${least} to ${most}`
    throw new TemplateError(`wrong number of args for ${name}: want ${want} got ${args.length}`)
  }
  try {
    return call(...args)
  } catch (error) {
    throw new TemplateError(`error calling ${name}: ${(error as Error).message}`)
  }
}

function lengthOf(value: Value): Value {
  if (typeof value === 'string') return BigInt(ENCODER.encode(value).length)
  if (Array.isArray(value)) return BigInt(value.length)
  if (value instanceof Map) return BigInt(value.size)
  throw new TemplateError(`len of type ${typeNameOf(value)}`)
}

function elementAt(value: Value, key: Value): Value {
  if (value instanceof Map) return value.get(stringOf(key)) ?? ''
  if (Array.isArray(value)) return value[offsetOf(key, value.length - 1)]
  if (typeof value === 'string') {
    const octets = ENCODER.encode(value)
    return BigInt(octets[offsetOf(key, octets.length - 1)])
  }
  if (value === undefined || value === null) throw new TemplateError('index of untyped nil')
  throw new TemplateError(`can't index item of type ${typeNameOf(value)}`)
}

function sliced(value: Value, ...bounds: Value[]): Value {
  if (typeof value !== 'string' && !Array.isArray(value))
    throw new TemplateError(`can't slice item of type ${typeNameOf(value)}`)
  if (typeof value === 'string' && bounds.length === 3) throw new TemplateError('cannot 3-index slice a string')
  const whole = typeof value === 'string' ? ENCODER.encode(value) : value
  const [start = 0, end = whole.length] = bounds.map((bound) => offsetOf(bound, whole.length))
  if (start > end) throw new TemplateError(`invalid slice index: ${start} > ${end}`)
  const part = whole.slice(start, end)
  return part instanceof Uint8Array ? DECODER.decode(part) : part
}

function offsetOf(value: Value, most: number): number {
  if (typeof value !== 'bigint') throw new TemplateError(`cannot index slice/array with type ${typeNameOf(value)}`)
  if (value < 0n || value > BigInt(most)) throw new TemplateError(`index out of range: ${value}`)
  return Number(value)
}

/** Blanks stand between two arguments if neither is a string. */
function printed(...values: Value[]): string {
  return values.reduce<string>((text, value, index) => {
    const isApart = index > 0 && typeof value !== 'string' && typeof values[index - 1] !== 'string'
    return `${text}${isApart ? ' ' : ''}${argumentText(value)}`
  }, '')
}

const argumentText = (value: Value) => textOf(value ?? null)

function isEqual(a: Value, b: Value): boolean {
  if (a === undefined || a === null || b === undefined || b === null) return (a ?? null) === (b ?? null)
  needComparable(a, b, ['string', 'bigint', 'number', 'boolean'])
  return a === b
}

function isLess(a: Value, b: Value): boolean {
  needComparable(a, b, ['string', 'bigint', 'number'])
  if (typeof a === 'string') return Buffer.compare(ENCODER.encode(a), ENCODER.encode(b as string)) < 0
  return (a as number) < (b as number)
}

function needComparable(a: Value, b: Value, types: readonly string[]): void {
  if (!types.includes(typeof a) || !types.includes(typeof b)) throw new TemplateError('invalid type for comparison')
  if (typeof a !== typeof b) throw new TemplateError('incompatible types for comparison')
}

/** A number without sign: `parseInt "ff" 16 8` is 255. Base 0 goes by the prefix, 0 bits are 64. */
function parseInteger(text: Value, base: Value, bits: Value): Value {
  const source = stringOf(text)
  const invalid = new TemplateError(`parsing ${JSON.stringify(source)}: invalid syntax`)
  const [radix, digits] = radixOf(source.toLowerCase(), Number(wholeOf(base)))
  const width = wholeOf(bits) === 0n ? 64n : wholeOf(bits)
  if (radix < 2 || radix > 36) throw new TemplateError(`parsing ${JSON.stringify(source)}: invalid base ${radix}`)
  if (width < 0n || width > 64n) throw new TemplateError(`parsing ${JSON.stringify(source)}: invalid bit size ${width}`)
  if (digits === '') throw invalid
  let number = 0n
  for (const character of digits) {
    const digit = /[\da-z]/.test(character) ? Number.parseInt(character, 36) : radix
    if (digit >= radix) throw invalid
    number = number * BigInt(radix) + BigInt(digit)
    if (number >= 1n << width) throw new TemplateError(`parsing ${JSON.stringify(source)}: value out of range`)
  }
  return number
}

function radixOf(text: string, base: number): [radix: number, digits: string] {
  if (base !== 0) return [base, text]
  const prefix = /^0([xbo]?)/.exec(text)
  if (prefix === null || text === '0') return [10, text]
  const radix = { x: 16, b: 2, o: 8, '': 8 }[prefix[1]]!
  return [radix, text.slice(prefix[0].length).replaceAll('_', '')]
}

function stringOf(value: Value): string {
  if (typeof value !== 'string') throw new TemplateError(`expected string; found ${typeNameOf(value)}`)
  return value
}

function wholeOf(value: Value): bigint {
  if (typeof value !== 'bigint') throw new TemplateError(`expected integer; found ${typeNameOf(value)}`)
  return value
}
