// The tree of a parsed template. Types only.

import type { Value } from './values.ts'

export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly pipeline: Pipeline }
  | {
      readonly kind: 'if' | 'with' | 'range'
      readonly pipeline: Pipeline
      readonly then: Nodes
      readonly otherwise: Nodes
    }
  | { readonly kind: 'break' | 'continue' }

export type Nodes = readonly Node[]

/** Commands, each of which hands its value to the next; and the variables that get the last one. */
export interface Pipeline {
  readonly variables: readonly string[]
  /** New variables, not those there are. */
  readonly declares: boolean
  readonly commands: readonly Command[]
}

/** What is called, or worked out if there are no arguments. */
export interface Command {
  readonly subject: Operand
  readonly args: readonly Operand[]
}

export type Operand =
  | { readonly kind: 'constant'; readonly value: Value }
  | { readonly kind: 'function'; readonly name: string }
  | { readonly kind: 'dot' }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'pipeline'; readonly pipeline: Pipeline }
  | { readonly kind: 'fields'; readonly of: Operand; readonly names: readonly string[] }
