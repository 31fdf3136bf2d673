// Does the index stay as small as what is in it? A million changes, one publication each, on a cluster of constant expected
// size, and two adversarial runs in which the sizes of RRsets drift: endpoints of each Service 1 -> 100 -> 1, all at once
// (`tide`) or each Service in its own time (`waves`).
// `node bench/churn.ts [--json] [--run steady|tide|waves] [--changes N] [--services N]`

import { parseArgs } from 'node:util'
import { createRegion } from '../src/index/layout.ts'
import { IndexWriter } from '../src/index/writer.ts'
import { ClusterIndex } from '../src/kube/cluster-index.ts'
import type { Service } from '../src/kube/objects.ts'
import { packService, packSlice } from '../src/kube/packed.ts'
import { endpointAddress, endpointAt, INDEX_OPTIONS, NAMESPACES, serviceAt, sliceOf } from './objects.ts'
import { percentile } from './percentile.ts'

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    run: { type: 'string', default: 'steady,tide,waves' },
    changes: { type: 'string', default: '1000000' },
    services: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
  },
})
const SLOTS = 100 // places for endpoints of a Service
const STEADY_SLOTS = 20 // of which half are taken
const REGION_OCTETS = 2 ** 30
const REPORTS = 20
const MB = 2 ** 20

let state = Number(values.seed) | 1
/** 0..bound-1 (xorshift32). */
function random(bound: number): number {
  state ^= state << 13
  state ^= state >>> 17
  state ^= state << 5
  return (state >>> 0) % bound
}

class Cluster {
  readonly writer = new IndexWriter(createRegion(REGION_OCTETS), { readerCount: 2 })
  readonly #index = new ClusterIndex(this.writer, INDEX_OPTIONS)
  /** Slots taken, by Service. */
  readonly slots: Uint8Array[] = []
  readonly exists: boolean[] = []

  constructor(services: number, taken: (service: number) => number) {
    for (let n = 0; n < NAMESPACES; n++) this.#index.state.setNamespace(`ns-${n}`, true)
    for (let service = 0; service < services; service++) {
      this.slots.push(new Uint8Array(SLOTS).fill(1, 0, taken(service)))
      this.exists.push(true)
      this.set(service)
      if (service % 100 === 99) this.flush()
    }
    this.flush()
  }

  /** Half are headless: then the Service's own RRsets have the size that its endpoints have. */
  set(service: number): void {
    const object: Service = serviceAt(service)
    const headless: Service = { ...object, kind: 'Headless', clusterIPs: [] }
    const { namespace, name } = object
    const endpoints = []
    for (let slot = 0; slot < SLOTS; slot++) {
      if (this.slots[service][slot] === 1) endpoints.push(endpointAt(endpointAddress(service, slot, SLOTS)))
    }
    const { exists } = this
    const { state: objects } = this.#index
    const there = exists[service]
    objects.set('services', namespace, name, there ? packService(service % 2 === 0 ? object : headless) : '')
    objects.set('slices', namespace, `${name}-0`, there ? packSlice(sliceOf(namespace, name, endpoints)) : '')
  }

  flush(): void {
    this.#index.flush(Date.now())
  }
}

interface Figures {
  readonly name: string
  readonly changes: number
  readonly names: number
  readonly liveMb: number
  readonly livePeakMb: number
  readonly reservedMb: number
  /** Reserved to the largest live size so far: what the process holds of memory against what it has needed. */
  readonly ratio: number
  /** Reserved growth over the second half of the run. */
  readonly growthLate: number
  readonly medianUs: number
  readonly p99Us: number
}

function run(name: string, cluster: Cluster, changes: number, change: (n: number) => void): Figures {
  const took: number[] = []
  const { writer } = cluster
  let livePeak = writer.stats.liveBytes
  let reservedHalf = 0
  for (let n = 0; n < changes; n++) {
    const began = performance.now()
    change(n)
    cluster.flush()
    took.push((performance.now() - began) * 1000)
    if (n % 64 === 0) livePeak = Math.max(livePeak, writer.stats.liveBytes)
    if (n === changes >> 1) reservedHalf = writer.stats.reservedBytes
    if (n % Math.ceil(changes / REPORTS) === 0 && !values.json) report(name, n, writer, livePeak)
  }
  const { names, liveBytes, reservedBytes } = writer.stats
  if (!values.json) report(name, changes, writer, livePeak)
  return {
    name,
    changes,
    names,
    liveMb: liveBytes / MB,
    livePeakMb: livePeak / MB,
    reservedMb: reservedBytes / MB,
    ratio: reservedBytes / livePeak,
    growthLate: reservedBytes / reservedHalf,
    medianUs: percentile(took, 50),
    p99Us: percentile(took, 99),
  }
}

function report(name: string, changes: number, writer: IndexWriter, livePeak: number): void {
  const { liveBytes, reservedBytes } = writer.stats
  const mb = (octets: number): string => `${(octets / MB).toFixed(1).padStart(6)} MB`
  console.log(
    `${name.padEnd(7)} ${String(changes).padStart(8)} changes  live ${mb(liveBytes)}  reserved ${mb(reservedBytes)}  ` +
      `${(reservedBytes / liveBytes).toFixed(3)} of live, ${(reservedBytes / livePeak).toFixed(3)} of peak`,
  )
}

/** Endpoints come and go, addresses change, Services are deleted and others made. */
function steady(changes: number, services: number): Figures {
  const cluster = new Cluster(services + services / 10, () => 0)
  const fill = (service: number): void => {
    for (let slot = 0; slot < STEADY_SLOTS; slot++) cluster.slots[service][slot] = random(2)
  }
  for (let service = 0; service < cluster.exists.length; service++) {
    fill(service)
    cluster.exists[service] = service < services
    cluster.set(service)
  }
  cluster.flush()
  let doomed = true
  return run('steady', cluster, changes, () => {
    let service = random(cluster.exists.length)
    if (random(20) === 0) {
      while (cluster.exists[service] !== doomed) service = random(cluster.exists.length)
      if (!doomed) fill(service)
      cluster.exists[service] = !doomed
      doomed = !doomed
    } else {
      const slot = random(STEADY_SLOTS)
      cluster.slots[service][slot] ^= 1
    }
    cluster.set(service)
  })
}

/** Endpoints per Service 1 -> 100 -> 1, four times over. */
function drifting(name: string, changes: number, services: number, phase: (service: number) => number): Figures {
  const sizeAt = (service: number, time: number): number => {
    const turn = (time * 4 + phase(service)) % 1
    return Math.max(1, Math.round(SLOTS * (turn < 0.5 ? 2 * turn : 2 - 2 * turn)))
  }
  const cluster = new Cluster(services, (service) => sizeAt(service, 0))
  return run(name, cluster, changes, (n) => {
    const service = random(services)
    cluster.slots[service].fill(1, 0, sizeAt(service, n / changes)).fill(0, sizeAt(service, n / changes))
    cluster.set(service)
  })
}

const changes = Number(values.changes)
const services = Number(values.services)
const runs: Record<string, () => Figures> = {
  steady: () => steady(changes, services),
  // A tenth of the changes, on a tenth of the Services: as many changes to each.
  tide: () => drifting('tide', changes / 10, services / 10, () => 0),
  waves: () => drifting('waves', changes / 10, services / 10, (service) => (service * 0.618) % 1),
}
const figures = values.run.split(',').map((name) => runs[name]())
if (values.json) console.log(JSON.stringify(figures))
else {
  for (const each of figures) {
    console.log(
      `${each.name}: ${each.changes} changes on ${each.names} names, reserved ${each.ratio.toFixed(3)} of the live peak, ` +
        `${each.growthLate.toFixed(3)} of itself at half-time; a change ${each.medianUs.toFixed(0)} µs, p99 ${each.p99Us.toFixed(0)} µs`,
    )
  }
}
