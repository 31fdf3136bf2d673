// What a reflector tells the main thread, for everything an API server may answer. The server is a script.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Backoff } from '../../../src/kube/watch/backoff.ts'
import { ConnectionError } from '../../../src/kube/watch/connection-error.ts'
import { DamageLog } from '../../../src/kube/watch/damage-log.ts'
import { BATCH_OBJECTS } from '../../../src/kube/watch/list.ts'
import type { FeedMessage, Resource } from '../../../src/kube/watch/messages.ts'
import { Outbox } from '../../../src/kube/watch/outbox.ts'
import { type Pace, Reflector } from '../../../src/kube/watch/reflector.ts'
import {
  type Answer,
  eventLine,
  FAST,
  keptMessages,
  page,
  recordedBody,
  refused,
  ScriptedApi,
  service,
  told,
} from './scripted-api.ts'

const PLAIN = { labelSelector: '', namespaceSelector: '', podNames: false, zones: false, streamingLists: false }

interface Outcome {
  readonly messages: FeedMessage[]
  readonly paths: string[]
}

/** Runs a reflector until the script has ended and the reflector asks for more. */
async function follow(
  script: readonly Answer[],
  { resource = 'services' as Resource, streamingLists = false, pageSize = 2, pace = FAST as Pace } = {},
): Promise<Outcome> {
  const stop = new AbortController()
  const { outbox, messages } = keptMessages()
  const api = new ScriptedApi(script, () => setImmediate(() => stop.abort()))
  const options = { ...PLAIN, pageSize, streamingLists }
  const reflector = new Reflector(resource, api, outbox, new DamageLog((line) => outbox.log(line)), options, pace)
  await reflector.run(AbortSignal.any([stop.signal, AbortSignal.timeout(10_000)]))
  assert.ok(stop.signal.aborted, 'the script was not asked to its end')
  return { messages, paths: api.paths }
}

const LIST: Answer = { chunks: [page([service('web', 5)], 10)], asked: ['limit=2'] }
const LISTED = [
  'services list begin',
  String.raw`services list shop/web=C\n10.0.0.1\n\n80/T/http\n\n0`,
  'services list complete',
]
const packed = (address: string): string => String.raw`C\n${address}\n\n80/T/http\n\n0`
const added = (name: string, version: number): string => eventLine('ADDED', service(name, version))
const bookmark = (version: number, annotations = {}): string =>
  eventLine('BOOKMARK', { metadata: { resourceVersion: String(version), annotations } })
const status = (code: number, reason: string): string =>
  eventLine('ERROR', { kind: 'Status', code, reason, message: reason })
const END = { 'k8s.io/initial-events-end': 'true' }

interface Case {
  readonly why: string
  readonly script: readonly Answer[]
  readonly told: readonly string[]
  readonly streamingLists?: boolean
  readonly resource?: Resource
  /** Objects that are logged as damaged. */
  readonly damaged?: number
}

const cases: Case[] = [
  {
    why: 'a list of two pages, then a watch from its version',
    script: [
      { chunks: [page([service('a', 1), service('b', 2)], 10, 'next')], asked: ['limit=2'] },
      { chunks: [page([service('c', 3)], 10)], asked: ['limit=2', 'continue=next'] },
      {
        chunks: [added('d', 11)],
        asked: ['watch=1', 'resourceVersion=10', 'allowWatchBookmarks=true', 'timeoutSeconds=450'],
      },
    ],
    told: [
      'services list begin',
      `services list shop/a=${packed('10.0.0.1')} shop/b=${packed('10.0.0.1')}`,
      `services list shop/c=${packed('10.0.0.1')}`,
      'services list complete',
      `services shop/d=${packed('10.0.0.1')}`,
    ],
  },
  {
    why: 'a watch that ends is resumed from its last event or bookmark, in silence',
    script: [
      LIST,
      { chunks: [added('a', 11)], asked: ['resourceVersion=10'] },
      { chunks: [bookmark(20)], asked: ['resourceVersion=11'] },
      { chunks: [eventLine('DELETED', service('a', 'x21'))], asked: ['resourceVersion=20'], ending: 'cut' },
      { chunks: [added('b', 30)], asked: ['resourceVersion=x21'] },
    ],
    told: [
      ...LISTED,
      `services shop/a=${packed('10.0.0.1')}`,
      'services shop/a=',
      `services shop/b=${packed('10.0.0.1')}`,
    ],
  },
  {
    why: 'all events of a chunk are one message',
    script: [LIST, { chunks: [added('a', 11) + added('b', 12), added('c', 13)] }],
    told: [
      ...LISTED,
      `services shop/a=${packed('10.0.0.1')} shop/b=${packed('10.0.0.1')}`,
      `services shop/c=${packed('10.0.0.1')}`,
    ],
  },
  {
    why: 'deleted and created within one chunk',
    script: [LIST, { chunks: [eventLine('DELETED', service('web', 11)) + added('web', 12)] }],
    told: [...LISTED, `services shop/web= shop/web=${packed('10.0.0.1')}`],
  },
  {
    why: 'a version that is too old: the events before it count, and a list replaces all',
    script: [LIST, { chunks: [added('a', 11) + status(410, 'Expired')] }, LIST, { asked: ['resourceVersion=10'] }],
    told: [...LISTED, `services shop/a=${packed('10.0.0.1')}`, ...LISTED],
  },
  {
    why: 'the same, said by the status of the answer',
    script: [LIST, { error: refused(410, 'Expired') }, LIST],
    told: [...LISTED, ...LISTED],
  },
  {
    why: 'a list that is cut begins again',
    script: [{ chunks: [page([service('a', 1)], 10, 'next')] }, { chunks: ['{"kind":"Li'], ending: 'cut' }, LIST],
    told: [
      'services list begin',
      `services list shop/a=${packed('10.0.0.1')}`,
      'services list dropped',
      'services failing: the connection was cut',
      ...LISTED,
    ],
  },
  {
    why: 'a continue token that has expired: again, with larger pages',
    script: [
      { chunks: [page([service('a', 1)], 10, 'next')], asked: ['limit=2'] },
      { error: refused(410, 'Expired'), asked: ['continue=next'] },
      { chunks: [page([service('a', 1)], 12)], asked: ['limit=8'] },
      { asked: ['resourceVersion=12'] },
    ],
    told: [
      'services list begin',
      `services list shop/a=${packed('10.0.0.1')}`,
      'services list dropped',
      'services list begin',
      `services list shop/a=${packed('10.0.0.1')}`,
      'services list complete',
    ],
  },
  {
    why: 'refused: said once for each reason, until it goes on',
    script: [
      { error: refused(503, 'ServiceUnavailable') },
      { error: refused(503, 'ServiceUnavailable') },
      { error: refused(429, 'TooManyRequests') },
      LIST,
      { error: refused(403, '') },
      { chunks: [added('a', 11)] },
    ],
    told: [
      'services list begin',
      'services list dropped',
      'services failing: cannot list services: the API server says 503 ServiceUnavailable: ServiceUnavailable',
      'services list begin',
      'services list dropped',
      'services list begin',
      'services list dropped',
      'services failing: cannot list services: the API server says 429 TooManyRequests: TooManyRequests',
      ...LISTED,
      'services failing: cannot list services: forbidden',
      `services shop/a=${packed('10.0.0.1')}`,
    ],
  },
  {
    why: 'an error inside of a watch: it is resumed',
    script: [LIST, { chunks: [added('a', 11), status(500, 'InternalError')] }, { asked: ['resourceVersion=11'] }],
    told: [
      ...LISTED,
      `services shop/a=${packed('10.0.0.1')}`,
      'services failing: the watch of services was ended: InternalError',
    ],
  },
  {
    why: 'no connection: failing only if a watch cannot be resumed',
    script: [LIST, { ending: 'cut' }, { error: new ConnectionError('nobody listens') }, { chunks: [added('a', 11)] }],
    told: [...LISTED, 'services failing: nobody listens', `services shop/a=${packed('10.0.0.1')}`],
  },
  {
    why: 'a line that is no event: the watch is resumed from before it, and then listed anew',
    script: [
      LIST,
      { chunks: [`${added('a', 11)}{"type":"ADD\n`] },
      { chunks: ['null\n'], asked: ['resourceVersion=11'] },
      LIST,
      { chunks: [eventLine('SHOUTED', {})], asked: ['resourceVersion=10'] },
      { asked: ['resourceVersion=10'] },
    ],
    told: [
      ...LISTED,
      `services shop/a=${packed('10.0.0.1')}`,
      'services failing: the watch of services says what is no event: an event has no object',
      ...LISTED,
    ],
  },
  {
    why: 'a page that is no list',
    script: [{ chunks: ['{"kind":"Status"}'] }, { chunks: ['<html>'] }, LIST],
    told: [
      'services list begin',
      'services list dropped',
      'services failing: the list of services lacks its items or its metadata',
      'services list begin',
      'services list dropped',
      `services failing: the list of services is not JSON: Unexpected token '<', "<html>" is not valid JSON`,
      ...LISTED,
    ],
  },
  {
    why: 'one damaged object is to stay as it was known, and the list goes on',
    damaged: 3,
    script: [
      { chunks: [page([{ ...service('bad', 1), spec: { type: 3 } }, { metadata: {} }, service('web', 5)], 10)] },
      { chunks: [eventLine('MODIFIED', { ...service('web', 11), spec: [] })], ending: 'end' },
      { asked: ['resourceVersion=11'] },
    ],
    told: [
      'services list begin',
      `services list shop/bad== shop/web=${packed('10.0.0.1')}`,
      'services list complete',
      'services shop/web==',
    ],
  },
  {
    why: 'an empty list, and one that Go writes as null',
    script: [
      { chunks: [page([], 10)] },
      { error: refused(410, 'Expired') },
      { chunks: ['{"metadata":{"resourceVersion":"11"},"items":null}'] },
    ],
    told: ['services list begin', 'services list complete', 'services list begin', 'services list complete'],
  },
  {
    why: 'streaming list: the same stream goes on as the watch',
    streamingLists: true,
    script: [
      {
        chunks: [added('a', 1) + added('b', 2), bookmark(10, END) + added('c', 11), added('d', 12)],
        asked: ['sendInitialEvents=true', 'resourceVersionMatch=NotOlderThan', 'allowWatchBookmarks=true', 'watch=1'],
      },
      { asked: ['watch=1', 'resourceVersion=12'] },
    ],
    told: [
      'services list begin',
      `services list shop/a=${packed('10.0.0.1')} shop/b=${packed('10.0.0.1')}`,
      'services list complete',
      `services shop/c=${packed('10.0.0.1')}`,
      `services shop/d=${packed('10.0.0.1')}`,
    ],
  },
  {
    why: 'streaming list: what changes meanwhile comes after it, in order',
    streamingLists: true,
    script: [
      {
        chunks: [
          added('a', 1) + bookmark(7) + eventLine('DELETED', service('a', 8)),
          added('a', 9) + eventLine('MODIFIED', service('b', 10, '10.0.0.9')),
          bookmark(10, END),
        ],
      },
      { asked: ['resourceVersion=10'] },
    ],
    told: [
      'services list begin',
      `services list shop/a=${packed('10.0.0.1')}`,
      'services list complete',
      `services shop/a= shop/a=${packed('10.0.0.1')} shop/b=${packed('10.0.0.9')}`,
    ],
  },
  {
    why: 'streaming list: not known to the server, so pages from then on',
    streamingLists: true,
    script: [
      { error: refused(422, 'Invalid'), asked: ['sendInitialEvents=true'] },
      LIST,
      { error: refused(410, 'Expired') },
      LIST,
    ],
    told: [...LISTED, ...LISTED],
  },
  {
    why: 'streaming list: the right to list is enough for a list',
    streamingLists: true,
    script: [{ error: refused(403, 'Forbidden') }, LIST, { asked: ['resourceVersion=10'] }],
    told: LISTED,
  },
  {
    why: 'streaming list: cut, ended, an error in the middle; each begins again',
    streamingLists: true,
    script: [
      { chunks: [added('a', 1)], ending: 'cut' },
      { chunks: [added('a', 1)] },
      { chunks: [added('a', 1) + status(500, 'InternalError')] },
      { chunks: [added('a', 1) + status(410, 'Expired')] },
      { chunks: [added('b', 1), bookmark(10, END)] },
    ],
    told: [
      ...[
        'the connection was cut',
        'the streaming list of services ended in the middle',
        'the watch of services was ended: InternalError',
      ].flatMap((reason) => ['services list begin', 'services list dropped', `services failing: ${reason}`]),
      'services list begin',
      'services list dropped',
      'services failing: the watch of services was ended: Expired',
      'services list begin',
      `services list shop/b=${packed('10.0.0.1')}`,
      'services list complete',
    ],
  },
  {
    why: 'streaming list: a server that takes it for a watch never ends the list, so pages from then on',
    streamingLists: true,
    script: [{ chunks: [added('a', 1)], ending: 'open' }, LIST],
    told: ['services list begin', 'services list dropped', ...LISTED],
  },
  {
    why: 'namespaces are names only',
    resource: 'namespaces',
    script: [
      { chunks: [page([{ metadata: { name: 'shop' } }], 10)] },
      { chunks: [eventLine('DELETED', { metadata: { name: 'shop' } })] },
    ],
    told: ['namespaces list begin', 'namespaces list /shop=+', 'namespaces list complete', 'namespaces /shop='],
  },
]

for (const { why, script, told: expected, damaged = 0, ...options } of cases) {
  test(why, async () => {
    const { messages } = await follow(script, options)
    assert.deepEqual(told(messages), expected)
    const logged = messages.filter((message) => message.type === 'log' && message.line.includes('; left '))
    assert.equal(logged.length, damaged)
  })
}

test('a recorded watch, cut in two at every octet, says the same', async () => {
  const pace = { ...FAST, cutMs: { first: 0, most: 0 } }
  const recordings: [name: string, resource: Resource, events: number][] = [
    ['06-watch-services', 'services', 4],
    ['07-watch-slices-timeout', 'endpointslices', 3],
  ]
  for (const [name, resource, count] of recordings) {
    const body = recordedBody(name)
    const list = { chunks: [page([], 10)] }
    const flat = (messages: readonly FeedMessage[]): string[] =>
      messages.flatMap((message) => (message.type === 'events' ? message.items : []))
    const whole = flat((await follow([list, { chunks: [body] }], { resource })).messages)
    assert.equal(whole.length, 3 * count)
    for (let cut = 1; cut < body.length; cut++) {
      const chunks = [body.subarray(0, cut), body.subarray(cut)]
      const { messages } = await follow([list, { chunks }], { resource, pace })
      assert.deepEqual(flat(messages), whole, `${name} cut at ${cut}`)
      if (cut % 5 !== 0) continue
      // Of a stream that is cut only whole events are taken; the rest comes with the next watch, from the last of them.
      const lost = await follow([list, { chunks: [chunks[0]!], ending: 'cut' }, { chunks: [body] }], { resource, pace })
      const before = body.subarray(0, cut).toString().split('\n').slice(0, -1)
      const last = before.map((line) => JSON.parse(line).object.metadata.resourceVersion).at(-1) ?? '10'
      assert.ok(lost.paths[2]!.includes(`resourceVersion=${last}&`), `${name} resumed after a cut at ${cut}`)
      const events = before.filter((line) => !line.includes('"BOOKMARK"')).length
      assert.deepEqual(flat(lost.messages), [...whole.slice(0, 3 * events), ...whole], `${name} lost after ${cut}`)
    }
  }
})

test('delays double up to a limit, with a quarter of jitter, and begin anew after success', () => {
  let drawn = 0.5
  const backoff = new Backoff(800, 30_000, () => drawn)
  const delays = Array.from({ length: 8 }, () => backoff.next())
  assert.deepEqual(delays, [800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000])
  backoff.reset()
  drawn = 0
  assert.equal(backoff.next(), 600)
  drawn = 1
  assert.equal(backoff.next(), 2000)
})

test('the server may ask for more patience', async () => {
  const startedAt = performance.now()
  await follow([{ error: refused(429, 'TooManyRequests', 'later', 0.1) }, LIST])
  assert.ok(performance.now() - startedAt >= 99)
})

test('a server that ends each watch at once is not asked again at once', async () => {
  const pace = { ...FAST, refusedMs: { first: 20, most: 40 }, shortWatchMs: 1000 }
  const startedAt = performance.now()
  const watches = Array.from({ length: 4 }, () => ({ chunks: [bookmark(10)], asked: ['watch=1'] }))
  // A bookmark is a sign of life, and resets the delays, but no reason to hurry.
  const { messages } = await follow([LIST, ...watches], { pace })
  assert.ok(performance.now() - startedAt >= 79)
  assert.deepEqual(told(messages), LISTED)
})

test('signs of life: once a second at most, but at once after a failure', async () => {
  const script: Answer[] = [LIST, ...[11, 12, 13].map((version) => ({ chunks: [added('a', version)] }))]
  const alive = (messages: readonly FeedMessage[]): number => messages.filter(({ type }) => type === 'alive').length
  assert.equal(alive((await follow(script)).messages), 1)
  const refusal = { error: refused(500, 'InternalError') }
  assert.equal(alive((await follow([LIST, refusal, ...script.slice(1)])).messages), 2)
})

test('as long as the connection is heard, silence is a sign of life', async () => {
  const stop = new AbortController()
  const { outbox, messages } = keptMessages()
  const api = new ScriptedApi([LIST])
  const reflector = new Reflector('services', api, outbox, new DamageLog(assert.fail), { ...PLAIN, pageSize: 2 }, FAST)
  const running = reflector.run(stop.signal)
  const alive = (): number => messages.filter(({ type }) => type === 'alive').length
  await sleep(1300)
  assert.equal(alive(), 1, 'the connection is not heard')
  api.lastHeardAt = performance.now()
  await sleep(1000)
  assert.equal(alive(), 2)
  stop.abort()
  await running
  api.lastHeardAt = performance.now()
  await sleep(2200)
  assert.equal(alive(), 2, 'no watch is open any more')
})

test('a success ends the growing of delays', async () => {
  // Each would be twice as long as the one before: a quarter of an hour in all.
  const pace = { ...FAST, refusedMs: { first: 1, most: 10_000_000 } }
  const script: Answer[] = [LIST]
  for (let i = 0; i < 20; i++) script.push({ error: refused(500, 'InternalError') }, { chunks: [added('a', 11 + i)] })
  await follow(script, { pace })
})

test('a main thread that is slow is not the silence of the server', async () => {
  const stop = new AbortController()
  const messages: FeedMessage[] = []
  const outbox = new Outbox((message) => messages.push(message))
  const lines = Array.from({ length: 9 * BATCH_OBJECTS }, (_, i) => added(`web-${i}`, i + 1))
  const api = new ScriptedApi([{ chunks: [lines.join(''), bookmark(10_000, END)], ending: 'open' }])
  const options = { ...PLAIN, streamingLists: true, pageSize: 2 }
  const pace = { ...FAST, streamingSilenceMs: 200 }
  const reflector = new Reflector('services', api, outbox, new DamageLog(assert.fail), options, pace)
  const running = reflector.run(stop.signal)
  const count = (): number => messages.filter(({ type }) => type === 'list-items').length
  for (let i = 0; i < 1000 && count() < 8; i++) await sleep(5)
  await sleep(500)
  assert.equal(count(), 8)
  outbox.acknowledge()
  await reflector.synced
  stop.abort()
  await running
  assert.equal(api.paths.length, 1)
})
