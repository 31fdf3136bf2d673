// The cluster that random steps make: each object as an API server has it, put into the stand-in's store, and beside that, by
// other code than src/kube has, the packed form of what is to be known of it.

import type { Endpoint, Port } from '../../src/kube/objects.ts'
import { type Packed, packImport, packPod, packService, packSlice } from '../../src/kube/packed.ts'
import type { Resource } from '../../src/kube/watch/messages.ts'
import type { GivenObject, Json } from '../apiserver/object.ts'
import type { Store } from '../apiserver/store.ts'
import {
  CLUSTERS,
  type EndpointShape,
  HOSTNAMES,
  IMPORTS,
  NAMESPACES,
  OWNERS,
  POD_REFS,
  PORT_SHAPES,
  SERVICES,
  SLOTS,
  type Step,
  ZONES,
} from './steps.ts'

/** What is to be known of an object; null: whatever was known before, as its Pod is ending. */
export type Known = Packed | null

/** Told of each change, in order; '' stands for what makes no names or is gone. */
export type OnChange = (resource: Resource, namespace: string, name: string, known: Known) => void

/** What of the trimmed objects counts. */
export interface Kept {
  readonly podNames: boolean
  readonly zones: boolean
}

interface Live {
  readonly given: GivenObject
  readonly known: Known
}

type ServiceStep = Extract<Step, { on: 'service' }>
type SliceStep = Extract<Step, { on: 'slice' }>
type PodStep = Extract<Step, { on: 'pod' }>

const FIRST_SECOND = 1_700_000_000
const SHARED = ['172.16.0.1', '172.16.0.2', '172.16.0.3']
const SHARED_V6 = ['fd00:16::1', 'FD00:16:0::2', 'fd00:16::3']
const HOSTS = ['192.168.7.1', '192.168.7.2', '192.168.7.3']
const TARGETS = ['api.partner.example', 'cart.shop.svc.cluster.local', 'front.db.svc.cluster.local.', '192.0.2.1']

/** The block (0..) and generation that an endpoint's address tells; null if it is none of a slice's own. */
export function generationOf(address: string): { readonly block: number; readonly generation: number } | null {
  const v4 = /^10\.(\d+)\.(\d+)\.\d+$/.exec(address)
  if (v4 !== null && Number(v4[1]) >= 100) return { block: Number(v4[1]) - 100, generation: Number(v4[2]) }
  const v6 = /^fd00:77:([0-9a-f]+):([0-9a-f]+):/.exec(address)
  return v6 === null ? null : { block: Number.parseInt(v6[1], 16) - 1, generation: Number.parseInt(v6[2], 16) - 1 }
}

export class ClusterModel {
  /** How often each outcome was reached. */
  readonly reached = new Map<string, number>()
  events = 0
  readonly #store: Store
  readonly #kept: Kept
  readonly #onChange: OnChange
  readonly #live = new Map<string, Live>()
  /** Of each block of addresses: all addresses of a slice change with every change of it. */
  readonly #generations = new Map<number, number>()
  #seconds = FIRST_SECOND

  constructor(store: Store, kept: Kept, onChange: OnChange) {
    this.#store = store
    this.#kept = kept
    this.#onChange = onChange
  }

  /** Does a step, or what comes nearest to it. */
  apply(step: Step): void {
    switch (step.on) {
      case 'namespace':
        this.#namespace(NAMESPACES[step.namespace], step.op)
        break
      case 'service':
        this.#service(step, NAMESPACES[step.namespace], SERVICES[step.name])
        break
      case 'slice':
        this.#slice(step, NAMESPACES[step.namespace])
        break
      case 'pod':
        this.#pod(step, NAMESPACES[step.namespace], `web-${step.pod}`)
        break
      case 'import':
        this.#import(step, NAMESPACES[step.namespace], IMPORTS[step.name])
        break
    }
  }

  /** Deletes the Pods that are ending: who starts now has never known them. */
  removeEnding(): void {
    for (const [key, { known }] of [...this.#live]) {
      const [resource, namespace, name] = key.split('/')
      if (known === null) this.#remove(resource as Resource, namespace, name)
    }
  }

  #reach(outcome: string): void {
    this.reached.set(outcome, (this.reached.get(outcome) ?? 0) + 1)
  }

  #get(resource: Resource, namespace: string, name: string): Live | undefined {
    return this.#live.get(`${resource}/${namespace}/${name}`)
  }

  #put(resource: Resource, given: GivenObject, known: Known): void {
    const { namespace = '', name } = given.metadata
    this.#live.set(`${resource}/${namespace}/${name}`, { given, known })
    // Watches are told at once, and so must be whoever compares.
    this.#onChange(resource, namespace, name, known)
    this.#store.apply(resource, given)
    this.events++
  }

  #remove(resource: Resource, namespace: string, name: string): void {
    this.#live.delete(`${resource}/${namespace}/${name}`)
    this.#onChange(resource, namespace, name, '')
    this.#store.remove(resource, namespace === '' ? name : `${namespace}/${name}`)
    this.events++
  }

  /** What all kinds have in common. @returns whether that was all */
  #common(resource: Resource, op: string, namespace: string, name: string): boolean {
    const live = this.#get(resource, namespace, name)
    if (op === 'put' || op === 'terminate' || op === 'end' || live === undefined) return false
    if (op === 'touch') {
      const metadata = { ...live.given.metadata, annotations: { touched: String(this.events) } }
      this.#put(resource, { ...live.given, metadata }, live.known)
      this.#reach(`${resource} touched`)
      return true
    }
    this.#remove(resource, namespace, name)
    this.#reach(`${resource} removed`)
    if (op === 'remove') return true
    this.#reach(`${resource} created again at once`)
    return false
  }

  #metadata(resource: Resource, namespace: string, name: string): GivenObject['metadata'] {
    const live = this.#get(resource, namespace, name)
    const creationTimestamp = live?.given.metadata.creationTimestamp ?? new Date(++this.#seconds * 1000).toISOString()
    return { name, ...(namespace === '' ? {} : { namespace }), creationTimestamp }
  }

  #createdAt({ metadata }: { readonly metadata: Json }): number {
    return Date.parse(String(metadata.creationTimestamp)) / 1000
  }

  #namespace(name: string, op: string): void {
    if (this.#common('namespaces', op, '', name)) {
      const isUsed = [...this.#live.keys()].some((key) => key.split('/')[1] === name)
      if (op === 'remove' && isUsed) this.#reach('a namespace went before what is in it')
      return
    }
    this.#put('namespaces', { metadata: this.#metadata('namespaces', '', name), spec: {}, status: {} }, '+')
  }

  #service(step: ServiceStep, namespace: string, name: string): void {
    if (this.#common('services', step.op, namespace, name)) return
    const metadata = this.#metadata('services', namespace, name)
    const before = this.#get('services', namespace, name)?.given.spec as Json | undefined
    const { kind, dual, number } = step
    const ports = portsOf(step.ports)
    const clusterIPs = kind === 'ClusterIP' ? this.#freeClusterIPs(`services/${namespace}/${name}`, number, dual) : []
    const target = TARGETS[number % TARGETS.length]
    const spec: Json = { ports: ports.map(portJson), type: kind === 'ExternalName' ? kind : 'ClusterIP' }
    if (kind === 'ClusterIP') Object.assign(spec, { clusterIP: clusterIPs[0], clusterIPs })
    else if (kind === 'Headless') Object.assign(spec, { clusterIP: 'None', clusterIPs: ['None'] })
    else if (kind === 'ExternalName') Object.assign(spec, { externalName: target })
    else Object.assign(spec, { clusterIP: '' })
    const externalAddresses = number % 5 === 0 ? ['203.0.113.7'] : []
    if (externalAddresses.length > 0) spec.externalIPs = externalAddresses
    const given = { metadata, spec }
    this.#put(
      'services',
      given,
      packService({
        namespace,
        name,
        kind,
        clusterIPs,
        externalName: kind === 'ExternalName' ? target.replace(/\.$/, '') : '',
        ports,
        externalAddresses,
        createdAt: this.#createdAt(given),
      }),
    )
    this.#reach(`Service ${kind}${dual && kind === 'ClusterIP' ? ', dual stack' : ''}`)
    if (before !== undefined && kindOf(before) !== kindOf(spec)) this.#reach(`${kindOf(before)} became ${kindOf(spec)}`)
  }

  /** The first address that no other Service has, from a number on: none is given twice, but many are given again. */
  #freeClusterIPs(key: string, number: number, dual: boolean): string[] {
    const taken = new Set(
      [...this.#live]
        .filter(([each]) => each.startsWith('services/') && each !== key)
        .flatMap(([, { given }]) => ((given.spec as Json).clusterIPs as string[] | undefined) ?? []),
    )
    let free = number
    while (taken.has(`10.96.0.${free}`) || taken.has(`fd00:96::${free}`)) free++
    return dual ? [`10.96.0.${free}`, `fd00:96::${free}`] : [`10.96.0.${free}`]
  }

  #slice(step: SliceStep, namespace: string): void {
    const name = `slice-${step.slot}`
    if (this.#common('endpointslices', step.op, namespace, name)) return
    const live = this.#get('endpointslices', namespace, name)
    const before = (live?.given.metadata.labels ?? {}) as Record<string, string>
    const labels = step.stays && live !== undefined ? before : labelsOf(step)
    const metadata = { ...this.#metadata('endpointslices', namespace, name), labels }
    const { addressType, serviceName, importName } = this.#sliceFields(step, labels)
    const block = step.namespace * SLOTS + step.slot
    const generation = ((this.#generations.get(block) ?? 0) + 1) % 250
    this.#generations.set(block, generation)
    const endpoints = step.endpoints.map((shape, i) => endpointJson(shape, addressType, block, generation, i))
    const ports = portsOf(step.ports)
    const given = { metadata, addressType, endpoints, ports: ports.map(portJson) }
    const known =
      addressType === 'FQDN' || serviceName + importName === ''
        ? ''
        : packSlice({
            namespace,
            name,
            serviceName,
            importName,
            cluster: labels['multicluster.kubernetes.io/source-cluster'] ?? '',
            ports,
            endpoints: endpoints.flatMap((endpoint) => this.#readyOf(endpoint)),
            createdAt: this.#createdAt(given),
          })
    this.#put('endpointslices', given, known)
    this.#reachSlice(namespace, name, step, before, serviceName, live !== undefined)
  }

  #sliceFields(step: SliceStep, labels: Record<string, string>) {
    const serviceName = labels['kubernetes.io/service-name'] ?? ''
    const importName = labels['multicluster.kubernetes.io/service-name'] ?? ''
    return { addressType: step.kind === 'FQDN' ? 'FQDN' : step.family, serviceName, importName }
  }

  #reachSlice(
    namespace: string,
    name: string,
    step: SliceStep,
    before: Record<string, string>,
    service: string,
    existed: boolean,
  ): void {
    if (step.kind === 'FQDN') this.#reach('a slice of names')
    const owner = before['kubernetes.io/service-name'] ?? ''
    if (existed && owner !== service) this.#reach('a slice moved')
    if (service !== '' && this.#get('services', namespace, service) === undefined) {
      this.#reach('a slice without its Service')
    }
    if (step.endpoints.length > 0 && step.endpoints.every(({ ready }) => ready === false)) this.#reach('none is ready')
    const others = [...this.#live].filter(([key, { given }]) => {
      const labels = given.metadata.labels as Record<string, string> | undefined
      return key.startsWith(`endpointslices/${namespace}/`) && labels?.['kubernetes.io/service-name'] === service
    })
    if (service !== '' && others.length > 1) this.#reach('several slices of one Service')
    if (step.endpoints.some(({ address }) => address === 'shared')) this.#reach('an address that others have too')
    if (name !== '' && labelsOf(step)['multicluster.kubernetes.io/source-cluster'] === '_east')
      this.#reach('a cluster that could be a protocol')
  }

  #readyOf(endpoint: Json): Endpoint[] {
    if ((endpoint.conditions as Json).ready === false) return []
    const { hostname = '', zone = '', targetRef } = endpoint as Record<string, string>
    const podName = targetRef === undefined ? '' : String((targetRef as unknown as Json).name)
    return (endpoint.addresses as string[]).map((address) => ({
      address,
      hostname,
      podName: this.#kept.podNames ? podName : '',
      zone: this.#kept.zones ? zone : '',
    }))
  }

  #pod(step: PodStep, namespace: string, name: string): void {
    if (this.#common('pods', step.op, namespace, name)) return
    const live = this.#get('pods', namespace, name)
    if (step.op === 'terminate' || step.op === 'end') {
      if (live === undefined) return
      const { metadata, status } = live.given
      const ending = { ...metadata, deletionTimestamp: '2026-11-22T10:00:00Z' }
      const isOver = step.op === 'end'
      const phase = isOver ? 'Succeeded' : (status as Json).phase
      const given = { ...live.given, metadata: isOver ? metadata : ending, status: { ...(status as Json), phase } }
      this.#put('pods', given, isOver || (status as Json).phase === 'Succeeded' ? '' : null)
      this.#reach(`a Pod is ${isOver ? 'over' : 'ending'}`)
      return
    }
    const metadata = this.#metadata('pods', namespace, name)
    const own = [
      `10.9.${NAMESPACES.indexOf(namespace)}.${step.number}`,
      `fd00:9:0:${NAMESPACES.indexOf(namespace)}::${step.number}`,
    ]
    const shapes = { none: [], one: own.slice(0, 1), dual: own, host: [HOSTS[step.number % HOSTS.length]] }
    const addresses = shapes[step.addresses]
    const status = {
      phase: addresses.length === 0 ? 'Pending' : 'Running',
      podIP: addresses[0],
      podIPs: addresses.map((ip) => ({ ip })),
    }
    this.#put('pods', { metadata, spec: {}, status }, packPod({ namespace, name, addresses }))
    this.#reach(`a Pod with ${step.addresses} address`)
  }

  #import(step: Extract<Step, { on: 'import' }>, namespace: string, name: string): void {
    if (this.#common('serviceimports', step.op, namespace, name)) return
    const ports = portsOf(step.ports)
    const ips = step.kind === 'Headless' ? [] : [`10.97.0.${step.number}`]
    const metadata = this.#metadata('serviceimports', namespace, name)
    const kind = step.kind === 'Headless' ? 'Headless' : 'ClusterIP'
    const given = { metadata, spec: { type: step.kind, ips, ports: ports.map(portJson) } }
    this.#put('serviceimports', given, packImport({ namespace, name, kind, clusterIPs: ips, ports }))
    this.#reach(`an import ${step.kind}`)
  }
}

function labelsOf({ kind, owner, cluster }: SliceStep): Record<string, string> {
  const name = OWNERS[owner]
  if (kind === 'nobody') return { app: name }
  if (kind !== 'import') return { 'kubernetes.io/service-name': name }
  const labels = { 'multicluster.kubernetes.io/service-name': IMPORTS[owner % IMPORTS.length] }
  const ofCluster = { ...labels, 'multicluster.kubernetes.io/source-cluster': CLUSTERS[cluster] }
  return CLUSTERS[cluster] === '' ? labels : ofCluster
}

function endpointJson(shape: EndpointShape, type: string, block: number, generation: number, index: number): Json {
  const own = (at: number) => {
    if (type === 'IPv6') return `fd00:77:${(block + 1).toString(16)}:${(generation + 1).toString(16)}::${at + 1}`
    return `10.${100 + block}.${generation}.${at + 1}`
  }
  const { number } = shape
  const other = {
    shared: (type === 'IPv6' ? SHARED_V6 : SHARED)[number % 3],
    cluster: type === 'IPv6' ? `fd00:96::${number}` : `10.96.0.${number}`,
  }
  const first = shape.address === 'own' ? own(2 * index) : other[shape.address]
  const addresses = shape.twoAddresses ? [first, own(2 * index + 1)] : [first]
  const pod = POD_REFS[shape.pod]
  return {
    addresses: type === 'FQDN' ? ['host.example'] : addresses,
    conditions: shape.ready === undefined ? {} : { ready: shape.ready },
    ...(HOSTNAMES[shape.hostname] === '' ? {} : { hostname: HOSTNAMES[shape.hostname] }),
    ...(ZONES[shape.zone] === '' ? {} : { zone: ZONES[shape.zone] }),
    ...(pod === '' ? {} : { targetRef: { kind: 'Pod', name: pod } }),
  }
}

function portsOf(shape: number): Port[] {
  return PORT_SHAPES[shape].map(([name, port, protocol]) => ({ name, port, protocol: protocol as Port['protocol'] }))
}

function portJson({ name, port, protocol }: Port): Json {
  return name === '' ? { port, protocol } : { name, port, protocol }
}

function kindOf(spec: Json): string {
  if (spec.type === 'ExternalName') return 'ExternalName'
  return spec.clusterIP === 'None' ? 'Headless' : spec.clusterIP === '' ? 'Pending' : 'ClusterIP'
}
