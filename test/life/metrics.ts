// Values of a page of metrics, by what they are called there.

import assert from 'node:assert/strict'
import type { CorefileServer } from '../corefile/corefile-server.ts'

/** The page of a server. */
export async function metricsPage(server: CorefileServer, port: number): Promise<string> {
  const { status, body } = await server.get('/metrics', port)
  assert.equal(status, 200)
  return body
}

/** The sum of all series of a name whose labels hold `label` (`hash="sha512"`); NaN if there is none. */
export function metricOf(page: string, name: string, label = ''): number {
  let sum = Number.NaN
  for (const line of page.split('\n')) {
    const found = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line)
    if (found === null || found[1] !== name || !(found[2] ?? '').includes(label)) continue
    sum = (Number.isNaN(sum) ? 0 : sum) + Number(found[3])
  }
  return sum
}
