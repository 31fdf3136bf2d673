// Templates in Go's language (text/template), parsed once and carried out for each query. https://pkg.go.dev/text/template
// Not here: define, template, block, and the functions call, html, js and urlquery.

import { callFunction } from './functions.ts'
import { TemplateError } from './lexer.ts'
import type { Command, Node, Nodes, Operand, Pipeline } from './nodes.ts'
import { parse } from './parser.ts'
import { isTrue, Struct, textOf, typeNameOf, type Value } from './values.ts'

export { TemplateError } from './lexer.ts'

/** Nodes that one execution may visit: a loop over a large number ends here. */
const STEPS_MAX = 10_000
/** Characters of a result. */
const LENGTH_MAX = 65_536

/** A parsed template; executions share nothing. */
export interface Template {
  readonly source: string
  /** @throws TemplateError */
  execute(data: Value): string
}

/** Parses a template. @throws TemplateError */
export function parseTemplate(source: string): Template {
  const nodes = parse(source)
  return { source, execute: (data) => new Execution(data).run(nodes) }
}

/** How a list of nodes ended. */
type Ending = 'done' | 'break' | 'continue'

class Execution {
  /** Values of `$` and of the variables, the innermost last. */
  readonly #variables: { readonly name: string; value: Value }[]
  readonly #data: Value
  #output = ''
  #steps = 0

  constructor(data: Value) {
    this.#data = data
    this.#variables = [{ name: '$', value: data }]
  }

  run(nodes: Nodes): string {
    this.#list(nodes, this.#data)
    return this.#output
  }

  #list(nodes: Nodes, dot: Value): Ending {
    for (const node of nodes) {
      const ending = this.#node(node, dot)
      if (ending !== 'done') return ending
    }
    return 'done'
  }

  #node(node: Node, dot: Value): Ending {
    this.#step()
    switch (node.kind) {
      case 'text':
        this.#write(node.text)
        return 'done'
      case 'action': {
        const value = this.#pipeline(node.pipeline, dot)
        if (node.pipeline.variables.length === 0) this.#write(textOf(value))
        return 'done'
      }
      case 'break':
      case 'continue':
        return node.kind
      default: {
        const scope = this.#variables.length
        const ending = node.kind === 'range' ? this.#range(node, dot) : this.#branch(node, dot)
        this.#variables.length = scope
        return ending
      }
    }
  }

  #branch({ kind, pipeline, then, otherwise }: Extract<Node, { pipeline: Pipeline; then: Nodes }>, dot: Value): Ending {
    const value = this.#pipeline(pipeline, dot)
    if (!isTrue(value)) return this.#list(otherwise, dot)
    return this.#list(then, kind === 'with' ? value : dot)
  }

  #range({ pipeline, then, otherwise }: Extract<Node, { then: Nodes }>, dot: Value): Ending {
    const value = this.#pipeline({ ...pipeline, variables: [] }, dot)
    const scope = this.#variables.length
    let isEmpty = true
    for (const [key, element] of entriesOf(value)) {
      isEmpty = false
      const given = pipeline.variables.length === 2 ? [key, element] : [element]
      for (const [i, name] of pipeline.variables.entries()) this.#set(name, given[i], pipeline.declares)
      const ending = this.#list(then, element)
      this.#variables.length = scope
      this.#step()
      if (ending === 'break') break
    }
    return isEmpty ? this.#list(otherwise, dot) : 'done'
  }

  #pipeline({ commands, variables, declares }: Pipeline, dot: Value): Value {
    let value: Value
    let piped: Value[] = []
    for (const command of commands) {
      value = this.#command(command, dot, piped)
      piped = [value]
    }
    for (const name of variables) this.#set(name, value, declares)
    return value
  }

  #command({ subject, args }: Command, dot: Value, piped: readonly Value[]): Value {
    this.#step()
    if (subject.kind === 'function') return this.#call(subject.name, args, dot, piped)
    const value = this.#operand(subject, dot)
    if (typeof value === 'function') return value(...args.map((each) => this.#operand(each, dot)), ...piped)
    if (args.length + piped.length === 0) return value
    throw new TemplateError(`can't give argument to non-function ${nameOf(subject)}`)
  }

  #call(name: string, args: readonly Operand[], dot: Value, piped: readonly Value[]): Value {
    if (name !== 'and' && name !== 'or')
      return callFunction(name, [...args.map((each) => this.#operand(each, dot)), ...piped])
    const lazy = [...args.map((each) => () => this.#operand(each, dot)), ...piped.map((value) => () => value)]
    if (lazy.length === 0) return callFunction(name, [])
    let value: Value
    for (const each of lazy) {
      value = each()
      if (isTrue(value) === (name === 'or')) break
    }
    return value
  }

  #operand(operand: Operand, dot: Value): Value {
    switch (operand.kind) {
      case 'constant':
        return operand.value
      case 'dot':
        return dot
      case 'function':
        return this.#call(operand.name, [], dot, [])
      case 'variable':
        return this.#variables.findLast(({ name }) => name === operand.name)?.value
      case 'pipeline':
        return this.#pipeline(operand.pipeline, dot)
      case 'fields':
        return operand.names.reduce(fieldOf, this.#operand(operand.of, dot))
    }
  }

  #set(name: string, value: Value, declares: boolean): void {
    const known = declares ? undefined : this.#variables.findLast((each) => each.name === name)
    if (known === undefined) this.#variables.push({ name, value })
    else known.value = value
  }

  #write(text: string): void {
    this.#output += text
    if (this.#output.length > LENGTH_MAX) throw new TemplateError(`more than ${LENGTH_MAX} characters`)
  }

  #step(): void {
    if (++this.#steps > STEPS_MAX) throw new TemplateError(`more than ${STEPS_MAX} steps`)
  }
}

function fieldOf(value: Value, name: string): Value {
  if (value instanceof Map) return value.get(name)
  if (value instanceof Struct && value.fields.has(name)) return value.fields.get(name)
  if (value === undefined || value === null) throw new TemplateError(`nil pointer evaluating interface {}.${name}`)
  throw new TemplateError(`can't evaluate field ${name} in type ${typeNameOf(value)}`)
}

function nameOf(operand: Operand): string {
  return operand.kind === 'fields'
    ? `.${operand.names.join('.')}`
    : operand.kind === 'variable'
      ? operand.name
      : 'value'
}

function* entriesOf(value: Value): Generator<[Value, Value]> {
  if (Array.isArray(value)) {
    for (const [index, element] of value.entries()) yield [BigInt(index), element]
  } else if (value instanceof Map) {
    for (const key of [...value.keys()].sort()) yield [key, value.get(key)]
  } else if (typeof value === 'bigint') {
    for (let i = 0n; i < value; i++) yield [i, i]
  } else if (value !== undefined && value !== null) {
    throw new TemplateError(`range can't iterate over ${textOf(value)}`)
  }
}
