// Forged answers with the upstream's own address and port as their source, which is the most that somebody off the path can do.
//
// A forger has to hit the port (28,232 by default on Linux), the id (65,536), and with randomize_case the case of each letter, before the upstream answers.
// That is 2^30.8 guesses for one in a query's port and id; 10 million at random hit with a chance of 0.5 %, with the 13 letters of www.example.com of
// one in 1.5 million. Who knows the port has 32 guesses of 65,536 there, then the port is given up, 32 more at another, and then it is TCP.
//
// FORGERIES=10000000 for the whole number (some minutes).

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { random16 } from '../../src/forward/random-octets.ts'
import { openAsking, openUpstream } from './asking.ts'
import { type Asked, a, replyTo } from './lying-upstream.ts'

const FORGERIES = Number(process.env.FORGERIES ?? 30_000)
const BURST = 200
/** An address of loopback where no other test listens. */
const OURS = '127.77.0.2'
const [FIRST_PORT, LAST_PORT] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8')
  .trim()
  .split(/\s+/)
  .map(Number)

test(`${FORGERIES} forged answers at random against one waiting query`, async (t) => {
  let asked: Asked | undefined
  const upstream = await openUpstream(t, (each) => {
    asked = each
  })
  const asking = openAsking(t, [upstream.port], { randomizeCase: true, maxFails: 0, sourceAddress: OURS })
  const said: string[] = []
  let forged = 0
  while (forged < FORGERIES) {
    asked = undefined
    let isOver = false
    const waiting = asking.ask().then((answer) => {
      said.push(answer)
      isOver = true
    })
    while (!isOver && forged < FORGERIES) {
      await new Promise(setImmediate)
      if (asked === undefined) continue
      const message = replyTo(
        { ...(asked as Asked), name: 'www.example.com' },
        { answers: [a('www.example.com', '203.0.113.66')] },
      )
      for (let i = 0; i < BURST; i++, forged++) {
        const mine = Buffer.from(message)
        mine.writeUInt16BE(random16())
        const port = FIRST_PORT + ((random16() * 65536 + random16()) % (LAST_PORT - FIRST_PORT + 1))
        upstream.sendTo(OURS, port, mine)
      }
    }
    if (!isOver && asked !== undefined) (asked as Asked).send(replyTo(asked))
    await waiting
  }
  t.diagnostic(`${forged} forged, ${said.length} queries waited`)
  assert.deepEqual(
    said.filter((each) => each.includes('203.0.113.66')),
    [],
  )
})

test('who knows the port has 32 guesses there and at the next, then it is TCP', async (t) => {
  let guesses = 0
  const upstream = await openUpstream(t, (asked) => {
    if (asked.proto === 'tcp') {
      asked.send(replyTo(asked))
      return
    }
    // All ids but the right one.
    for (let i = 1; i <= 200; i++, guesses++) {
      asked.send(replyTo(asked, { id: asked.id ^ i, answers: [a(asked.name, '203.0.113.66')] }))
    }
  })
  const asking = openAsking(t, [upstream.port], { maxFails: 0 })
  for (let i = 0; i < 20; i++) assert.equal(await asking.ask(), 'NOERROR 192.0.2.1')
  const udp = upstream.asked.filter(({ proto }) => proto === 'udp')
  assert.deepEqual([udp.length, guesses, upstream.asked.length], [40, 8000, 60])
  assert.ok(new Set(udp.map(({ port }) => port)).size > 35, 'a port of its own for each, but for chance')
})
