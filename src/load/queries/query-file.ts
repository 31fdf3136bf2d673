// Queries as files have them: dnsperf's and resperf's `name type` a line (dnsperf(1), "Constructing a query input file"), which is the
// form of kubernetes/perf-tests' dns/queries too; and that project's lists of names, in a ConfigMap or not, each of which it looks up
// as a Pod would: below its search path, A and AAAA together, the reverse name of an address.

import { NameError } from '../../dns/name.ts'
import { TYPES, typeName, typeNumber } from '../../dns/record-types.ts'
import { canonicalAddress, reverseName } from '../../kube/address.ts'
import { LoadInputError } from '../input-error.ts'
import { type QueryTable, QueryTableBuilder } from '../query-table.ts'
import { configMapTexts, isManifest } from './config-map.ts'
import { isSearched } from './search-path.ts'
import { eachLine, type Line, placeOf, readOctets } from './text-lines.ts'
import { type EdnsOptions, QueryEncoder, randomiseCase } from './wire-query.ts'

/** How a file is read. */
export interface QueryFileOptions {
  readonly edns: EdnsOptions | null
  /** Draws the case of letters; null = they stay as they are. */
  readonly caseBy: (() => number) | null
  /**
   * Domains that a name without a type is looked up below, before it is as it stands; null: such a line is malformed, but in a
   * ConfigMap, where they are those of a Pod in the namespace `default`.
   */
  readonly search: readonly string[] | null
}

/** What a file held. */
export interface QueryFile {
  readonly table: QueryTable
  /** Queries by type. */
  readonly types: ReadonlyMap<number, number>
  /** Lines with a name and no type. */
  readonly lookups: number
}

/** Characters of a message about a line, which may be of any length. */
const MESSAGE_LENGTH_MAX = 200

const POD_SEARCH: readonly string[] = ['default.svc.cluster.local', 'svc.cluster.local', 'cluster.local']

/**
 * Reads a file.
 *
 * @param path  '-' = standard input
 * @throws LoadInputError for a file that cannot be read or has no queries, and for a malformed line: `FILE:LINE: what is wrong`
 */
export function readQueryFile(path: string, options: QueryFileOptions): QueryFile {
  const octets = readOctets(path)
  const place = placeOf(path)
  if (!isManifest(octets)) return new Reader(options).read(octets, place).end(place)
  const reader = new Reader({ ...options, search: options.search ?? POD_SEARCH })
  for (const { key, text } of configMapTexts(octets, place)) reader.read(Buffer.from(text), `${place}, ${key}`)
  return reader.end(place)
}

/** A few words on what is in it: `25 queries (56 % A, 44 % AAAA)`. */
export function describeQueryFile({ table, types, lookups }: QueryFile): string {
  const shares = [...types]
    .sort(([, a], [, b]) => b - a)
    .map(([type, count]) => `${((100 * count) / table.count).toFixed(1)} % ${typeName(type)}`)
  const made = lookups === 0 ? '' : `, made of ${lookups.toLocaleString('en')} names by a search path`
  return `${table.count.toLocaleString('en')} queries (${shares.join(', ')})${made}`
}

class Reader {
  readonly #options: QueryFileOptions
  readonly #encoder: QueryEncoder
  readonly #builder = new QueryTableBuilder()
  readonly #types = new Map<number, number>()
  #lookups = 0

  constructor(options: QueryFileOptions) {
    this.#options = options
    this.#encoder = new QueryEncoder(options.edns)
  }

  /** @returns this */
  read(octets: Buffer, place: string): this {
    eachLine(octets, (line) => {
      try {
        this.#readLine(line)
      } catch (error) {
        if (!(error instanceof NameError || error instanceof LoadInputError)) throw error
        throw new LoadInputError(`${place}:${line.number}: ${clipped(error.message)}`)
      }
    })
    return this
  }

  end(place: string): QueryFile {
    if (this.#builder.count === 0) throw new LoadInputError(`${place}: no queries`)
    return { table: this.#builder.build(), types: this.#types, lookups: this.#lookups }
  }

  #readLine({ first, second, rest }: Line): void {
    if (second === '') {
      this.#lookUp(first)
      return
    }
    const type = typeNumber(second)
    if (type < 0) throw new LoadInputError(`no record type is called '${second}'`)
    if (rest !== '') throw new LoadInputError(`'${rest}' behind the type: NAME TYPE is expected`)
    this.#add(first, type, false)
  }

  #lookUp(name: string): void {
    const { search } = this.#options
    if (search === null) throw new LoadInputError(`no record type behind '${name}': NAME TYPE is expected`)
    this.#lookups++
    if (canonicalAddress(name) !== '') {
      this.#add(reverseName(name).join('.'), TYPES.PTR, false)
      return
    }
    // Where the walk ends is not known without the answers: all of it is asked.
    const domains = isSearched(name) && !name.endsWith('.') ? search : []
    for (const asked of [...domains.map((domain) => `${name}.${domain}`), name]) {
      this.#add(asked, TYPES.A, false)
      this.#add(asked, TYPES.AAAA, true)
    }
  }

  #add(name: string, type: number, isFollower: boolean): void {
    const message = this.#encoder.encode(name, type)
    if (this.#options.caseBy !== null) randomiseCase(message, this.#options.caseBy)
    this.#builder.add(message, isFollower)
    this.#types.set(type, (this.#types.get(type) ?? 0) + 1)
  }
}

function clipped(text: string): string {
  return text.length > MESSAGE_LENGTH_MAX ? `${text.slice(0, MESSAGE_LENGTH_MAX)}…` : text
}
