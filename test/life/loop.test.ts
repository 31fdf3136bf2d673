// `loop` in a process: what goes round ends it with exit code 1, at start and after a reload; all else does not. And nameservers of a file that
// change while it serves. Corefile reference 5.6, 5.8, 9.4.

import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type CorefileOptions, CorefileServer, freePort } from '../corefile/corefile-server.ts'
import { a, type Behavior, LyingUpstream, replyTo, silent } from '../forward/lying-upstream.ts'

const HINFO = 13
const NXDOMAIN = 3
const SIGN =
  /^\[FATAL\] plugin\/loop: Loop \((?:127\.0\.0\.1|\[::1\]):\d+ -> :\d+\) detected for zone "\.", see https:\/\/\S+\. Query: "HINFO \d+\.\d+\."$/
const PATIENCE_MS = 20_000

async function start(context: TestContext, options: CorefileOptions): Promise<CorefileServer> {
  const server = await CorefileServer.launch(options)
  context.after(() => {
    if (server.isRunning) server.kill()
  })
  return await server.serving()
}

async function upstream(context: TestContext, behavior: Behavior): Promise<LyingUpstream> {
  const opened = await LyingUpstream.open(behavior)
  context.after(() => opened.close())
  return opened
}

/** There is no such name; other types than HINFO get an address. */
function nobody(address: string): Behavior {
  return (asked) => {
    if (asked.type === HINFO) asked.send(replyTo(asked, { type: 'HINFO', rcode: NXDOMAIN }))
    else asked.send(replyTo(asked, { answers: [a(asked.name, address)] }))
  }
}

function hinfos({ asked }: LyingUpstream): string[] {
  return asked.filter(({ type }) => type === HINFO).map(({ name }) => name)
}

async function until(condition: () => boolean, server: CorefileServer, what: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  while (!condition()) {
    assert.ok(Date.now() < deadline && server.isRunning, `${what}; output:\n${server.output}`)
    await sleep(20)
  }
}

// Side by side: they mostly wait.
describe('loop', { concurrency: true }, () => {
  test('a server that forwards to itself says so, and ends', async (context) => {
    for (const plugins of ['', 'cache 30\n  errors\n  log\n  ', 'rewrite name a.example b.example\n  ']) {
      const port = await freePort()
      const text = `.:${port} {\n  ${plugins}loop\n  forward . 127.0.0.1:${port}\n}\n`
      const server = await start(context, { text, manifests: [], port })
      assert.equal((await server.exit()).code, 1, server.output)
      assert.match(server.stdout.find((line) => line.includes('FATAL')) ?? '', SIGN, server.output)
    }
  })

  test('two that forward to each other', async (context) => {
    const [port, other] = [await freePort(), await freePort()]
    const text = `.:${other} {\n  forward . 127.0.0.1:${port}\n}\n`
    const far = await start(context, { text, manifests: [], port: other })
    const near = await start(context, {
      text: `.:${port} {\n  loop\n  forward . 127.0.0.1:${other}\n}\n`,
      manifests: [],
      port,
    })
    assert.equal((await near.exit()).code, 1, near.output)
    assert.match(near.stdout.find((line) => line.includes('FATAL')) ?? '', SIGN, near.output)
    assert.equal(far.isRunning, true)
  })

  test('an upstream that answers is asked once, at start and after each reload; a reload that makes a loop ends it', async (context) => {
    const above = await upstream(context, nobody('192.0.2.1'))
    const port = await freePort()
    const text = (to: number): string => `.:${port} {\n  loop\n  forward . 127.0.0.1:${to}\n}\n`
    const server = await start(context, { text: text(above.port), manifests: [], port })
    await until(() => hinfos(above).length === 1, server, 'a query of its own')
    await sleep(1500)
    assert.equal(hinfos(above).length, 1)
    server.signal('SIGUSR1')
    await until(() => hinfos(above).length === 2, server, 'another after a reload')
    const [first, second] = hinfos(above)
    assert.match(first, /^\d{1,20}\.\d{1,20}$/)
    assert.notEqual(first, second)
    assert.equal((await server.ask({ name: 'www.example', type: 'A' })).answer[0]?.data, '192.0.2.1')
    server.write(text(port))
    server.signal('SIGUSR1')
    assert.equal((await server.exit()).code, 1, server.output)
    assert.match(server.stdout.find((line) => line.includes('FATAL')) ?? '', SIGN, server.output)
  })

  test('an upstream that is silent is no loop', async (context) => {
    const above = await upstream(context, silent)
    const server = await start(context, {
      text: `. {\n  loop\n  errors\n  forward . 127.0.0.1:${above.port}\n}\n`,
      manifests: [],
    })
    await until(() => hinfos(above).length > 1, server, 'queries')
    await sleep(7000)
    assert.equal(server.isRunning, true, server.output)
    assert.doesNotMatch(server.output, /FATAL/)
    assert.equal(await server.stop(), 0)
  })

  test('other nameservers in resolv.conf are asked a few seconds later', async (context) => {
    const [first, second] = [await upstream(context, nobody('192.0.2.1')), await upstream(context, nobody('192.0.2.2'))]
    const conf = (to: LyingUpstream): string => `search a b\nnameserver 127.0.0.1:${to.port}\n`
    const server = await start(context, {
      text: '. {\n  errors\n  forward . resolv.conf\n}\n',
      files: { 'resolv.conf': conf(first) },
      manifests: [],
    })
    const address = async (): Promise<unknown> =>
      (await server.ask({ name: 'www.example', type: 'A' })).answer.map(({ data }) => data).join()
    assert.equal(await address(), '192.0.2.1')
    server.write(conf(second), 'resolv.conf')
    await server.line(/^\[INFO\] plugin\/forward: \S*resolv\.conf has changed: 127\.0\.0\.1:\d+$/)
    await server.line(/^\[INFO\] Reloading complete$/)
    assert.equal(await address(), '192.0.2.2')
    server.write('', 'resolv.conf')
    await server.line(/^\[WARNING\] plugin\/forward: \S*resolv\.conf has no nameservers: upstreams stay as they are/)
    assert.equal(await address(), '192.0.2.2')
  })
})
