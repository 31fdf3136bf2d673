// Which way datagrams take in `peregrine load`: batched system calls where they can be had, else node:dgram.

import { SUPPORTED } from '../io/layouts.ts'
import { LoadInputError } from '../load/input-error.ts'
import type { LoadPlan } from './load-plan.ts'

/**
 * @param say  takes a line when the slower way has to be taken
 * @returns RunSpec.isPortable
 * @throws LoadInputError for what is asked for and cannot be had
 */
export async function isPortable(
  { transport, targets, gso }: Pick<LoadPlan, 'transport' | 'targets' | 'gso'>,
  say: (line: string) => void,
): Promise<boolean> {
  if (!targets.some((target) => target.transport === 'udp')) return false
  if (transport === 'dgram') return true
  try {
    if (!SUPPORTED) throw new Error(`not made for ${process.platform} on ${process.arch}`)
    await import('../io/datagram-client.ts')
    return false
  } catch (error) {
    const reason = `batched system calls are not to be had: ${(error as Error).message}`
    if (transport === 'io') throw new LoadInputError(`flag --transport io: ${reason}`)
    if (gso) throw new LoadInputError(`flag --gso: ${reason}`)
    say(`${reason}; sending through node:dgram, slower`)
    return true
  }
}
