// The checking of answers in `peregrine load`: one verifier a server, all with the same truth, and what they found together.

import type { ServerConfig } from '../config/server-config.ts'
import type { Verification } from '../load/outcome.ts'
import type { QueryTable } from '../load/query-table.ts'
import type { RunResult, Target } from '../load/run.ts'
import type { Sample } from '../load/session.ts'
import { ReferenceServer } from '../load/verify/reference-server.ts'
import type { Truth } from '../load/verify/truth.ts'
import { Verifier } from '../load/verify/verifier.ts'
import type { LoadCluster } from './load-cluster.ts'
import { RecordModel } from './record-model.ts'

/** Wrong answers that are kept, of all servers together. */
const WRONG_MAX = 100

/** What our own record model says of a cluster. @param complain  takes a line when a live one cannot be read again */
export async function modelTruth(
  config: ServerConfig,
  cluster: LoadCluster,
  complain: (line: string) => void,
): Promise<Truth> {
  const reread = cluster.isLive ? () => cluster.reread() : undefined
  return new RecordModel(config, await cluster.objects(), { name: cluster.truthName, reread, complain })
}

/** The verifiers of all servers. */
export class Verifiers {
  readonly #truth: Truth
  readonly #byTarget: ReadonlyMap<Target, Verifier>

  constructor(table: QueryTable, targets: readonly Target[], truth: Truth, strict: boolean) {
    this.#truth = truth
    this.#byTarget = new Map(targets.map((target) => [target, new Verifier(table, target, truth, { strict })]))
  }

  take(target: Target, samples: readonly Sample[]): Promise<void> | void {
    return this.#byTarget.get(target)?.take(samples)
  }

  /** A run is over. */
  finished(target: Target, { unsampled }: RunResult): void {
    this.#byTarget.get(target)?.missed(unsampled)
  }

  /** Waits until everything is checked, and every difference has been asked for again. */
  async settle(): Promise<Verification> {
    const parts = await Promise.all([...this.#byTarget.values()].map((verifier) => verifier.settle()))
    if (this.#truth instanceof ReferenceServer) this.#truth.close()
    const sum = (count: 'checked' | 'wrong' | 'outside' | 'unchecked' | 'passing'): number =>
      parts.reduce((total, part) => total + part[count], 0)
    const answers = parts.flatMap((part) => part.answers).sort((a, b) => b.times - a.times)
    return {
      checked: sum('checked'),
      wrong: sum('wrong'),
      outside: sum('outside'),
      unchecked: sum('unchecked'),
      passing: sum('passing'),
      answers: answers.slice(0, WRONG_MAX),
    }
  }
}
