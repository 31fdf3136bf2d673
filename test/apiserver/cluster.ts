// Clusters of any size, and changes in them: Service `n` has the same name, addresses and kind in every run, so that whoever
// asks knows what the answer is. Endpoints take no memory of their own: see template.ts.

import assert from 'node:assert/strict'
import { type StoredObject, storedFrom } from './object.ts'
import { RESOURCES } from './resources.ts'
import { podSample, SLICE_SUFFIXES, serviceSample, sliceSample } from './shapes.ts'
import type { Store } from './store.ts'
import { type Fillers, Template, TemplateObject, writeDigits, writeHex, writeSuffix } from './template.ts'

export interface ClusterOptions {
  readonly services: number
  readonly endpointsPerService: number
  /** Namespaces that the Services are spread over (100). */
  readonly namespaces?: number
  /** 0..1 (0.2): Services without a cluster IP; their endpoints have hostnames. */
  readonly headlessShare?: number
  /** 0..1 (0): Services with an IPv6 address and a second slice. */
  readonly dualStackShare?: number
  /** 0..1 (0): Services whose endpoints are in two slices of each family. */
  readonly severalSlicesShare?: number
  /** Pods behind the first endpoints (0). */
  readonly pods?: number
  /** Services that may be added (1000). */
  readonly spare?: number
}

/** An endpoint as DNS knows it. */
export interface ChangedEndpoint {
  readonly service: string
  readonly namespace: string
  /** '' if it has none: it is a ClusterIP Service's. */
  readonly hostname: string
  readonly address: string
  readonly version: number
}

const BASE = 100
/** Numbers of three digits that an octet may have. */
const SPAN = 150
const ADDRESSES_MAX = SPAN ** 3
const CLUSTER_IPS_MAX = 10 * SPAN ** 2
const NODES = 1000
const STEP = 7907
const LOADED_MS = Date.parse('2026-11-22T08:36:13Z')
/** Of 1: which Services are headless, dual-stack, have several slices; multipliers scatter them evenly. */
const SCATTER = { headless: 7919, dualStack: 104_729, severalSlices: 1_299_709 }

interface SlicePart {
  readonly index: number
  readonly from: number
  readonly to: number
  readonly family: 'IPv4' | 'IPv6'
}

export class Cluster {
  readonly store: Store
  readonly options: Required<ClusterOptions>
  /** Services there may be. */
  readonly capacity: number
  /** How often a Service's endpoints were changed. */
  readonly #generations: Int32Array
  readonly #endpoints: Uint8Array
  readonly #exists: Uint8Array
  readonly #templates = new Map<string, Template>()
  readonly #regions: number
  /** The last Service that was changed as one of all, and as one of the headless ones. */
  readonly #cursors = { all: 0, headless: 0 }

  constructor(store: Store, options: ClusterOptions) {
    const defaults = {
      namespaces: 100,
      headlessShare: 0.2,
      dualStackShare: 0,
      severalSlicesShare: 0,
      pods: 0,
      spare: 1000,
    }
    this.store = store
    this.options = { ...defaults, ...options }
    this.capacity = options.services + this.options.spare
    const slots = Math.max(1, this.capacity * options.endpointsPerService)
    this.#regions = Math.floor(ADDRESSES_MAX / slots)
    assert(this.#regions >= 2, 'there are addresses for all endpoints, and for as many that replace them')
    assert(this.capacity <= CLUSTER_IPS_MAX, 'there are cluster IPs for all Services')
    assert(options.endpointsPerService <= 99, 'at most 99 endpoints a Service')
    this.#generations = new Int32Array(this.capacity)
    this.#endpoints = new Uint8Array(this.capacity).fill(options.endpointsPerService)
    this.#exists = new Uint8Array(this.capacity)
  }

  /** Fills the store, which is empty, at once. */
  load(): void {
    const { services, pods } = this.options
    const namespaces = [
      'default',
      'kube-system',
      ...Array.from({ length: this.options.namespaces }, (_, n) => namespaceOf(n)),
    ]
    this.store.load('namespaces', namespaces.map(namespaceObject))
    this.#exists.fill(1, 0, services)
    this.store.load(
      'services',
      this.#each(services, (n) => [this.#service(n)], [kubernetesService()]),
    )
    this.store.load(
      'endpointslices',
      this.#each(services, (n) => this.#slices(n, LOADED_MS), []),
    )
    this.store.load('pods', this.#pods(pods))
  }

  nameOf(n: number): string {
    return `svc-${String(n).padStart(6, '0')}`
  }

  namespaceOf(n: number): string {
    return namespaceOf(n % this.options.namespaces)
  }

  isHeadless(n: number): boolean {
    return scattered(n, SCATTER.headless, this.options.headlessShare)
  }

  isDualStack(n: number): boolean {
    return scattered(n, SCATTER.dualStack, this.options.dualStackShare)
  }

  clusterIP(n: number): string {
    return text((target) => writeClusterIP(target, 0, n), 14)
  }

  clusterIPv6(n: number): string {
    return text((target) => writeV6(target, 0, 'fd00:10:96::', n), 21)
  }

  /** The IPv4 addresses of the Service's ready endpoints as they are now, in their order. */
  addresses(n: number): string[] {
    return Array.from({ length: this.#endpoints[n] }, (_, i) => this.#address(n, i))
  }

  /** Replaces the address of one of the Service's endpoints by one that nobody has, as a Deployment that rolls does. */
  changeEndpoint(n: number): ChangedEndpoint {
    assert(this.#exists[n] === 1 && this.#endpoints[n] > 0, 'there is an endpoint')
    let endpoint = this.#generations[n]++ % this.options.endpointsPerService
    while (endpoint >= this.#endpoints[n]) endpoint = this.#generations[n]++ % this.options.endpointsPerService
    let version = 0
    const changedMs = Date.now()
    for (const part of this.#parts(n)) {
      if (endpoint < part.from || endpoint >= part.to) continue
      version = this.store.put('endpointslices', this.#slice(n, part, changedMs))
    }
    const name = this.nameOf(n)
    const hostname = this.isHeadless(n) ? `${name}-${endpoint}` : ''
    return { service: name, namespace: this.namespaceOf(n), hostname, address: this.#address(n, endpoint), version }
  }

  /** Changes the next Service that there is, headless if wanted; all have their turn. */
  changeNext(headless: boolean): ChangedEndpoint {
    const which = headless ? 'headless' : 'all'
    for (let tries = 0; tries < this.capacity; tries++) {
      // A prime, so that neighbours are not changed in a row.
      this.#cursors[which] = (this.#cursors[which] + STEP) % this.capacity
      const n = this.#cursors[which]
      if (this.#exists[n] === 0 || this.#endpoints[n] === 0 || (headless && !this.isHeadless(n))) continue
      return this.changeEndpoint(n)
    }
    throw new Error('there is no Service to change')
  }

  /** The Service has so many endpoints from now on, 0 included. */
  scale(n: number, endpoints: number): void {
    assert(endpoints <= this.options.endpointsPerService, 'no more than the cluster was made for')
    const before = new Map(this.#slices(n, 0).map((slice) => [slice.key, slice]))
    this.#endpoints[n] = endpoints
    for (const slice of this.#slices(n, Date.now())) {
      if (before.get(slice.key)?.template !== slice.template) this.store.put('endpointslices', slice)
      before.delete(slice.key)
    }
    for (const key of before.keys()) this.store.remove('endpointslices', key)
  }

  /** The Service goes, then its slices. */
  removeService(n: number): void {
    assert(this.#exists[n] === 1, 'the Service exists')
    this.store.remove('services', this.#service(n).key)
    for (const { key } of this.#slices(n, 0)) this.store.remove('endpointslices', key)
    this.#exists[n] = 0
  }

  /** The Service comes, then its slices (or the other way round). */
  addService(n: number, slicesFirst = false): void {
    assert(this.#exists[n] === 0 && n < this.capacity, 'the Service does not exist')
    this.#exists[n] = 1
    if (!slicesFirst) this.store.put('services', this.#service(n))
    for (const slice of this.#slices(n, Date.now())) this.store.put('endpointslices', slice)
    if (slicesFirst) this.store.put('services', this.#service(n))
  }

  *#each<T extends StoredObject>(count: number, of: (n: number) => T[], more: StoredObject[]): Iterable<StoredObject> {
    yield* more
    for (let n = 0; n < count; n++) yield* of(n)
  }

  *#pods(count: number): Iterable<StoredObject> {
    const { endpointsPerService } = this.options
    for (let slot = 0; slot < count; slot++) {
      const n = Math.floor(slot / endpointsPerService)
      const endpoint = slot % endpointsPerService
      assert(n < this.options.services, 'there are no more Pods than endpoints')
      const headless = this.isHeadless(n)
      const template = this.#template(`pod ${headless} ${endpoint}`, () => podSample(headless, endpoint), 'Running')
      const end = headless ? endpoint : `7d9f8b6c5d-${text((target) => writeSuffix(target, 0, slot * 7, 5), 5)}`
      yield this.#object(template, `${this.namespaceOf(n)}/${this.nameOf(n)}-${end}`, n, 0)
    }
  }

  #service(n: number): TemplateObject {
    const shape = { headless: this.isHeadless(n), dualStack: this.isDualStack(n) }
    const template = this.#template(`service ${shape.headless} ${shape.dualStack}`, () => serviceSample(shape))
    return this.#object(template, `${this.namespaceOf(n)}/${this.nameOf(n)}`, n, 0)
  }

  #slices(n: number, changedMs: number): TemplateObject[] {
    return this.#parts(n).map((part) => this.#slice(n, part, changedMs))
  }

  #slice(n: number, { index, from, to, family }: SlicePart, changedMs: number): TemplateObject {
    const headless = this.isHeadless(n)
    const sample = () => sliceSample({ headless, family, index, from, to })
    const template = this.#template(`slice ${headless} ${family} ${index} ${from} ${to}`, sample)
    return this.#object(template, `${this.namespaceOf(n)}/${this.nameOf(n)}-${SLICE_SUFFIXES[index]}`, n, changedMs)
  }

  /** What endpoints each slice of the Service has. */
  #parts(n: number): SlicePart[] {
    const count = this.#endpoints[n]
    const several = scattered(n, SCATTER.severalSlices, this.options.severalSlicesShare)
    const middle = several ? Math.ceil(this.options.endpointsPerService / 2) : count
    const cuts = count > middle ? [0, middle, count] : [0, count]
    const parts: SlicePart[] = []
    for (const family of this.isDualStack(n) ? (['IPv4', 'IPv6'] as const) : (['IPv4'] as const)) {
      for (let i = 0; i + 1 < cuts.length; i++) {
        const index = (family === 'IPv4' ? 0 : 2) + i
        parts.push({ index, from: cuts[i], to: cuts[i + 1], family })
      }
    }
    return parts
  }

  #template(name: string, sample: () => object, phase = ''): Template {
    const known = this.#templates.get(name)
    if (known !== undefined) return known
    const labelsOf = (n: number) => labelsFrom(sample() as Sample, this.nameOf(n))
    const template = new Template(sample(), this.#fillers, labelsOf, phase)
    this.#templates.set(name, template)
    return template
  }

  #object(template: Template, key: string, number: number, changedMs: number): TemplateObject {
    return new TemplateObject({ template, key, number, generation: this.#generations[number], changedMs }, 0)
  }

  #address(n: number, endpoint: number): string {
    return text((target) => writeAddress(target, 0, this.#slot(n, endpoint, this.#generations[n])), 14)
  }

  /** A number for each endpoint there is, and another one each time it is replaced. */
  #slot(n: number, endpoint: number, generation: number): number {
    const { endpointsPerService } = this.options
    const replaced = Math.floor((generation + endpointsPerService - 1 - endpoint) / endpointsPerService)
    const region = replaced % this.#regions
    return (region * this.capacity + n) * endpointsPerService + endpoint
  }

  readonly #fillers: Fillers = {
    s: (target, at, { number }, _index, width) => writeDigits(target, at, number, width),
    n: (target, at, { number }, _index, width) => writeDigits(target, at, number % this.options.namespaces, width),
    a: (target, at, of, index) => writeAddress(target, at, this.#slot(of.number, index, of.generation)),
    x: (target, at, of, index) => writeV6(target, at, 'fd00:10:244::', this.#slot(of.number, index, of.generation)),
    c: (target, at, { number }) => writeClusterIP(target, at, number),
    d: (target, at, { number }) => writeV6(target, at, 'fd00:10:96::', number),
    u: (target, at, { number }, _index, width) => writeHex(target, at, number, width),
    v: (target, at, of, index, width) => writeHex(target, at, this.#slot(of.number, index, of.generation), width),
    p: (target, at, of, index, width) =>
      writeSuffix(target, at, this.#slot(of.number, index, of.generation) * 7, width),
    o: (target, at, { number }, index, width) => writeDigits(target, at, (number * 31 + index) % NODES, width),
    t: (target, at, { changedMs }) => target.write(new Date(changedMs).toISOString(), at, 'latin1'),
  }
}

interface Sample {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> }
}

function labelsFrom({ metadata }: Sample, name: string): Record<string, string> {
  const entries = Object.entries(metadata.labels)
  return Object.fromEntries(entries.map(([key, value]) => [key, value.startsWith('svc-') ? name : value]))
}

function scattered(n: number, multiplier: number, share: number): boolean {
  return (n * multiplier) % 1000 < share * 1000
}

function namespaceOf(n: number): string {
  return `ns-${String(n).padStart(4, '0')}`
}

function namespaceObject(name: string): StoredObject {
  const labels = { 'kubernetes.io/metadata.name': name }
  const given = { metadata: { name, labels }, spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } }
  return storedFrom(RESOURCES.namespaces, given, null)
}

function kubernetesService(): StoredObject {
  const labels = { component: 'apiserver', provider: 'kubernetes' }
  const spec = {
    ports: [{ name: 'https', protocol: 'TCP', port: 443, targetPort: 6443 }],
    clusterIP: '10.96.0.1',
    clusterIPs: ['10.96.0.1'],
    type: 'ClusterIP',
    sessionAffinity: 'None',
    ipFamilies: ['IPv4'],
    ipFamilyPolicy: 'SingleStack',
    internalTrafficPolicy: 'Cluster',
  }
  return storedFrom(RESOURCES.services, { metadata: { name: 'kubernetes', namespace: 'default', labels }, spec }, null)
}

/** 10.100.100.100 to 10.249.249.249: all of one width. */
function writeAddress(target: Buffer, at: number, slot: number): void {
  target.write('10.', at, 'latin1')
  writeOctets(target, at + 3, slot, 3)
}

/** 172.20.100.100 to 172.29.249.249. */
function writeClusterIP(target: Buffer, at: number, n: number): void {
  target.write('172.', at, 'latin1')
  writeDigits(target, at + 4, 20 + Math.floor(n / SPAN ** 2), 2)
  target[at + 6] = 0x2e
  writeOctets(target, at + 7, n % SPAN ** 2, 2)
}

function writeOctets(target: Buffer, at: number, value: number, count: number): void {
  for (let i = count - 1; i >= 0; i--) {
    const rest = Math.floor(value / SPAN)
    writeDigits(target, at + i * 4, BASE + value - rest * SPAN, 3)
    if (i > 0) target[at + i * 4 - 1] = 0x2e
    value = rest
  }
}

/** Two groups without leading zeros behind the prefix. */
function writeV6(target: Buffer, at: number, prefix: string, value: number): void {
  at += target.write(prefix, at, 'latin1')
  writeHex(target, at, 0x1000 + Math.floor(value / 0xf000), 4)
  target[at + 4] = 0x3a
  writeHex(target, at + 5, 0x1000 + (value % 0xf000), 4)
}

function text(write: (target: Buffer) => void, length: number): string {
  const target = Buffer.alloc(length)
  write(target)
  return target.toString('latin1')
}
