// NOTIFY (src/server/notifications.ts, RFC 1996): sent until it is answered, a few times at most.

import assert from 'node:assert/strict'
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createLogger } from '../../src/admin/logger.ts'
import { decodeMessage } from '../../src/dns/message.ts'
import { Notifications, type NotifyLimits, type NotifyTarget } from '../../src/server/notifications.ts'
import { freePort } from '../corefile/corefile-server.ts'

const LIMITS: NotifyLimits = { waitsMs: [40, 40, 40], atOnce: 4, waiting: 20 }
const lines: string[] = []
const open: { close(): void }[] = []

afterEach(() => {
  for (const each of open.splice(0)) each.close()
  lines.length = 0
})

function notificationsOf(limits: Partial<NotifyLimits> = {}): Notifications {
  const logger = createLogger((line) => void lines.push(line.trim()), true)
  const notifications = new Notifications(logger, { ...LIMITS, ...limits })
  open.push(notifications)
  return notifications
}

/** A secondary that answers as `answer` says: octets of a message, or nothing. */
class Secondary {
  readonly received: Buffer[] = []
  readonly from: RemoteInfo[] = []
  readonly socket: Socket
  port = 0
  answer: (query: Buffer) => Uint8Array | null = answered

  static async open(port = 0): Promise<Secondary> {
    const secondary = new Secondary()
    secondary.socket.bind(port, '127.0.0.1')
    await once(secondary.socket, 'listening')
    secondary.port = secondary.socket.address().port
    open.push(secondary.socket)
    return secondary
  }

  private constructor() {
    this.socket = createSocket('udp4')
    this.socket.on('message', (query, from) => {
      this.received.push(query)
      this.from.push(from)
      const octets = this.answer(query)
      if (octets !== null) this.socket.send(octets, from.port, from.address)
    })
  }

  get target(): NotifyTarget {
    return { address: '127.0.0.1', port: this.port, source: '' }
  }
}

function answered(query: Buffer, rcode = 0): Buffer {
  const answer = Buffer.from(query)
  answer[2] |= 0x80
  answer[3] |= rcode
  return answer
}

async function line(pattern: RegExp, count = 1): Promise<void> {
  for (let tries = 0; tries < 2000; tries++, await sleep(5)) {
    if (lines.filter((each) => pattern.test(each)).length >= count) return
  }
  assert.fail(`no ${pattern} among:\n${lines.join('\n')}`)
}

test('a secondary that answers is told once', async () => {
  const secondary = await Secondary.open()
  notificationsOf().tell('example.org.', secondary.target)
  await line(/^\[DEBUG\] plugin\/transfer: 127\.0\.0\.1:\d+ has been notified of example\.org\.$/)
  await sleep(100)
  assert.equal(secondary.received.length, 1)
  const message = decodeMessage(secondary.received[0], 0, secondary.received[0].length)
  assert.deepEqual([message.opcode, message.response, message.authoritative], [4, false, true])
  assert.deepEqual(message.question, { name: 'example.org.', type: 6, class: 1 })
  assert.deepEqual([message.answer, message.authority, message.additional, message.edns], [[], [], [], null])
})

test('one that does not is told again, and then given up', async () => {
  const secondary = await Secondary.open()
  secondary.answer = () => null
  notificationsOf().tell('example.org.', secondary.target)
  await line(/^\[WARNING\] .* does not answer NOTIFY of example\.org\.$/)
  assert.equal(secondary.received.length, 3)
  assert.equal(new Set(secondary.received.map(String)).size, 1, 'the same message each time')
})

test('one that answers later is told no more', async () => {
  const secondary = await Secondary.open()
  secondary.answer = (query) => (secondary.received.length < 2 ? null : answered(query))
  notificationsOf().tell('example.org.', secondary.target)
  await line(/has been notified/)
  assert.equal(secondary.received.length, 2)
})

test('what is no answer is none', async () => {
  const bad: ((query: Buffer) => Buffer)[] = [
    () => Buffer.alloc(3),
    (query) => query,
    (query) => Buffer.concat([Buffer.of(query[0] ^ 1), answered(query).subarray(1)]),
    (query) => Buffer.concat([query.subarray(0, 2), Buffer.of(0x80), query.subarray(3)]),
  ]
  const secondary = await Secondary.open()
  secondary.answer = (query) => bad[secondary.received.length - 1]?.(query) ?? answered(query)
  notificationsOf({ waitsMs: [40, 40, 40, 40, 40] }).tell('example.org.', secondary.target)
  await line(/has been notified/)
  assert.equal(secondary.received.length, 5)
})

test('one that does not want it is not told again', async () => {
  const secondary = await Secondary.open()
  secondary.answer = (query) => answered(query, 4)
  notificationsOf().tell('example.org.', secondary.target)
  await line(/^\[WARNING\] .* answers NOTIFY of example\.org\. with NOTIMP$/)
  await sleep(100)
  assert.equal(secondary.received.length, 1)
})

test('one that comes to life is told', async () => {
  const port = await freePort()
  notificationsOf({ waitsMs: Array(100).fill(50) }).tell('example.org.', { address: '127.0.0.1', port, source: '' })
  await sleep(120)
  const secondary = await Secondary.open(port)
  await line(/has been notified/)
  assert.ok(secondary.received.length >= 1)
})

test('the source is what the configuration says', async () => {
  const secondary = await Secondary.open()
  notificationsOf().tell('example.org.', { ...secondary.target, source: '127.0.0.7' })
  await line(/has been notified/)
  assert.equal(secondary.from[0].address, '127.0.0.7')
})

test('a source that is not ours is said, and nothing else happens', async () => {
  const secondary = await Secondary.open()
  notificationsOf().tell('example.org.', { ...secondary.target, source: '192.0.2.1' })
  await line(/^\[WARNING\] .* cannot be notified of example\.org\.: .*EADDRNOTAVAIL/)
})

test('a change while a secondary is being told begins anew', async () => {
  const secondary = await Secondary.open()
  secondary.answer = () => null
  const notifications = notificationsOf({ waitsMs: Array(100).fill(20_000) })
  notifications.tell('example.org.', secondary.target)
  for (let tries = 0; tries < 500 && secondary.received.length === 0; tries++) await sleep(5)
  secondary.answer = answered
  notifications.tell('example.org.', secondary.target)
  notifications.tell('example.org.', secondary.target)
  await line(/has been notified/)
  assert.equal(secondary.received.length, 2)
})

test('there is a bound to how many are told at a time, and to how many wait', async () => {
  const secondary = await Secondary.open()
  secondary.answer = () => null
  const notifications = notificationsOf({ waitsMs: [20_000] })
  for (let i = 0; i < 30; i++) notifications.tell(`zone-${i}.example.`, secondary.target)
  await line(/too many to be notified/, 6)
  for (let tries = 0; tries < 500 && secondary.received.length < 4; tries++) await sleep(5)
  await sleep(50)
  assert.equal(secondary.received.length, 4)
  secondary.answer = answered
})

test('all that wait have their turn', async () => {
  const secondary = await Secondary.open()
  const notifications = notificationsOf()
  for (let i = 0; i < 20; i++) notifications.tell(`zone-${i}.example.`, secondary.target)
  await line(/has been notified/, 20)
})
