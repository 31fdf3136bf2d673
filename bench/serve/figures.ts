// The rounds as figures that can be compared with those of another day.

import type { Figure } from '../results.ts'
import { cpuMicros, doubt, ratios, type Sample, scenarioName } from './report.ts'

const ECHO = 'echo'

/**
 * One value a round. Rates are of rounds in which nothing but the server was the limit, if there are any; ratios to the echo loop
 * are taken within a round, and say most when the machine is not the same.
 */
export function serveFigures(samples: readonly Sample[]): Figure[] {
  const groups = Map.groupBy(samples, ({ scenario, target }) => `${scenarioName(scenario)}: ${target}`)
  return [...groups].flatMap(([name, own]): Figure[] => {
    const clear = own.filter(({ result }) => doubt(result) === '')
    const rates = (clear.length > 0 ? clear : own).map(({ result }) => result.answered / result.seconds)
    const lost = own.map(({ result }) => (result.lost / (result.answered + result.lost || 1)) * 1e6)
    return [
      { name: `${name}, rate`, unit: 'queries/s', better: 'higher', values: rates },
      { name: `${name}, CPU`, unit: 'µs/query', better: 'lower', values: own.map(({ result }) => cpuMicros(result)) },
      { name: `${name}, lost`, unit: 'per million', better: 'lower', values: lost },
      ...(own[0].target === ECHO ? [] : toEcho(name, own, samples)),
    ]
  })
}

function toEcho(name: string, own: readonly Sample[], samples: readonly Sample[]): Figure[] {
  return [{ name: `${name}, CPU to the echo loop`, unit: '', better: 'lower', values: ratios(own, samples, ECHO) }]
}
