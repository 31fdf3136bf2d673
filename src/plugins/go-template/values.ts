// Values that templates compute with, and how Go prints them. Whole numbers are bigint, so that they differ from floating ones as in Go.

import { TemplateError } from './lexer.ts'

/** undefined is what a map has not; null is nil. */
export type Value =
  | string
  | bigint
  | number
  | boolean
  | null
  | undefined
  | readonly Value[]
  | ReadonlyMap<string, Value>
  | Struct
  | Callable

/** What may be called with arguments. @throws TemplateError */
export type Callable = (...args: Value[]) => Value

/** Named fields: asking for another is an error. A field that is a function of no parameters is worked out when it is asked for. */
export class Struct {
  /** For errors, such as 'templateData'. */
  readonly typeName: string
  readonly fields: ReadonlyMap<string, Value>

  constructor(typeName: string, fields: Readonly<Record<string, Value>>) {
    this.typeName = typeName
    this.fields = new Map(Object.entries(fields))
  }
}

/** Go's name of a value's type, for errors and `%T`. */
export function typeNameOf(value: Value): string {
  if (value === undefined || value === null) return '<nil>'
  if (value instanceof Struct) return value.typeName
  if (Array.isArray(value)) return '[]string'
  if (value instanceof Map) return 'map[string]string'
  const names: Readonly<Record<string, string>> = {
    string: 'string',
    bigint: 'int',
    number: 'float64',
    boolean: 'bool',
  }
  return names[typeof value] ?? 'func'
}

/** What `if` goes by: everything but the zero value of its type. */
export function isTrue(value: Value): boolean {
  if (Array.isArray(value)) return value.length > 0
  if (value instanceof Map) return value.size > 0
  return Boolean(value)
}

/** As `{{ value }}` and `%v` print it. */
export function textOf(value: Value): string {
  if (value === undefined) return '<no value>'
  if (value === null) return '<nil>'
  if (typeof value === 'number') return floatText(value)
  if (Array.isArray(value)) return `[${value.map(elementText).join(' ')}]`
  if (value instanceof Map) {
    const entries = [...value].sort(([a], [b]) => (a < b ? -1 : 1))
    return `map[${entries.map(([key, each]) => `${key}:${elementText(each)}`).join(' ')}]`
  }
  if (value instanceof Struct) return `{${[...value.fields.values()].map(elementText).join(' ')}}`
  if (typeof value === 'function') throw new TemplateError("can't print a function")
  return String(value)
}

const elementText = (value: Value) => (typeof value === 'function' ? 'func' : textOf(value ?? null))

/** Shortest decimal that gives the number back; with an exponent below 1e-4 and from 1e21 on. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  const size = Math.abs(value)
  if (size !== 0 && (size < 1e-4 || size >= 1e21)) return exponentText(value.toExponential())
  return Object.is(value, -0) ? '-0' : String(value)
}

/** Go has two digits of exponent at least. */
export function exponentText(text: string): string {
  return text.replace(/e([+-])(\d)$/, 'e$10$2')
}
