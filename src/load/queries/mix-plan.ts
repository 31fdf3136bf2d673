// From the shares of a mix to how often which lookup is made. A lookup is everything that one client asks for one name: the names of
// its search path that do not exist, in order, and then the one that does.
//
// How many names are asked in vain depends on how clients write names (`web`, `web.shop`, `web.shop.svc.cluster.local`). The habits
// below are tilted, each by a power of one number, until all lookups together ask as many in vain as nxdomainShare says. What no
// way of writing can give is asked for Services that are gone.

import { LoadInputError } from '../input-error.ts'
import type { MixOptions } from './mix-options.ts'
import { ADDRESS_KINDS, type AddressKind, type NameKind, type NamePool } from './name-pool.ts'
import { MISSES_MAX, possibleMisses } from './search-path.ts'

/** outside: a name outside of the zone. gone: a Service that does not exist, asked below the search path and given up. */
export type LookupKind = NameKind | 'outside' | 'gone'

/** A sort of lookup. */
export interface LookupPlan {
  readonly kind: LookupKind
  /** Names asked in vain. */
  readonly misses: number
  /** How often it is made beside the others. */
  readonly weight: number
}

export interface MixPlan {
  readonly lookups: readonly LookupPlan[]
  /** Of the lookups of addresses: those that ask for A alone, 0..1. */
  readonly singleAShare: number
}

/** Names outside of the zone: whether there are some that are searched for, and some that are not. */
export interface OutsideNames {
  readonly searched: number
  readonly direct: number
}

/** What Pods look up, by Zipf's law; if all names are equally likely, a kind counts by its names. */
const KIND_WEIGHTS: Readonly<Record<AddressKind, number>> = {
  service: 85,
  // Members of StatefulSets: brokers, databases.
  hostname: 10,
  external: 3,
  // What an SRV record points at.
  endpoint: 1,
  pod: 0.5,
  // A short name that happens to be a namespace, which is no Service: NODATA on the way.
  namespace: 0.5,
}
/** How names of the cluster are written, by how many are asked in vain: `web`, `web.shop`, `web.shop.svc`, all but the final dot. */
const CLUSTER_HABITS: readonly number[] = [0.4, 0.4, 0.08, 0.12]
/** Names outside that are written with a final dot, of those that would be searched for. */
const FINAL_DOT_SHARE = 0.05
/** How far habits are tilted: each more in vain, so many times as likely. */
const TILT_MAX = 16
const TILT_STEPS = 60
const SHARE_ERROR_MAX = 1e-9

/** Lookups that end at a name of one kind, by their share of all that do; how likely each number of misses is. */
interface Group {
  readonly kind: LookupKind
  readonly share: number
  readonly habits: readonly number[]
}

/** @throws LoadInputError for shares that cannot be */
export function planMix(options: MixOptions, pool: NamePool, outside: OutsideNames): MixPlan {
  checkShares(options)
  const { nxdomainShare, externalShare } = options
  // What the cluster has none of is not asked.
  const srv = pool.count('port') === 0 ? 0 : options.srvShare
  const ptr = pool.count('address') === 0 ? 0 : options.ptrShare
  const addresses = 1 - srv - ptr
  const inCluster = Math.max(0, addresses - nxdomainShare - externalShare)
  const groups = [...clusterGroups(options, pool, inCluster), ...outsideGroups(outside, externalShare)]
  const tilt = tiltFor(groups, nxdomainShare)
  const gone = Math.max(0, nxdomainShare - missesOf(groups, tilt))
  const alone = Math.min(1, options.singleAShare / addresses)
  const singleAShare = (2 * alone) / (1 + alone)
  // Shares are in queries; a lookup of addresses has one or two for each name.
  const perName = 2 - singleAShare
  const lookups: LookupPlan[] = [
    { kind: 'port', misses: 0, weight: srv },
    { kind: 'address', misses: 0, weight: ptr },
    { kind: 'gone', misses: MISSES_MAX, weight: gone / MISSES_MAX / perName },
  ]
  for (const group of groups) {
    tilted(group, tilt).forEach((likelihood, misses) => {
      lookups.push({ kind: group.kind, misses, weight: (group.share * likelihood) / perName })
    })
  }
  return { lookups: lookups.filter(({ weight }) => weight > 0), singleAShare }
}

function checkShares(options: MixOptions): void {
  const { nxdomainShare, srvShare, ptrShare, externalShare, singleAShare } = options
  const shares = { nxdomainShare, srvShare, ptrShare, externalShare, singleAShare }
  for (const [name, share] of Object.entries(shares)) {
    if (!(share >= 0 && share <= 1)) throw new LoadInputError(`${name} ${share}: a share is 0 to 1`)
  }
  const sum = nxdomainShare + srvShare + ptrShare + externalShare
  if (sum > 1 + SHARE_ERROR_MAX) {
    throw new LoadInputError(
      `nxdomainShare, srvShare, ptrShare and externalShare are ${Number(sum.toFixed(6))} together: 1 is all there is`,
    )
  }
  if (singleAShare > 1 - srvShare - ptrShare + SHARE_ERROR_MAX) {
    throw new LoadInputError(`singleAShare ${singleAShare} is more than srvShare and ptrShare leave`)
  }
}

function clusterGroups({ distribution }: MixOptions, pool: NamePool, share: number): Group[] {
  const weightOf = (kind: AddressKind): number =>
    pool.count(kind) === 0 ? 0 : distribution === 'uniform' ? pool.count(kind) : KIND_WEIGHTS[kind]
  const sum = ADDRESS_KINDS.reduce((total, kind) => total + weightOf(kind), 0)
  return ADDRESS_KINDS.filter((kind) => pool.count(kind) > 0).map((kind) => {
    const possible = possibleMisses(pool.name(kind, 0), pool.zone)
    const habits = CLUSTER_HABITS.map((likelihood, misses) => (possible.includes(misses) ? likelihood : 0))
    return { kind, share: (share * weightOf(kind)) / sum, habits }
  })
}

function outsideGroups({ searched, direct }: OutsideNames, share: number): Group[] {
  if (share === 0) return []
  const walked = ((1 - FINAL_DOT_SHARE) * searched) / (searched + direct)
  return [{ kind: 'outside', share, habits: [1 - walked, 0, 0, walked] }]
}

/** How likely each number of misses is. */
function tilted({ habits }: Group, tilt: number): number[] {
  const weights = habits.map((likelihood, misses) => likelihood * tilt ** misses)
  const sum = weights.reduce((total, weight) => total + weight, 0)
  return weights.map((weight) => weight / sum)
}

/** Misses of all groups together, in the same unit as their shares. */
function missesOf(groups: readonly Group[], tilt: number): number {
  let sum = 0
  for (const group of groups) {
    tilted(group, tilt).forEach((likelihood, misses) => {
      sum += group.share * likelihood * misses
    })
  }
  return sum
}

/** The tilt that gives so many misses: 0 = none at all, at most TILT_MAX. */
function tiltFor(groups: readonly Group[], wanted: number): number {
  let low = 0
  let high = TILT_MAX
  for (let step = 0; step < TILT_STEPS; step++) {
    const middle = (low + high) / 2
    if (missesOf(groups, middle) > wanted) high = middle
    else low = middle
  }
  return low
}
