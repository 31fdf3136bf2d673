// Packed objects: what goes in comes out, of every kind, and different objects are packed differently.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import type { Endpoint, EndpointSlice, Pod, Port, Service, ServiceImport } from '../../src/kube/objects.ts'
import {
  KEEP,
  packedSliceImport,
  packedSliceService,
  packImport,
  packPod,
  packService,
  packSlice,
  unpackImport,
  unpackPod,
  unpackService,
  unpackSlice,
} from '../../src/kube/packed.ts'

const label = fc.stringMatching(/^[a-z0-9](?:[-a-z0-9]{0,10}[a-z0-9])?$/)
const optionalLabel = fc.option(label, { nil: '' })
const address = fc.oneof(fc.ipV4(), fc.ipV6())
const domain = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'))
const createdAt = fc.integer({ min: 0, max: 2 ** 33 })

/** Objects as they are, without prototypes missing. */
function record<T>(model: { [Key in keyof T]: fc.Arbitrary<T[Key]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>
}

const port: fc.Arbitrary<Port> = record({
  name: optionalLabel,
  protocol: fc.constantFrom('TCP', 'UDP', 'SCTP'),
  port: fc.integer({ min: 1, max: 65535 }),
})
const ports = fc.array(port, { maxLength: 4 })

const service: fc.Arbitrary<Service> = record({
  namespace: label,
  name: label,
  kind: fc.constantFrom('ClusterIP', 'Headless', 'ExternalName', 'Pending'),
  clusterIPs: fc.array(address, { maxLength: 2 }),
  externalName: fc.option(domain, { nil: '' }),
  ports,
  externalAddresses: fc.array(fc.oneof(address, domain), { maxLength: 3 }),
  createdAt,
})

const endpoint: fc.Arbitrary<Endpoint> = record({
  address,
  hostname: optionalLabel,
  podName: fc.option(domain, { nil: '' }),
  zone: fc.option(domain, { nil: '' }),
})

const slice: fc.Arbitrary<EndpointSlice> = record({
  namespace: label,
  name: domain,
  serviceName: optionalLabel,
  importName: optionalLabel,
  cluster: optionalLabel,
  ports,
  endpoints: fc.array(endpoint, { maxLength: 5 }),
  createdAt,
})

const pod: fc.Arbitrary<Pod> = record({
  namespace: label,
  name: domain,
  addresses: fc.array(address, { minLength: 1, maxLength: 3 }),
})

const serviceImport: fc.Arbitrary<ServiceImport> = record({
  namespace: label,
  name: label,
  kind: fc.constantFrom('ClusterIP', 'Headless'),
  clusterIPs: fc.array(address, { maxLength: 2 }),
  ports,
})

interface Kind<T> {
  readonly objects: fc.Arbitrary<T>
  pack(object: T): string
  unpack(namespace: string, name: string, packed: string): T
}

function roundTrip<T extends { namespace: string; name: string }>({ objects, pack, unpack }: Kind<T>): void {
  fc.assert(
    fc.property(objects, objects, fc.nat(), (object, other, n) => {
      const { namespace, name } = object
      const packed = pack(object)
      assert.deepEqual(unpack(namespace, name, packed), object)
      assert.notEqual(packed, KEEP)
      assert.notEqual(packed, '', 'an object is not one that is gone')
      // Compared instead of the objects, the packed forms must say the same.
      const fields = Object.keys(object).filter((field) => field !== 'namespace' && field !== 'name')
      const field = fields[n % fields.length] as keyof T
      const changed = { ...object, [field]: other[field] }
      assert.equal(pack(changed) === packed, isDeepStrictEqual(changed, object))
    }),
    { numRuns: 1000 },
  )
}

test('Services', () => roundTrip({ objects: service, pack: packService, unpack: unpackService }))
test('EndpointSlices', () => roundTrip({ objects: slice, pack: packSlice, unpack: unpackSlice }))
test('Pods', () => roundTrip({ objects: pod, pack: packPod, unpack: unpackPod }))
test('ServiceImports', () => roundTrip({ objects: serviceImport, pack: packImport, unpack: unpackImport }))

test('whom a slice belongs to is read without unpacking it', () => {
  fc.assert(
    fc.property(slice, (object) => {
      const packed = packSlice(object)
      assert.equal(packedSliceService(packed), object.serviceName)
      assert.equal(packedSliceImport(packed), object.importName)
    }),
  )
})
