// The built-in mix: queries as the Pods of a cluster send them. Lookups are drawn from a seed (mix-plan.ts), so many clients walk
// their search paths at the same time, each in the order a stub resolver keeps, and what they ask is written into a table.

import { TYPES } from '../../dns/record-types.ts'
import { LoadInputError } from '../input-error.ts'
import { type QueryTable, QueryTableBuilder } from '../query-table.ts'
import { scattered, seededRandom, uniform, weighted, zipf } from './draw.ts'
import type { MixOptions } from './mix-options.ts'
import { type LookupKind, type LookupPlan, type MixPlan, planMix } from './mix-plan.ts'
import type { NameKind, NamePool } from './name-pool.ts'
import { EXAMPLE_NAMES } from './outside-names.ts'
import { isSearched, walkInVain, walkOutside, walkTo } from './search-path.ts'
import { QueryEncoder, randomiseCase } from './wire-query.ts'

/** What queries of a mix are for. */
export type Purpose = 'nxdomain' | 'cluster' | 'outside' | 'srv' | 'ptr'

/** Queries that were drawn. */
export interface DrawnMix {
  readonly table: QueryTable
  readonly counts: Readonly<Record<Purpose, number>>
  readonly types: ReadonlyMap<number, number>
}

const COUNT_MAX = 16_777_216
const CLIENTS_MAX = 65_536
const SEED_MAX = 2 ** 32 - 1
const EXPONENT_MAX = 4
/** Draws until a name is found whose search path has no other names on it; after that it is asked without one. */
const DRAWS_MAX = 16
/** What is taken of a Service's name for that of one that is gone: a label has 63 octets. */
const GONE_BASE_LENGTH = 50

const PAIR: readonly number[] = [TYPES.A, TYPES.AAAA]
const A_ALONE: readonly number[] = [TYPES.A]

/** What one client asks for one name. */
interface Lookup {
  /** Whole names in the order they are asked: each for all types, before the next is. */
  readonly names: readonly string[]
  readonly types: readonly number[]
  /** Of the last name; those before it are asked in vain. */
  readonly purpose: Purpose
  /** Names asked so far. */
  asked: number
}

/**
 * Draws queries: the same ones for the same pool and options.
 *
 * @throws LoadInputError for options out of range, and for a cluster without names
 */
export function drawMix(pool: NamePool, options: MixOptions): DrawnMix {
  checkOptions(options)
  if (pool.namespaceCount === 0) throw new LoadInputError(`${pool.label}: no names`)
  return new Drawing(pool, options).draw()
}

function checkOptions(options: MixOptions): void {
  const { seed, count, zipfExponent, clients, distribution } = options
  checkInteger('seed', seed, 0, SEED_MAX)
  checkInteger('count', count, 1, COUNT_MAX)
  checkInteger('clients', clients, 1, CLIENTS_MAX)
  if (distribution === 'zipf' && !(zipfExponent >= 0 && zipfExponent <= EXPONENT_MAX)) {
    throw new LoadInputError(`zipfExponent ${zipfExponent}: 0 to ${EXPONENT_MAX}`)
  }
}

function checkInteger(name: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new LoadInputError(`${name} ${value}: a whole number, ${min} to ${max}`)
  }
}

class Drawing {
  readonly #pool: NamePool
  readonly #options: MixOptions
  readonly #random: () => number
  readonly #plan: MixPlan
  readonly #drawPlan: () => number
  readonly #drawNamespace: () => number
  readonly #drawIndex = new Map<NameKind, () => number>()
  /** Names outside of the zone that a search path comes before. */
  readonly #drawSearched: () => string
  /** Those that are asked as they stand: with many dots, or if there are none, with a final dot. */
  readonly #drawDirect: () => string
  readonly #encoder: QueryEncoder
  readonly #builder = new QueryTableBuilder()
  readonly #counts: Record<Purpose, number> = { nxdomain: 0, cluster: 0, outside: 0, srv: 0, ptr: 0 }
  readonly #types = new Map<number, number>()

  constructor(pool: NamePool, options: MixOptions) {
    this.#pool = pool
    this.#options = options
    this.#random = seededRandom(options.seed)
    this.#encoder = new QueryEncoder(options.edns)
    const outside = outsideNames(pool, options)
    const searched = outside.filter(isSearched)
    const direct = outside.filter((name) => !isSearched(name))
    this.#drawSearched = this.#from(searched)
    this.#drawDirect = this.#from(direct.length > 0 ? direct : searched)
    this.#plan = planMix(options, pool, { searched: searched.length, direct: direct.length })
    const weights = this.#plan.lookups.map(({ weight }) => weight)
    this.#drawPlan = weighted(weights, this.#random)
    this.#drawNamespace = this.#sampler(pool.namespaceCount)
  }

  draw(): DrawnMix {
    const { count, clients } = this.#options
    const walking: Lookup[] = []
    // Lookups are finished, not cut: names that exist come last on a search path, and would be too few.
    let planned = 0
    while (walking.length < clients && planned < count) {
      const lookup = this.#lookup()
      planned += queriesOf(lookup)
      walking.push(lookup)
    }
    while (this.#builder.count < count) {
      const client = Math.floor(this.#random() * walking.length)
      const lookup = walking[client]
      this.#ask(lookup)
      if (lookup.asked < lookup.names.length) continue
      const next = planned < count ? this.#lookup() : null
      planned += next === null ? 0 : queriesOf(next)
      if (next !== null) walking[client] = next
      else walking.splice(client, 1)
    }
    return { table: this.#builder.build(), counts: this.#counts, types: this.#types }
  }

  /** Writes the queries for the next name of a lookup. */
  #ask(lookup: Lookup): void {
    const name = lookup.names[lookup.asked++]
    const purpose = lookup.asked === lookup.names.length ? lookup.purpose : 'nxdomain'
    lookup.types.forEach((type, place) => {
      if (this.#builder.count === this.#options.count) return
      const message = this.#encoder.encode(name, type)
      if (this.#options.caseRandomisation) randomiseCase(message, this.#random)
      this.#builder.add(message, place > 0 && this.#options.pairs)
      this.#counts[purpose]++
      this.#types.set(type, (this.#types.get(type) ?? 0) + 1)
    })
  }

  #lookup(): Lookup {
    const plan = this.#plan.lookups[this.#drawPlan()]
    const { kind } = plan
    if (kind === 'port') {
      const name = `${this.#name('port')}.${this.#pool.zone}`
      return { names: [name], types: [TYPES.SRV], purpose: 'srv', asked: 0 }
    }
    if (kind === 'address') return { names: [this.#name('address')], types: [TYPES.PTR], purpose: 'ptr', asked: 0 }
    const types = this.#random() < this.#plan.singleAShare ? A_ALONE : PAIR
    return { names: this.#walk(plan), types, purpose: purposeOf(kind), asked: 0 }
  }

  #walk(plan: LookupPlan): readonly string[] {
    for (let draw = 0; draw < DRAWS_MAX; draw++) {
      const names = this.#tryWalk(plan)
      if (names !== null) return names
    }
    if (plan.kind === 'gone') return [this.#strayName()]
    return this.#tryWalk({ ...plan, misses: 0 })!
  }

  /** Null if the search path has other names on it, which it cannot without misses. */
  #tryWalk({ kind, misses }: LookupPlan): readonly string[] | null {
    const namespace = this.#pool.namespace(this.#drawNamespace())
    if (kind === 'gone') return walkInVain(this.#pool, this.#goneLabel(), namespace)
    if (kind !== 'outside') return walkTo(this.#pool, this.#name(kind), misses, namespace)
    return misses === 0 ? [this.#drawDirect()] : walkOutside(this.#pool, this.#drawSearched(), namespace)
  }

  /** A label that looks like that of a Service. */
  #goneLabel(): string {
    const base = this.#pool.count('service') > 0 ? this.#name('service') : 'service'
    return `${base.split('.', 1)[0].slice(0, GONE_BASE_LENGTH)}-gone-${Math.floor(this.#random() * 1000)}`
  }

  /** Directly below the zone, where no Service is. */
  #strayName(): string {
    return `gone-${Math.floor(this.#random() * 2 ** 32).toString(36)}.${this.#pool.zone}`
  }

  #name(kind: NameKind): string {
    let draw = this.#drawIndex.get(kind)
    if (draw === undefined) {
      draw = this.#sampler(this.#pool.count(kind))
      this.#drawIndex.set(kind, draw)
    }
    return this.#pool.name(kind, draw())
  }

  #from(names: readonly string[]): () => string {
    const isUniform = this.#options.distribution === 'uniform'
    const draw = isUniform ? uniform(names.length, this.#random) : this.#zipf(names.length)
    return () => names[draw()]
  }

  #sampler(count: number): () => number {
    if (this.#options.distribution === 'uniform') return uniform(count, this.#random)
    return scattered(this.#zipf(count), count, 1 % count)
  }

  #zipf(count: number): () => number {
    return zipf(count, this.#random, this.#options.zipfExponent)
  }
}

function queriesOf({ names, types }: Lookup): number {
  return names.length * types.length
}

function purposeOf(kind: LookupKind): Purpose {
  if (kind === 'gone') return 'nxdomain'
  return kind === 'outside' ? 'outside' : 'cluster'
}

/** @throws LoadInputError for names inside of the zone, and if there are none that are wanted */
function outsideNames({ zone }: NamePool, { externalNames, externalShare }: MixOptions): readonly string[] {
  const isInside = (name: string): boolean => `.${name.toLowerCase()}`.endsWith(`.${zone}`)
  if (externalNames === null) return EXAMPLE_NAMES.filter((name) => !isInside(name))
  const inside = externalNames.find(isInside)
  if (inside !== undefined) throw new LoadInputError(`external name ${inside}: it is inside of the zone ${zone}`)
  if (externalNames.length === 0 && externalShare > 0) throw new LoadInputError('externalShare without external names')
  return externalNames
}
