// The queries of `peregrine load`: from a file, a capture, or the names of a cluster.

import { LoadInputError } from '../load/input-error.ts'
import { type MixOptions, makeQueries, readNameList } from '../load/queries/query-source.ts'
import type { QueryTable } from '../load/query-table.ts'
import type { LoadCluster } from './load-cluster.ts'
import type { LoadPlan } from './load-plan.ts'

export interface LoadQueries {
  readonly table: QueryTable
  /** For people: a sentence or a few. */
  readonly description: string
  /** What should be known about them, a sentence each. */
  readonly remarks: readonly string[]
}

/** @throws LoadInputError for a file that is missing or malformed, for a cluster without names, for a capture that cannot be replayed */
export async function loadQueries(plan: LoadPlan, cluster: LoadCluster): Promise<LoadQueries> {
  const { queries, model, mode } = plan
  const { pods } = model.cluster.schema
  const [zone] = model.cluster.zones
  switch (queries.kind) {
    case 'file':
      return { ...makeQueries(queries, plan.mix), remarks: [] }
    case 'capture': {
      const { readCapture } = await import('../load/replay/capture.ts')
      const capture = await readCapture(queries.path)
      if (capture.table.times === null && mode.kind !== 'capacity' && mode.schedule.kind === 'replay') {
        throw new LoadInputError(`${queries.path}: no times in this capture: say --rate or --outstanding`)
      }
      const { description, remarks } = capture
      return { ...capture, description: [`${description}${remarks.length > 0 ? '.' : ''}`, ...remarks].join(' ') }
    }
    case 'synthetic': {
      // A server cannot look for Pods that no manifest has.
      const source = { ...queries, zone, pods: pods === 'verified' ? ('disabled' as const) : pods }
      return { ...makeQueries(source, mixOf(plan)), remarks: [] }
    }
    case 'cluster': {
      const source = { ...queries, objects: await cluster.objects(), zone, pods, label: cluster.label }
      const remarks = plan.isExample
        ? [
            'queries: for the names of examples/, as npm start serves them; --manifests, --kubeconfig and --queries say otherwise',
          ]
        : []
      return { ...makeQueries(source, mixOf(plan)), remarks }
    }
  }
}

function mixOf({ mix, externalNames }: LoadPlan): MixOptions {
  return externalNames === '' ? mix : { ...mix, externalNames: readNameList(externalNames) }
}
