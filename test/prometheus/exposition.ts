// Metrics as text (format 0.0.4) taken apart, and what every such page must satisfy. Independent of src/admin on purpose.

import assert from 'node:assert/strict'

export type Labels = Readonly<Record<string, string>>

export interface Sample {
  /** With `_bucket`, `_sum` or `_count` if it is part of a histogram. */
  readonly name: string
  readonly labels: Labels
  readonly value: number
}

export interface Family {
  readonly name: string
  type: string
  help: string
  readonly samples: Sample[]
}

/** One page. */
export class Exposition {
  readonly families = new Map<string, Family>()
  /** By sampleKey(). */
  readonly samples = new Map<string, Sample>()

  /** @throws AssertionError for a page that is not well formed, has a sample twice or a histogram that is none */
  constructor(text: string) {
    assert.ok(text.endsWith('\n'), 'the page ends with a line')
    let current: Family | undefined
    for (const line of text.split('\n')) {
      if (line === '') continue
      const about = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.+)$/.exec(line)
      if (about !== null) current = this.#describe(about[1], about[2], about[3], current)
      else this.#add(line, current)
    }
    for (const family of this.families.values()) {
      assert.notEqual(family.type, '', `${family.name} has a type`)
      assert.notEqual(family.help, '', `${family.name} has a help text`)
      assert.ok(family.samples.length > 0, `${family.name} has a sample`)
      if (family.type === 'histogram') checkHistogram(family)
    }
  }

  /** The value of a sample, undefined if there is none. */
  value(name: string, labels: Labels = {}): number | undefined {
    return this.samples.get(sampleKey(name, labels))?.value
  }

  /** The sum over all samples of that name with these labels, whatever their other labels are. */
  sum(name: string, labels: Labels = {}): number {
    const wanted = Object.entries(labels)
    return [...this.samples.values()]
      .filter((sample) => sample.name === name && wanted.every(([label, value]) => sample.labels[label] === value))
      .reduce((sum, { value }) => sum + value, 0)
  }

  /** Samples that only ever grow: those of counters and histograms. */
  *growing(): Iterable<Sample> {
    for (const { type, samples } of this.families.values()) if (type !== 'gauge') yield* samples
  }

  #describe(what: string, name: string, text: string, current: Family | undefined): Family {
    const family = this.families.get(name) ?? { name, type: '', help: '', samples: [] }
    if (family !== current) assert.ok(!this.families.has(name), `the lines of ${name} stand together`)
    this.families.set(name, family)
    if (what === 'TYPE') family.type = text
    else family.help = text
    return family
  }

  #add(line: string, family: Family | undefined): void {
    const parts = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line)
    assert.ok(parts !== null && family !== undefined, `a sample of a family: ${line}`)
    const [, name, labelText = '', valueText] = parts
    const endings = family.type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
    assert.ok(
      endings.some((ending) => name === family.name + ending),
      `${name} belongs to ${family.name}`,
    )
    const value = valueText === '+Inf' ? Number.POSITIVE_INFINITY : Number(valueText)
    assert.ok(!Number.isNaN(value), `a number: ${line}`)
    const sample = { name, labels: labelsOf(labelText, line), value }
    const key = sampleKey(name, sample.labels)
    assert.ok(!this.samples.has(key), `comes twice: ${line}`)
    this.samples.set(key, sample)
    family.samples.push(sample)
  }
}

/** The same for the same name and labels, in whatever order the labels stand. */
export function sampleKey(name: string, labels: Labels): string {
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))
  return `${name}{${sorted.map(([label, value]) => `${label}=${JSON.stringify(value)}`).join(',')}}`
}

/** Labels without one. */
export function without(labels: Labels, label: string): Labels {
  return Object.fromEntries(Object.entries(labels).filter(([name]) => name !== label))
}

/** Asserts that nothing that only grows is less than before, or gone. */
export function assertGrown(before: Exposition, after: Exposition): void {
  for (const { name, labels, value } of before.growing()) {
    const now = after.value(name, labels)
    assert.ok(now !== undefined && now >= value, `${sampleKey(name, labels)}: ${value}, then ${now}`)
  }
}

function labelsOf(text: string, line: string): Labels {
  const labels: Record<string, string> = {}
  const rest = text.replace(
    /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/g,
    (_whole, name: string, value: string) => {
      assert.ok(!(name in labels), `label ${name} twice: ${line}`)
      labels[name] = value.replace(/\\(.)/g, (_escape, octet) => (octet === 'n' ? '\n' : octet))
      return ''
    },
  )
  assert.equal(rest, '', `labels: ${line}`)
  return labels
}

/** Every series has all buckets, cumulative, the last one +Inf and equal to its count, and a sum. */
function checkHistogram({ name, samples }: Family): void {
  const series = Map.groupBy(samples, ({ labels }) => sampleKey('', without(labels, 'le')))
  let bounds: string[] | undefined
  for (const [key, parts] of series) {
    const buckets = parts.filter((sample) => sample.name === `${name}_bucket`)
    const own = buckets.map(({ labels }) => labels.le)
    bounds ??= own
    assert.deepEqual(own, bounds, `${name}${key} has the buckets of its family`)
    const numbers = own.map((le) => (le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le)))
    assert.ok(
      numbers.every((bound, i) => i === 0 || bound > numbers[i - 1]),
      `${name} has ascending buckets: ${own}`,
    )
    assert.equal(own.at(-1), '+Inf', name)
    const values = buckets.map(({ value }) => value)
    assert.ok(
      values.every((value, i) => i === 0 || value >= values[i - 1]),
      `${name}${key} is cumulative: ${values}`,
    )
    const count = parts.filter((sample) => sample.name === `${name}_count`)
    assert.deepEqual(
      count.map(({ value }) => value),
      [values.at(-1)],
      `${name}${key} has one count`,
    )
    assert.equal(parts.filter((sample) => sample.name === `${name}_sum`).length, 1, `${name}${key} has one sum`)
  }
}
