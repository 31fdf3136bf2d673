// What manifests say, kind by kind: trimmed objects, and beside them what the simulated control plane needs to fill in
// the rest. Not here: how it is read (trim.ts) and what is filled in (control-plane.ts).

import type { EndpointSlice, Pod, Port, Service, ServiceImport } from './objects.ts'

export type Family = 'IPv4' | 'IPv6'

/** Labels as they are; a selector matches the Pods that have all of its pairs. */
export type LabelSet = Readonly<Record<string, string>>

export interface ServiceSource {
  readonly service: Service
  /** Families that still need a cluster IP; empty if the Service is to stay as it is. */
  readonly missingFamilies: readonly Family[]
  /** Families its slices are made for. */
  readonly families: readonly Family[]
  /** Null: it has none, or its slices are known. */
  readonly selector: LabelSet | null
  /** Per entry of service.ports: a number, or the name of a container port. */
  readonly targetPorts: readonly (number | string)[]
  readonly publishNotReady: boolean
}

/** A container port that has a name. */
export interface NamedPort {
  readonly name: string
  readonly protocol: Port['protocol']
  readonly port: number
}

/** What Pods of one workload have in common: one object for all of them. */
export interface PodTemplate {
  readonly labels: LabelSet
  readonly namedPorts: readonly NamedPort[]
}

export interface PodSource {
  /** Its addresses are empty where `needsAddress`. */
  readonly pod: Pod
  readonly template: PodTemplate
  readonly hostname: string
  readonly subdomain: string
  readonly ready: boolean
  /** Written by hand, without a status. */
  readonly needsAddress: boolean
}

export interface WorkloadSource {
  readonly kind: 'Deployment' | 'StatefulSet' | 'DaemonSet'
  readonly namespace: string
  readonly name: string
  /** Pods to make, 0..REPLICAS_MAX; those of a DaemonSet are one, for the one node there is. */
  readonly replicas: number
  /** StatefulSet: number of its first Pod. */
  readonly firstOrdinal: number
  readonly hostname: string
  /** StatefulSet: spec.serviceName, which is what its Pods get as subdomain. */
  readonly subdomain: string
  readonly template: PodTemplate
  /** Pods with these labels are its own. */
  readonly selector: LabelSet
}

/** The addresses of an Endpoints object, one entry a family and set of ports. */
export interface EndpointsSource {
  readonly namespace: string
  readonly name: string
  /** In the shape of slices, but not named yet. */
  readonly slices: readonly EndpointSlice[]
}

/** All that was read, by `namespace/name`. */
export interface Sources {
  /** Namespaces that have an object. */
  readonly namespaces: Set<string>
  /** Namespaces of all objects. */
  readonly usedNamespaces: Set<string>
  /** `default`, if an object leaves its namespace out. */
  readonly impliedNamespaces: Set<string>
  readonly services: Map<string, ServiceSource>
  readonly slices: Map<string, EndpointSlice>
  /** Services (`namespace/name`) whose slices the control plane has mirrored from Endpoints. */
  readonly mirrored: Set<string>
  readonly endpoints: Map<string, EndpointsSource>
  readonly pods: Map<string, PodSource>
  /** By `kind namespace/name`. */
  readonly workloads: Map<string, WorkloadSource>
  readonly imports: Map<string, ServiceImport>
}

/** Nothing read yet. */
export function emptySources(): Sources {
  return {
    namespaces: new Set(),
    usedNamespaces: new Set(),
    impliedNamespaces: new Set(),
    services: new Map(),
    slices: new Map(),
    mirrored: new Set(),
    endpoints: new Map(),
    pods: new Map(),
    workloads: new Map(),
    imports: new Map(),
  }
}

/** Whether `labels` has every pair of `selector`. */
export function selects(selector: LabelSet, labels: LabelSet): boolean {
  for (const name in selector) if (labels[name] !== selector[name]) return false
  return true
}
