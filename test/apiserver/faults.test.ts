// What goes wrong between the stand-in and its clients: cuts, silence, restarts, certificates, trickling; and the relay.

import assert from 'node:assert/strict'
import { type AddressInfo, connect, createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { startRelay } from './relay.ts'
import { fixture } from './server.ts'
import { brief, keysOf, PROTOCOLS, type Protocol, serverAndClient, service, TestClient } from './test-client.ts'

const SERVICES = '/api/v1/services'
const WATCH = `${SERVICES}?watch=1`
const TIMEOUT = { timeout: 30_000 }

function both(name: string, run: (t: TestContext, protocol: Protocol) => Promise<void>): void {
  for (const protocol of PROTOCOLS) test(`${name} over ${protocol}`, TIMEOUT, (t) => run(t, protocol))
}

both('all connections are cut, and new ones taken', async (t, protocol) => {
  const { server, store, client } = await serverAndClient(t, protocol)
  for (const how of ['rst', 'fin'] as const) {
    const watch = await client.open(`${WATCH}&resourceVersion=${store.version}`)
    server.cut(how)
    assert.notEqual(await watch.end(), 'end', `${how}: no clean end`)
    assert.notEqual(watch.ended, '', how)
    assert.equal((await client.get(SERVICES)).status, 200)
  }
})

both('a body is cut after so many octets', async (t, protocol) => {
  const { server, store, client } = await serverAndClient(t, protocol)
  for (let i = 0; i < 100; i++) store.create('services', service(`shop/web-${i}`))
  const { length } = (await client.get(SERVICES)).body
  for (const octets of [0, 1, 1000, length - 1]) {
    server.cutAfter(octets, 'fin')
    const received = await receivedOf(client, SERVICES)
    assert.ok(received <= octets, `${received} of ${octets}`)
  }
  assert.equal((await client.get(SERVICES)).body.length, length, 'only once')
  server.cutAfter(length + 1)
  assert.equal((await client.get(SERVICES)).body.length, length, 'not yet')
  await assert.rejects(client.get(SERVICES), 'but then')
})

/** Octets until the body broke off. */
async function receivedOf(client: TestClient, path: string): Promise<number> {
  try {
    const body = await client.open(path)
    let received = 0
    for (let line = await body.line(); line !== null; line = await body.line()) received += line.length + 1
    assert.notEqual(await body.end(), 'end')
    return received
  } catch {
    return 0
  }
}

both('a server that starts again has the same port, and the same objects', async (t, protocol) => {
  const { server, store, client } = await serverAndClient(t, protocol)
  store.create('services', service('shop/a'))
  const before = store.version
  const watch = await client.open(`${WATCH}&resourceVersion=${before}`)
  const { port } = server
  await server.stop()
  assert.notEqual(await watch.end(), 'end')
  await assert.rejects(client.get(SERVICES), /ECONNREFUSED/)
  store.create('services', service('shop/b'))
  await server.start()
  assert.equal(server.port, port)
  const resumed = await client.open(`${WATCH}&resourceVersion=${before}`)
  assert.deepEqual((await resumed.events(1)).map(brief), ['ADDED shop/b'])
  const page = await client.json(`${SERVICES}?limit=1`)
  await server.stop({ how: 'fin', forget: true })
  await server.start()
  client.close()
  const late = await client.open(`${WATCH}&resourceVersion=${before}`)
  assert.equal((await late.events(1))[0].object.code, 410, 'what the process knew is gone')
  const rest = await client.json(`${SERVICES}?limit=1&continue=${page.metadata.continue}`)
  assert.deepEqual(keysOf(rest), ['shop/b'], 'what the database knows is not')
})

both('a certificate is replaced', async (t, protocol) => {
  const { server, client } = await serverAndClient(t, protocol)
  assert.equal((await client.get(SERVICES)).status, 200)
  server.setCertificate({ cert: fixture('other-server.pem'), key: fixture('other-server-key.pem') })
  assert.equal((await client.get(SERVICES)).status, 200, 'a connection that is there goes on')
  server.cut()
  const fresh = new TestClient(server.url, protocol)
  await assert.rejects(fresh.get(SERVICES), /self-signed|unable to verify/)
  const other = new TestClient(server.url, protocol, { ca: fixture('other-ca.pem') })
  assert.equal((await other.get(SERVICES)).status, 200)
  fresh.close()
  other.close()
})

both('bodies trickle', async (t, protocol) => {
  const { server, store, client } = await serverAndClient(t, protocol)
  for (let i = 0; i < 10; i++) store.create('services', service(`shop/web-${i}`))
  const whole = (await client.get(SERVICES)).body
  server.trickle(500, 2)
  const startedMs = performance.now()
  const slow = (await client.get(SERVICES)).body
  assert.ok(slow.equals(whole))
  assert.ok(performance.now() - startedMs >= (whole.length / 500) * 2 - 10, 'at the pace that was set')
})

both('what comes after trickling waits for what trickles', async (t, protocol) => {
  const { server, store, client } = await serverAndClient(t, protocol)
  const watch = await client.open(`${WATCH}&resourceVersion=${store.version}`)
  server.trickle(100, 5)
  store.create('services', service('shop/a'))
  await new Promise((resolve) => setTimeout(resolve, 12))
  server.trickle(Infinity)
  store.create('services', service('shop/b'))
  assert.deepEqual((await watch.events(2)).map(brief), ['ADDED shop/a', 'ADDED shop/b'])
})

test('a server that is about to go says so over HTTP/2, and ends what is under way', TIMEOUT, async (t) => {
  const { server, store, client } = await serverAndClient(t, 'h2')
  const watch = await client.open(`${WATCH}&resourceVersion=${store.version}`)
  server.goaway()
  store.create('services', service('shop/a'))
  assert.deepEqual((await watch.events(1)).map(brief), ['ADDED shop/a'])
  assert.equal((await client.get(SERVICES)).status, 200)
  assert.equal(server.connectionCount, 2)
})

both('the relay: silence with open sockets, and what was held back afterwards', async (t, protocol) => {
  const { server, store } = await serverAndClient(t, protocol)
  const relay = await startRelay(server.port)
  const client = new TestClient(relay.url, protocol)
  t.after(() => {
    client.close()
    return relay.close()
  })
  const watch = await client.open(`${WATCH}&resourceVersion=${store.version}`)
  relay.freeze()
  store.create('services', service('shop/a'))
  const another = new TestClient(relay.url, protocol)
  const waiting = another.get(SERVICES)
  assert.equal(await watch.line(200), null)
  assert.equal(watch.ended, '')
  assert.equal(relay.pairCount, 2, 'connections are taken, and silent')
  relay.thaw()
  assert.deepEqual((await watch.events(1)).map(brief), ['ADDED shop/a'])
  assert.equal((await waiting).status, 200)
  another.close()
})

test('the relay: carries so many octets and no more', TIMEOUT, async (t) => {
  const sent = Buffer.alloc(50_000, 'peregrine ')
  const source = createServer((socket) => socket.on('error', () => {}).end(sent))
  await new Promise<void>((resolve) => source.listen(0, '127.0.0.1', resolve))
  const relay = await startRelay((source.address() as AddressInfo).port)
  t.after(async () => {
    await relay.close()
    source.close()
  })
  for (const octets of [1, 999, 49_999]) {
    relay.cutAfter(octets, 'fin')
    const received: Buffer[] = []
    for await (const chunk of connect(relay.port, '127.0.0.1')) received.push(chunk)
    assert.ok(Buffer.concat(received).equals(sent.subarray(0, octets)), `${octets}`)
  }
})

both('the relay: cuts at any octet', async (t, protocol) => {
  const { server, store } = await serverAndClient(t, protocol)
  for (let i = 0; i < 50; i++) store.create('services', service(`shop/web-${i}`))
  const relay = await startRelay(server.port)
  t.after(() => relay.close())
  let whole = 0
  const broken = new Set<string>()
  for (let octets = 0; octets < 40_000; octets += 1999) {
    const client = new TestClient(relay.url, protocol)
    relay.cutAfter(octets, octets % 2 === 0 ? 'rst' : 'fin')
    const error = await client.get(SERVICES).then(
      () => null,
      (reason: Error) => reason,
    )
    if (error === null) whole++
    else broken.add(error.constructor.name)
    client.close()
    relay.cut()
  }
  assert.ok(whole > 0 && broken.size > 0, 'some were cut in time, some too late')
  relay.refuse(true)
  const refused = new TestClient(relay.url, protocol)
  await assert.rejects(refused.get(SERVICES))
  relay.refuse(false)
  relay.delay(30)
  const startedMs = performance.now()
  assert.equal((await refused.get(SERVICES)).status, 200)
  assert.ok(performance.now() - startedMs >= 30)
  refused.close()
})
