// A reload swaps listeners and configuration while queries come: sockets that stay lose none, others come and go, HTTP endpoints are never
// closed, counters go on.

import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { createServer } from 'node:net'
import { after, before, beforeEach, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { CorefileServer, freePort, httpGet } from '../corefile/corefile-server.ts'
import { type HttpPorts, httpPorts, USUAL_QUESTIONS, usualBlock } from './corefiles.ts'
import { Load } from './load.ts'
import { metricOf, metricsPage } from './metrics.ts'

/** What HTTP endpoints are asked while reloads go on. */
const PROBE_MS = 20
const SILENCE_MS = 500
const FREE_POLL_MS = 200
const FREE_TRIES = 100

describe('reload', () => {
  let http: HttpPorts
  let server: CorefileServer
  let load: Load
  let probes: Probes
  let first: string
  before(async () => {
    http = await httpPorts()
    first = usualBlock(http)
    server = await CorefileServer.start({ text: first, workers: 2 })
    load = new Load({ port: server.port, questions: USUAL_QUESTIONS })
    probes = new Probes([http.health, http.ready, http.metrics])
  })
  after(async () => {
    server.kill()
    await Promise.all([load?.stop(), probes?.stop()])
  })
  beforeEach(async () => reloaded(first))

  /** Writes a Corefile and has it loaded. */
  async function reloaded(text: string, signal: NodeJS.Signals = 'SIGUSR1'): Promise<void> {
    const from = server.mark
    server.write(text)
    server.signal(signal)
    await server.line(/^\[INFO\] Reloading complete$/, from)
  }

  /** Writes a Corefile that cannot be loaded. @returns why */
  async function refused(text: string): Promise<string> {
    const from = server.mark
    server.write(text)
    server.signal('SIGUSR1')
    return await server.line(/^\[ERROR\] plugin\/reload: Corefile changed but reload failed: /, from)
  }

  /** RCODE over UDP and over TCP, or `silence`. @param timeoutMs  as long as something is expected, it may take its time */
  async function rcodes(name: string, port: number, address = '127.0.0.1', timeoutMs = 10_000): Promise<string[]> {
    const answers = [false, true].map(async (tcp) => {
      const response = await server.ask({ name, type: 'A' }, { tcp, port, address, timeoutMs }).catch(() => undefined)
      return response?.rcode ?? 'silence'
    })
    return await Promise.all(answers)
  }

  /** Nobody answers there. */
  async function assertSilence(port: number, address?: string): Promise<void> {
    assert.deepEqual(await rcodes('a.corp.example', port, address, SILENCE_MS), ['silence', 'silence'])
  }

  const SERVED = ['NOERROR', 'NOERROR']
  /** Nobody's name but the upstream's, which does not know it. */
  const FORWARDED = ['NXDOMAIN', 'NXDOMAIN']
  const who = (key: string, more = ''): string => `${key} {\n  whoami\n  ${more}\n}\n`

  for (const signal of ['SIGUSR1', 'SIGHUP'] as const) {
    test(`${signal} loads what has not changed, too`, async () => {
      const from = server.mark
      server.signal(signal)
      await server.line(/^\[INFO\] Reloading complete$/, from)
      assert.deepEqual(server.stdout.slice(from.stdout), ['[INFO] Reloading', '[INFO] Reloading complete'])
    })
  }

  test('many signals at once: one reload at a time, and one more for all that came meanwhile', async () => {
    const from = server.mark
    const SIGNALS = 60
    for (let i = 0; i < SIGNALS; i++) {
      server.signal(i % 2 === 0 ? 'SIGUSR1' : 'SIGHUP')
      await sleep(1)
    }
    let lines: string[] = []
    for (let before = -1; lines.length !== before || lines.length % 2 !== 0; await sleep(300)) {
      before = lines.length
      lines = server.stdout.slice(from.stdout)
    }
    assert.deepEqual(
      lines,
      lines.map((_, i) => (i % 2 === 0 ? '[INFO] Reloading' : '[INFO] Reloading complete')),
    )
    assert.ok(lines.length >= 4 && lines.length < SIGNALS, `${lines.length / 2} reloads`)
  })

  test('a block on the same port comes and goes', async () => {
    assert.deepEqual(await rcodes('a.corp.example', server.port), FORWARDED)
    await reloaded(first + who('corp.example'))
    assert.deepEqual(await rcodes('a.corp.example', server.port), SERVED)
    await reloaded(first)
    assert.deepEqual(await rcodes('a.corp.example', server.port), FORWARDED)
  })

  /** A port that is not served any more. Answers that are waited for leave by its sockets for some seconds: whether it is free is seen later. */
  let gone: number
  test('a port comes and goes', async () => {
    gone = await freePort()
    await reloaded(first + who(`corp.example:${gone}`))
    assert.deepEqual(await rcodes('a.corp.example', gone), SERVED)
    await reloaded(first)
    await assertSilence(gone)
  })

  test('a block moves to another port', async () => {
    const [old, fresh] = [await freePort(), await freePort()]
    await reloaded(first + who(`corp.example:${old}`))
    await reloaded(first + who(`corp.example:${fresh}`))
    assert.deepEqual(await rcodes('a.corp.example', fresh), SERVED)
    await assertSilence(old)
  })

  test('bind changes: all addresses, one, another, two', async () => {
    const port = await freePort()
    const ADDRESSES = ['127.0.0.1', '127.0.0.2', '::1']
    const bound = (addresses: string) => first + who(`corp.example:${port}`, addresses && `bind ${addresses}`)
    for (const addresses of ['', '127.0.0.1', '127.0.0.2', '::1 127.0.0.2', '']) {
      await reloaded(bound(addresses))
      const asked = ADDRESSES.map(async (address) => {
        if (addresses !== '' && !addresses.split(' ').includes(address)) await assertSilence(port, address)
        else assert.deepEqual(await rcodes('a.corp.example', port, address), SERVED, `${address}, bind ${addresses}`)
      })
      await Promise.all(asked)
    }
  })

  test('a port that somebody else has: the old configuration serves on, and the new one when it is free', async () => {
    const port = await freePort()
    const before = metricOf(await metricsPage(server, http.metrics), 'coredns_reload_failed_total')
    const text = first + who('more.example') + who(`corp.example:${port}`)
    await occupied(port, async () => {
      assert.match(await refused(text), new RegExp(`:${port}`))
      assert.deepEqual(await rcodes('a.more.example', server.port), FORWARDED)
    })
    assert.equal(metricOf(await metricsPage(server, http.metrics), 'coredns_reload_failed_total'), before + 1)
    await reloaded(text)
    assert.deepEqual(await rcodes('a.corp.example', port), SERVED)
  })

  test('an HTTP port that somebody else has: the old configuration serves on', async () => {
    const port = await freePort()
    const text = who('more.example', `health 127.0.0.1:${port}`)
    await occupied(port, async () => {
      assert.match(await refused(first + text), new RegExp(`:${port}`))
      assert.deepEqual(await rcodes('a.more.example', server.port), FORWARDED)
      assert.equal((await server.get('/health', http.health)).body, 'OK')
    })
    await reloaded(first + text)
    assert.equal((await server.get('/health', port)).body, 'OK')
    assert.deepEqual(await rcodes('a.more.example', server.port), SERVED)
  })

  test('an HTTP endpoint moves; a connection to one that stays goes on', async () => {
    const moved = await freePort()
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const ask = (): Promise<boolean> => keptAlive(agent, http.health)
    assert.equal(await ask(), false)
    assert.equal(await ask(), true)
    await reloaded(first + who('more.example', `ready 127.0.0.1:${moved}`))
    assert.equal((await server.get('/ready', moved)).body, 'OK')
    assert.equal(await ask(), true, 'the connection was there before the reload')
    agent.destroy()
    await reloaded(first)
    await assert.rejects(server.get('/ready', moved), { code: 'ECONNREFUSED' })
  })

  test('log begins and ends', async () => {
    const ask = (name: string) => server.ask({ name, type: 'A' })
    await reloaded(`${first}corp.example {\n  whoami\n  log\n}\n`)
    await ask('logged.corp.example')
    await server.line(/A IN logged\.corp\.example\./)
    await reloaded(first + who('corp.example'))
    await ask('silent.corp.example')
    await sleep(200)
    assert.ok(!server.output.includes('silent.corp.example'))
  })

  test('reload begins to look at the file, and ends', async () => {
    await reloaded(first + who('corp.example', 'reload 2s 0s'))
    const from = server.mark
    server.write(first)
    await server.line(/^\[INFO\] Reloading complete$/, from)
    server.write(first + who('corp.example'))
    await sleep(2500)
    assert.deepEqual(await rcodes('a.corp.example', server.port), FORWARDED)
  })

  test('a port that is gone is free as soon as nobody can wait for an answer any more', async () => {
    for (let tries = 1; ; tries++) {
      try {
        return await occupied(gone, async () => {})
      } catch (error) {
        assert.ok(tries < FREE_TRIES, String(error))
      }
      await sleep(FREE_POLL_MS)
    }
  })

  test('nothing was lost or wrong all the time, no probe was refused, no counter went back', async () => {
    const report = await load.stop()
    assert.deepEqual(report.examples, [])
    assert.deepEqual([report.lost, report.wrong], [0, 0])
    assert.ok(report.answered > 1000, `${report.answered} answers`)
    const { failures, count, counts } = await probes.stop()
    assert.deepEqual(failures, [])
    assert.ok(count > 100, `${count} probes`)
    assert.deepEqual(
      counts,
      counts.toSorted((a, b) => a - b),
    )
    const counted = metricOf(await metricsPage(server, http.metrics), 'coredns_dns_requests_total')
    assert.ok(counted >= counts.at(-1)! && counted >= report.answered, `${report.answered} answers, ${counted} counted`)
    assert.equal(await server.stop(), 0)
    assert.deepEqual(server.stderr, [])
  })
})

/** Does something while another socket has a port, for UDP and TCP. */
async function occupied(port: number, doing: () => Promise<void>): Promise<void> {
  const tcp = createServer().listen(port, '127.0.0.1')
  const udp = createSocket('udp4').bind(port, '127.0.0.1')
  try {
    await Promise.all([once(tcp, 'listening'), once(udp, 'listening')])
    await doing()
  } finally {
    await new Promise((resolve) => tcp.close(resolve))
    udp.close()
  }
}

/** Asks for /health. @returns whether the connection has been used before */
function keptAlive(agent: Agent, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path: '/health', agent }, (response) => {
      response.resume().on('end', () => resolve(sent.reusedSocket))
    })
    sent.on('error', reject)
    sent.end()
  })
}

/** Probes as a kubelet and a scraper send them, all the time. */
class Probes {
  readonly #ended: Promise<void>
  readonly #ports: readonly [health: number, ready: number, metrics: number]
  readonly failures: string[] = []
  readonly counts: number[] = []
  count = 0
  #isStopped = false

  constructor(ports: readonly [number, number, number]) {
    this.#ports = ports
    this.#ended = this.#run()
  }

  async stop(): Promise<this> {
    this.#isStopped = true
    await this.#ended
    return this
  }

  async #run(): Promise<void> {
    const [health, ready, metrics] = this.#ports
    for (; !this.#isStopped; await sleep(PROBE_MS)) {
      await this.#ask('/health', health)
      await this.#ask('/ready', ready)
      const page = await this.#ask('/metrics', metrics)
      const sum = metricOf(page, 'coredns_dns_requests_total')
      if (!Number.isNaN(sum)) this.counts.push(sum)
    }
  }

  async #ask(path: string, port: number): Promise<string> {
    this.count++
    try {
      const { status, body } = await httpGet({ path, port })
      if (status !== 200) this.failures.push(`${path}: ${status} ${body}`)
      return body
    } catch (error) {
      this.failures.push(`${path}: ${error}`)
      return ''
    }
  }
}
