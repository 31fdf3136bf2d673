// Objects that are all alike but for numbers in them: JSON that is made once, with places of fixed width that are filled in
// while it is sent. A million endpoints take the memory of their numbers.

import assert from 'node:assert/strict'
import type { Labels, StoredObject } from './object.ts'

/** Fills in one place: writes exactly `width` octets at `at`. */
export type Filler = (target: Buffer, at: number, of: TemplateObject, index: number, width: number) => void

/** Letter of a place -> who fills it in. */
export type Fillers = Readonly<Record<string, Filler>>

interface Place {
  /** From the start of the part it is in. */
  readonly offset: number
  readonly width: number
  readonly index: number
  readonly fill: Filler
}

const PLACE = /~([a-z])(\d\d)?~*/g
const HOLE = /~V(","generation":1)?/

/** A place to be filled in: `place('a', 14, 3)` is the fourth address of the object. At most 99 of a kind. */
export function place(letter: string, width: number, index = -1): string {
  const start = `~${letter}${index < 0 ? '' : String(index).padStart(2, '0')}`
  assert(start.length <= width && index < 100, `${start} fits`)
  return start.padEnd(width, '~')
}

/** Stands for the resourceVersion; metadata.generation of 1 behind it is filled in as well. */
export const VERSION_PLACE = '~V'

export class Template {
  readonly head: Buffer
  readonly tail: Buffer
  readonly headPlaces: readonly Place[]
  readonly tailPlaces: readonly Place[]
  readonly hasGeneration: boolean
  readonly labelsOf: (number: number) => Labels
  readonly phase: string

  /** sample: the object as JSON would have it, without kind and apiVersion, with places. */
  constructor(sample: object, fillers: Fillers, labelsOf: (number: number) => Labels, phase = '') {
    const text = JSON.stringify(sample).slice(1)
    const hole = HOLE.exec(text)
    assert(hole !== null, 'there is a place for the version')
    this.hasGeneration = hole[1] !== undefined
    const [head, tail] = [text.slice(0, hole.index), text.slice(hole.index + hole[0].length)]
    this.head = Buffer.from(head)
    this.tail = Buffer.from(tail)
    this.headPlaces = placesOf(head, fillers)
    this.tailPlaces = placesOf(tail, fillers)
    this.labelsOf = labelsOf
    this.phase = phase
  }
}

function placesOf(text: string, fillers: Fillers): Place[] {
  const found = [...text.matchAll(PLACE)]
  return found.map((match) => ({
    offset: match.index,
    width: match[0].length,
    index: Number(match[2] ?? 0),
    fill: fillers[match[1]],
  }))
}

/** What tells one object of a template from another. */
export interface TemplateFields {
  readonly template: Template
  readonly key: string
  readonly number: number
  readonly generation: number
  /** Milliseconds since 1970 of the change that made it so. */
  readonly changedMs: number
}

export class TemplateObject implements StoredObject, TemplateFields {
  readonly template: Template
  readonly key: string
  readonly number: number
  readonly generation: number
  readonly changedMs: number
  readonly version: number

  constructor({ template, key, number, generation, changedMs }: TemplateFields, version: number) {
    this.template = template
    this.key = key
    this.number = number
    this.generation = generation
    this.changedMs = changedMs
    this.version = version
  }

  get labels(): Labels {
    return this.template.labelsOf(this.number)
  }

  get phase(): string {
    return this.template.phase
  }

  get length(): number {
    const { head, tail, hasGeneration } = this.template
    const holeLength = digitsOf(this.version) + (hasGeneration ? GENERATION.length + digitsOf(this.generation + 1) : 0)
    return head.length + holeLength + tail.length
  }

  write(target: Buffer, at: number): number {
    const { head, tail, headPlaces, tailPlaces, hasGeneration } = this.template
    head.copy(target, at)
    this.#fill(target, at, headPlaces)
    at += head.length
    const hole = hasGeneration ? `${this.version}${GENERATION}${this.generation + 1}` : `${this.version}`
    at += target.write(hole, at, 'latin1')
    tail.copy(target, at)
    this.#fill(target, at, tailPlaces)
    return at + tail.length
  }

  at(version: number): TemplateObject {
    return new TemplateObject(this, version)
  }

  #fill(target: Buffer, start: number, places: readonly Place[]): void {
    for (let i = 0; i < places.length; i++) {
      const { offset, width, index, fill } = places[i]
      fill(target, start + offset, this, index, width)
    }
  }
}

const GENERATION = '","generation":'

function digitsOf(value: number): number {
  let digits = 1
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits++
  return digits
}

/** Decimal, with leading zeros. */
export function writeDigits(target: Buffer, at: number, value: number, width: number): void {
  for (let i = at + width - 1; i >= at; i--) {
    const rest = Math.floor(value / 10)
    target[i] = 0x30 + value - rest * 10
    value = rest
  }
}

const HEX = Buffer.from('0123456789abcdef')

/** Hexadecimal, with leading zeros. */
export function writeHex(target: Buffer, at: number, value: number, width: number): void {
  for (let i = at + width - 1; i >= at; i--) {
    target[i] = HEX[value % 16]
    value = Math.floor(value / 16)
  }
}

// The letters and digits that Kubernetes makes names of: none that spell words.
const SAFE = Buffer.from('bcdfghjklmnpqrstvwxz2456789')

/** The end of a generated name. */
export function writeSuffix(target: Buffer, at: number, value: number, width: number): void {
  for (let i = at + width - 1; i >= at; i--) {
    target[i] = SAFE[value % SAFE.length]
    value = Math.floor(value / SAFE.length)
  }
}
