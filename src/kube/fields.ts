// Reading single fields of an API object as it came from YAML or JSON: the value or a FieldError that names the field.
// Null means absent, as it does to the API server. The limits are those of DNS (RFC 1035 §2.3.4, RFC 1123 §2.1) and of
// the API server's own checks, as far as a name depends on them.

import { isIPv4, isIPv6 } from 'node:net'

/** What is wrong with one field; the object that has it is left out. */
export class FieldError extends Error {
  readonly code = 'BAD_FIELD'
  readonly field: string

  /** @param field  path inside the object, e.g. `endpoints[3].addresses[0]` */
  constructor(field: string, message: string) {
    super(message)
    this.name = 'FieldError'
    this.field = field
  }
}

/** Any mapping of the input. */
export type Raw = Readonly<Record<string, unknown>>

const NOTHING: Raw = Object.freeze({})
const NONE: readonly unknown[] = Object.freeze([])

const LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/
const SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/
const TARGET_LABEL = /^[A-Za-z0-9_](?:[-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?$/
const NAME_LENGTH_MAX = 253

/** The mapping at `field`; an empty one if absent. */
export function mappingOf(value: unknown, field: string): Raw {
  if (value === undefined || value === null) return NOTHING
  if (typeof value !== 'object' || Array.isArray(value)) throw new FieldError(field, 'must be a mapping')
  return value as Raw
}

/** The list at `field`; an empty one if absent. */
export function listOf(value: unknown, field: string): readonly unknown[] {
  if (value === undefined || value === null) return NONE
  if (!Array.isArray(value)) throw new FieldError(field, 'must be a list')
  return value
}

/** The string at `field`; '' if absent. A number or a boolean that should have been quoted is an error. */
export function textOf(value: unknown, field: string): string {
  if (value === undefined || value === null) return ''
  if (typeof value !== 'string') throw new FieldError(field, `must be a string, not ${described(value)} (quote it)`)
  return value
}

/** The boolean at `field`, or `absent`. */
export function booleanOf(value: unknown, field: string, absent: boolean): boolean {
  if (value === undefined || value === null) return absent
  if (typeof value !== 'boolean') throw new FieldError(field, `must be true or false, not ${described(value)}`)
  return value
}

/** The whole number at `field` between `least` and `most`, or `absent`. */
export function integerOf(value: unknown, field: string, least: number, most: number, absent: number): number {
  if (value === undefined || value === null) return absent
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
    throw new FieldError(field, `must be a whole number from ${least} to ${most}, not ${described(value)}`)
  }
  return value
}

/** A DNS label as RFC 1123 has it: 1 to 63 lower-case letters, digits and inner hyphens. */
export function labelOf(value: unknown, field: string): string {
  const text = textOf(value, field)
  if (!LABEL.test(text))
    throw new FieldError(field, `must be a DNS label of 1 to 63 octets (a-z, 0-9, -), not ${described(text)}`)
  return text
}

/** As `labelOf`, but '' if absent or empty. */
export function optionalLabelOf(value: unknown, field: string): string {
  return value === undefined || value === null || value === '' ? '' : labelOf(value, field)
}

/** The name of an object whose kind allows dots, such as a Pod: at most 253 octets. */
export function objectNameOf(value: unknown, field: string): string {
  const text = textOf(value, field)
  if (text.length > NAME_LENGTH_MAX || !SUBDOMAIN.test(text)) {
    throw new FieldError(
      field,
      `must be a DNS name of 1 to ${NAME_LENGTH_MAX} octets in lower case, not ${described(text)}`,
    )
  }
  return text
}

/** A textual IPv4 or IPv6 address without zone index, in its spelling. */
export function addressOf(value: unknown, field: string): string {
  const text = textOf(value, field)
  if (!isIPv4(text) && !isAddressV6(text)) throw new FieldError(field, `must be an IP address, not ${described(text)}`)
  return text
}

/** An IPv6 address; a zone index (`%eth0`) means nothing outside its host. */
export function isAddressV6(text: string): boolean {
  return isIPv6(text) && !text.includes('%')
}

/**
 * The target of an ExternalName Service without its trailing dot: a name of at most 253 octets, or an address. More
 * than the API server takes: underscores and upper case do no harm to a CNAME.
 */
export function externalNameOf(value: unknown, field: string): string {
  const text = textOf(value, field)
  const name = text.endsWith('.') ? text.slice(0, -1) : text
  if (isIPv4(name) || isAddressV6(name)) return name
  if (name.length > NAME_LENGTH_MAX || !name.split('.').every((label) => TARGET_LABEL.test(label))) {
    throw new FieldError(
      field,
      `must be a DNS name of 1 to ${NAME_LENGTH_MAX} octets or an IP address, not ${described(text)}`,
    )
  }
  return name
}

/** Seconds since 1970 of an RFC 3339 time; 0 if absent or not a time. */
export function secondsOf(value: unknown): number {
  const milliseconds = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isNaN(milliseconds) ? 0 : Math.floor(milliseconds / 1000)
}

/** A value as it is shown in a message, cut short. */
function described(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}
