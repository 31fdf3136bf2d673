import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { test } from 'node:test'
import { configure } from '../../src/config/configure.ts'
import { readCorefile } from '../../src/config/corefile/read.ts'
import { decodeMessage, encodeMessage, type Message } from '../../src/dns/message.ts'
import { TYPES } from '../../src/dns/record-types.ts'
import { LoopCheck, type LoopError, loopNamesOf } from '../../src/server/loop-check.ts'

const CHECKS = { template() {}, expression() {}, condition() {}, labelSelector() {} }
const SERVER = 'dns://:1053'
const CLIENT = { family: 4 as const, address: '127.0.0.1', port: 4711 }

function configurationOf(text: string) {
  return configure(readCorefile('Corefile', {}, text), { defaultPort: 53, checks: CHECKS })
}

function after(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

/** A server that says what it was asked, and answers if `answers`. */
async function stage(text: string, answers: boolean) {
  const configuration = configurationOf(text)
  const names = loopNamesOf(configuration)
  const asked: Message[] = []
  const loops: LoopError[] = []
  const socket = createSocket('udp4')
  socket.on('message', (query, { port, address }) => {
    const message = decodeMessage(query, 0, query.length)
    asked.push(message)
    const reply = new Uint8Array(512)
    const length = encodeMessage({ ...message, response: true, rcode: 3 }, reply, 0, 512)
    if (answers) socket.send(reply, 0, length, port, address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const at = { address: '127.0.0.1', port: socket.address().port, listener: 0 }
  const check = new LoopCheck(configuration, names, [at], (error) => loops.push(error))
  const pass = (name: string): void => check.passed({ loop: name, client: CLIENT, server: SERVER })
  const until = async (count: number): Promise<void> => {
    const deadline = Date.now() + 20_000
    while (asked.length < count && Date.now() < deadline) await after(20)
  }
  const close = (): void => {
    check.close()
    socket.close()
  }
  return { names, asked, loops, pass, until, close }
}

test('a name for each block with loop, in its first zone', () => {
  const long = `${'a'.repeat(63)}.`.repeat(3) + 'b'.repeat(40)
  const configuration = configurationOf(`
. {
  loop
  forward . 127.0.0.1:9
}
example.org example.net {
  loop
  forward . 127.0.0.1:9
}
example.com {
  forward . 127.0.0.1:9
}
${long} {
  loop
  forward . 127.0.0.1:9
}
`)
  const [root, first, none, tooLong] = loopNamesOf(configuration)
  assert.match(root!, /^\d{1,20}\.\d{1,20}\.$/)
  assert.match(first!, /^\d{1,20}\.\d{1,20}\.example\.org\.$/)
  assert.equal(none, null)
  assert.equal(tooLong, null)
  assert.notEqual(loopNamesOf(configuration)[0], root)
})

test('three passes of one query are a loop, told once', async () => {
  const { names, asked, loops, pass, until, close } = await stage('. {\n loop\n forward . 127.0.0.1:9\n}', false)
  try {
    const name = names[0]!
    await until(1)
    assert.deepEqual(asked[0].question, { name, type: TYPES.HINFO, class: 1 })
    assert.equal(asked[0].recursionDesired, true)
    pass('1.2.')
    pass(name)
    pass(name)
    assert.equal(loops.length, 0)
    pass(name)
    pass(name)
    assert.equal(loops.length, 1)
    assert.equal(loops[0].code, 'LOOP')
    assert.equal(
      loops[0].message,
      `Loop (127.0.0.1:4711 -> :1053) detected for zone ".", see https://coredns.io/plugins/loop#troubleshooting. Query: "HINFO ${name}"`,
    )
  } finally {
    close()
  }
})

test('without an answer it is asked again, and each query may pass once', async () => {
  const { names, asked, loops, pass, until, close } = await stage('. {\n loop\n forward . 127.0.0.1:9\n}', false)
  try {
    for (let count = 1; count <= 3; count++) {
      await until(count)
      assert.ok(asked.length >= count)
      pass(names[0]!)
    }
    assert.equal(new Set(asked.map(({ question }) => question?.name)).size, 1)
    assert.equal(loops.length, 0)
    for (let k = 0; k < 40; k++) pass(names[0]!)
    assert.equal(loops.length, 1)
  } finally {
    close()
  }
})

test('an answer ends it; passes that are reported a moment later still count', async () => {
  const { names, asked, loops, pass, until, close } = await stage('. {\n loop\n forward . 127.0.0.1:9\n}', true)
  try {
    await until(1)
    await after(3000)
    assert.equal(asked.length, 1)
    for (let k = 0; k < 10; k++) pass(names[0]!)
    assert.equal(loops.length, 0)
  } finally {
    close()
  }
  const late = await stage('. {\n loop\n forward . 127.0.0.1:9\n}', true)
  try {
    await late.until(1)
    await after(50)
    for (let k = 0; k < 3; k++) late.pass(late.names[0]!)
    assert.equal(late.loops.length, 1)
  } finally {
    late.close()
  }
})

test('nothing is asked where nobody listens for the block, and nothing is left open', async () => {
  const configuration = configurationOf('. {\n loop\n forward . 127.0.0.1:9\n}')
  const before = process.getActiveResourcesInfo().length
  const check = new LoopCheck(configuration, loopNamesOf(configuration), [], () => assert.fail('a loop'))
  check.passed({ loop: '1.2.', client: CLIENT, server: SERVER })
  check.close()
  assert.equal(process.getActiveResourcesInfo().length, before)
})
