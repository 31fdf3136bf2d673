// A changed Corefile is noticed, as Kubernetes changes it; a broken one changes nothing, is told of and counted once.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { CorefileServer } from '../corefile/corefile-server.ts'
import { ConfigMapFolder } from './config-map.ts'
import { type HttpPorts, httpPorts } from './corefiles.ts'
import { expects } from './load.ts'
import { metricOf, metricsPage } from './metrics.ts'

/** The least that `reload` takes. */
const INTERVAL_MS = 2000

describe('reload of changed files', () => {
  let http: HttpPorts
  let folder: ConfigMapFolder
  let server: CorefileServer
  before(async () => {
    http = await httpPorts()
    folder = new ConfigMapFolder({ Corefile: corefile('192.0.2.1') })
    server = await CorefileServer.start({ text: '', conf: ['-conf', folder.file('Corefile')], manifests: [] })
  })
  after(() => {
    server.kill()
    folder.remove()
  })

  function corefile(address: string, more = ''): string {
    return `. {
    errors
    reload 2s 0s
    hosts {
        ${address} name.example
    }
    ready 127.0.0.1:${http.ready}
    prometheus 127.0.0.1:${http.metrics}
    ${more}
}
`
  }

  async function serves(address: string): Promise<void> {
    const { query, check } = expects('name.example', 'A', address)
    assert.equal(check(await server.ask(query)), '')
  }

  async function failures(): Promise<number> {
    return metricOf(await metricsPage(server, http.metrics), 'coredns_reload_failed_total')
  }

  async function running(): Promise<string> {
    const page = await metricsPage(server, http.metrics)
    return /^coredns_reload_version_info\{hash="sha512",value="([0-9a-f]{128})"\} 1$/m.exec(page)?.[1] ?? page
  }

  test('a swapped link is noticed within the interval, and told of', async () => {
    await serves('192.0.2.1')
    assert.equal(await failures(), 0)
    const [from, before] = [server.mark, await running()]
    folder.update({ Corefile: corefile('192.0.2.2') })
    await server.line(/plugin\/reload: Running configuration/, from)
    await serves('192.0.2.2')
    const after = await running()
    assert.notEqual(after, before)
    assert.deepEqual(server.stdout.slice(from.stdout), [
      '[INFO] Reloading',
      '[INFO] Reloading complete',
      `[INFO] plugin/reload: Running configuration SHA512 = ${after}`,
    ])
  })

  test('other files of the same content are no change', async () => {
    const from = server.mark
    folder.update({ Corefile: corefile('192.0.2.2') })
    await sleep(INTERVAL_MS + 1000)
    assert.deepEqual(server.mark, from, server.output)
  })

  test('a broken one changes nothing, is told of, counted, and not tried again', async () => {
    const [from, before] = [server.mark, await running()]
    folder.update({ Corefile: corefile('192.0.2.3', 'nonsense') })
    await server.line(/plugin\/reload: Corefile changed/, from)
    const reason = `${folder.file('Corefile')}:9 - Error during parsing: Unknown directive 'nonsense'`
    const lines = [
      '[INFO] Reloading',
      `[ERROR] Restart failed: ${reason}`,
      `[ERROR] plugin/reload: Corefile changed but reload failed: ${reason}`,
    ]
    assert.deepEqual(server.stdout.slice(from.stdout), lines)
    assert.equal(await failures(), 1)
    await serves('192.0.2.2')
    await sleep(INTERVAL_MS * 2 + 1000)
    assert.deepEqual(server.stdout.slice(from.stdout), lines, 'it is not tried again')
    assert.equal(await failures(), 1)
    assert.equal(await running(), before)
    assert.equal((await server.get('/ready', http.ready)).body, 'OK')
  })

  test('a signal tries it again', async () => {
    const from = server.mark
    server.signal('SIGUSR1')
    await server.line(/plugin\/reload: Corefile changed but reload failed/, from)
    assert.equal(await failures(), 2)
    await serves('192.0.2.2')
  })

  test('a Corefile that is gone is told of once', async () => {
    const from = server.mark
    folder.update({ Other: '' })
    await server.line(/^\[ERROR\] Restart failed: .*no such file/, from)
    await sleep(INTERVAL_MS * 2)
    assert.equal(server.stdout.slice(from.stdout).filter((line) => line.startsWith('[ERROR] Restart')).length, 1)
    assert.equal(await failures(), 3)
    await serves('192.0.2.2')
  })

  test('a mended one is loaded; a changed import counts', async () => {
    let from = server.mark
    folder.update({ Corefile: corefile('192.0.2.4', 'import more.conf'), 'more.conf': 'chaos first\n' })
    await server.line(/Reloading complete/, from)
    await serves('192.0.2.4')
    from = server.mark
    folder.update({ Corefile: corefile('192.0.2.4', 'import more.conf'), 'more.conf': 'chaos second\n' })
    await server.line(/Reloading complete/, from)
    const { answer } = await server.ask({ name: 'version.bind', type: 'TXT', class: 3 })
    assert.equal(answer[0].data, '"second"')
    assert.equal(await failures(), 3)
  })
})
