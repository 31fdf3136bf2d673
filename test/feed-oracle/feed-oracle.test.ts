// Ten thousand random changes of a cluster, and whatever can go wrong with the connection meanwhile: what is served is always what
// an index made from scratch would serve, of a state that the cluster had; and no batch of queries sees two states.
// PEREGRINE_FEED_SEED and PEREGRINE_FEED_EVENTS change the seed and how many events there are.

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { internalError, tooManyRequests, unavailable } from '../apiserver/status.ts'
import { OKD, PLAIN } from '../kube/schema-fixture.ts'
import { FollowedCluster, type Setup } from './followed-cluster.ts'
import { type Burst, burstsOf, type Fault, RESOURCES } from './steps.ts'

const SEED = Number(process.env.PEREGRINE_FEED_SEED ?? Date.now() % 2 ** 31)
const EVENTS = Number(process.env.PEREGRINE_FEED_EVENTS ?? 10_000)
const READER_PAUSE_MS = 4
const TIME_LIMIT_MS = 280_000
const MOMENT_MS = 3
const WHILE_MS = 12

const SETUPS: Readonly<Record<string, Setup & { readonly share: number }>> = {
  'HTTP/2, streaming lists, the names of OKD too': {
    share: 0.7,
    schema: { ...OKD, pods: 'verified', okd: { wildcard: true, shortNames: true, openshiftAlias: true } },
    server: { protocol: 'h2', streamingLists: 'on' },
    streamingLists: true,
    pageSize: 500,
  },
  'HTTP/1.1, lists of small pages, most options': {
    share: 0.3,
    schema: { ...PLAIN, pods: 'verified', endpointPodNames: true, ignoreEmptyService: true, zonal: true },
    server: { protocol: 'http/1.1', streamingLists: 'unknown' },
    streamingLists: true,
    pageSize: 5,
  },
}

/** What the generator has to reach, so that all of it is tested. */
const OUTCOMES = [
  ...RESOURCES.flatMap((resource) =>
    ['touched', 'removed', 'created again at once'].map((each) => `${resource} ${each}`),
  ),
  'a namespace went before what is in it',
  'Service ClusterIP',
  'Service ClusterIP, dual stack',
  'Service Headless',
  'Service ExternalName',
  'Service Pending',
  'ClusterIP became Headless',
  'Headless became ClusterIP',
  'ExternalName became ClusterIP',
  'a slice of names',
  'a slice moved',
  'a slice without its Service',
  'several slices of one Service',
  'none is ready',
  'an address that others have too',
  'a cluster that could be a protocol',
  'a Pod with none address',
  'a Pod with one address',
  'a Pod with dual address',
  'a Pod with host address',
  'a Pod is ending',
  'a Pod is over',
  'an import ClusterSetIP',
  'an import Headless',
]

for (const [name, setup] of Object.entries(SETUPS)) {
  test(`random changes and cuts: ${name}`, { timeout: TIME_LIMIT_MS }, async (t) => {
    t.diagnostic(`seed ${SEED}`)
    const began = performance.now()
    const cluster = await FollowedCluster.start(setup)
    const faults = new Map<string, number>()
    const bursts = burstsOf(Math.ceil(EVENTS * setup.share), SEED)
    let stopReader = async () =>
      ({ batches: 0, queries: 0, kinds: {}, contradiction: '' }) as Awaited<
        ReturnType<ReturnType<FollowedCluster['startReader']>>
      >
    try {
      for (const burst of bursts.slice(0, 20)) for (const step of burst.steps) cluster.model.apply(step)
      await cluster.begin()
      stopReader = cluster.startReader(SEED, READER_PAUSE_MS)
      for (const burst of bursts) {
        await play(cluster, burst, faults)
        if (cluster.failure !== '') break
      }
      await cluster.settle()
      const read = await stopReader()
      assert.equal(cluster.failure, '', cluster.log.slice(-20).join('\n'))
      await cluster.compareWithFreshStart()
      report(t, cluster, faults, read, (performance.now() - began) / 1000)
      const { reached } = cluster.model
      const missed = OUTCOMES.filter((outcome) => !reached.has(outcome))
      assert.deepEqual(missed, [], `the generator reaches every outcome; it reached ${[...reached.keys()].join(', ')}`)
      assert.equal(cluster.idle, 0, 'what changes no name publishes nothing')
    } finally {
      await stopReader().catch(() => {})
      await cluster.stop()
    }
  })
}

async function play(
  cluster: FollowedCluster,
  { steps, fault, pause }: Burst,
  faults: Map<string, number>,
): Promise<void> {
  for (const step of steps) cluster.model.apply(step)
  faults.set(fault.fault, (faults.get(fault.fault) ?? 0) + 1)
  await fail(cluster, fault)
  if (pause === 'turn') await new Promise((resolve) => setImmediate(resolve))
  else if (pause === 'moment') await delay(MOMENT_MS)
  else if (pause === 'while') await delay(WHILE_MS)
  else if (pause === 'settle') await cluster.settle()
}

async function fail({ server }: FollowedCluster, fault: Fault): Promise<void> {
  server.trickle(fault.fault === 'trickle' ? fault.octets : Number.POSITIVE_INFINITY)
  switch (fault.fault) {
    case 'cut':
      return server.cut(fault.how)
    case 'cut after':
      return server.cutAfter(fault.octets, fault.how)
    case 'end watches':
      return server.endWatches(RESOURCES[fault.resource])
    case 'goaway':
      return server.goaway()
    case 'compact':
      return server.store.compact()
    case 'compact and cut':
      server.store.compact()
      return server.cut()
    case 'garbage':
      return server.injectLine(RESOURCES[fault.resource], '{"type":"MODIFIED","object":{"metadata":')
    case 'repeat':
      return server.store.repeatNext(RESOURCES[fault.resource], 3)
    case 'restart':
      await server.stop({ forget: fault.forget })
      await delay(fault.downMs)
      return await server.start()
    case 'refuse': {
      const refusals = { 429: tooManyRequests(1), 500: internalError('etcd'), 503: unavailable('starting') }
      server.refuseNext(1, refusals[fault.status as 429], '', RESOURCES[fault.resource])
      return server.endWatches(RESOURCES[fault.resource])
    }
  }
}

function report(
  t: TestContext,
  { model, publications, names, server }: FollowedCluster,
  faults: ReadonlyMap<string, number>,
  { batches, queries, kinds }: Awaited<ReturnType<ReturnType<FollowedCluster['startReader']>>>,
  seconds: number,
): void {
  const { seen } = server
  const from = (text: string) => seen.filter(({ path }) => path.includes(text)).length
  t.diagnostic(
    `${model.events} events, ${publications} publications, each compared; at most ${names} names; ${seconds.toFixed(1)} s`,
  )
  t.diagnostic(
    `${server.connectionCount} connections, ${from('watch=')} watches, ${from('sendInitialEvents=')} of them with lists, ` +
      `${from('limit=') - from('continue=')} paged lists, ${from('continue=')} further pages`,
  )
  t.diagnostic(`faults: ${JSON.stringify(Object.fromEntries(faults))}`)
  t.diagnostic(`${batches} batches of ${(queries / batches).toFixed(1)} queries: ${JSON.stringify(kinds)}`)
}
