// Parses templates of Go's text/template, but for define, template and block: a template of one record has no parts of its own to name.

import { FUNCTIONS } from './functions.ts'
import { TemplateError, type Token, type TokenKind, tokensOf } from './lexer.ts'
import type { Command, Node, Nodes, Operand, Pipeline } from './nodes.ts'

const DEPTH_MAX = 100
const CONTROLS = ['if', 'with', 'range'] as const
const REFUSED = ['define', 'template', 'block']
const WHOLE = /^[+-]?(?:0[xX][\da-fA-F]+|0[bB][01]+|0[oO][0-7]+|\d+)$/
const OLD_OCTAL = /^([+-]?)0(\d+)$/

/** @throws TemplateError */
export function parse(source: string): Nodes {
  return new Parser(tokensOf(source)).template()
}

class Parser {
  readonly #tokens: readonly Token[]
  #at = 0
  #depth = 0
  #loops = 0
  /** Names in scope, in order of declaration. */
  #variables: string[] = ['$']

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  template(): Nodes {
    const nodes = this.#list()
    if (this.#peek().kind !== 'end') throw this.#unexpected(this.#tokens[this.#at + 1])
    return nodes
  }

  /** Nodes up to the end, `{{end}}` or `{{else}}`, which are left. */
  #list(): Nodes {
    const nodes: Node[] = []
    while (this.#peek().kind !== 'end') {
      if (this.#peek().kind === 'text') nodes.push({ kind: 'text', text: this.#next().text })
      else {
        const { kind, text } = this.#tokens[this.#at + 1]
        if (kind === 'identifier' && (text === 'end' || text === 'else')) break
        this.#next()
        nodes.push(this.#action())
      }
    }
    return nodes
  }

  #action(): Node {
    const { kind, text } = this.#peek()
    if (kind === 'identifier') {
      const control = CONTROLS.find((each) => each === text)
      if (control !== undefined) {
        this.#next()
        return this.#control(control)
      }
      if (text === 'break' || text === 'continue') return this.#jump(text)
      if (REFUSED.includes(text)) throw new TemplateError(`{{${text}}} is not supported`)
    }
    return { kind: 'action', pipeline: this.#pipeline('close', false) }
  }

  #jump(kind: 'break' | 'continue'): Node {
    if (this.#loops === 0) throw new TemplateError(`{{${kind}}} outside {{range}}`)
    this.#next()
    this.#expect('close')
    return { kind }
  }

  #control(kind: (typeof CONTROLS)[number]): Node {
    if (++this.#depth > DEPTH_MAX) throw new TemplateError('nested too deep')
    const scope = this.#variables.length
    const pipeline = this.#pipeline('close', kind === 'range')
    if (kind === 'range') this.#loops++
    const then = this.#list()
    if (kind === 'range') this.#loops--
    let otherwise: Nodes = []
    this.#expect('open')
    if (this.#word() === 'else') {
      const chained = this.#peek()
      if (chained.kind === 'identifier' && chained.text === kind && kind !== 'range') {
        this.#next()
        otherwise = [this.#control(kind)]
      } else {
        this.#expect('close')
        otherwise = this.#list()
        this.#expect('open')
        if (this.#word() !== 'end') throw new TemplateError('expected end; found {{else}}')
        this.#expect('close')
      }
    } else this.#expect('close')
    this.#variables.length = scope
    this.#depth--
    return { kind, pipeline, then, otherwise }
  }

  #pipeline(end: TokenKind, isRange: boolean): Pipeline {
    const declaration = this.#declaration(isRange)
    const commands: Command[] = []
    for (;;) {
      commands.push(this.#command(commands.length))
      const token = this.#next()
      if (token.kind === end) break
      if (token.kind !== '|') throw this.#unexpected(token)
    }
    if (declaration.declares) this.#variables.push(...declaration.variables)
    return { ...declaration, commands }
  }

  /** `$x :=`, `$x =`, and of range `$i, $x :=` too. */
  #declaration(isRange: boolean): { variables: string[]; declares: boolean } {
    const none = { variables: [], declares: false }
    if (this.#peek().kind !== 'variable') return none
    const [first, sign, second, last] = this.#tokens.slice(this.#at, this.#at + 4)
    if (sign.kind === ':=' || sign.kind === '=') {
      this.#at += 2
      return this.#assigned([first.text], sign.kind === ':=')
    }
    if (sign.kind !== ',') return none
    if (!isRange || second?.kind !== 'variable' || (last?.kind !== ':=' && last?.kind !== '='))
      throw new TemplateError('too many declarations')
    this.#at += 4
    return this.#assigned([first.text, second.text], last.kind === ':=')
  }

  #assigned(variables: string[], declares: boolean): { variables: string[]; declares: boolean } {
    if (!declares) for (const name of variables) this.#known(name)
    return { variables, declares }
  }

  #command(stage: number): Command {
    const operands: Operand[] = []
    for (;;) {
      const { kind, isApart } = this.#peek()
      if (kind === 'close' || kind === ')' || kind === '|') break
      if (operands.length > 0 && !isApart) throw this.#unexpected(this.#peek())
      operands.push(this.#operand())
    }
    const [subject, ...args] = operands
    if (subject === undefined) throw new TemplateError('missing value for command')
    if (stage > 0 && (subject.kind === 'constant' || subject.kind === 'dot' || subject.kind === 'pipeline'))
      throw new TemplateError(`non executable command in pipeline stage ${stage + 1}`)
    if (subject.kind === 'constant' && args.length > 0) throw new TemplateError("can't give argument to non-function")
    if (subject.kind === 'constant' && subject.value === null) throw new TemplateError('nil is not a command')
    return { subject, args }
  }

  #operand(): Operand {
    const of = this.#term()
    const names: string[] = []
    while (this.#peek().kind === 'field' && !this.#peek().isApart) names.push(this.#next().text)
    if (names.length === 0) return of
    if (of.kind === 'constant') throw new TemplateError(`unexpected . after ${String(of.value)}`)
    if (of.kind === 'fields') return { ...of, names: [...of.names, ...names] }
    return { kind: 'fields', of, names }
  }

  #term(): Operand {
    const token = this.#next()
    switch (token.kind) {
      case 'identifier':
        return named(token.text)
      case 'dot':
        return { kind: 'dot' }
      case 'field':
        return { kind: 'fields', of: { kind: 'dot' }, names: [token.text] }
      case 'variable':
        return { kind: 'variable', name: this.#known(token.text) }
      case 'string':
        return { kind: 'constant', value: token.text }
      case 'character':
        return { kind: 'constant', value: BigInt(token.text.codePointAt(0)!) }
      case 'number':
        return { kind: 'constant', value: numberOf(token.text) }
      case '(': {
        if (++this.#depth > DEPTH_MAX) throw new TemplateError('nested too deep')
        const pipeline = this.#pipeline(')', false)
        this.#depth--
        return { kind: 'pipeline', pipeline }
      }
      default:
        throw this.#unexpected(token)
    }
  }

  #known(name: string): string {
    if (!this.#variables.includes(name)) throw new TemplateError(`undefined variable "${name}"`)
    return name
  }

  #word(): string {
    return this.#next().text
  }

  #expect(kind: TokenKind): void {
    const token = this.#next()
    if (token.kind !== kind) throw this.#unexpected(token)
  }

  #peek(): Token {
    return this.#tokens[this.#at]
  }

  #next(): Token {
    const token = this.#tokens[this.#at]
    if (token.kind !== 'end') this.#at++
    return token
  }

  #unexpected({ kind, text }: Token): TemplateError {
    return new TemplateError(kind === 'end' ? 'unexpected EOF' : `unexpected ${JSON.stringify(text)}`)
  }
}

function named(name: string): Operand {
  if (name === 'true' || name === 'false') return { kind: 'constant', value: name === 'true' }
  if (name === 'nil') return { kind: 'constant', value: null }
  if (!FUNCTIONS.has(name)) throw new TemplateError(`function "${name}" not defined`)
  return { kind: 'function', name }
}

function numberOf(text: string): bigint | number {
  const digits = text.replaceAll('_', '')
  if (!WHOLE.test(digits)) return Number(digits)
  const octal = OLD_OCTAL.exec(digits)
  const size = octal === null ? digits.replace(/^[+-]/, '') : `0o${octal[2]}`
  try {
    return digits.startsWith('-') ? -BigInt(size) : BigInt(size)
  } catch {
    throw new TemplateError(`illegal number syntax: ${JSON.stringify(text)}`)
  }
}
