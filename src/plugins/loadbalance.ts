// Plugin loadbalance, for whole messages: the order of the records in a reply. What is answered in place is shuffled there (shuffle.ts).

import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import type { LoadbalanceConfig } from '../config/configuration.ts'
import type { ResourceRecord } from '../dns/message.ts'
import { TYPES } from '../dns/record-types.ts'
import { addressOctets, compileNetworks } from './networks.ts'
import type { Plugin, Walk } from './plugin.ts'

const WEIGHT_MAX = 255
const WEIGHT_UNLISTED = 1

/** Owner -> address (octets, joined by commas) -> weight. */
export type Weights = ReadonlyMap<string, ReadonlyMap<string, number>>

/** A file of weights that cannot be used. */
export class WeightsError extends Error {
  override readonly name = 'WeightsError'
  readonly code = 'BAD_WEIGHTS'
}

/** What the plugin has of the world; a test gives its own. */
export interface LoadbalanceSources {
  /** Milliseconds, never going back. */
  readonly now: () => number
  /** Text of the file of weights. @throws Error */
  readonly read: (path: string) => string
  /** A number of 0..bound-1, all as likely. */
  readonly below: (bound: number) => number
  /** A file that cannot be used: what was read before counts on. */
  readonly warn: (line: string) => void
}

const SOURCES: LoadbalanceSources = {
  now: () => performance.now(),
  read: (path) => readFileSync(path, 'utf8'),
  below: randomInt,
  warn: () => {},
}

/**
 * The plugin `loadbalance`. A file of weights is read at once, and again before a reply when it is older than its interval.
 *
 * @throws NetworkError for a preferred network that is none
 */
export function createLoadbalance(config: LoadbalanceConfig, sources: Partial<LoadbalanceSources> = {}): Plugin {
  const { now, read, below, warn } = { ...SOURCES, ...sources }
  const preferred = config.prefer.length === 0 ? null : compileNetworks(config.prefer)
  const weights =
    config.policy === 'weighted' ? weightsReader(config.file, config.reloadMs, { now, read, below, warn }) : null

  const rankOf = ({ rdata }: ResourceRecord): number => {
    const index = preferred!.indexOf(rdata)
    return index < 0 ? config.prefer.length : index
  }
  const arranged = (section: readonly ResourceRecord[], qname: string): ResourceRecord[] => {
    const aliases = section.filter(({ type }) => type === TYPES.CNAME)
    const addresses = section.filter(isAddress)
    const exchanges = section.filter(({ type }) => type === TYPES.MX)
    const others = section.filter((each) => each.type !== TYPES.CNAME && each.type !== TYPES.MX && !isAddress(each))
    if (weights === null) shuffle(addresses, below)
    else moveDrawnToFront(addresses, weights(), qname, below)
    shuffle(exchanges, below)
    const best = preferred === null ? addresses : sortedBy(addresses, rankOf)
    return [...aliases, ...others, ...best, ...exchanges]
  }
  return {
    name: 'loadbalance',
    *serve(request, next): Walk {
      const outcome = yield* next(request)
      const { type, name } = request.question
      if (outcome.kind !== 'reply' || outcome.rcode !== 0 || type === TYPES.AXFR || type === TYPES.IXFR) return outcome
      outcome.answer = arranged(outcome.answer, name)
      outcome.authority = arranged(outcome.authority, name)
      outcome.additional = arranged(outcome.additional, name)
      return outcome
    },
  }
}

/**
 * Reads weights: a line with a name, then a line `ADDRESS WEIGHT` for each of its addresses; `#` begins a comment.
 *
 * @throws WeightsError with the number of the line
 */
export function parseWeights(text: string): Weights {
  const weights = new Map<string, Map<string, number>>()
  let current: Map<string, number> | null = null
  for (const [i, line] of text.split('\n').entries()) {
    const words = line.replace(/#.*/, '').split(/\s+/).filter(Boolean)
    const wrong = (what: string) => new WeightsError(`line ${i + 1}: ${what}`)
    if (words.length === 0) continue
    if (words.length > 2) throw wrong(`neither a name nor an address and its weight: '${line.trim()}'`)
    const [first, second] = words
    if (second === undefined) {
      if (isIP(first) !== 0) throw wrong(`'${first}' has no weight`)
      const name = first.toLowerCase().replace(/\.?$/, '.')
      current = weights.get(name) ?? new Map()
      weights.set(name, current)
      continue
    }
    const octets = addressOctets(first)
    if (octets === null) throw wrong(`'${first}' is no address`)
    if (current === null) throw wrong('an address before the first name')
    if (!/^\d{1,3}$/.test(second) || Number(second) < 1 || Number(second) > WEIGHT_MAX) {
      throw wrong(`'${second}' is no weight: 1 to ${WEIGHT_MAX}`)
    }
    current.set(octets.join(), Number(second))
  }
  return weights
}

function weightsReader(path: string, reloadMs: number, { now, read, warn }: LoadbalanceSources): () => Weights {
  let weights: Weights = new Map()
  let text: string | null = null
  let complaint = ''
  let readAt = 0
  const load = (): void => {
    readAt = now()
    try {
      const found = read(path)
      if (found === text) return
      weights = parseWeights(found)
      text = found
      complaint = ''
    } catch (error) {
      const { message } = error as Error
      // The same complaint every 30 seconds tells nothing new.
      if (message !== complaint) warn(`${path}: ${message}`)
      complaint = message
    }
  }
  load()
  return () => {
    if (reloadMs > 0 && now() - readAt >= reloadMs) load()
    return weights
  }
}

/** Draws one of `addresses` by weight and puts it first; the others keep their order. */
function moveDrawnToFront(
  addresses: ResourceRecord[],
  weights: Weights,
  qname: string,
  below: LoadbalanceSources['below'],
): void {
  if (addresses.length < 2) return
  // Behind an alias the owner is not what was asked; either may be what the file names.
  const listed = weights.get(addresses[0].owner.toLowerCase()) ?? weights.get(qname)
  const each = addresses.map(({ rdata }) => listed?.get(rdata.join()) ?? WEIGHT_UNLISTED)
  let left = below(each.reduce((sum, weight) => sum + weight, 0))
  const drawn = each.findIndex((weight) => {
    left -= weight
    return left < 0
  })
  addresses.unshift(...addresses.splice(drawn, 1))
}

function isAddress({ type }: ResourceRecord): boolean {
  return type === TYPES.A || type === TYPES.AAAA
}

function shuffle(list: ResourceRecord[], below: LoadbalanceSources['below']): void {
  for (let left = list.length; left > 1; left--) {
    const other = below(left)
    ;[list[left - 1], list[other]] = [list[other], list[left - 1]]
  }
}

function sortedBy(list: readonly ResourceRecord[], rankOf: (record: ResourceRecord) => number): ResourceRecord[] {
  return list
    .map((record) => ({ record, rank: rankOf(record) }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ record }) => record)
}
