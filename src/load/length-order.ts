// An order of queries in which those of equal length stand together: the kernel cuts a message into datagrams of one length (UDP_SEGMENT).
// Only within a window, so that names that belong together stay near each other; pairs stay pairs.

import { FOLLOWER, type QueryTable } from './query-table.ts'

/** Queries that are put in order together. */
const WINDOW = 8192

/** The queries `first` to `end - 1`, in another order. */
export function orderByLength({ lengths, flags }: QueryTable, first: number, end: number): Uint32Array {
  const order = new Uint32Array(end - first)
  let placed = 0
  for (let from = first; from < end; ) {
    const groups = new Map<number, number[]>()
    let at = from
    // A window ends with a whole pair.
    while (at < end && (at < from + WINDOW || (flags[at] & FOLLOWER) !== 0)) {
      const group = groups.get(lengths[at]) ?? []
      groups.set(lengths[at], group)
      do group.push(at++)
      while (at < end && (flags[at] & FOLLOWER) !== 0)
    }
    for (const group of groups.values()) {
      order.set(group, placed)
      placed += group.length
    }
    from = at
  }
  return order
}
