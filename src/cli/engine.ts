// Index and answer source out of a configuration: what `serve` and `explain` have in common.

import type { ServerConfig } from '../config/server-config.ts'
import { labelsOfText } from '../dns/name.ts'
import { createRegion, type Region } from '../index/layout.ts'
import type { RestoredState } from '../kube/state-file.ts'
import { type ClusterEngine, createIndex } from '../server/engine.ts'
import { ownAddresses } from '../server/plan.ts'
import { type AnswerSource, plainSource } from '../workers/answerer.ts'

/** The parts that keep names and answer from them. */
export interface Engine extends ClusterEngine {
  readonly source: AnswerSource
}

/**
 * Publishes the zones, still empty, in a new index.
 * @param readerCount  answerers that will read, 1..256
 * @param region       memory for the index, reserved here unless the caller has
 * @param restored     what was read into that memory: it is served, but not complete
 * @throws RegionFullError if not even the zones fit
 */
export function createEngine(
  config: ServerConfig,
  readerCount: number,
  region: Region = createRegion(config.indexBytes),
  restored: RestoredState | null = null,
): Engine {
  const options = { ...config.cluster, listenAddresses: ownAddresses(config.addresses) }
  return { ...createIndex(options, readerCount, region, restored), source: answerSource(config, region) }
}

/** What answers from an index in `region`, once it is there. */
export function answerSource({ cluster, bufsize }: ServerConfig, region: Region): AnswerSource {
  const { schema, ttl } = cluster
  const zones = [...cluster.zones, ...cluster.reverseZones].map((zone, i) => {
    const forward = i < cluster.zones.length
    return {
      labels: labelsOfText(zone).map((label) => label.toLowerCase()),
      ttl,
      pods: forward && schema.pods !== 'disabled',
      wildcards: forward && (schema.zonal || schema.okd !== null),
      keepsBrokenChains: forward && schema.okd !== null,
    }
  })
  return plainSource(region.buffer, zones, bufsize)
}
