// What the server itself answers to queries of a table, from the same objects; and tables as text. For tests of where queries come from.

import { createEngine } from '../../../src/cli/engine.ts'
import { configFromFlags } from '../../../src/cli/flag-config.ts'
import { Flags } from '../../../src/cli/flags.ts'
import { BUILT_IN_SCHEMA } from '../../../src/config/server-config.ts'
import { decodeMessage, type Message } from '../../../src/dns/message.ts'
import { textOfWire } from '../../../src/dns/name.ts'
import { rcodeName } from '../../../src/dns/rcodes.ts'
import { typeName } from '../../../src/dns/record-types.ts'
import type { ClusterObjects } from '../../../src/kube/objects.ts'
import type { SchemaOptions } from '../../../src/kube/schema.ts'
import { FOLLOWER, type QueryTable, queryMessage } from '../../../src/load/query-table.ts'
import { type Answerer, createAnswerer } from '../../../src/workers/answer.ts'

const HEADER_LENGTH = 12
const MESSAGE_LENGTH_MAX = 65_535

/** Answers from objects, with `cluster.local` and the reverse zones. */
export class RealAnswers {
  readonly #answerer: Answerer
  readonly #packet = new Uint8Array(MESSAGE_LENGTH_MAX)

  constructor(objects: ClusterObjects, schema: Partial<SchemaOptions> = {}) {
    const config = configFromFlags(Flags.parse(['--index-mb', '16']))
    const cluster = { ...config.cluster, schema: { ...BUILT_IN_SCHEMA, ...schema } }
    const engine = createEngine({ ...config, cluster }, 1)
    engine.index.replace(objects)
    engine.index.flush(0, true)
    this.#answerer = createAnswerer(engine.source, 0)
  }

  answer(query: Uint8Array): Message {
    this.#packet.set(query)
    this.#answerer.beginBatch()
    const length = this.#answerer.answer(this.#packet, 0, query.length, MESSAGE_LENGTH_MAX, true)
    this.#answerer.endBatch()
    return decodeMessage(this.#packet, 0, length)
  }

  /** RCODE by name. */
  rcode(query: Uint8Array): string {
    return rcodeName(this.answer(query).rcode)
  }
}

/** One query of a table, as text. */
export interface AskedQuery {
  /** Lower case, without the final dot. */
  readonly name: string
  readonly type: string
  readonly isFollower: boolean
  readonly message: Uint8Array
}

/** Names have no octet 0. */
export function queriesOf(table: QueryTable): AskedQuery[] {
  return Array.from({ length: table.count }, (_, index) => {
    const message = queryMessage(table, index)
    const typeAt = message.indexOf(0, HEADER_LENGTH) + 1
    return {
      name: textOfWire(message, HEADER_LENGTH).toLowerCase().replace(/\.$/, ''),
      type: typeName(message[typeAt] * 256 + message[typeAt + 1]),
      isFollower: table.flags[index] === FOLLOWER,
      message,
    }
  })
}

/** `web.shop.svc.cluster.local A`, followers with a `+` before them. */
export function textOf(table: QueryTable): string[] {
  return queriesOf(table).map(({ name, type, isFollower }) => `${isFollower ? '+ ' : ''}${name} ${type}`)
}

type Lists = { readonly namespaces: readonly string[] } & {
  readonly [map in 'services' | 'slices' | 'pods' | 'imports']: readonly (ClusterObjects[map] extends ReadonlyMap<
    string,
    infer Each
  >
    ? Each
    : never)[]
}

export function objectsOf({ namespaces, services, slices, pods, imports }: Lists): ClusterObjects {
  const keyed = <T extends { readonly namespace: string; readonly name: string }>(list: readonly T[]): Map<string, T> =>
    new Map(list.map((object) => [`${object.namespace}/${object.name}`, object]))
  return {
    namespaces: new Set(namespaces),
    services: keyed(services),
    slices: keyed(slices),
    pods: keyed(pods),
    imports: keyed(imports),
  }
}
