// The clock is set while a server runs: changes go on being served at once, the age of the data stays what it is, and the serial
// of the SOA goes forward only.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { KubeconfigFolder } from '../apiserver/kubeconfig.ts'
import { startApiServer } from '../apiserver/server.ts'
import { UdpClient } from '../server/exchange.ts'
import { childEnvironment, freePort, PEREGRINE } from '../server/server-process.ts'
import { encodeQuery, type Response, readResponse } from '../server/wire.ts'
import { follow } from './aids.ts'
import { namespace, service } from './objects.ts'

const DAY_MS = 86_400_000
const WAIT_MS = 20_000
/** By how much the clock is wrong, one after the other. */
const STEPS: readonly number[] = [DAY_MS, -DAY_MS, 0, 40 * 365 * DAY_MS, -2 * DAY_MS]

/** `peregrine serve` with a clock that can be set. */
class ClockedServer {
  output = ''
  readonly exit: Promise<unknown>
  readonly #clock: string
  readonly #client: UdpClient
  readonly #kill: () => void
  #id = 0

  constructor(folder: string, port: number, args: readonly string[]) {
    this.#clock = join(folder, 'clock')
    const preload = pathToFileURL(join(import.meta.dirname, 'stepped-clock.ts')).href
    const env = childEnvironment({ NODE_OPTIONS: `--import=${preload}`, PEREGRINE_TEST_CLOCK: this.#clock })
    this.set(0)
    const child = spawn(PEREGRINE, ['serve', '-dns.port', String(port), '--workers', '1', ...args], { env })
    for (const pipe of [child.stdout, child.stderr]) pipe.on('data', (text) => (this.output += text))
    this.exit = once(child, 'exit')
    this.#kill = () => child.kill('SIGKILL')
    this.stop = async () => {
      child.kill('SIGTERM')
      const [code] = (await this.exit) as [number | null]
      assert.equal(code, 0, this.output)
    }
    this.#client = new UdpClient({ address: '127.0.0.1', port })
  }

  readonly stop: () => Promise<void>

  /** Sets the clock: it is wrong by so much from now on. */
  set(offsetMs: number): void {
    writeFileSync(`${this.#clock}.new`, String(offsetMs))
    renameSync(`${this.#clock}.new`, this.#clock)
  }

  async query(name: string, type: string): Promise<Response> {
    this.#id = (this.#id % 0xfff0) + 1
    const octets = await this.#client.exchange(encodeQuery({ id: this.#id, name, type }))
    assert.ok(octets !== undefined, `no response; it printed:\n${this.output}`)
    return readResponse(octets)
  }

  async serial(): Promise<number> {
    const { answer } = await this.query('cluster.local', 'SOA')
    return Number(answer[0].data.split(' ')[2])
  }

  async until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    for (const limit = performance.now() + WAIT_MS; !(await condition()); await sleep(5)) {
      assert.ok(performance.now() < limit, `never: ${what}; it printed:\n${this.output}`)
    }
  }

  end(): void {
    this.#client.close()
    this.#kill()
  }
}

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'peregrine-clock-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

test('a server whose clock is set', async (t) => {
  const folder = temporaryFolder(t)
  const files = new KubeconfigFolder()
  t.after(() => files.remove())
  const server = await startApiServer({ streamingLists: 'on' })
  t.after(() => server.close())
  const kubeconfig = files.write({ name: 'clock', server: server.url, credentials: { type: 'token-file' } })
  server.store.apply('namespaces', namespace('shop'))
  server.store.apply('services', service('shop', 'web', '10.96.0.1'))
  const port = await freePort()
  const args = ['--listen', '127.0.0.1', '--kubeconfig', kubeconfig, '--state-dir', join(folder, 'state')]
  let clocked = new ClockedServer(folder, port, args)
  t.after(() => clocked.end())
  await clocked.until('ready', () => /^ready$/m.test(clocked.output))

  let serial = await clocked.serial()
  let step = 0
  const changed = async (): Promise<void> => {
    const [name, address] = [`step-${++step}.shop.svc.cluster.local`, `10.96.1.${step}`]
    server.store.apply('services', service('shop', `step-${step}`, address))
    await clocked.until('a change is served', async () => (await clocked.query(name, 'A')).answer[0]?.data === address)
    const next = await clocked.serial()
    assert.ok(next >= serial, `the serial goes from ${serial} to ${next}`)
    serial = next
  }
  for (const offsetMs of STEPS) {
    await t.test(`by ${offsetMs / DAY_MS} days`, async () => {
      clocked.set(offsetMs)
      await changed()
      assert.ok(serial * 1000 >= Date.now() + offsetMs - 5000, 'time goes forward with the clock')
      server.cut()
      await changed()
      // A token was read at a time that is still to come.
      server.access.tokens.clear()
      server.access.tokens.set(`token-${step}`, 'somebody')
      files.file('clock.token', `token-${step}`)
      await server.stop()
      await server.start()
      await changed()
    })
  }
  assert.doesNotMatch(clocked.output, /what is served is|must be listed again/)
  await clocked.stop()

  await t.test('a state from the future is served, and its serial is not undercut', async () => {
    clocked.end()
    clocked = new ClockedServer(folder, port, args)
    await clocked.until('ready', () => /^ready$/m.test(clocked.output))
    assert.match(clocked.output, /serving the state of/)
    assert.ok((await clocked.serial()) >= serial)
    await changed()
    await clocked.stop()
  })
})

test('the age of what is served knows no clock', async (t) => {
  const follower = await follow(t, { cluster: { services: 10, endpointsPerService: 1 } })
  await follower.following()
  await follower.until('all is well', () => follower.feed.status.ageMs < 1000)
  const now = Date.now()
  t.mock.timers.enable({ apis: ['Date'], now: now + DAY_MS })
  assert.ok(follower.feed.status.ageMs < 3000, 'a day forward')
  t.mock.timers.setTime(now + 1)
  await follower.server.stop()
  const from = follower.feed.status.ageMs
  await sleep(1500)
  assert.ok(follower.feed.status.ageMs > from + 1000, 'it grows while the clock stands')
})
