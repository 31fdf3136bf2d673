// A small cluster, served in this process: from shortened objects to octets of responses, without a socket.

import { createEngine, type Engine } from '../../src/cli/engine.ts'
import { REVERSE_ZONES } from '../../src/config/server-config.ts'
import type { ClusterObjects } from '../../src/kube/objects.ts'
import type { SchemaOptions } from '../../src/kube/schema.ts'
import { type Answerer, createAnswerer } from '../../src/workers/answer.ts'
import { type Fixture, fixture, PLAIN } from '../kube/schema-fixture.ts'
import { encodeQuery, type Query, type Response, readResponse } from '../server/wire.ts'

/** What a test may want other than usual. */
export interface EngineOptions {
  readonly schema?: SchemaOptions
  readonly zones?: readonly string[]
  readonly bufsize?: number
  readonly ttl?: number
  /** Time of the publication, which becomes the serial of the SOA; not before now. Default: SERIAL. */
  readonly nowMs?: number
}

/** Octets a datagram's slot has in these tests, and a message on a stream. */
export const UDP_CAPACITY = 4096
export const STREAM_CAPACITY = 65_535
/** The address that name servers have. */
export const SERVER_ADDRESS = '10.130.0.2'
/** Of the SOA: in the future, and beyond 2^31. */
export const SERIAL = 3_000_000_000
const READERS = 4

export class TestEngine {
  readonly engine: Engine
  readonly #answerers: Answerer[] = []
  readonly #packet = new Uint8Array(STREAM_CAPACITY)

  constructor(objects: Fixture | string, options: EngineOptions = {}) {
    this.engine = createEngine(
      {
        source: { kind: 'manifests', paths: [] },
        addresses: [SERVER_ADDRESS],
        port: 0,
        workers: 1,
        transport: 'auto',
        receiveBufferBytes: 0,
        bufsize: options.bufsize ?? 1232,
        indexBytes: 2 ** 26,
        cluster: {
          zones: options.zones ?? ['cluster.local'],
          multiclusterZones: [],
          reverseZones: REVERSE_ZONES,
          ttl: options.ttl ?? 5,
          namespaces: null,
          schema: options.schema ?? PLAIN,
        },
      },
      READERS,
    )
    this.publish(objects, options.nowMs)
  }

  /** Makes `objects` the whole cluster. */
  publish(objects: Fixture | string, nowMs = SERIAL * 1000): void {
    this.engine.index.replace(clusterObjects(typeof objects === 'string' ? fixture(objects) : objects))
    this.engine.index.flush(nowMs)
  }

  /** A new answerer; `reader` 0..3. The same one is used for one reader again and again. */
  answerer(reader = 0): Answerer {
    this.#answerers[reader] ??= createAnswerer(this.engine.source, reader)
    return this.#answerers[reader]
  }

  /** The response to one query, taken apart. */
  ask(query: Query, stream = false): Response {
    const message = encodeQuery(query)
    this.#packet.set(message)
    const answerer = this.answerer()
    answerer.beginBatch()
    const capacity = stream ? STREAM_CAPACITY : UDP_CAPACITY
    const length = answerer.answer(this.#packet, 0, message.length, capacity, stream)
    answerer.endBatch()
    return readResponse(this.#packet.slice(0, length))
  }
}

/** A fixture as the feed hands it over. */
export function clusterObjects({ namespaces, services, slices, imports, pods }: Fixture): ClusterObjects {
  const byKey = <T extends { namespace: string; name: string }>(list: readonly T[]): Map<string, T> =>
    new Map(list.map((object) => [`${object.namespace}/${object.name}`, object]))
  return {
    namespaces: new Set(namespaces),
    services: byKey(services),
    slices: byKey(slices),
    pods: byKey(pods),
    imports: byKey(imports),
  }
}

/** `~` stands for `.svc.cluster.local`, `^` for `.pod.cluster.local`. */
export function full(name: string): string {
  return name.replace(/~$/, '.svc.cluster.local').replace(/\^$/, '.pod.cluster.local')
}
