// What a stub resolver asks on its way to a name: the resolv.conf of a Pod has `search NS.svc.Z svc.Z Z` and `options ndots:5`
// (resolv.conf(5)): a name with fewer dots is tried below each of these first, and as it stands last.

import { NAME_LENGTH_MAX } from '../../dns/name.ts'
import type { NamePool } from './name-pool.ts'

const NDOTS = 5
/** A name without escapes and without its final dot is two octets longer on the wire. */
const TEXT_LENGTH_MAX = NAME_LENGTH_MAX - 2
/** Names asked in vain at most. */
export const MISSES_MAX = 3

/** Whether a name is tried below the search path before it is tried as it stands. */
export function isSearched(name: string): boolean {
  return dots(name) < NDOTS
}

/**
 * How many names a client can have asked in vain before it comes to one, ascending: 0 if it writes the final dot, or is in the same
 * namespace and writes `web`; 1 for `web.shop`; 2 for `web.shop.svc`; 3 for the whole name without its final dot.
 *
 * @param relativeName  left of the zone
 */
export function possibleMisses(relativeName: string, zone: string): number[] {
  const misses = [0]
  if (relativeName.endsWith('.svc') && isSearched(typedName(relativeName, zone, 1))) misses.push(1)
  if (isSearched(typedName(relativeName, zone, 2))) misses.push(2)
  if (isSearched(typedName(relativeName, zone, 3))) misses.push(3)
  return misses
}

/**
 * The whole names that a client in a namespace asks, the one that exists last.
 *
 * @param misses  one of possibleMisses
 * @returns null if one of the others may exist as well, or is too long to be asked
 */
export function walkTo(pool: NamePool, relativeName: string, misses: number, namespace: string): string[] | null {
  const hit = `${relativeName}.${pool.zone}`
  if (misses === 0) return [hit]
  const vain = vainNames(pool, typedName(relativeName, pool.zone, misses), namespace, misses)
  return vain === null ? null : [...vain, hit]
}

/** The same for a name outside of the zone: one that isSearched. */
export function walkOutside(pool: NamePool, name: string, namespace: string): string[] | null {
  const vain = vainNames(pool, name, namespace, MISSES_MAX)
  return vain === null ? null : [...vain, name]
}

/** The names below the zone that are asked for a Service that is gone. None of them exists. */
export function walkInVain(pool: NamePool, name: string, namespace: string): string[] | null {
  return vainNames(pool, name, namespace, MISSES_MAX)
}

/** What is written for a name, so that so many are asked before it. */
function typedName(relativeName: string, zone: string, misses: number): string {
  if (misses === 1) return relativeName.slice(0, -'.svc'.length)
  return misses === 2 ? relativeName : `${relativeName}.${zone}`
}

function vainNames(pool: NamePool, typed: string, namespace: string, count: number): string[] | null {
  const names: string[] = []
  for (const relative of [`${typed}.${namespace}.svc`, `${typed}.svc`, typed].slice(0, count)) {
    const name = `${relative}.${pool.zone}`
    if (name.length > TEXT_LENGTH_MAX || pool.mayExist(relative)) return null
    names.push(name)
  }
  return names
}

function dots(name: string): number {
  let count = 0
  for (let at = name.indexOf('.'); at !== -1; at = name.indexOf('.', at + 1)) count++
  return count
}
