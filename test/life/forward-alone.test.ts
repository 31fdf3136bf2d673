// Datagrams to an upstream while nothing else keeps the resolver thread awake: for a query that came over TCP, and for health checks.

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { CorefileServer } from '../corefile/corefile-server.ts'
import { honest, LyingUpstream, silent } from '../forward/lying-upstream.ts'

const QUERY = { name: 'www.example', type: 'A' }

async function start(context: TestContext, upstream: LyingUpstream, property: string): Promise<CorefileServer> {
  const text = `. {\n  errors\n  forward . ${upstream.to} {\n    ${property}\n  }\n}\n`
  const server = await CorefileServer.launch({ text, manifests: [] })
  context.after(async () => {
    server.kill()
    await upstream.close()
  })
  return await server.serving()
}

test('over TCP asked, over UDP forwarded', async (context) => {
  const upstream = await LyingUpstream.open(honest)
  const server = await start(context, upstream, 'prefer_udp')
  for (let i = 0; i < 3; i++) {
    const { answer } = await server.ask(QUERY, { tcp: true })
    assert.deepEqual(
      answer.map(({ data }) => data),
      ['192.0.2.1'],
    )
  }
  assert.deepEqual(
    upstream.asked.map(({ proto }) => proto),
    ['udp', 'udp', 'udp'],
  )
})

test('an upstream that is back is noticed while nobody asks', async (context) => {
  const upstream = await LyingUpstream.open(silent)
  const server = await start(context, upstream, 'health_check 100ms')
  assert.equal((await server.ask(QUERY)).rcode, 'SERVFAIL')
  await server.line(/plugin\/forward: upstream \S+ is down/)
  upstream.behavior = honest
  await server.line(/plugin\/forward: upstream \S+ is back/)
})
