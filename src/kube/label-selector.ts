// Kubernetes' label selectors as text: `app=web,tier in (front, back),!legacy`. Read, checked, written the way client-go
// writes them, and asked whether an object's labels match.
// Not here: `<` and `>`, which client-go's parser knows for nodes alone and CoreDNS's options refuse.
// Grammar: k8s.io/apimachinery/pkg/labels, Parse; names: pkg/util/validation, IsQualifiedName and IsValidLabelValue.

export type SelectorOperator = 'exists' | 'missing' | '=' | '==' | '!=' | 'in' | 'notin'

/** What one key must be like. */
export interface Requirement {
  readonly key: string
  readonly operator: SelectorOperator
  /** None for `exists` and `missing`, one for `=`, `==` and `!=`, at least one for `in` and `notin`. '' is a value too. */
  readonly values: readonly string[]
}

/** A text that is no label selector. */
export class LabelSelectorError extends Error {
  readonly code = 'BAD_SELECTOR'
  /** Characters before the place where it goes wrong. */
  readonly position: number
  /** What would have been right there. */
  readonly expected: string

  constructor(position: number, found: string, expected: string) {
    super(`at character ${position + 1}: found ${found === '' ? 'the end' : `'${found}'`}, expected ${expected}`)
    this.position = position
    this.expected = expected
  }
}

const PART_MAX = 63
const PREFIX_MAX = 253
const NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/
const DNS_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const A_NAME = `1 to ${PART_MAX} letters, digits, '-', '_' or '.', the first and the last a letter or digit`
const A_KEY = `a label key: [PREFIX/]NAME; NAME has ${A_NAME}; PREFIX is a DNS name in lower case`
const A_VALUE = `a label value: nothing, or ${A_NAME}`

const SPACE = /[ \t\r\n]*/y
const TOKEN = /[=!]=|[=!(),<>]|[^ \t\r\n=!(),<>]+/y

/** Requirements that must all hold; none: everything matches. */
export class LabelSelector {
  /** In the order of their keys, the values of each sorted and without duplicates. */
  readonly requirements: readonly Requirement[]

  /** @param requirements  valid ones */
  constructor(requirements: readonly Requirement[]) {
    const tidy = requirements.map(({ key, operator, values }) => ({
      key,
      operator,
      values: [...new Set(values)].sort(),
    }))
    this.requirements = tidy.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
  }

  /** @throws LabelSelectorError */
  static parse(text: string): LabelSelector {
    const tokens = new Tokens(text)
    if (tokens.isAt('')) return new LabelSelector([])
    const requirements = [requirement(tokens)]
    while (!tokens.isAt('')) {
      if (!tokens.isAt(',')) tokens.fail("',' or the end")
      tokens.next()
      requirements.push(requirement(tokens))
    }
    return new LabelSelector(requirements)
  }

  /** Whether an object with these labels is selected. A key that is missing is equal to nothing: `!=` and `notin` hold. */
  matches(labels: Readonly<Record<string, string>>): boolean {
    return this.requirements.every(({ key, operator, values }) => {
      const has = Object.hasOwn(labels, key)
      if (operator === 'exists') return has
      if (operator === 'missing') return !has
      const isOneOf = has && values.includes(labels[key])
      return operator === '!=' || operator === 'notin' ? !isOneOf : isOneOf
    })
  }

  /** As client-go writes it; '' if everything matches. */
  toString(): string {
    return this.requirements.map(textOf).join(',')
  }
}

function textOf({ key, operator, values }: Requirement): string {
  if (operator === 'exists') return key
  if (operator === 'missing') return `!${key}`
  if (operator === 'in' || operator === 'notin') return `${key} ${operator} (${values.join(',')})`
  return `${key}${operator}${values[0]}`
}

/** The tokens of a text, one after the other. `in` and `notin` are words like others: keys and values may be called so. */
class Tokens {
  readonly #source: string
  #position = 0
  /** The token at hand; '' at the end. */
  text = ''

  constructor(source: string) {
    this.#source = source
    this.next()
  }

  next(): void {
    SPACE.lastIndex = this.#position + this.text.length
    SPACE.exec(this.#source)
    this.#position = TOKEN.lastIndex = SPACE.lastIndex
    this.text = TOKEN.exec(this.#source)?.[0] ?? ''
  }

  isAt(text: string): boolean {
    return this.text === text
  }

  /** Takes the token at hand. @throws LabelSelectorError if it is no key */
  key(): string {
    const slash = this.text.indexOf('/')
    const prefix = this.text.slice(0, Math.max(slash, 0))
    const name = this.text.slice(slash + 1)
    const good = slash < 0 || (prefix.length <= PREFIX_MAX && DNS_NAME.test(prefix))
    if (!good || name.length > PART_MAX || !NAME.test(name)) this.fail(A_KEY)
    return this.#taken()
  }

  /** Takes the token at hand; where one of `ends` stands instead, '' without taking it. @throws LabelSelectorError */
  value(...ends: readonly string[]): string {
    if (ends.includes(this.text)) return ''
    if (this.text.length > PART_MAX || !NAME.test(this.text)) this.fail(A_VALUE)
    return this.#taken()
  }

  fail(expected: string): never {
    throw new LabelSelectorError(this.#position, this.text, expected)
  }

  #taken(): string {
    const { text } = this
    this.next()
    return text
  }
}

function requirement(tokens: Tokens): Requirement {
  if (tokens.isAt('!')) {
    tokens.next()
    return { key: tokens.key(), operator: 'missing', values: [] }
  }
  const key = tokens.key()
  const operator = tokens.text
  switch (operator) {
    case '':
    case ',':
      return { key, operator: 'exists', values: [] }
    case '=':
    case '==':
    case '!=':
      tokens.next()
      return { key, operator, values: [tokens.value(',', '')] }
    case 'in':
    case 'notin':
      tokens.next()
      return { key, operator, values: valueList(tokens) }
    default:
      return tokens.fail("=, ==, !=, in, notin, ',' or the end")
  }
}

/** `(a, b)`; `()` holds one empty value, as does each comma without a value on one side. */
function valueList(tokens: Tokens): string[] {
  if (!tokens.isAt('(')) tokens.fail("'('")
  const values: string[] = []
  do {
    tokens.next()
    values.push(tokens.value(',', ')'))
  } while (tokens.isAt(','))
  if (!tokens.isAt(')')) tokens.fail("',' or ')'")
  tokens.next()
  return values
}
