// What it costs to make the records of one Service from its objects: the schema alone, no index, no wire form.
// `node bench/schema.ts [--json]`

import { Bench } from 'tinybench'
import { BUILT_IN_SCHEMA as KUBERNETES } from '../src/config/server-config.ts'
import type { EndpointSlice, Service } from '../src/kube/objects.ts'
import { type SchemaOptions, serviceClaims, serviceRecords } from '../src/kube/schema.ts'

const OKD: SchemaOptions = { ...KUBERNETES, okd: { wildcard: true, shortNames: false, openshiftAlias: false } }

const SERVICE: Service = {
  namespace: 'shop',
  name: 'cart',
  kind: 'ClusterIP',
  clusterIPs: ['10.96.4.10'],
  externalName: '',
  ports: [
    { name: 'web', protocol: 'TCP', port: 80 },
    { name: 'ops', protocol: 'TCP', port: 9090 },
  ],
  externalAddresses: [],
  createdAt: 0,
}
const HEADLESS: Service = { ...SERVICE, name: 'pg', kind: 'Headless', clusterIPs: [] }

/** A slice of `count` endpoints; the text of every address is new, as it is when it comes from the API server. */
function slice(serviceName: string, count: number, hostnames: boolean, ipv6: boolean): EndpointSlice {
  const endpoints = Array.from({ length: count }, (_, i) => ({
    address: ipv6 ? `fd00:10:129::${(i + 1).toString(16)}` : `10.129.${i >> 8}.${i & 255}`,
    hostname: hostnames ? `pg-${i}` : '',
    podName: '',
    zone: '',
  }))
  const ports = SERVICE.ports.map((port) => ({ ...port, port: port.port + 8000 }))
  return { namespace: 'shop', name: 'x', serviceName, importName: '', cluster: '', ports, endpoints, createdAt: 0 }
}

interface Case {
  name: string
  service: Service
  slices: EndpointSlice[]
  options: SchemaOptions
  claims?: boolean
}

const ten = [slice('cart', 10, false, false)]
const hundred = [slice('pg', 100, false, false)]
const named = [slice('pg', 100, true, false)]
const six = [slice('pg', 100, false, true)]
const cases: Case[] = [
  { name: 'ClusterIP, 10 endpoints', service: SERVICE, slices: ten, options: KUBERNETES },
  { name: 'headless, 100 endpoints', service: HEADLESS, slices: hundred, options: KUBERNETES },
  { name: 'headless, 100 endpoints with hostname', service: HEADLESS, slices: named, options: KUBERNETES },
  { name: 'headless, 100 endpoints, IPv6', service: HEADLESS, slices: six, options: KUBERNETES },
  { name: 'ClusterIP, 10 endpoints, claims', service: SERVICE, slices: ten, options: KUBERNETES, claims: true },
  { name: 'headless, 100 endpoints, claims', service: HEADLESS, slices: hundred, options: KUBERNETES, claims: true },
  { name: 'ClusterIP, 10 endpoints, OKD', service: SERVICE, slices: ten, options: OKD },
  { name: 'headless, 100 endpoints, OKD', service: HEADLESS, slices: hundred, options: OKD },
]

const bench = new Bench({ time: 300, warmupTime: 100 })
for (const { name, service, slices, options, claims } of cases) {
  const make = claims ? serviceClaims : serviceRecords
  bench.add(name, () => {
    make(service, slices, options)
  })
}
await bench.run()

const figures = bench.tasks.map((task, i) => {
  const result = task.result
  if (!('latency' in result)) throw new Error(`${task.name} did not complete`)
  const endpointCount = cases[i].slices[0].endpoints.length
  const medianUs = result.latency.p50 * 1000
  return { name: task.name, medianUs, usEach: medianUs / endpointCount, p99Us: result.latency.p99 * 1000 }
})
if (process.argv.includes('--json')) {
  console.log(JSON.stringify(figures))
} else {
  for (const { name, medianUs, usEach, p99Us } of figures) {
    const each = usEach.toFixed(3).padStart(7)
    console.log(
      `${name.padEnd(40)} ${medianUs.toFixed(2).padStart(8)} µs  ${each} µs an endpoint  p99 ${p99Us.toFixed(1)} µs`,
    )
  }
}
