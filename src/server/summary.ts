// What a serving process says of itself in its first lines.

import type { Configuration } from '../config/configuration.ts'
import { addressAndPort } from '../io/addresses.ts'
import { reverseName } from '../kube/address.ts'
import type { ClusterState } from '../kube/cluster-state.ts'
import type { Service } from '../kube/objects.ts'
import { unpackService, unpackSlice } from '../kube/packed.ts'
import type { Serving } from '../workers/server.ts'
import type { ClusterEngine } from './engine.ts'

const SERVICES_LOOKED_AT = 1000

/** Zones and options of the first block with a cluster; '' if there is none. */
export function zonesLine({ blocks }: Configuration): string {
  const kubernetes = blocks.find(({ plugins }) => plugins.kubernetes !== undefined)?.plugins.kubernetes
  if (kubernetes === undefined) return ''
  const { zones, ttl, pods, okd } = kubernetes
  const options = [`ttl ${ttl}`, `pods ${pods}`, ...(okd === null ? [] : ['okd'])]
  return `zones: ${zones.map((zone) => zone.replace(/(.)\.$/, '$1')).join(', ')} (${options.join(', ')})`
}

/** How much there is. */
export function namesLine({ writer, index: { state } }: ClusterEngine): string {
  let endpoints = 0
  for (const [namespace, name, packed] of state.objects('slices')) {
    endpoints += unpackSlice(namespace, name, packed).endpoints.length
  }
  const { stats } = writer
  return (
    `names: ${stats.names} of ${count([...state.namespaces()].length, 'namespace')}, ${count(state.count('services'), 'Service')}, ` +
    `${count(endpoints, 'ready endpoint')}; index ${(stats.liveBytes / 2 ** 20).toFixed(1)} MiB`
  )
}

/** Where it serves. */
export function listeningLine(workers: number, serving: Serving): string {
  const listeners = serving.listeners.map(({ address, port }) => addressAndPort(address, port))
  const granted = serving.listeners[0]?.receiveBufferBytes ?? 0
  return (
    `listening: ${listeners.join(', ')}, UDP and TCP; ${count(workers, 'worker')}, transport ${serving.transport}` +
    (granted > 0 ? `, receive buffers of ${granted} octets` : '')
  )
}

/** Three questions that this very cluster has answers to. */
export function digLines({ index }: ClusterEngine, serving: Serving): string[] {
  const [listener] = serving.listeners
  const zone = index.zones[0].labels.join('.')
  if (listener === undefined) return []
  const services = someServices(index.state)
  const cluster = services.find(({ kind }) => kind === 'ClusterIP')
  const named = (service: Service) => service.ports.some(({ name }) => name !== '')
  const withPort = services.find((service) => service.kind === 'ClusterIP' && named(service))
  const headless = services.find(({ kind }) => kind === 'Headless')
  const questions: string[] = []
  const nameOf = (service: Service) => `${service.name}.${service.namespace}.svc.${zone}`
  if (cluster !== undefined) questions.push(`${nameOf(cluster)} A`)
  if (headless !== undefined) questions.push(`${nameOf(headless)} SRV`)
  else if (withPort !== undefined) {
    const port = withPort.ports.find(({ name }) => name !== '')!
    questions.push(`_${port.name}._${port.protocol.toLowerCase()}.${nameOf(withPort)} SRV`)
  }
  if (cluster !== undefined) questions.push(`${reverseName(cluster.clusterIPs[0]).join('.')} PTR`)
  if (questions.length === 0) questions.push(`${zone} SOA`)
  return questions.map((question) => `try: dig @${listener.address} -p ${listener.port} ${question}`)
}

function someServices(state: ClusterState): Service[] {
  const services: Service[] = []
  for (const [namespace, name, packed] of state.objects('services')) {
    if (services.length === SERVICES_LOOKED_AT) break
    if (state.isExposed(namespace)) services.push(unpackService(namespace, name, packed))
  }
  return services
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`
}
