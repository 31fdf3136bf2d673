// The connection itself: sessions that are to end, that break at once, that are half open; silence over HTTP/1.1.
// Slow for the most part, for silence takes its time.

import assert from 'node:assert/strict'
import { constants, type Http2ServerRequest, type Http2Session } from 'node:http2'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ConnectionError } from '../../../src/kube/watch/api-client.ts'
import {
  clientBy,
  failureOf,
  firstChunk,
  kubeconfig,
  LIST,
  relay,
  serve,
  sessionOf,
  textOf,
  WATCH,
} from './small-server.ts'

describe('connections', { timeout: 60_000, concurrency: true }, () => {
  test('GOAWAY: what runs goes on, what is new goes elsewhere', async (t) => {
    const sessions = new Set<unknown>()
    const server = await serve(t, 'h2', (request, response) => {
      sessions.add(sessionOf(request))
      if (request.url === '/list') return void response.end('ok')
      response.write('first')
      sessionOf(request).goaway(constants.NGHTTP2_NO_ERROR)
      setTimeout(() => response.end('last'), 200)
    })
    const { client } = await clientBy(t, kubeconfig(server.url))
    const { rest } = await firstChunk(await client.request('/watch', WATCH))
    await sleep(50)
    assert.equal(await textOf((await client.request('/list', LIST)).body), 'ok')
    assert.equal(sessions.size, 2)
    assert.equal(String((await rest.next()).value), 'last')
    assert.equal((await rest.next()).done, true)
  })

  test('a request that the server has not looked at is sent again', async (t) => {
    let count = 0
    const server = await serve(t, 'h2', (request, response) => {
      count++
      if (count === 1) (request as Http2ServerRequest).stream.close(constants.NGHTTP2_REFUSED_STREAM)
      else response.end('ok')
    })
    const { client } = await clientBy(t, kubeconfig(server.url))
    assert.equal(await textOf((await client.request('/', LIST)).body), 'ok')
    assert.equal(count, 2)
  })

  test('a server that ends every connection at once is not asked in a hurry', async (t) => {
    const server = await serve(t, 'h2', (request) => sessionOf(request).destroy())
    const { client } = await clientBy(t, kubeconfig(server.url))
    const end = performance.now() + 1000
    while (performance.now() < end) assert.ok((await failureOf(client.request('/', LIST))) instanceof ConnectionError)
    assert.ok(server.connections() <= 10, `${server.connections()} connections in a second`)
  })

  test('nor is one that closes every connection before a request', async (t) => {
    const onSession = (session: Http2Session): void => session.goaway(constants.NGHTTP2_NO_ERROR)
    const server = await serve(t, 'h2', (_, response) => void response.end('ok'), { onSession })
    const { client } = await clientBy(t, kubeconfig(server.url))
    const stop = AbortSignal.timeout(1000)
    while (!stop.aborted) await client.request('/', { ...LIST, signal: stop }).catch(() => {})
    assert.ok(server.connections() <= 10, `${server.connections()} connections in a second`)
  })

  test('over HTTP/1.1 a connection that the server closes just then is no failure', async (t) => {
    const seen = new Set<unknown>()
    const server = await serve(t, 'http/1.1', ({ socket }, response) => {
      if (seen.has(socket)) return void socket.destroy()
      seen.add(socket)
      response.end('ok')
    })
    const { client } = await clientBy(t, kubeconfig(server.url))
    for (let n = 0; n < 5; n++) assert.equal(await textOf((await client.request('/', LIST)).body), 'ok')
    assert.equal(seen.size, 5)
  })

  test('a connection that is half open is noticed, with all that runs on it', async (t) => {
    const server = await serve(t, 'h2', ({ url }, response) => {
      if (url === '/watch') response.write('first')
    })
    const between = await relay(t, server.port)
    const { client } = await clientBy(t, kubeconfig(between.url))
    const { rest } = await firstChunk(await client.request('/watch', WATCH))
    // Longer than it takes to find out: pings keep it.
    await sleep(8000)
    assert.ok(performance.now() - client.heardAt() < 4000)
    between.freeze()
    const frozenAt = performance.now()
    const headers = failureOf(client.request('/headers', LIST))
    const [cut, noHeaders] = await Promise.all([failureOf(rest.next()), headers])
    for (const error of [cut, noHeaders]) {
      assert.ok(error instanceof ConnectionError)
      assert.match(error.message, /no answer to a ping/)
    }
    assert.ok(performance.now() - frozenAt < 10_000)
  })

  test('over HTTP/1.1 a watch that is silent ends after 8 s', async (t) => {
    const server = await serve(t, 'http/1.1', ({ url }, response) => {
      if (url === '/watch') response.write('first')
    })
    const { client } = await clientBy(t, kubeconfig(server.url))
    const { rest } = await firstChunk(await client.request('/watch', WATCH))
    const [silent, noHeaders] = await Promise.all([
      failureOf(rest.next()),
      failureOf(client.request('/headers', WATCH)),
    ])
    assert.match(silent.message, /nothing was heard for 8 s/)
    assert.match(noHeaders.message, /no answer within 8 s/)
    for (const error of [silent, noHeaders]) assert.ok(error instanceof ConnectionError)
  })

  test('a server that accepts and says nothing is given up', async (t) => {
    const server = await serve(t, 'h2', (_, response) => void response.end('ok'))
    const between = await relay(t, server.port)
    between.freeze()
    const { client } = await clientBy(t, kubeconfig(between.url))
    assert.match((await failureOf(client.request('/', LIST))).message, /no TLS within 3 s/)
  })
})
