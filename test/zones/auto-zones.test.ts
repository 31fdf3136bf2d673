// Zones of `auto` while files come and go in its directory. Corefile reference 6.7.

import assert from 'node:assert/strict'
import { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import type { AutoConfig } from '../../src/config/configuration.ts'
import { createFileStage } from '../../src/plugins/file.ts'
import { StaticZones } from '../../src/zones/static-zones.ts'
import { ask, holdStage } from '../plugins/stage-answer.ts'
import { auto, configurationOf, folderOf, keptLog } from './configurations.ts'

const zone = (serial: number, address: string) => `@ 60 SOA ns h ${serial} 1 1 1 30\na 60 A ${address}\n`

async function loaded(context: TestContext, config: Partial<AutoConfig>) {
  const { log, lines } = keptLog()
  const zones = new StaticZones(configurationOf({ auto: [auto(config)] }), 1, log, { poison: true, capacity: 2 ** 20 })
  const changes: string[] = []
  zones.onZoneChanged = (name, serial) => changes.push(`${name} ${serial}`)
  zones.onSourcesChanged = () => changes.push('sources')
  context.after(() => zones.close())
  await zones.load()
  const stageNow = () => holdStage(zones.fileSources(0)[0], createFileStage)
  return { zones, lines, changes, stageNow }
}

function address(stage: ReturnType<typeof holdStage>, name: string): string {
  const read = ask(stage, name, 'A')
  if (typeof read === 'string') return read
  return read.rcode === 'NOERROR' ? read.answer.map(({ data }) => data).join(' ') : read.rcode
}

test('files come, change and go', async (context) => {
  const path = folderOf(context)
  writeFileSync(path('db.one.test'), zone(1, '10.0.0.1'))
  writeFileSync(path('other'), zone(1, '10.0.0.9'))
  mkdirSync(path('db.folder.test'))
  const { zones, lines, changes, stageNow } = await loaded(context, { directory: path('.') })
  const atFirst = stageNow()
  assert.equal(address(atFirst, 'a.one.test'), '10.0.0.1')
  assert.equal(address(atFirst, 'a.two.test'), 'PASS')
  assert.equal(address(atFirst, 'a.folder.test'), 'PASS')
  assert.deepEqual(changes, [])

  writeFileSync(path('db.Two.test'), zone(5, '10.0.0.2'))
  await zones.refresh()
  assert.deepEqual(changes.splice(0), ['two.test. 5', 'sources'])
  assert.equal(address(stageNow(), 'a.two.test'), '10.0.0.2')
  assert.equal(address(atFirst, 'a.two.test'), 'PASS', 'an old source knows nothing of it')
  await zones.refresh()
  assert.deepEqual(changes.splice(0), [])

  writeFileSync(path('db.one.test'), zone(2, '10.0.0.11'))
  await zones.refresh()
  assert.deepEqual(changes.splice(0), ['one.test. 2'])
  assert.equal(address(atFirst, 'a.one.test'), '10.0.0.11')

  unlinkSync(path('db.one.test'))
  await zones.refresh()
  assert.deepEqual(changes.splice(0), ['sources'])
  assert.equal(address(atFirst, 'a.one.test'), 'PASS', 'even before workers have new sources')
  assert.equal(address(stageNow(), 'a.one.test'), 'PASS')
  assert.deepEqual([...zones.axfrRecords('one.test.')], [])
  assert.deepEqual(
    zones.zones.map((each) => `${each.plugin} ${each.zone} ${each.serial}`),
    ['auto two.test. 5'],
  )

  // It returns, broken at first.
  lines.length = 0
  writeFileSync(path('db.one.test'), 'a A 10.0.0.1')
  await zones.refresh()
  await zones.refresh()
  assert.equal(lines.length, 1)
  assert.match(lines[0], /^error: plugin\/auto: .*db\.one\.test/)
  assert.deepEqual(changes.splice(0), [])
  writeFileSync(path('db.one.test'), zone(2, '10.0.0.12'))
  await zones.refresh()
  assert.deepEqual(changes.splice(0), ['one.test. 2', 'sources'])
  assert.equal(address(stageNow(), 'a.one.test'), '10.0.0.12')
  assert.equal(address(atFirst, 'a.one.test'), '10.0.0.12', 'in its old place')
  assert.equal([...zones.axfrRecords('one.test.')].length, 3)

  // Broken again: it keeps what it had.
  writeFileSync(path('db.one.test'), 'a A 10.0.0.1')
  await zones.refresh()
  assert.equal(address(atFirst, 'a.one.test'), '10.0.0.12')
})

test('a mounted ConfigMap: links that are turned round', async (context) => {
  const path = folderOf(context)
  for (const version of ['1', '2']) {
    mkdirSync(path(`..${version}`))
    writeFileSync(path(`..${version}/db.one.test`), zone(Number(version), `10.0.0.${version}`))
  }
  symlinkSync('..1', path('..data'))
  symlinkSync('..data/db.one.test', path('db.one.test'))
  const { zones, stageNow } = await loaded(context, { directory: path('.') })
  assert.equal(address(stageNow(), 'a.one.test'), '10.0.0.1')
  symlinkSync('..2', path('..data_tmp'))
  renameSync(path('..data_tmp'), path('..data'))
  await zones.refresh()
  assert.equal(address(stageNow(), 'a.one.test'), '10.0.0.2')
})

test('names of files, zones of the directive', async (context) => {
  const path = folderOf(context)
  for (const name of [
    'zone-a.test.conf',
    'zone-b.other.conf',
    'zone-.conf',
    `zone-${'x'.repeat(64)}.test.conf`,
    'zone-.test.conf',
  ])
    writeFileSync(path(name), zone(1, '10.0.0.1'))
  const { stageNow, zones, lines } = await loaded(context, {
    directory: path('.'),
    zones: ['test.'],
    pattern: 'zone-(.*)\\.conf',
    origin: '{1}.',
  })
  assert.deepEqual(
    zones.zones.map(({ zone: each }) => each),
    ['a.test.'],
  )
  assert.equal(address(stageNow(), 'a.a.test'), '10.0.0.1')
  assert.equal(address(stageNow(), 'a.b.other'), 'PASS')
  assert.equal(lines.filter((line) => !line.startsWith('info')).length, 0)
})

test('a directory that is missing, and then is there, and gone', async (context) => {
  const path = folderOf(context)
  const { zones, lines, changes, stageNow } = await loaded(context, { directory: path('zones') })
  await zones.refresh()
  assert.equal(lines.length, 1)
  assert.match(lines[0], /^warning: plugin\/auto: ENOENT/)
  mkdirSync(path('zones'))
  writeFileSync(path('zones/db.one.test'), zone(1, '10.0.0.1'))
  await zones.refresh()
  assert.deepEqual(changes.splice(0), ['one.test. 1', 'sources'])
  rmSync(path('zones'), { recursive: true })
  await zones.refresh()
  assert.equal(address(stageNow(), 'a.one.test'), '10.0.0.1')
  assert.deepEqual(changes, [])
})
