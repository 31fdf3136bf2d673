// What the generated Services, EndpointSlices and Pods look like: samples with places for numbers, as long as those of a real
// cluster, where a third is managedFields.

import { place, VERSION_PLACE } from './template.ts'

// Letters of places: s Service, n namespace, a endpoint address, x IPv6 endpoint address, c cluster IP, d IPv6 cluster IP,
// u end of a uid (of the Service), v end of a uid (of an endpoint's Pod), p end of a Pod's name, o node, t time of the change.

export const SERVICE = `svc-${place('s', 6)}`
export const NAMESPACE = `ns-${place('n', 4)}`
const ADDRESS_WIDTH = 14
const ADDRESS_V6_WIDTH = 22
const CLUSTER_IP = place('c', 14)
const CLUSTER_IP_V6 = place('d', 21)
const CREATED = '2026-11-22T08:36:13Z'
const ZONES = ['zone-a', 'zone-b', 'zone-c']
const UID_WIDTH = 12
const NODE = (endpoint: number) => `node-${place('o', 4, endpoint)}`
const SERVICE_UID = `5f0c1d2e-7a3b-4c4d-8e5f-${place('u', UID_WIDTH)}`
const SLICE_UID = (index: number) => `9a0b1c2d-3e4f-4a5b-8c6d-${index}${place('u', UID_WIDTH - 1)}`
const POD_UID = (endpoint: number) => `c3d4e5f6-1a2b-4c3d-9e4f-${place('v', UID_WIDTH, endpoint)}`

/** The ends of the names of a Service's slices. */
export const SLICE_SUFFIXES = ['4xk2p', '9vbmt', 'q7dzs', 'hw6rn']

export type Family = 'IPv4' | 'IPv6'

export interface ServiceShape {
  readonly headless: boolean
  readonly dualStack: boolean
}

/** Endpoints `from` to `to - 1` of a Service. */
export interface SliceShape {
  readonly headless: boolean
  readonly family: Family
  /** Of the Service's slices. */
  readonly index: number
  readonly from: number
  readonly to: number
}

/** A StatefulSet's Pods have numbers for names, a Deployment's letters. */
function podName(headless: boolean, endpoint: number): string {
  return headless ? `${SERVICE}-${endpoint}` : `${SERVICE}-7d9f8b6c5d-${place('p', 5, endpoint)}`
}

function managed(manager: string, apiVersion: string, fieldsV1: object, subresource?: string): object {
  return { manager, operation: 'Update', apiVersion, time: CREATED, fieldsType: 'FieldsV1', fieldsV1, subresource }
}

function portFields(port: number): object {
  const key = `k:${JSON.stringify({ port, protocol: 'TCP' })}`
  return { [key]: { '.': {}, 'f:name': {}, 'f:port': {}, 'f:protocol': {}, 'f:targetPort': {} } }
}

export function serviceSample({ headless, dualStack }: ServiceShape): object {
  const clusterIPs = headless ? ['None'] : dualStack ? [CLUSTER_IP, CLUSTER_IP_V6] : [CLUSTER_IP]
  const labels = {
    app: SERVICE,
    'app.kubernetes.io/managed-by': 'Helm',
    'app.kubernetes.io/name': SERVICE,
    tier: headless ? 'data' : 'web',
  }
  const annotations = { 'meta.helm.sh/release-name': SERVICE, 'meta.helm.sh/release-namespace': NAMESPACE }
  return {
    metadata: {
      name: SERVICE,
      namespace: NAMESPACE,
      uid: SERVICE_UID,
      resourceVersion: VERSION_PLACE,
      creationTimestamp: CREATED,
      labels,
      annotations,
      managedFields: [managed('helm', 'v1', serviceFields())],
    },
    spec: {
      ports: [
        { name: 'http', protocol: 'TCP', port: 80, targetPort: 8080 },
        { name: 'metrics', protocol: 'TCP', port: 9102, targetPort: 9102 },
      ],
      selector: { app: SERVICE },
      clusterIP: clusterIPs[0],
      clusterIPs,
      type: 'ClusterIP',
      sessionAffinity: 'None',
      ipFamilies: dualStack ? ['IPv4', 'IPv6'] : ['IPv4'],
      ipFamilyPolicy: dualStack ? 'RequireDualStack' : 'SingleStack',
      internalTrafficPolicy: 'Cluster',
    },
    status: { loadBalancer: {} },
  }
}

function serviceFields(): object {
  return {
    'f:metadata': {
      'f:annotations': { '.': {}, 'f:meta.helm.sh/release-name': {}, 'f:meta.helm.sh/release-namespace': {} },
      'f:labels': {
        '.': {},
        'f:app': {},
        'f:app.kubernetes.io/managed-by': {},
        'f:app.kubernetes.io/name': {},
        'f:tier': {},
      },
    },
    'f:spec': {
      'f:internalTrafficPolicy': {},
      'f:ports': { '.': {}, ...portFields(80), ...portFields(9102) },
      'f:selector': {},
      'f:sessionAffinity': {},
      'f:type': {},
    },
  }
}

export function sliceSample({ headless, family, index, from, to }: SliceShape): object {
  const endpoints = Array.from({ length: to - from }, (_, i) => endpointSample(headless, family, from + i))
  const labels: Record<string, string> = {
    app: SERVICE,
    'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
    'kubernetes.io/service-name': SERVICE,
  }
  if (headless) labels['service.kubernetes.io/headless'] = ''
  const owner = { apiVersion: 'v1', kind: 'Service', name: SERVICE, uid: SERVICE_UID }
  return {
    metadata: {
      name: `${SERVICE}-${SLICE_SUFFIXES[index]}`,
      generateName: `${SERVICE}-`,
      namespace: NAMESPACE,
      uid: SLICE_UID(index),
      resourceVersion: VERSION_PLACE,
      generation: 1,
      creationTimestamp: CREATED,
      labels,
      annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': place('t', 24) },
      ownerReferences: [{ ...owner, controller: true, blockOwnerDeletion: true }],
      managedFields: [managed('kube-controller-manager', 'discovery.k8s.io/v1', sliceFields())],
    },
    addressType: family,
    endpoints,
    ports: [
      { name: 'http', protocol: 'TCP', port: 8080 },
      { name: 'metrics', protocol: 'TCP', port: 9102 },
    ],
  }
}

function sliceFields(): object {
  const owner = `k:${JSON.stringify({ uid: SERVICE_UID })}`
  return {
    'f:addressType': {},
    'f:endpoints': {},
    'f:metadata': {
      'f:annotations': { '.': {}, 'f:endpoints.kubernetes.io/last-change-trigger-time': {} },
      'f:generateName': {},
      'f:labels': {
        '.': {},
        'f:app': {},
        'f:endpointslice.kubernetes.io/managed-by': {},
        'f:kubernetes.io/service-name': {},
      },
      'f:ownerReferences': { '.': {}, [owner]: {} },
    },
    'f:ports': {},
  }
}

function endpointSample(headless: boolean, family: Family, endpoint: number): object {
  const address = family === 'IPv4' ? place('a', ADDRESS_WIDTH, endpoint) : place('x', ADDRESS_V6_WIDTH, endpoint)
  const name = podName(headless, endpoint)
  return {
    addresses: [address],
    conditions: { ready: true, serving: true, terminating: false },
    hostname: headless ? name : undefined,
    targetRef: { kind: 'Pod', namespace: NAMESPACE, name, uid: POD_UID(endpoint) },
    nodeName: NODE(endpoint),
    zone: ZONES[endpoint % ZONES.length],
  }
}

/** A Pod that runs behind one endpoint; as long as small Pods are. */
export function podSample(headless: boolean, endpoint: number): object {
  const address = place('a', ADDRESS_WIDTH, endpoint)
  const condition = (type: string) => ({ type, status: 'True', lastProbeTime: null, lastTransitionTime: CREATED })
  const kind = headless ? 'StatefulSet' : 'ReplicaSet'
  const ownerName = headless ? SERVICE : `${SERVICE}-7d9f8b6c5d`
  return {
    metadata: {
      name: podName(headless, endpoint),
      generateName: `${ownerName}-`,
      namespace: NAMESPACE,
      uid: POD_UID(endpoint),
      resourceVersion: VERSION_PLACE,
      creationTimestamp: CREATED,
      labels: { app: SERVICE, 'pod-template-hash': '7d9f8b6c5d' },
      ownerReferences: [
        { apiVersion: 'apps/v1', kind, name: ownerName, uid: SERVICE_UID, controller: true, blockOwnerDeletion: true },
      ],
      managedFields: [
        managed('kube-controller-manager', 'v1', podFields()),
        managed('kubelet', 'v1', podStatusFields(address), 'status'),
      ],
    },
    spec: podSpec(NODE(endpoint)),
    status: {
      phase: 'Running',
      conditions: ['Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map(condition),
      hostIP: '192.168.1.10',
      podIP: address,
      podIPs: [{ ip: address }],
      startTime: CREATED,
      qosClass: 'Burstable',
    },
  }
}

function podSpec(nodeName: string): object {
  const container = {
    name: 'app',
    image: `registry.example.com/${SERVICE}:1.0.0`,
    ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
    resources: { requests: { cpu: '100m', memory: '128Mi' } },
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    imagePullPolicy: 'IfNotPresent',
  }
  const taint = { operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 }
  return {
    containers: [container],
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    serviceAccountName: 'default',
    serviceAccount: 'default',
    nodeName,
    securityContext: {},
    schedulerName: 'default-scheduler',
    tolerations: ['not-ready', 'unreachable'].map((name) => ({ key: `node.kubernetes.io/${name}`, ...taint })),
    priority: 0,
    enableServiceLinks: true,
    preemptionPolicy: 'PreemptLowerPriority',
  }
}

function podFields(): object {
  const container = { '.': {}, 'f:image': {}, 'f:imagePullPolicy': {}, 'f:name': {}, 'f:ports': {}, 'f:resources': {} }
  return {
    'f:metadata': { 'f:generateName': {}, 'f:labels': { '.': {}, 'f:app': {}, 'f:pod-template-hash': {} } },
    'f:spec': {
      'f:containers': { 'k:{"name":"app"}': container },
      'f:dnsPolicy': {},
      'f:enableServiceLinks': {},
      'f:restartPolicy': {},
      'f:schedulerName': {},
      'f:securityContext': {},
      'f:terminationGracePeriodSeconds': {},
    },
  }
}

function podStatusFields(address: string): object {
  const ip = `k:${JSON.stringify({ ip: address })}`
  return {
    'f:status': {
      'f:conditions': { '.': {}, 'k:{"type":"Ready"}': { '.': {}, 'f:status': {}, 'f:type': {} } },
      'f:hostIP': {},
      'f:phase': {},
      'f:podIP': {},
      'f:podIPs': { '.': {}, [ip]: { '.': {}, 'f:ip': {} } },
      'f:startTime': {},
    },
  }
}
