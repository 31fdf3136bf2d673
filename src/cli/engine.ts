// Index and answer source out of a configuration: what `serve` and `explain` have in common.

import { networkInterfaces } from 'node:os'
import type { ServerConfig } from '../config/server-config.ts'
import { labelsOfText } from '../dns/name.ts'
import { createRegion, type Region } from '../index/layout.ts'
import { IndexWriter } from '../index/writer.ts'
import { parseAddress } from '../io/addresses.ts'
import { ClusterIndex } from '../kube/cluster-index.ts'
import type { RestoredState } from '../kube/state-file.ts'
import { type AnswerSource, plainSource } from '../workers/answerer.ts'

/** The parts that keep names and answer from them. */
export interface Engine {
  readonly writer: IndexWriter
  readonly index: ClusterIndex
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
  const writer =
    restored === null
      ? new IndexWriter(region, { readerCount })
      : IndexWriter.restore(region, { readerCount }, restored.writer)
  const options = { ...config.cluster, listenAddresses: ownAddresses(config.addresses) }
  const index = new ClusterIndex(writer, options, restored?.apexes)
  return { writer, index, source: answerSource(config, region) }
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

/** The addresses a name server has for others: those listened on, every interface's for a wildcard, without loopback. */
function ownAddresses(listen: readonly string[]): string[] {
  const addresses = new Set<string>()
  for (const text of listen) {
    const address = parseAddress(text)
    if (address === undefined) continue
    if (!address.wildcard) addresses.add(text)
    else {
      for (const entry of Object.values(networkInterfaces()).flatMap((entries) => entries ?? [])) {
        if (address.family === 6 || entry.family === 'IPv4') addresses.add(entry.address)
      }
    }
  }
  return [...addresses].filter((text) => !text.startsWith('127.') && text !== '::1' && !text.startsWith('fe80:'))
}
