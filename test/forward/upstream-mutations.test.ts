// Replies with octets changed, cut off, put in and doubled, over UDP and over TCP in pieces of any length: each query ends once, in time, and a connection
// or socket that has been spoilt spoils nothing behind it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { openAsking, openUpstream } from './asking.ts'
import { a, framed, honest, replyTo } from './lying-upstream.ts'

const SEED = 20_260_518
const QUERIES = 600

const anyChange = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), at: fc.nat(120), octet: fc.nat(255) }),
  fc.record({ kind: fc.constant('cut' as const), at: fc.nat(120), octet: fc.nat(255) }),
  fc.record({ kind: fc.constant('insert' as const), at: fc.nat(120), octet: fc.nat(255) }),
  fc.record({ kind: fc.constant('twice' as const), at: fc.nat(120), octet: fc.nat(255) }),
)
const anyLie = fc.record({
  changes: fc.array(anyChange, { minLength: 1, maxLength: 4 }),
  pieces: fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 6 }),
  records: fc.nat(5),
})
type Lie = typeof anyLie extends fc.Arbitrary<infer T> ? T : never

function changed(octets: Buffer, { changes }: Lie): Buffer {
  for (const { kind, at, octet } of changes) {
    const place = at % (octets.length + 1)
    if (kind === 'set') octets[place] = octet
    else if (kind === 'cut') octets = octets.subarray(0, place)
    else if (kind === 'insert')
      octets = Buffer.concat([octets.subarray(0, place), Buffer.of(octet), octets.subarray(place)])
    else octets = Buffer.concat([octets, octets.subarray(0, place)])
  }
  return octets
}

test(`changed replies (seed ${SEED})`, async (t) => {
  const lies = fc.sample(anyLie, { seed: SEED, numRuns: QUERIES })
  let count = 0
  const upstream = await openUpstream(t, (asked) => {
    const lie = lies[count++ % lies.length]
    const answers = Array.from({ length: lie.records }, (_, i) => a(asked.name, `192.0.2.${i}`))
    const reply = replyTo(asked, { answers })
    if (asked.proto === 'udp') {
      asked.send(changed(reply, lie))
      return
    }
    let octets = changed(framed(reply), lie)
    for (const piece of lie.pieces) {
      asked.write(octets.subarray(0, piece))
      octets = octets.subarray(piece)
    }
    asked.write(octets)
    if (lie.records === 0) asked.end()
  })
  const said = new Map<string, number>()
  for (const forceTcp of [false, true]) {
    const asking = openAsking(t, [upstream.port], { forceTcp, readTimeoutMs: 120, maxFails: 0, maxConnectAttempts: 1 })
    for (let wave = 0; wave < QUERIES / 30; wave++) {
      const answers = Array.from({ length: 30 }, (_, i) => asking.ask({ name: `n${wave}-${i}.example.`, type: 1 }))
      for (const answer of await Promise.all(answers)) {
        const kind = answer.includes(':') ? answer.replace(/: .*: /, ': ') : answer.split(' ', 1)[0]
        said.set(kind, (said.get(kind) ?? 0) + 1)
      }
    }
    assert.equal(asking.forwarder.waitingCount, 0)
  }
  t.diagnostic([...said].map(([kind, times]) => `${kind} ${times}`).join('; '))
  for (const kind of [
    'NOERROR',
    'SERVFAIL: malformed reply',
    'SERVFAIL: i/o timeout',
    'FORMERR: reply to another question',
  ]) {
    assert.ok(said.has(kind), `reached: ${kind}`)
  }
  upstream.behavior = honest
  for (const forceTcp of [false, true]) {
    const asking = openAsking(t, [upstream.port], { forceTcp })
    assert.equal(await asking.ask(), 'NOERROR 192.0.2.1')
  }
})
