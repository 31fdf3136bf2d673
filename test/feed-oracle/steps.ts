// What may happen to a cluster and to the connection of whoever follows it, as fast-check draws it: numbers that stand for objects.
// Not here: what the objects are (cluster-model.ts).

import fc from 'fast-check'

/** `again`: deleted and created within one moment; `touch`: a change that no name depends on. */
export type Operation = 'put' | 'remove' | 'touch' | 'again'

export interface EndpointShape {
  /** Absent counts as ready. */
  readonly ready: boolean | undefined
  /** Index of HOSTNAMES. */
  readonly hostname: number
  /** `own`: of the slice's block; `shared`: other slices may have it too; `cluster`: it may be a Service's. */
  readonly address: 'own' | 'shared' | 'cluster'
  readonly number: number
  readonly twoAddresses: boolean
  /** Index of ZONES. */
  readonly zone: number
  /** Index of POD_REFS. */
  readonly pod: number
}

export type Step =
  | { readonly on: 'namespace'; readonly namespace: number; readonly op: Operation }
  | {
      readonly on: 'service'
      readonly namespace: number
      readonly name: number
      readonly op: Operation
      readonly kind: 'ClusterIP' | 'Headless' | 'ExternalName' | 'Pending'
      readonly dual: boolean
      readonly ports: number
      readonly number: number
    }
  | {
      readonly on: 'slice'
      readonly namespace: number
      readonly slot: number
      readonly op: Operation
      readonly kind: 'service' | 'import' | 'nobody' | 'FQDN'
      /** The slice stays with the Service that it has. */
      readonly stays: boolean
      readonly owner: number
      readonly cluster: number
      readonly family: 'IPv4' | 'IPv6'
      readonly ports: number
      readonly endpoints: readonly EndpointShape[]
    }
  | {
      readonly on: 'pod'
      readonly namespace: number
      readonly pod: number
      readonly op: Operation | 'terminate' | 'end'
      readonly addresses: 'none' | 'one' | 'dual' | 'host'
      readonly number: number
    }
  | {
      readonly on: 'import'
      readonly namespace: number
      readonly name: number
      readonly op: Operation
      readonly kind: 'ClusterSetIP' | 'Headless'
      readonly ports: number
      readonly number: number
    }

/** What goes wrong. */
export type Fault =
  | { readonly fault: 'none' | 'goaway' | 'compact' | 'compact and cut' }
  | { readonly fault: 'cut'; readonly how: 'fin' | 'rst' }
  | { readonly fault: 'cut after'; readonly octets: number; readonly how: 'fin' | 'rst' }
  | { readonly fault: 'end watches' | 'garbage' | 'repeat'; readonly resource: number }
  | { readonly fault: 'restart'; readonly forget: boolean; readonly downMs: number }
  | { readonly fault: 'refuse'; readonly status: number; readonly resource: number }
  | { readonly fault: 'trickle'; readonly octets: number }

/** Steps of one moment, what goes wrong after them, and how long nothing more happens. */
export interface Burst {
  readonly steps: readonly Step[]
  readonly fault: Fault
  readonly pause: 'none' | 'turn' | 'moment' | 'while' | 'settle'
}

export const NAMESPACES = ['default', 'shop', 'db', 'edge']
export const SERVICES = ['kubernetes', 'openshift', 'cart', 'pg', 'front']
/** Slices may be named after these; the last never exists. */
export const OWNERS = [...SERVICES, 'ghost']
export const IMPORTS = ['cart', 'pg']
export const SLOTS = 6
export const PODS = 8
export const HOSTNAMES = ['', '', '', 'pod-0', 'pod-1', 'pod-2']
export const ZONES = ['', 'eu-1a', 'eu-1B', 'dc.one']
export const POD_REFS = ['', 'web-x1', 'web-x2', 'a.dotted.name']
export const CLUSTERS = ['east', 'west', '', '_east']
export const PORT_SHAPES: readonly (readonly (readonly [name: string, port: number, protocol: string])[])[] = [
  [['http', 80, 'TCP']],
  [
    ['http', 80, 'TCP'],
    ['metrics', 9102, 'TCP'],
  ],
  [
    ['dns', 53, 'UDP'],
    ['dns-tcp', 53, 'TCP'],
  ],
  [['', 5432, 'TCP']],
  [],
  [['sctp', 7, 'SCTP']],
]
export const RESOURCES = ['namespaces', 'services', 'endpointslices', 'pods', 'serviceimports'] as const

const anyNamespace = fc.nat({ max: NAMESPACES.length - 1 })
const anyPorts = fc.nat({ max: PORT_SHAPES.length - 1 })
const anyNumber = fc.nat({ max: 39 })
const anyOperation = fc.constantFrom<Operation>('put', 'put', 'put', 'put', 'put', 'remove', 'touch', 'again')

const anyEndpoint: fc.Arbitrary<EndpointShape> = fc.record({
  ready: fc.constantFrom(true, true, true, undefined, false),
  hostname: fc.nat({ max: HOSTNAMES.length - 1 }),
  address: fc.constantFrom('own', 'own', 'own', 'own', 'own', 'own', 'shared', 'shared', 'cluster'),
  number: fc.nat({ max: 5 }),
  twoAddresses: fc.boolean(),
  zone: fc.nat({ max: ZONES.length - 1 }),
  pod: fc.nat({ max: POD_REFS.length - 1 }),
})

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      on: fc.constant('namespace'),
      namespace: anyNamespace,
      op: fc.constantFrom<Operation>('put', 'put', 'put', 'put', 'remove', 'touch', 'again'),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      on: fc.constant('service'),
      namespace: anyNamespace,
      name: fc.nat({ max: SERVICES.length - 1 }),
      op: anyOperation,
      kind: fc.constantFrom('ClusterIP', 'ClusterIP', 'Headless', 'Headless', 'Headless', 'ExternalName', 'Pending'),
      dual: fc.boolean(),
      ports: anyPorts,
      number: anyNumber,
    }),
  },
  {
    weight: 20,
    arbitrary: fc.record({
      on: fc.constant('slice'),
      namespace: anyNamespace,
      slot: fc.nat({ max: SLOTS - 1 }),
      op: anyOperation,
      kind: fc.constantFrom(
        'service',
        'service',
        'service',
        'service',
        'service',
        'import',
        'import',
        'nobody',
        'FQDN',
      ),
      stays: fc.constantFrom(true, true, true, false),
      owner: fc.nat({ max: OWNERS.length - 1 }),
      cluster: fc.constantFrom(0, 0, 0, 1, 1, 1, 2, 3),
      family: fc.constantFrom('IPv4', 'IPv4', 'IPv6'),
      ports: anyPorts,
      endpoints: fc.array(anyEndpoint, { maxLength: 6, size: 'max' }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      on: fc.constant('pod'),
      namespace: anyNamespace,
      pod: fc.nat({ max: PODS - 1 }),
      op: fc.constantFrom('put', 'put', 'put', 'remove', 'touch', 'again', 'terminate', 'end'),
      addresses: fc.constantFrom('none', 'one', 'one', 'dual', 'host'),
      number: fc.nat({ max: 11 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      on: fc.constant('import'),
      namespace: anyNamespace,
      name: fc.nat({ max: IMPORTS.length - 1 }),
      op: anyOperation,
      kind: fc.constantFrom('ClusterSetIP', 'Headless'),
      ports: anyPorts,
      number: anyNumber,
    }),
  },
)

const anyResource = fc.nat({ max: RESOURCES.length - 1 })
const anyHow = fc.constantFrom<'fin' | 'rst'>('fin', 'rst')

const anyFault: fc.Arbitrary<Fault> = fc.oneof(
  { weight: 150, arbitrary: fc.constant({ fault: 'none' as const }) },
  { weight: 6, arbitrary: fc.record({ fault: fc.constant('cut'), how: anyHow }) },
  {
    weight: 10,
    arbitrary: fc.record({ fault: fc.constant('cut after'), octets: fc.nat({ max: 20_000 }), how: anyHow }),
  },
  { weight: 3, arbitrary: fc.record({ fault: fc.constant('end watches'), resource: anyResource }) },
  { weight: 2, arbitrary: fc.constantFrom<Fault>({ fault: 'goaway' }, { fault: 'compact' }) },
  { weight: 3, arbitrary: fc.constant({ fault: 'compact and cut' as const }) },
  { weight: 1, arbitrary: fc.record({ fault: fc.constantFrom('garbage', 'repeat'), resource: anyResource }) },
  {
    weight: 2,
    arbitrary: fc.record({ fault: fc.constant('restart'), forget: fc.boolean(), downMs: fc.nat({ max: 120 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      fault: fc.constant('refuse'),
      status: fc.constantFrom(429, 500, 503),
      resource: anyResource,
    }),
  },
  { weight: 2, arbitrary: fc.record({ fault: fc.constant('trickle'), octets: fc.integer({ min: 1, max: 300 }) }) },
)

const anyBurst: fc.Arbitrary<Burst> = fc.record({
  steps: fc.array(anyStep, { minLength: 1, maxLength: 4, size: 'max' }),
  fault: anyFault,
  // A settled cluster is compared once more: often enough, but most faults meet changes that are on their way.
  pause: fc.oneof(
    { weight: 1, arbitrary: fc.constant<Burst['pause']>('settle') },
    {
      weight: 11,
      arbitrary: fc.constantFrom<Burst['pause']>(
        'none',
        'turn',
        'turn',
        'moment',
        'moment',
        'moment',
        'while',
        'while',
      ),
    },
  ),
})

/** Bursts with `count` steps at least, always the same ones for a seed. */
export function burstsOf(count: number, seed: number): readonly Burst[] {
  const bursts: Burst[] = []
  let steps = 0
  for (const burst of fc.sample(anyBurst, { numRuns: count, seed })) {
    if (steps >= count) break
    bursts.push(burst)
    steps += burst.steps.length
  }
  return bursts
}
