// What a published change costs the writer when the index is large: 100,000 Services of 10 endpoints, and two of 100, of whose
// slice one endpoint or all change. `node bench/publish.ts [--json] [--services N] [--changes N] [--only TEXT] [--okd]`

import { parseArgs } from 'node:util'
import { createRegion } from '../src/index/layout.ts'
import { IndexWriter } from '../src/index/writer.ts'
import { adviseHugePages } from '../src/io/huge-pages.ts'
import { ClusterIndex } from '../src/kube/cluster-index.ts'
import type { EndpointSlice, Service, ServiceKind } from '../src/kube/objects.ts'
import { packService, packSlice } from '../src/kube/packed.ts'
import { type SchemaOptions, serviceClaims, serviceRecords } from '../src/kube/schema.ts'
import { endpointAt, generateObjects, INDEX_OPTIONS, sliceOf } from './objects.ts'
import { percentile } from './percentile.ts'

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    okd: { type: 'boolean', default: false },
    services: { type: 'string', default: '100000' },
    changes: { type: 'string', default: '300' },
    only: { type: 'string', default: '' },
  },
})
const ENDPOINTS = 100
const WARM_UP = 200
const REGION_OCTETS = 2 ** 30
const NAMESPACE = 'ns-0'
const CHANGES = Number(values.changes)

const okd = values.okd ? { wildcard: true, shortNames: false, openshiftAlias: false } : null
const schema: SchemaOptions = { ...INDEX_OPTIONS.schema, okd }
const region = createRegion(REGION_OCTETS)
adviseHugePages(region.buffer) // as `serve` does
const writer = new IndexWriter(region, { readerCount: 2 })
const index = new ClusterIndex(writer, { ...INDEX_OPTIONS, schema })
const objects = generateObjects(Number(values.services), 10)
index.replace(objects)
index.flush(Date.now(), true)

/** Slice of `service` whose i-th address belongs to generation[i]: another generation, another address. */
function generationSlice(service: Service, generation: readonly number[]): EndpointSlice {
  const third = service.kind === 'Headless' ? 1 : 2
  const list = generation.map((n, i) => endpointAt(`172.${16 + (n % 16)}.${third + 2 * ((n >> 4) % 100)}.${i}`))
  // Through JSON, as it comes from an API server: texts in one piece.
  return JSON.parse(JSON.stringify(sliceOf(service.namespace, service.name, list)))
}

function serviceOf(name: string, kind: ServiceKind): Service {
  const [some] = objects.services.values()
  return { ...some, namespace: NAMESPACE, name, kind, clusterIPs: kind === 'ClusterIP' ? ['10.200.0.1'] : [] }
}

interface Figures {
  readonly name: string
  readonly medianUs: number
  /** Fifth percentile: what is left when nothing else disturbs. */
  readonly bestUs: number
  /** CPU time, the making of the new slice included. */
  readonly meanCpuUs: number
  readonly p99Us: number
  /** Median of making records and claims of the new state. */
  readonly schemaUs: number
  /** Median of the rest before publication: comparing, writing names and blocks. */
  readonly indexUs: number
  /** Median of IndexWriter.publish(): sweep, root, reclamation. */
  readonly publishUs: number
}

// Publication is timed from inside, so that it can be told from what comes before.
let publishMs = 0
const publish = writer.publish.bind(writer)
writer.publish = (serial) => {
  const began = performance.now()
  const version = publish(serial)
  publishMs = performance.now() - began
  return version
}

function measure(name: string, service: Service, changedEach: number): Figures {
  const { namespace } = service
  const sliceName = `${service.name}-0`
  const generation = new Array<number>(ENDPOINTS).fill(0)
  let slice = generationSlice(service, generation)
  index.state.set('services', namespace, service.name, packService(service))
  index.state.set('slices', namespace, sliceName, packSlice(slice))
  index.flush(Date.now())
  let at = 0
  const next = (): EndpointSlice => {
    for (let i = 0; i < changedEach; i++) generation[at++ % ENDPOINTS]++
    return generationSlice(service, generation)
  }
  const totals: number[] = []
  const publishes: number[] = []
  let cpuMs = 0
  for (let change = 0; change < WARM_UP + CHANGES; change++) {
    if (change === WARM_UP) cpuMs = -threadCpuMs()
    slice = next()
    const packed = packSlice(slice) // as it comes from the feed thread
    const began = performance.now()
    index.state.set('slices', namespace, sliceName, packed)
    index.flush(Date.now())
    const tookMs = performance.now() - began
    if (change < WARM_UP) continue
    totals.push(tookMs * 1000)
    publishes.push(publishMs * 1000)
  }
  cpuMs += threadCpuMs()
  const schemas: number[] = []
  for (let change = 0; change < CHANGES; change++) {
    slice = next()
    const began = performance.now()
    serviceRecords(service, [slice], schema)
    serviceClaims(service, [slice], schema)
    schemas.push((performance.now() - began) * 1000)
  }
  const [medianUs, schemaUs, publishUs] = [totals, schemas, publishes].map((list) => percentile(list, 50))
  const indexUs = medianUs - schemaUs - publishUs
  return {
    name,
    medianUs,
    bestUs: percentile(totals, 5),
    p99Us: percentile(totals, 99),
    meanCpuUs: (cpuMs * 1000) / CHANGES,
    schemaUs,
    indexUs,
    publishUs,
  }
}

/** CPU time of this thread. The kernel may count in ticks: good for a mean over many changes, not for one. */
function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

const clusterIP = serviceOf('front', 'ClusterIP')
const headless = serviceOf('db', 'Headless')
const names = writer.stats.names
const cases: [name: string, service: Service, changedEach: number][] = [
  ['ClusterIP, 1 of 100 endpoints', clusterIP, 1],
  ['ClusterIP, 100 of 100 endpoints', clusterIP, ENDPOINTS],
  ['headless, 1 of 100 endpoints', headless, 1],
  ['headless, 100 of 100 endpoints', headless, ENDPOINTS],
]
const figures = cases
  .filter(([name]) => name.includes(values.only))
  .map(([name, service, changedEach]) => measure(name, service, changedEach))
if (values.json) {
  console.log(JSON.stringify({ names, bytesPerName: writer.stats.liveBytes / names, figures }))
} else {
  console.log(
    `${names} names in the index, ${(writer.stats.liveBytes / names).toFixed(0)} octets each, records included`,
  )
  for (const { name, medianUs, bestUs, p99Us, meanCpuUs, schemaUs, indexUs, publishUs } of figures) {
    const us = (value: number): string => `${value.toFixed(0).padStart(5)} µs`
    console.log(
      `${name.padEnd(34)} ${us(medianUs)}  p5 ${us(bestUs)}  p99 ${us(p99Us)}  mean CPU ${us(meanCpuUs)}  ` +
        `of which schema ${us(schemaUs)}  index ${us(indexUs)}  publish ${us(publishUs)}`,
    )
  }
}
