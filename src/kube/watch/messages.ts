// What the feed thread and the main thread say to each other.

import type { RequestTotals } from './request-totals.ts'

/** Kinds of objects that are listed and watched, by their plural names in the API. */
export type Resource = 'namespaces' | 'services' | 'endpointslices' | 'pods' | 'serviceimports'

/**
 * Objects in a flat list: namespace, name, packed form, and so on. The packed form is that of src/kube/packed.ts; of a
 * Namespace (whose namespace is '') it is '+'. In events '' stands for an object that is gone; `KEEP` for one that is to stay
 * as it is known, or unknown.
 */
export type Items = readonly string[]

/** A whole list begins: what it does not name does not exist. An `audit` runs beside the watch, all others instead of it. */
export interface ListBegin {
  readonly type: 'list-begin'
  readonly resource: Resource
  readonly audit: boolean
}

/** A part of the list that has begun. */
export interface ListItems {
  readonly type: 'list-items'
  readonly resource: Resource
  readonly audit: boolean
  readonly items: Items
}

/** The list ends; what it said is dropped if it is not `complete`, and another will begin. */
export interface ListEnd {
  readonly type: 'list-end'
  readonly resource: Resource
  readonly audit: boolean
  readonly complete: boolean
}

/** What a watch said, in order. */
export interface Events {
  readonly type: 'events'
  readonly resource: Resource
  readonly items: Items
  /** performance.timeOrigin + performance.now() when the octets came in. */
  readonly arrivedMs: number
  /** Of EndpointSlices: when what each object shows happened, in milliseconds since 1970; 0 if it does not say. Absent: none does. */
  readonly triggeredMs?: readonly number[]
}

/** What is known of a resource is as good as now: its watch is open, and the server was heard from. At most once a second. */
export interface Alive {
  readonly type: 'alive'
  readonly resource: Resource
}

/** The connection is lost, or a request was refused. `alive` ends it. */
export interface Failing {
  readonly type: 'failing'
  readonly resource: Resource
  /** One sentence. */
  readonly reason: string
}

/** The kubeconfig, or the service account, is no good: nothing will come. */
export interface Refused {
  readonly type: 'refused'
  readonly reason: string
}

/** A line for the log. */
export interface LogLine {
  readonly type: 'log'
  readonly line: string
}

/** What was asked of the API server since the thread started. At most once a second. */
export interface Requested {
  readonly type: 'requested'
  readonly totals: readonly RequestTotals[]
}

export type FeedMessage = ListBegin | ListItems | ListEnd | Events | Alive | Failing | Refused | LogLine | Requested

/** Where the API server is, and who asks it: a kubeconfig, else an endpoint, else the service account of the Pod that this runs in. */
export interface ConnectionOptions {
  /** File to read; '' for none. */
  readonly kubeconfig: string
  /** Context of the kubeconfig; '' for its current one. */
  readonly context: string
  /** URL of the server, or host and port: https then, if there is `tls`, else http. '' for none. */
  readonly endpoint?: string
  /** Paths of PEM files: who asks the endpoint, and who vouches for it. Read each time; null: nobody, and the system's authorities. */
  readonly tls?: TlsFiles | null
}

/** Three PEM files. */
export interface TlsFiles {
  readonly cert: string
  readonly key: string
  readonly ca: string
}

/** The feed thread's workerData. */
export interface FeedOptions {
  readonly connection: ConnectionOptions
  /** In the order in which they are listed. */
  readonly resources: readonly Resource[]
  /** Of Services, EndpointSlices and Pods; '' for none. Kubernetes' syntax. */
  readonly labelSelector: string
  /** Of Namespaces; '' for none. */
  readonly namespaceSelector: string
  /** Whether endpoints keep the name of their Pod, and their zone: only some options make names of them. */
  readonly podNames: boolean
  readonly zones: boolean
  /** Requests a second and how many may come at once beyond that; more wait. */
  readonly qps: number
  readonly burst: number
  /** Requests at the same time, watches included; 0: any number. */
  readonly maxInflight: number
  /** Milliseconds from the end of one audit to the next; 0: none. */
  readonly auditIntervalMs: number
  /** Objects to a page of a list. */
  readonly pageSize: number
  /** Streaming lists are asked for where the server may have them. */
  readonly streamingLists: boolean
}

/** To the feed thread: end all requests, then the thread. */
export interface StopMessage {
  readonly type: 'stop'
}

/** To the feed thread: an audit has found what the watch of a resource did not say; it is to be listed anew. */
export interface ListAgain {
  readonly type: 'list-again'
  readonly resource: Resource
}

/** To the feed thread, once for each `list-items` that has been worked off: no more than eight are on their way at a time. */
export interface Ack {
  readonly type: 'ack'
}
