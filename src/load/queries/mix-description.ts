// What was drawn, in words, for people who read a report: with the figures that came out, not those that were asked for.

import { TYPES, typeName } from '../../dns/record-types.ts'
import type { DrawnMix, Purpose } from './cluster-mix.ts'
import type { MixOptions } from './mix-options.ts'
import type { NamePool } from './name-pool.ts'

const PURPOSES: readonly [purpose: Purpose, words: string][] = [
  ['nxdomain', 'names that search paths (ndots:5) ask in vain'],
  ['cluster', 'addresses of names of the cluster'],
  ['outside', 'addresses of names outside of it'],
  ['srv', 'SRV of ports'],
  ['ptr', 'PTR of addresses'],
]

/** A few sentences. */
export function describeMix({ table, counts, types }: DrawnMix, options: MixOptions, pool: NamePool): string {
  const percent = (count: number): string => `${((100 * count) / table.count).toFixed(1)} %`
  const parts = PURPOSES.filter(([purpose]) => counts[purpose] > 0).map(
    ([purpose, words]) => `${percent(counts[purpose])} ${words}`,
  )
  const shares = [...types].sort(([, a], [, b]) => b - a).map(([type, count]) => `${percent(count)} ${typeName(type)}`)
  const sentences = [
    `${table.count.toLocaleString('en')} queries drawn from ${pool.label}, zone ${pool.zone}, seed ${options.seed}: ${parts.join(', ')}`,
    `${shares.join(', ')}; ${pairWords(options, types)}`,
    `${nameWords(options)}, ${options.clients === 1 ? 'one client' : `${options.clients} clients`} at a time`,
  ]
  if (options.caseRandomisation) sentences.push('Letters are in random case (0x20)')
  if (options.edns !== null) {
    const { udpSize, dnssecOk } = options.edns
    sentences.push(`EDNS with ${udpSize} octets${dnssecOk ? ' and DO' : ''}`)
  }
  return `${sentences.join('. ')}.`
}

function pairWords({ pairs }: MixOptions, types: ReadonlyMap<number, number>): string {
  if (!types.has(TYPES.AAAA)) return 'no AAAA'
  return pairs ? 'an AAAA leaves with its A, from the same socket' : 'an AAAA follows its A as a query of its own'
}

function nameWords({ distribution, zipfExponent }: MixOptions): string {
  return distribution === 'uniform' ? 'All names are equally likely' : `Names by Zipf's law, exponent ${zipfExponent}`
}
