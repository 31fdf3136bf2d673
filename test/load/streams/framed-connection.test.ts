// A single connection, against a server that does not read.

import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { queryMessage } from '../../../src/load/query-table.ts'
import { QueryOctets } from '../../../src/load/streams/query-octets.ts'
import { tcpOpener } from '../../../src/load/streams/tcp.ts'
import { tableOf } from '../engine/tables.ts'
import { FramedServer } from './framed-server.ts'
import { streamTarget, until } from './runs.ts'

/** Long ones, so that buffers of the system are full soon. */
const NAME = Array.from({ length: 4 }, () => 'a'.repeat(60)).join('.')
const BATCH = 200
const BATCHES_MAX = 2000
const table = tableOf([NAME])

test('what the other side does not take is not written to without end', async () => {
  const server = await FramedServer.open(() => {})
  after(() => server.close())
  const opener = tcpOpener(streamTarget('tcp', server.port), new QueryOctets(table))
  const heard: string[] = []
  const connection = opener({
    opened: () => heard.push('opened'),
    message: () => heard.push('message'),
    refused: (what) => heard.push(what),
    ended: (error) => heard.push(`ended ${error}`),
    closed: () => heard.push('closed'),
  })
  assert.equal(connection.room, 0, 'not connected yet')
  await until('it opens', () => heard.length > 0 && server.peers.length > 0)
  const [peer] = server.peers
  peer.socket.pause()
  const queries = new Uint32Array(BATCH)
  let sent = 0
  while (connection.room > 0 && sent < BATCH * BATCHES_MAX) {
    connection.send(queries, BATCH, sent % 65_536, 0)
    sent += BATCH
    // As the loop does: what the system takes at once is no reason to stop.
    await new Promise(setImmediate)
  }
  assert.equal(connection.room, 0, `${sent} queries`)
  peer.socket.resume()
  await until('it takes more', () => connection.room > 0)
  await until('all have come', () => peer.messages.length === sent)
  const [first, last] = [peer.messages[0], peer.messages[sent - 1]]
  assert.deepEqual(first, Buffer.from(queryMessage(table, 0)))
  assert.equal(last.readUInt16BE(), (sent - 1) % 65_536)
  connection.close()
  await until('it is gone', () => server.openCount === 0)
  assert.equal(connection.room, 0)
  assert.deepEqual(heard, ['opened'])
})
