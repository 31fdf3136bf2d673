// How another server is asked: once a question, again when it is silent, over TCP after TC, and not at all if nobody is there.

import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { LoadInputError } from '../../../src/load/input-error.ts'
import { DnsClient } from '../../../src/load/verify/dns-client.ts'
import { ReferenceServer } from '../../../src/load/verify/reference-server.ts'
import { NoTruthError } from '../../../src/load/verify/truth.ts'
import { freePort } from '../../server/server-process.ts'
import { answer, query, withId } from './answers.ts'
import { type Answering, SmallServer } from './small-server.ts'

/** For servers that are silent. */
const QUICK = { timeoutMs: 50, tries: 3 }
const WEB = 'web.shop.svc.cluster.local. A'
const RIGHT = answer('web A', 'NOERROR | web A 10.0.0.1')
const CUT = answer('web A', 'NOERROR tc')
const open: { close(): void }[] = []

after(() => {
  for (const each of open) each.close()
})

async function serverSaying(answering: Answering): Promise<SmallServer> {
  const server = await SmallServer.start(answering)
  open.push(server)
  return server
}

async function referenceTo(server: SmallServer, options = {}): Promise<ReferenceServer> {
  const reference = await ReferenceServer.start(server.target(), options, query('probe A'))
  open.push(reference)
  server.asked.length = 0
  return reference
}

/** Answers the probe, and the one question. */
function saying(response: (way: 'udp' | 'tcp', times: number) => Uint8Array | null): Answering {
  return (question, way, times) => (question === WEB ? response(way, times) : answer(question, 'REFUSED'))
}

suite('a client', () => {
  const cases: [name: string, Answering, transport: 'udp' | 'tcp', expected: Uint8Array | null, asked: string[]][] = [
    ['an answer', saying(() => RIGHT), 'udp', RIGHT, ['udp']],
    ['the second try', saying((_, times) => (times === 2 ? RIGHT : null)), 'udp', RIGHT, ['udp', 'udp']],
    ['silence', saying(() => null), 'udp', null, ['udp', 'udp', 'udp']],
    ['TCP after TC', saying((way) => (way === 'udp' ? CUT : RIGHT)), 'udp', RIGHT, ['udp', 'tcp']],
    ['TC, and no TCP', saying((way) => (way === 'udp' ? CUT : null)), 'udp', CUT, ['udp', 'tcp', 'tcp', 'tcp']],
    ['TCP', saying(() => RIGHT), 'tcp', RIGHT, ['tcp']],
    ['an answer to another question', saying(() => answer('db A', 'NOERROR')), 'udp', null, ['udp', 'udp', 'udp']],
    ['a query back', saying(() => query('web A')), 'udp', null, ['udp', 'udp', 'udp']],
    ['a failure without the question', saying(() => answer('', 'FORMERR')), 'udp', answer('', 'FORMERR'), ['udp']],
    ['too few octets', saying(() => Uint8Array.of(1, 2)), 'udp', null, ['udp', 'udp', 'udp']],
  ]
  for (const [name, answering, transport, expected, asked] of cases) {
    test(name, async () => {
      const server = await serverSaying(answering)
      const isSilent = asked.length > 2 || expected === null || name === 'the second try'
      const client = new DnsClient(server.target(transport), isSilent ? QUICK : {})
      open.push(client)
      const got = await client.ask(query('web A'))
      assert.deepEqual(got === null ? null : withId(got, 1), expected === null ? null : withId(expected, 1))
      assert.deepEqual(
        server.asked,
        asked.map((way) => `${WEB} ${way}`),
      )
    })
  }

  test('no more at once than allowed, and each gets its own answer', async () => {
    const server = await serverSaying(() => null)
    const client = new DnsClient(server.target(), { timeoutMs: 200, tries: 2, atOnce: 4 })
    open.push(client)
    const names = Array.from({ length: 10 }, (_, i) => `n${i}`)
    const asked = Promise.all(names.map((name) => client.ask(query(`${name} A`))))
    await sleep(100)
    assert.equal(server.asked.length, 4)
    server.answering = (question) => answer(question, 'NOERROR')
    for (const [i, got] of (await asked).entries()) {
      assert.deepEqual(got === null ? null : withId(got, 0x1234), answer(`${names[i]} A`, 'NOERROR'))
    }
  })

  test('nobody there is said by name', async () => {
    const port = await freePort()
    const client = new DnsClient({ address: '127.0.0.1', port, transport: 'udp' }, QUICK)
    open.push(client)
    assert.equal(await client.ask(query('web A')), null)
    assert.equal(client.failure, 'ECONNREFUSED')
    const stream = new DnsClient({ address: '127.0.0.1', port, transport: 'tcp' }, QUICK)
    open.push(stream)
    assert.equal(await stream.ask(query('web A')), null)
    assert.equal(stream.failure, 'ECONNREFUSED')
  })

  test('closing ends what is under way', async () => {
    const server = await serverSaying(() => null)
    const client = new DnsClient(server.target(), { timeoutMs: 60_000 })
    const asked = client.ask(query('web A'))
    setTimeout(() => client.close(), 20)
    assert.equal(await asked, null)
    assert.equal(await client.ask(query('web A')), null)
  })
})

suite('a reference', () => {
  test('is asked each question once, whatever its ID and letter case', async () => {
    const server = await serverSaying(saying(() => RIGHT))
    const reference = await referenceTo(server)
    const both = await Promise.all([reference.answer(query('web A')), reference.answer(withId(query('WEB A'), 7))])
    both.push(await reference.answer(query('wEb A')))
    for (const got of both) assert.deepEqual(withId(got, 0x1234), RIGHT)
    await reference.answer(query('web AAAA'))
    assert.deepEqual(server.asked, [`${WEB} udp`, 'web.shop.svc.cluster.local. AAAA udp'])
  })

  test('is asked again after refresh()', async () => {
    let address = 1
    const server = await serverSaying(saying(() => answer('web A', `NOERROR | web A 10.0.0.${address}`)))
    const reference = await referenceTo(server)
    const last = async (): Promise<number> => (await reference.answer(query('web A'))).at(-1) ?? -1
    assert.equal(await last(), 1)
    address = 2
    assert.equal(await last(), 1)
    assert.equal(await reference.refresh(query('web A')), false)
    assert.equal(await last(), 2)
  })

  test('that is silent about a question has no truth, and is not asked again', async () => {
    const server = await serverSaying(saying(() => null))
    const reference = await referenceTo(server, QUICK)
    for (let i = 0; i < 2; i++) await assert.rejects(async () => await reference.answer(query('web A')), NoTruthError)
    assert.equal(server.times(WEB), QUICK.tries)
  })

  test('keeps a bounded number of octets: the oldest answers go first', async () => {
    const long = `NOERROR | x TXT ${'"0123456789012345678901234567890123456789" '.repeat(1450)}`
    const template = answer('n0000 A', long)
    const server = await serverSaying((_question, _way, _times, octets) => {
      const response = template.slice()
      response.set(octets.subarray(12, 18), 12)
      return response
    })
    const reference = await referenceTo(server)
    const names = Array.from({ length: 1150 }, (_, i) => `n${String(i).padStart(4, '0')}`)
    for (const name of [...names, 'n1149', 'n0000']) await reference.answer(query(`${name} A`))
    assert.equal(server.asked.length, 1151)
    assert.ok(server.asked.at(-1)?.startsWith('n0000'))
  })

  test('that is not there, or is asked another way, is bad input', async () => {
    const port = await freePort()
    const target = { ...(await serverSaying(() => null)).target(), port, label: 'ref' }
    await assert.rejects(ReferenceServer.start(target, QUICK), (error: Error) => {
      assert.ok(error instanceof LoadInputError)
      assert.equal(error.message, 'reference ref does not answer: ECONNREFUSED')
      return true
    })
    await assert.rejects(ReferenceServer.start({ ...target, transport: 'https' }, QUICK), {
      code: 'BAD_LOAD_INPUT',
      message: 'reference ref: asked over udp or tcp, not https',
    })
    const silent = await serverSaying(() => null)
    await assert.rejects(ReferenceServer.start(silent.target(), QUICK), /no answer in 3 tries of 50 ms/)
  })
})
