// Requests against small servers: what arrives, what is cut, what is refused, and how little it takes to be back.

import assert from 'node:assert/strict'
import { createHash, randomFillSync } from 'node:crypto'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ApiError, ConnectionError } from '../../../src/kube/watch/api-client.ts'
import {
  clientBy,
  failureOf,
  firstChunk,
  kubeconfig,
  LIST,
  NO_LIMITS,
  type Protocol,
  put,
  serve,
  sessionOf,
  textOf,
  until,
  WATCH,
} from './small-server.ts'

const LIMIT = { timeout: 30_000 }
const PROTOCOLS: readonly Protocol[] = ['h2', 'http/1.1', 'http']

function busyFor(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end) {}
}

for (const protocol of PROTOCOLS) {
  describe(`over ${protocol}`, LIMIT, () => {
    test('a request says who asks, and for what', async (t) => {
      const seen: unknown[] = []
      const lines: string[] = []
      const server = await serve(t, protocol, ({ httpVersion, url, headers }, response) => {
        const { authorization, accept, 'user-agent': userAgent, 'accept-encoding': encoding } = headers
        seen.push({
          httpVersion,
          url,
          authorization,
          accept,
          userAgent: /^peregrine\/\d/.test(`${userAgent}`),
          encoding,
        })
        response.write('one ')
        response.end('two')
      })
      const { client } = await clientBy(t, kubeconfig(`${server.url}/k8s/`), NO_LIMITS, (line) => lines.push(line))
      for (let n = 0; n < 3; n++) {
        const { status, body } = await client.request('/api/v1/services?limit=5', LIST)
        assert.equal(status, 200)
        assert.equal(await textOf(body), 'one two')
      }
      const asked = {
        httpVersion: protocol === 'h2' ? '2.0' : '1.1',
        url: '/k8s/api/v1/services?limit=5',
        authorization: 'Bearer secret',
        accept: 'application/json',
        userAgent: true,
        encoding: undefined,
      }
      assert.deepEqual(seen, [asked, asked, asked])
      // One to find out what the server speaks, one that is kept.
      assert.equal(server.connections(), protocol === 'h2' ? 1 : 2)
      assert.equal(lines.length, 1)
      assert.match(lines[0], protocol === 'h2' ? /over HTTP\/2, with token of user 'u' in / : /over HTTP\/1.1, with/)
      assert.ok(performance.now() - client.heardAt() < 5000)
    })

    test('a large body arrives whole, and no faster than it is read', async (t) => {
      const block = randomFillSync(Buffer.alloc(1 << 20))
      const blocks = 64
      let sent = 0
      const server = await serve(t, protocol, (_, response) => {
        const more = (): void => {
          while (sent < blocks) {
            sent++
            if (!response.write(block)) {
              response.once('drain', more)
              return
            }
          }
          response.end()
        }
        more()
      })
      const { client } = await clientBy(t, kubeconfig(server.url))
      const { body } = await client.request('/', LIST)
      const hash = createHash('sha256')
      let length = 0
      for await (const chunk of body) {
        if (length === 0) {
          await sleep(500)
          assert.ok(sent < blocks / 2, `${sent} MiB were sent before the second read`)
        }
        length += chunk.length
        hash.update(chunk)
      }
      assert.equal(length, blocks << 20)
      const expected = createHash('sha256')
      for (let n = 0; n < blocks; n++) expected.update(block)
      assert.equal(hash.digest('hex'), expected.digest('hex'))
    })

    test('leaving the body ends the request on the server', async (t) => {
      let open = 0
      const server = await serve(t, protocol, (_, response) => {
        open++
        response.once('close', () => open--)
        response.write('first')
      })
      const { client } = await clientBy(t, kubeconfig(server.url))
      const { body } = await client.request('/', WATCH)
      for await (const chunk of body) {
        assert.equal(chunk.toString(), 'first')
        assert.equal(open, 1)
        break
      }
      await until(() => open === 0, 'the server notices')
    })

    test('a signal ends a request before its headers, and its body after, with its reason', async (t) => {
      let open = 0
      const server = await serve(t, protocol, ({ url }, response) => {
        open++
        response.once('close', () => open--)
        if (url === '/body') response.write('first')
      })
      const { client } = await clientBy(t, kubeconfig(server.url))
      for (const path of ['/headers', '/body']) {
        const controller = new AbortController()
        const reason = new Error('enough')
        const reading = (async () => {
          const { body } = await client.request(path, { ...WATCH, signal: controller.signal })
          await textOf(body)
        })()
        await until(() => open === 1, 'the request arrives')
        await sleep(20)
        controller.abort(reason)
        assert.equal(await failureOf(reading), reason)
        await until(() => open === 0, 'the server notices')
      }
      const gone = await failureOf(client.request('/', { ...LIST, signal: AbortSignal.abort(new Error('before')) }))
      assert.equal(gone.message, 'before')
    })

    test('a body that is cut is no end: what came is read, then it throws', async (t) => {
      const server = await serve(t, protocol, (request, response) => {
        if (request.url === '/ok') return void response.end('ok')
        response.write('half')
        setTimeout(() => {
          if (request.url === '/socket' && protocol === 'h2') sessionOf(request).destroy()
          else if (request.url === '/socket') request.socket.destroy()
          else response.destroy(new Error('the handler failed'))
        }, 20)
      })
      const { client } = await clientBy(t, kubeconfig(server.url))
      for (const path of ['/socket', '/handler', '/socket']) {
        const { first, rest } = await firstChunk(await client.request(path, LIST))
        assert.equal(first, 'half')
        const cut = await failureOf(rest.next())
        assert.ok(cut instanceof ConnectionError, String(cut))
        assert.equal(cut.code, 'API_UNREACHABLE')
        assert.equal(await textOf((await client.request('/ok', LIST)).body), 'ok')
      }
    })

    test('a body that says nothing for as long as it may, throws', async (t) => {
      const server = await serve(t, protocol, (_, response) => void response.write('first'))
      const { client } = await clientBy(t, kubeconfig(server.url))
      const { first, rest } = await firstChunk(await client.request('/', { ...LIST, silenceMs: 100 }))
      assert.equal(first, 'first')
      const silent = await failureOf(rest.next())
      assert.ok(silent instanceof ConnectionError)
      assert.match(silent.message, /nothing was heard for 0.1 s/)
    })

    test('octets that wait while the thread is busy are no silence', async (t) => {
      const server = await serve(t, protocol, (_, response) => {
        response.write('first')
        // The server is in this thread too: it keeps the loop from reading what it has just sent.
        setTimeout(() => response.write('second', ...([() => busyFor(400)] as unknown as [])), 50)
      })
      const { client } = await clientBy(t, kubeconfig(server.url))
      const { rest } = await firstChunk(await client.request('/', { ...LIST, silenceMs: 300 }))
      assert.equal(String((await rest.next()).value), 'second')
    })

    test('a server that is gone is looked for at a steady pace, and found when it is back', async (t) => {
      const handler = (_: unknown, response: { end(text: string): unknown }): void => void response.end('ok')
      const first = await serve(t, protocol, handler)
      const { client } = await clientBy(t, kubeconfig(first.url))
      assert.equal(await textOf((await client.request('/', LIST)).body), 'ok')
      await first.stop()
      const found: string[] = []
      let failures = 0
      const look = async (): Promise<void> => {
        while (found.length < 5) {
          try {
            found.push(await textOf((await client.request('/', LIST)).body))
            return
          } catch (error) {
            assert.ok(error instanceof ConnectionError, String(error))
            failures++
          }
        }
      }
      const looking = Array.from({ length: 5 }, look)
      await sleep(1500)
      // 0, 50, 150, 350, 750, 1250 ms: six attempts, all five wait for each; more with jitter, and one that was cut.
      assert.ok(failures >= 10 && failures <= 100, `${failures} failures`)
      const second = await serve(t, protocol, handler, { port: first.port })
      await Promise.all(looking)
      assert.deepEqual(found, Array(5).fill('ok'))
      assert.ok(second.connections() <= 12)
    })

    test('close ends what runs and what waits', async (t) => {
      const server = await serve(t, protocol, (_, response) => void response.write('first'))
      const { client } = await clientBy(t, kubeconfig(server.url), { qps: 0, burst: 0, maxInflight: 1 })
      const { rest } = await firstChunk(await client.request('/', WATCH))
      const waiting = failureOf(client.request('/', LIST))
      client.close()
      assert.ok((await failureOf(rest.next())) instanceof ConnectionError)
      assert.ok((await waiting) instanceof ConnectionError)
      assert.ok((await failureOf(client.request('/', LIST))) instanceof ConnectionError)
    })

    test('so many at a time: a place is free when the body is over', async (t) => {
      let open = 0
      let most = 0
      const server = await serve(t, protocol, ({ url }, response) => {
        open++
        most = Math.max(most, open)
        response.once('close', () => open--)
        response.write(url === '/flood' ? Buffer.alloc(6 << 20) : 'x')
        if (url === '/') setTimeout(() => response.end(), 5)
      })
      const { client } = await clientBy(t, kubeconfig(server.url), { qps: 0, burst: 0, maxInflight: 2 })
      const stop = new AbortController()
      const watch = await client.request('/watch', { ...WATCH, signal: stop.signal })
      const texts = Array.from({ length: 8 }, async () => textOf((await client.request('/', LIST)).body))
      assert.deepEqual(await Promise.all(texts), Array(8).fill('x'))
      assert.equal(most, 2)
      // Without anybody reading it, and with more to be read than is kept.
      const flood = await client.request('/flood', { ...LIST, signal: stop.signal })
      await sleep(50)
      stop.abort()
      assert.equal(flood.status, 200)
      const both = await Promise.all([client.request('/watch', WATCH), client.request('/watch', WATCH)])
      assert.equal(both.length, 2)
      assert.equal(watch.status, 200)
    })
  })
}

describe('refusals', { ...LIMIT, concurrency: true }, () => {
  test('are errors with the words of the server', async (t) => {
    const server = await serve(t, 'h2', ({ url }, response) => {
      const [, status, retryAfter] = /(\d+)(?:-(\d+))?/.exec(url ?? '') ?? []
      response.statusCode = Number(status)
      if (retryAfter) response.setHeader('retry-after', retryAfter)
      const { code, body } = { code: Number(status), body: 'why not' }
      response.end(JSON.stringify({ kind: 'Status', status: 'Failure', message: body, reason: `R${code}`, code }))
    })
    const { client } = await clientBy(t, kubeconfig(server.url))
    for (const [path, retryAfterMs, expired] of [
      ['/429-7', 7000, false],
      ['/410', 0, true],
      ['/500', 0, false],
      ['/302', 0, false],
    ] as const) {
      const error = await failureOf(client.request(path, LIST))
      assert.ok(error instanceof ApiError)
      const status = Number(path.slice(1, 4))
      assert.deepEqual(
        [error.code, error.status, error.reason, error.retryAfterMs, error.expired],
        ['API_REFUSED', status, `R${status}`, retryAfterMs, expired],
      )
      assert.match(error.message, new RegExp(`cannot list services: the API server says ${status} R${status}: why not`))
    }
  })

  for (const protocol of PROTOCOLS) {
    test(`a refusal without end is read in part, over ${protocol}`, async (t) => {
      let open = 0
      let sent = 0
      const server = await serve(t, protocol, ({ url }, response) => {
        open++
        response.once('close', () => open--)
        response.statusCode = 503
        const more = (): void => {
          while (!response.destroyed && response.write('no! '.repeat(10_000))) sent += 40_000
          response.once('drain', more)
        }
        if (url === '/flood') more()
        else response.write('a moment')
      })
      const { client } = await clientBy(t, kubeconfig(server.url))
      assert.match((await failureOf(client.request('/flood', LIST))).message, /503: no! no! .{0,300}…$/)
      assert.match((await failureOf(client.request('/silent', LIST))).message, /503: a moment$/)
      await until(() => open === 0, 'both are ended on the server')
      assert.ok(sent < 32 << 20, `${sent} octets were sent`)
    })
  }

  test('401: credentials are read anew once, then it is an error that names them', async (t) => {
    const seen: string[] = []
    let accepted = 'old'
    const server = await serve(t, 'h2', ({ headers }, response) => {
      const token = `${headers.authorization}`.replace('Bearer ', '')
      seen.push(token)
      response.statusCode = token === accepted ? 200 : 401
      response.end(token === accepted ? 'ok' : '{"kind":"Status","message":"Unauthorized","reason":"Unauthorized"}')
    })
    const { client, file } = await clientBy(t, kubeconfig(server.url, { token: 'old' }))
    assert.equal(await textOf((await client.request('/', LIST)).body), 'ok')
    accepted = 'new'
    put(file, kubeconfig(server.url, { token: 'new' }))
    const both = await Promise.all([client.request('/', LIST), client.request('/', LIST)])
    assert.deepEqual(await Promise.all(both.map(({ body }) => textOf(body))), ['ok', 'ok'])
    accepted = 'newer'
    const refused = await failureOf(client.request('/', LIST))
    assert.ok(refused instanceof ApiError && refused.status === 401)
    assert.match(refused.message, /does not accept the credentials \(token of user 'u' in .*config\): Unauthorized/)
    assert.deepEqual(seen, ['old', 'old', 'old', 'new', 'new', 'new', 'new'])
    assert.equal(server.connections(), 1)
  })
})
