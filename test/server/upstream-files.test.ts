import assert from 'node:assert/strict'
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createLogger } from '../../src/admin/logger.ts'
import type { Configuration } from '../../src/config/configuration.ts'
import { configure } from '../../src/config/configure.ts'
import { readCorefile } from '../../src/config/corefile/read.ts'
import { Reloads } from '../../src/server/reloads.ts'
import { UpstreamFiles } from '../../src/server/upstream-files.ts'

const LOOK_MS = 20
const LOOKS_MS = 5 * LOOK_MS
const PATIENCE_MS = 20_000
const CHECKS = { template() {}, expression() {}, condition() {}, labelSelector() {} }

let folder = ''
let path = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'upstream-files-'))
  path = join(folder, 'resolv.conf')
})
afterEach(() => rmSync(folder, { recursive: true }))

function save(...nameservers: string[]): void {
  // In one go, as resolvconf does it: half a file would be one without nameservers.
  writeFileSync(`${path}.new`, `search a b\n${nameservers.map((each) => `nameserver ${each}\n`).join('')}`)
  renameSync(`${path}.new`, path)
}

function configuration(text = `. {\n forward . ${path}\n}\nexample.org {\n forward . ${path}\n}`): Configuration {
  return configure(readCorefile('Corefile', {}, text), { defaultPort: 53, checks: CHECKS })
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  while (!condition()) {
    assert.ok(Date.now() < deadline, what)
    await sleep(LOOK_MS / 4)
  }
}

test('other nameservers are told of once; what else changes in the file is not', async () => {
  save('10.0.0.1')
  const lines: string[] = []
  let changes = 0
  const log = (level: string, line: string): void => void lines.push(`${level} ${line.replace(path, 'FILE')}`)
  const files = new UpstreamFiles(configuration(), { onChange: () => changes++, log, lookMs: LOOK_MS })
  try {
    await sleep(LOOKS_MS)
    writeFileSync(path, '# by hand\noptions ndots:5\nnameserver 10.0.0.1\n')
    await sleep(LOOKS_MS)
    assert.deepEqual([changes, lines], [0, []])
    save('10.0.0.2', '10.0.0.3')
    await until(() => changes === 1, 'a change')
    await sleep(LOOKS_MS)
    assert.equal(changes, 1)
    assert.deepEqual(lines, ['info FILE has changed: 10.0.0.2 10.0.0.3'])
  } finally {
    files.close()
  }
  save('10.0.0.4')
  await sleep(LOOKS_MS)
  assert.equal(changes, 1)
})

test('a file that is gone or says nothing is told of once, and nothing changes', async () => {
  save('10.0.0.1')
  const lines: string[] = []
  let changes = 0
  const log = (level: string, line: string): void => void lines.push(`${level} ${line.replace(path, 'FILE')}`)
  const files = new UpstreamFiles(configuration(), { onChange: () => changes++, log, lookMs: LOOK_MS })
  try {
    rmSync(path)
    await until(() => lines.length === 1, 'a line')
    await sleep(LOOKS_MS)
    save()
    await until(() => lines.length === 2, 'another')
    await sleep(LOOKS_MS)
    assert.deepEqual(lines, [
      'warning FILE is gone: upstreams stay as they are (10.0.0.1)',
      'warning FILE has no nameservers: upstreams stay as they are (10.0.0.1)',
    ])
    save('10.0.0.1') // back as it was: no change
    await sleep(LOOKS_MS)
    assert.equal(changes, 0)
    // As a ConfigMap is swapped: another file by a link of the same name.
    const other = join(folder, 'other')
    writeFileSync(other, 'nameserver 10.0.0.9\n')
    symlinkSync(other, join(folder, 'link'))
    renameSync(join(folder, 'link'), path)
    await until(() => changes === 1, 'a change')
  } finally {
    files.close()
  }
})

test('without such files there is no timer', () => {
  const before = process.getActiveResourcesInfo().length
  const files = new UpstreamFiles(configuration('. {\n forward . 9.9.9.9\n}'), { onChange() {}, log() {} })
  assert.equal(process.getActiveResourcesInfo().length, before)
  files.close()
})

test('the configuration is loaded again with each other list of nameservers', async () => {
  save('10.0.0.1')
  const lines: string[] = []
  const loaded: string[][] = []
  const hosts = ({ blocks }: Configuration): string[] => blocks[0].plugins.forward![0].upstreams.map(({ host }) => host)
  const reloads = new Reloads(configuration(), {
    read: () => {
      try {
        return { configuration: configuration(), error: null, fingerprint: 'same' }
      } catch (error) {
        return { configuration: null, error: error as Error, fingerprint: 'same' }
      }
    },
    change: async (next) => void loaded.push(hosts(next)),
    logger: createLogger((line) => lines.push(line.trim().replaceAll(path, 'FILE'))),
    serves: Promise.resolve(true),
    upstreamFilesMs: LOOK_MS,
  })
  try {
    save('10.0.0.2')
    await until(() => loaded.length === 1, 'loaded')
    await until(() => lines.includes('[INFO] Reloading complete'), 'complete')
    assert.deepEqual(lines, [
      '[INFO] plugin/forward: FILE has changed: 10.0.0.2',
      '[INFO] Reloading',
      '[INFO] Reloading complete',
    ])
    save('10.0.0.3', '10.0.0.4')
    await until(() => loaded.length === 2, 'loaded again')
    save('nobody') // no address: that is no good, and is tried once
    await until(() => reloads.failures === 1, 'failed')
    await sleep(LOOKS_MS)
    assert.equal(reloads.failures, 1)
    save('10.0.0.5')
    await until(() => loaded.length === 3, 'loaded after the mistake')
    assert.deepEqual(loaded, [['10.0.0.2'], ['10.0.0.3', '10.0.0.4'], ['10.0.0.5']])
  } finally {
    await reloads.stop()
  }
  save('10.0.0.6')
  await sleep(LOOKS_MS)
  assert.equal(loaded.length, 3)
})
