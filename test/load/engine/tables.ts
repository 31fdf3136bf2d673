// Small tables of queries for the tests of the engine.

import { encode, RECURSION_DESIRED, type RecordType } from 'dns-packet'
import { type QueryTable, QueryTableBuilder } from '../../../src/load/query-table.ts'

/** A query as a stub resolver sends it, the ID 0. */
export function message(name: string, type: RecordType = 'A'): Uint8Array {
  return encode({ type: 'query', id: 0, flags: RECURSION_DESIRED, questions: [{ name, type }] })
}

/** A for each of the names, in this order. */
export function tableOf(names: readonly string[]): QueryTable {
  const builder = new QueryTableBuilder()
  for (const name of names) builder.add(message(name))
  return builder.build()
}

/** `n0.test`, `n1.test`, …: the number as a server sees it is the place in the table. */
export function numberedNames(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `n${i}.test`)
}

/** By group: the first is sent alone or with those behind it. */
export function tableOfGroups(sizes: readonly number[]): QueryTable {
  const builder = new QueryTableBuilder()
  sizes.forEach((size, group) => {
    for (let i = 0; i < size; i++) builder.add(message(`g${group}.test`, i === 0 ? 'A' : 'AAAA'), i > 0)
  })
  return builder.build()
}

/** One query at each of the times, in milliseconds. */
export function tableOfTimes(times: readonly number[]): QueryTable {
  const builder = new QueryTableBuilder()
  times.forEach((ms, i) => {
    builder.add(message(`n${i}.test`), false, ms)
  })
  return builder.build()
}
