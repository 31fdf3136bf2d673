// One full garbage collection at a moment of our choosing: before the first query. Without it a heap keeps what starting up
// and reading a large cluster left behind until it is needed again, often for hours; a query worker would keep it for good.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Collects all garbage of this thread and gives the memory back; takes tens of milliseconds. */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as (options: object) => void
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}
