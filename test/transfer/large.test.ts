// A zone of 100,000 records on its way: whole and of one version while it changes, while the configuration is loaded anew, and for clients that
// read slowly, not at all, or go away.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { decodeMessage, type ResourceRecord } from '../../src/dns/message.ts'
import { serialOf } from '../../src/dns/transfer-messages.ts'
import { CorefileServer } from '../corefile/corefile-server.ts'
import { encodeQuery, readResponse } from '../server/wire.ts'
import { type Endpoint, TransferClient } from './axfr.ts'

/** Half the usual: reading so many records takes seconds, and a transfer may not stand still for ten. */
const NAMES = Number(process.env.PEREGRINE_LARGE_ZONE ?? 50_000)
// Together more than the system takes for a client that does not read.
const PADDING = 'x'.repeat(100)
const TXT = 16

/** Version `serial` of the zone: every record of it says which. */
function zoneText(serial: number): string {
  const lines = [`$TTL 300`, `@ SOA ns host ${serial} 3600 600 86400 60`, ' NS ns']
  for (let i = 0; i < NAMES; i++) lines.push(`host-${i} TXT "${serial} ${PADDING}"`)
  return `${lines.join('\n')}\n`
}

/** A whole zone, without looking at more than is needed: there is much of it. @throws Error if it breaks off */
async function take(client: TransferClient): Promise<ResourceRecord[]> {
  const records: ResourceRecord[] = []
  do {
    const octets = await client.next()
    if (octets === null) throw new Error(`the transfer broke off after ${records.length} records`)
    const { rcode, answer } = decodeMessage(octets, 0, octets.length)
    assert.equal(rcode, 0)
    for (const record of answer) records.push(record)
  } while (records.length === 1 || serialOf(records.at(-1)!) === null)
  return records
}

async function takeZone(from: Endpoint): Promise<ResourceRecord[]> {
  const client = new TransferClient(from)
  ask(client)
  const records = await take(client)
  client.close()
  return records
}

/** The records must be all there are in one version. @returns its serial */
function versionOf(records: readonly ResourceRecord[]): number {
  assert.equal(records.length, NAMES + 3)
  assert.deepEqual(records.at(-1), records[0])
  const serial = serialOf(records[0])!
  const owners = new Set<string>()
  for (const { owner, type, rdata } of records) {
    if (type !== TXT) continue
    owners.add(owner)
    const text = Buffer.from(rdata).toString('latin1', 1)
    if (text !== `${serial} ${PADDING}`) assert.fail(`${owner} has '${text}' in version ${serial}`)
  }
  assert.equal(owners.size, NAMES)
  return serial
}

let server: CorefileServer
let endpoint: Endpoint
let serial = 1

before(async () => {
  server = await CorefileServer.start({ text: corefile(''), files: { 'db.example.org': zoneText(serial) } })
  endpoint = { port: server.port }
})
after(() => server?.kill())

function corefile(more: string): string {
  return `
cluster.local {
  log
  kubernetes cluster.local
}
example.org {
  log
  file db.example.org {
    reload 1s
  }
  transfer {
    to *
  }
}
${more}`
}

function ask(client: TransferClient): void {
  client.send(encodeQuery({ name: 'example.org', type: 'AXFR' }))
}

/** Waits until another version is served. */
async function change(): Promise<void> {
  const mark = server.mark
  server.write(zoneText(++serial), 'db.example.org')
  await server.line(new RegExp(`example\\.org\\. loaded with serial ${serial}$`), mark)
}

test('it arrives whole', async () => {
  assert.equal(versionOf(await takeZone(endpoint)), serial)
})

test('several at a time, and queries are answered meanwhile', async () => {
  const taken = [1, 2, 3, 4].map(() => takeZone(endpoint))
  let isOver = false
  const all = Promise.all(taken).finally(() => {
    isOver = true
  })
  let answered = 0
  for (; !isOver; answered++) {
    const { rcode } = await server.ask({ name: 'host-7.example.org', type: 'A' }, { tcp: answered % 2 === 0 })
    assert.equal(rcode, 'NOERROR')
  }
  assert.ok(answered > 10, `${answered} queries were answered`)
  for (const each of await all) assert.equal(versionOf(each), serial)
})

test('a transfer that began before a change ends as it began', async () => {
  const client = new TransferClient(endpoint)
  client.socket.pause()
  ask(client)
  await sleep(200)
  const old = serial
  await change()
  const later = takeZone(endpoint)
  client.socket.resume()
  assert.equal(versionOf(await take(client)), old)
  assert.equal(versionOf(await later), serial)
  client.close()
})

test('a transfer goes on over a reload, and is counted once', async () => {
  const client = new TransferClient({ ...endpoint, from: '127.0.0.8' })
  client.socket.pause()
  ask(client)
  await sleep(200)
  const mark = server.mark
  server.write(corefile('other.example {\n  whoami\n}\n'))
  server.signal('SIGUSR1')
  await server.line(/Reloading complete/, mark)
  client.socket.resume()
  assert.equal(versionOf(await take(client)), serial)
  client.close()
  assert.equal(versionOf(await takeZone({ ...endpoint, from: '127.0.0.9' })), serial)
  await server.line(/127\.0\.0\.9:\d+ /, mark)
  assert.equal(
    server.stdout.filter((line) => /127\.0\.0\.8:\d+ .*AXFR/.test(line)).length,
    1,
    server.stdout.slice(-9).join('\n'),
  )
})

test('who reads nothing is let go, and who goes away too; others are served', async () => {
  const idle = Array.from({ length: 6 }, () => new TransferClient(endpoint))
  for (const client of idle) {
    client.socket.pause()
    ask(client)
  }
  const leaving = Array.from({ length: 6 }, () => new TransferClient(endpoint))
  for (const client of leaving) ask(client)
  for (const client of leaving) {
    readResponse((await client.next())!)
    client.close()
  }
  assert.equal(versionOf(await takeZone(endpoint)), serial)
  // Their time is 5 s.
  await sleep(7000)
  for (const client of idle) {
    client.socket.resume()
    await assert.rejects(take(client), /broke off/)
    client.close()
  }
  const again = await Promise.all(Array.from({ length: 4 }, () => takeZone(endpoint)))
  for (const each of again) assert.equal(versionOf(each), serial)
})

test('more than there is room for get SERVFAIL', async () => {
  const clients = Array.from({ length: 20 }, (_, i) => new TransferClient({ ...endpoint, from: `127.0.1.${1 + i}` }))
  for (const client of clients) {
    client.socket.pause()
    ask(client)
  }
  await sleep(1500)
  const rcodes: string[] = []
  for (const client of clients) {
    client.socket.resume()
    rcodes.push(readResponse((await client.next())!).rcode)
    client.close()
  }
  assert.deepEqual(rcodes.filter((rcode) => rcode === 'SERVFAIL').length, 4)
  assert.deepEqual(rcodes.filter((rcode) => rcode === 'NOERROR').length, 16)
})

test('the server ends while a zone is on its way', async () => {
  const client = new TransferClient(endpoint)
  client.socket.pause()
  ask(client)
  await sleep(200)
  const beganMs = performance.now()
  assert.equal(await server.stop(), 0)
  assert.ok(performance.now() - beganMs < 20_000)
  client.close()
})
