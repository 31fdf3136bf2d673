// The rounds of forwarding as figures that can be compared with those of another day.

import type { Figure } from '../results.ts'
import { cpuMicros } from '../serve/report.ts'
import { type BurstSample, fullest, nameOf, rate, type Sample } from './report.ts'

/** One value a round. Rounds whose answers were wrong are left out; rates are of rounds in which the server filled its core, if there are any. */
export function forwardFigures(samples: readonly Sample[], bursts: readonly BurstSample[]): Figure[] {
  const right = samples.filter(({ wrong }) => wrong === '')
  const groups = Map.groupBy(right, (sample) =>
    [sample.kind, sample.mix, nameOf(sample)].filter((word) => word !== '').join(', '),
  )
  const rounds = [...groups].flatMap(([name, own]): Figure[] => [
    {
      name: `${name}, rate`,
      unit: 'queries/s',
      better: 'higher',
      values: fullest(own).map(({ result }) => rate(result)),
    },
    { name: `${name}, CPU`, unit: 'µs/query', better: 'lower', values: own.map(({ result }) => cpuMicros(result)) },
    ...(own[0].kind === 'misses' ? upstream(name, own) : []),
  ])
  const asked = Map.groupBy(bursts, ({ target, clients }) => `one name, ${clients} clients, ${target}`)
  return [...rounds, ...[...asked].flatMap(([name, own]) => burst(name, own))]
}

function upstream(name: string, own: readonly Sample[]): Figure[] {
  const queries = own.map(({ counts }) => counts.queries / counts.names)
  const repeats = own.map(({ counts }) => counts.repeatsInFlight)
  return [
    { name: `${name}, upstream queries a name`, unit: '', better: 'lower', values: queries },
    { name: `${name}, repeats in flight`, unit: '', better: 'lower', values: repeats },
  ]
}

function burst(name: string, own: readonly BurstSample[]): Figure[] {
  const unanswered = own.map(({ clients, result }) => clients - result.rcodes[0])
  return [
    { name: `${name}, upstream queries`, unit: '', better: 'lower', values: own.map(({ counts }) => counts.queries) },
    { name: `${name}, without an answer`, unit: '', better: 'lower', values: unanswered },
    { name: `${name}, answered within`, unit: 'ms', better: 'lower', values: own.map(({ result }) => result.totalMs) },
  ]
}
