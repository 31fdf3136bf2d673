// A server that refuses, or is slow: nothing is missing meanwhile, requests keep their distance, and when it is well again
// everything is followed.

import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { internalError, type Refusal, tooManyRequests, unavailable } from '../apiserver/status.ts'
import { type Follower, type FollowOptions, follow, RESOURCES } from './aids.ts'

const SERVICES = 40
/** Delays after refusals are 0.8 s and 1.6 s, a quarter more or less; timers are a few milliseconds off. */
const FIRST_MS = 800 * 0.75 - 10
const PAGED: FollowOptions = { server: { streamingLists: 'unknown' }, feed: { pageSize: 10 } }

interface Case {
  readonly name: string
  readonly refusal: Refusal
  /** Milliseconds that are between two requests for one resource at least. */
  readonly apartMs: number
}

const cases: Case[] = [
  { name: '429 with Retry-After: 2', refusal: tooManyRequests(2), apartMs: 2000 - 10 },
  { name: '500', refusal: internalError('etcdserver: leader changed'), apartMs: FIRST_MS },
  { name: '503', refusal: unavailable('apiserver is shutting down'), apartMs: FIRST_MS },
  { name: "a proxy's 502", refusal: plain(502, '<html>Bad Gateway</html>'), apartMs: FIRST_MS },
  { name: '504 without a body', refusal: plain(504, ''), apartMs: FIRST_MS },
]

function plain(status: number, body: string): Refusal {
  return { status, headers: { 'content-type': 'text/html' }, body }
}

describe('requests are refused', { concurrency: true }, () => {
  for (const verb of ['watch', 'list'] as const) {
    for (const each of cases) test(`${verb}: ${each.name}`, (t) => refuse(t, verb, each))
  }
})

/** Two requests for each resource are refused: for watches that have ended, or for the lists that follow a 410. */
async function refuse(t: TestContext, verb: 'watch' | 'list', { refusal, apartMs }: Case): Promise<void> {
  const follower = await started(t, PAGED)
  const { server } = follower
  const from = server.seen.length
  for (const resource of RESOURCES) server.refuseNext(2, refusal, verb, resource)
  await changeWhileAway(follower, verb === 'watch')
  await follower.converged()
  await follower.following()
  const isWell = (): boolean => Object.values(follower.feed.status.resources).every(({ failing }) => failing === '')
  await follower.until('all is well', isWell)
  for (const resource of RESOURCES) {
    const times = server.seen
      .slice(from)
      .flatMap((each) => (each.resource === resource && each.verb === verb ? [each.atMs] : []))
    const [first, second, third] = times
    const apart = [second - first, third - second]
    assert.ok(Math.min(...apart) >= apartMs, `requests for ${resource} are ${apart} ms apart`)
    assert.equal(follower.logged(new RegExp(`^${resource}: cannot ${verb} .*${refusal.status}`)).length, 1, 'said once')
    assert.ok(follower.logged(new RegExp(`^${resource}: followed again after`)).length > 0)
  }
}

test('one page of a list is refused', async (t) => {
  const follower = await started(t, PAGED)
  const { server } = follower
  server.trickle(1000)
  const before = server.count('list', 'endpointslices')
  await changeWhileAway(follower, false)
  await follower.until('the first page is asked for', () => server.count('list', 'endpointslices') > before)
  server.refuseNext(1, internalError('etcdserver: request timed out'), 'list', 'endpointslices')
  await follower.until('a page is refused', () => follower.logged(/^endpointslices: cannot list/).length > 0)
  server.trickle(Infinity)
  await follower.converged()
})

test('a continue token expires between two pages', async (t) => {
  const follower = await started(t, PAGED)
  const { server, store } = follower
  server.trickle(2000)
  const before = server.count('list', 'endpointslices')
  await changeWhileAway(follower, false)
  await follower.until('a list has begun', () => server.count('list', 'endpointslices') > before + 1)
  follower.cluster.changeEndpoint(5)
  store.compact()
  server.trickle(Infinity)
  await follower.converged()
  assert.ok(follower.logged(/the list of .* took longer than its pages are kept/).length > 0)
})

for (const [name, streamingLists] of [
  ['lists page by page', 'unknown'],
  ['streaming lists', 'on'],
] as const) {
  test(`octets trickle: ${name}`, async (t) => {
    const follower = await started(t, { server: { streamingLists } })
    const { server, cluster } = follower
    server.trickle(100)
    for (let n = 1; n < SERVICES; n += 2) cluster.changeEndpoint(n)
    await follower.converged()
    await changeWhileAway(follower, false)
    await follower.converged()
    assert.equal(follower.logged(/silent|nothing was heard/).length, 0, 'slow is not silent')
  })
}

async function started(t: TestContext, options: FollowOptions = {}): Promise<Follower> {
  const follower = await follow(t, { ...options, cluster: { services: SERVICES, endpointsPerService: 3 } })
  await follower.following()
  follower.guardServices(Array.from({ length: SERVICES / 2 }, (_, i) => 2 * i))
  return follower
}

/** Watches can be resumed afterwards, or all must be listed. */
async function changeWhileAway({ server, cluster, store, apply }: Follower, resumable: boolean): Promise<void> {
  await server.stop()
  for (let n = 1; n < SERVICES; n += 2) cluster.changeEndpoint(n)
  cluster.removeService(3)
  cluster.addService(SERVICES)
  apply('namespaces', { metadata: { name: 'new' } })
  if (!resumable) store.forget()
  await server.start()
}
