// A changed Corefile is noticed, as Kubernetes changes it; a broken one changes nothing, is told of and counted once.

import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { CorefileServer } from '../corefile/corefile-server.ts'
import { ConfigMapFolder } from './config-map.ts'
import { type HttpPorts, httpPorts } from './corefiles.ts'
import { expects } from './load.ts'
import { metricOf, metricsPage } from './metrics.ts'

/** The least that `reload` takes. */
const INTERVAL_MS = 2000

/** A server with a ConfigMap. */
class Fixture {
  readonly http: HttpPorts
  readonly folder: ConfigMapFolder
  readonly server: CorefileServer

  static async start(context: TestContext): Promise<Fixture> {
    const http = await httpPorts()
    const folder = new ConfigMapFolder({ Corefile: corefile(http, '192.0.2.1') })
    const server = await CorefileServer.launch({
      text: '',
      conf: ['-conf', folder.file('Corefile')],
      manifests: [],
    })
    context.after(() => {
      server.kill()
      folder.remove()
    })
    return new Fixture(http, folder, await server.serving())
  }

  private constructor(http: HttpPorts, folder: ConfigMapFolder, server: CorefileServer) {
    this.http = http
    this.folder = folder
    this.server = server
  }

  update(address: string, more = '', others: Readonly<Record<string, string>> = {}): void {
    this.folder.update({ Corefile: corefile(this.http, address, more), ...others })
  }

  async serves(address: string): Promise<void> {
    const { query, check } = expects('name.example', 'A', address)
    assert.equal(check(await this.server.ask(query)), '')
  }

  async failures(): Promise<number> {
    return metricOf(await metricsPage(this.server, this.http.metrics), 'coredns_reload_failed_total')
  }

  async running(): Promise<string> {
    const page = await metricsPage(this.server, this.http.metrics)
    return /^coredns_reload_version_info\{hash="sha512",value="([0-9a-f]{128})"\} 1$/m.exec(page)?.[1] ?? page
  }
}

function corefile({ ready, metrics }: HttpPorts, address: string, more = ''): string {
  return `. {
    errors
    reload 2s 0s
    hosts {
        ${address} name.example
    }
    ready 127.0.0.1:${ready}
    prometheus 127.0.0.1:${metrics}
    ${more}
}
`
}

// Side by side: they mostly wait.
describe('reload of changed files', { concurrency: true }, () => {
  test('a swapped link is noticed within the interval, and told of; other files of the same content are no change', async (context) => {
    const fixture = await Fixture.start(context)
    const { server } = fixture
    await fixture.serves('192.0.2.1')
    assert.equal(await fixture.failures(), 0)
    const [from, before] = [server.mark, await fixture.running()]
    fixture.update('192.0.2.2')
    await server.line(/plugin\/reload: Running configuration/, from)
    await fixture.serves('192.0.2.2')
    const after = await fixture.running()
    assert.notEqual(after, before)
    const lines = [
      '[INFO] Reloading',
      '[INFO] Reloading complete',
      `[INFO] plugin/reload: Running configuration SHA512 = ${after}`,
    ]
    assert.deepEqual(server.stdout.slice(from.stdout), lines)
    fixture.update('192.0.2.2')
    await sleep(INTERVAL_MS + 1000)
    assert.deepEqual(server.stdout.slice(from.stdout), lines, server.output)
    assert.deepEqual(server.stderr, [])
  })

  test('a broken one changes nothing, is told of, counted, and not tried again but by a signal', async (context) => {
    const fixture = await Fixture.start(context)
    const { server, folder, http } = fixture
    const [from, before] = [server.mark, await fixture.running()]
    fixture.update('192.0.2.3', 'nonsense')
    await server.line(/plugin\/reload: Corefile changed/, from)
    const reason = `${folder.file('Corefile')}:9 - Error during parsing: Unknown directive 'nonsense'`
    const lines = [
      '[INFO] Reloading',
      `[ERROR] Restart failed: ${reason}`,
      `[ERROR] plugin/reload: Corefile changed but reload failed: ${reason}`,
    ]
    assert.deepEqual(server.stdout.slice(from.stdout), lines)
    assert.equal(await fixture.failures(), 1)
    await fixture.serves('192.0.2.1')
    await sleep(INTERVAL_MS * 2 + 1000)
    assert.deepEqual(server.stdout.slice(from.stdout), lines, 'it is not tried again')
    assert.equal(await fixture.failures(), 1)
    assert.equal(await fixture.running(), before)
    assert.equal((await server.get('/ready', http.ready)).body, 'OK')
    const after = server.mark
    server.signal('SIGUSR1')
    await server.line(/plugin\/reload: Corefile changed but reload failed/, after)
    assert.equal(await fixture.failures(), 2)
    await fixture.serves('192.0.2.1')
  })

  test('one that is gone is told of once; one that is there again is loaded; a changed import counts', async (context) => {
    const fixture = await Fixture.start(context)
    const { server, folder } = fixture
    let from = server.mark
    folder.update({ Other: '' })
    await server.line(/^\[ERROR\] Restart failed: .*no such file/, from)
    await sleep(INTERVAL_MS * 2)
    assert.equal(server.stdout.slice(from.stdout).filter((line) => line.startsWith('[ERROR] Restart')).length, 1)
    assert.equal(await fixture.failures(), 1)
    await fixture.serves('192.0.2.1')
    from = server.mark
    fixture.update('192.0.2.4', 'import more.conf', { 'more.conf': 'chaos first\n' })
    await server.line(/Reloading complete/, from)
    await fixture.serves('192.0.2.4')
    from = server.mark
    fixture.update('192.0.2.4', 'import more.conf', { 'more.conf': 'chaos second\n' })
    await server.line(/Reloading complete/, from)
    const { answer } = await server.ask({ name: 'version.bind', type: 'TXT', class: 3 })
    assert.equal(answer[0].data, '"second"')
    assert.equal(await fixture.failures(), 1)
  })
})
