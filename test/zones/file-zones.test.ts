// Zones of `file` while their files change: serials, includes, files that are missing, broken, or gone. Corefile reference 6.7.

import assert from 'node:assert/strict'
import { mkdirSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import type { Plugins } from '../../src/config/configuration.ts'
import { CorefileError } from '../../src/config/corefile/syntax.ts'
import { recordText } from '../../src/dns/record-text.ts'
import { createFileStage } from '../../src/plugins/file.ts'
import { StaticZones } from '../../src/zones/static-zones.ts'
import { ask, askText, type HeldStage, holdStage } from '../plugins/stage-answer.ts'
import { configurationOf, file, folderOf, keptLog } from './configurations.ts'

const HOUR_MS = 3_600_000
const zone = (serial: number, records: string) => `$TTL 60\n@ SOA ns h ${serial} 1 1 1 30\n  NS ns\n${records}\n`

async function loaded(context: TestContext, ...blocks: Plugins[]) {
  const { log, lines } = keptLog()
  const zones = new StaticZones(configurationOf(...blocks), 1, log, { poison: true, capacity: 2 ** 20 })
  const changes: string[] = []
  zones.onZoneChanged = (name, serial) => changes.push(`${name} ${serial}`)
  context.after(() => zones.close())
  await zones.load()
  return { zones, lines, changes, stage: holdStage(zones.fileSources(0)[0], createFileStage) }
}

/** Addresses of a name, or RCODE, or what else there is to say. */
function addresses(stage: HeldStage, name: string): string {
  const read = ask(stage, name, 'A')
  if (typeof read === 'string') return read
  return read.rcode === 'NOERROR' ? read.answer.map(({ data }) => data).join(' ') : read.rcode
}

test('read again when the serial has changed', async (context) => {
  const path = folderOf(context)
  writeFileSync(path('db'), zone(1, 'a A 10.0.0.1\nb A 10.0.0.2\nx.y.z A 10.0.0.3'))
  const { zones, lines, changes, stage } = await loaded(context, {
    file: [file({ path: path('db'), zones: ['p.test.'], reloadMs: HOUR_MS })],
  })
  const looks = async () => {
    await zones.refresh()
    return ['a', 'b', 'y.z', 'z'].map((name) => addresses(stage, `${name}.p.test`))
  }
  assert.deepEqual(await looks(), ['10.0.0.1', '10.0.0.2', '', ''])
  assert.deepEqual(zones.zones, [{ block: 0, plugin: 'file', zone: 'p.test.', serial: 1 }])
  writeFileSync(path('db'), zone(1, 'a A 10.0.0.9'))
  assert.deepEqual(await looks(), ['10.0.0.1', '10.0.0.2', '', ''])
  assert.match(lines.pop() ?? '', /^info: plugin\/file: .*db has changed, but its serial is still 1/)
  writeFileSync(path('db'), zone(2, 'a A 10.0.0.9'))
  assert.deepEqual(await looks(), ['10.0.0.9', 'NXDOMAIN', 'NXDOMAIN', 'NXDOMAIN'])
  assert.deepEqual(changes, ['p.test. 2'])
  assert.deepEqual(zones.zones, [{ block: 0, plugin: 'file', zone: 'p.test.', serial: 2 }])

  // Broken, or gone: the old content stays. Said once.
  lines.length = 0
  writeFileSync(path('db'), zone(3, 'a A 10.0.0'))
  assert.deepEqual(await looks(), ['10.0.0.9', 'NXDOMAIN', 'NXDOMAIN', 'NXDOMAIN'])
  await looks()
  unlinkSync(path('db'))
  assert.deepEqual(await looks(), ['10.0.0.9', 'NXDOMAIN', 'NXDOMAIN', 'NXDOMAIN'])
  await looks()
  assert.equal(lines.length, 2)
  assert.match(lines[0], /^error: plugin\/file: .*db:4: /)
  assert.match(lines[1], /^warning: plugin\/file: ENOENT/)
  writeFileSync(path('db'), zone(4, 'b A 10.0.0.4'))
  assert.deepEqual(await looks(), ['NXDOMAIN', '10.0.0.4', 'NXDOMAIN', 'NXDOMAIN'])
})

test('reload_by_mtime: read again whatever the serial is; reload 0: never', async (context) => {
  const path = folderOf(context)
  const zones = ['p.test.']
  writeFileSync(path('db'), zone(1, 'a A 10.0.0.1'))
  const byTime = await loaded(context, {
    file: [file({ path: path('db'), zones, reloadMs: HOUR_MS, reloadByMtime: true })],
  })
  const never = await loaded(context, { file: [file({ path: path('db'), zones, reloadMs: 0 })] })
  writeFileSync(path('db'), zone(1, 'a A 10.0.0.22'))
  await byTime.zones.refresh()
  await never.zones.refresh()
  assert.equal(addresses(byTime.stage, 'a.p.test'), '10.0.0.22')
  assert.equal(addresses(never.stage, 'a.p.test'), '10.0.0.1')
})

test('at the start: missing is SERVFAIL until it is there, broken is an error', async (context) => {
  const path = folderOf(context)
  const config = file({ path: path('db'), zones: ['p.test.', 'q.test.'], reloadMs: HOUR_MS })
  const { zones, lines, changes, stage } = await loaded(context, { file: [config] })
  assert.match(lines[0], /^warning: plugin\/file: ENOENT.*: p\.test\. is SERVFAIL until it is there$/)
  assert.equal(addresses(stage, 'a.p.test'), 'FAIL')
  assert.equal(addresses(stage, 'a.r.test'), 'PASS')
  assert.deepEqual(zones.zones, [])
  assert.deepEqual([...zones.axfrRecords('p.test.')], [])
  writeFileSync(path('db'), zone(1, 'a A 10.0.0.1'))
  await zones.refresh()
  assert.equal(addresses(stage, 'a.p.test'), '10.0.0.1')
  assert.equal(addresses(stage, 'a.q.test'), '10.0.0.1', 'one file for two zones')
  assert.deepEqual(changes, ['p.test. 1', 'q.test. 1'])

  const reason = async (change: object) => {
    const error = await loaded(context, {}, { file: [{ ...config, ...change }] }).catch((each: unknown) => each)
    assert.ok(error instanceof CorefileError)
    return error.message
  }
  writeFileSync(path('bad'), 'a A 10.0.0.1\n')
  assert.match(await reason({ path: path('bad') }), /^Corefile:2 - Error during parsing: plugin\/file: .*bad: no SOA/)
  assert.match(
    await reason({ path: path('gone'), reloadMs: 0 }),
    /^Corefile:2 - Error during parsing: plugin\/file: ENOENT/,
  )
})

test('included files, behind links that are turned round', async (context) => {
  const path = folderOf(context)
  for (const version of ['1', '2']) {
    mkdirSync(path(version))
    writeFileSync(path(`${version}/db`), '$INCLUDE soa\na A 10.0.0.1\n$INCLUDE more sub\n')
    writeFileSync(path(`${version}/soa`), zone(Number(version), ''))
    writeFileSync(path(`${version}/more`), `b A 10.0.1.${version}\n`)
  }
  symlinkSync('1', path('..data'))
  for (const name of ['db', 'soa', 'more']) symlinkSync(`..data/${name}`, path(name))
  const { zones, lines, stage } = await loaded(context, {
    file: [file({ path: path('db'), zones: ['p.test.'], reloadMs: HOUR_MS })],
  })
  assert.equal(addresses(stage, 'b.sub.p.test'), '10.0.1.1')
  symlinkSync('2', path('..data_tmp'))
  renameSync(path('..data_tmp'), path('..data'))
  await zones.refresh()
  assert.equal(addresses(stage, 'b.sub.p.test'), '10.0.1.2')
  // Only what is included changes.
  writeFileSync(path('2/soa'), zone(3, 'c A 10.0.0.3'))
  await zones.refresh()
  assert.equal(addresses(stage, 'c.p.test'), '10.0.0.3')
  unlinkSync(path('2/more'))
  await zones.refresh()
  assert.match(lines.at(-1) ?? '', /^error: plugin\/file: .*db:3: .*more/)
  assert.equal(addresses(stage, 'b.sub.p.test'), '10.0.1.2')
})

test('several directives of a block are one stage; the last one of a zone counts', async (context) => {
  const path = folderOf(context)
  writeFileSync(path('1'), zone(1, 'a A 10.0.0.1\nsub.a A 10.0.0.1'))
  writeFileSync(path('2'), zone(2, 'a A 10.0.0.2'))
  const { zones, stage } = await loaded(context, {
    file: [
      file({ path: path('1'), zones: ['p.test.', 'x.test.'] }),
      file({ path: path('2'), zones: ['a.p.test.', 'x.test.'], fallthrough: ['.'] }),
    ],
  })
  assert.deepEqual(
    zones.fileSources(0).map(({ plugin, zones: each }) => [plugin, each.length]),
    [['file', 3]],
  )
  assert.deepEqual(zones.fileSources(7), [])
  assert.equal(addresses(stage, 'a.x.test'), '10.0.0.2')
  assert.equal(addresses(stage, 'sub.a.p.test'), 'PASS')
  assert.equal(addresses(stage, 'b.p.test'), 'NXDOMAIN')
})

test('records from SOA to SOA, of the moment of the call', async (context) => {
  const path = folderOf(context)
  const records = `ns A 10.0.0.1\n AAAA fd00::1\n*.W MX 5 ns\n A 10.0.0.2\nd\\.t TXT "a b" c\nsub NS x.sub\nx.y.sub A 10.0.0.3
ns RRSIG A 8 3 60 20300101000000 20200101000000 1 p.test. AAAA`
  writeFileSync(path('db'), zone(1, records))
  const config = file({ path: path('db'), zones: ['p.test.'], reloadMs: HOUR_MS })
  const { zones } = await loaded(context, { file: [config] }, { file: [{ ...config, path: path('db') }] })
  const before = zones.axfrRecords('p.test.', 1)
  writeFileSync(path('db'), zone(2, 'ns A 10.0.0.9'))
  await zones.refresh()
  const lines = [...before].map(recordText)
  assert.equal(lines.at(-1), lines[0])
  assert.match(lines[0], /^p\.test\. 60 IN SOA ns\.p\.test\. h\.p\.test\. 1 1 1 1 30$/)
  assert.deepEqual(lines.slice(1, -1).sort(), [
    '*.w.p.test. 60 IN A 10.0.0.2',
    '*.w.p.test. 60 IN MX 5 ns.p.test.',
    'd\\.t.p.test. 60 IN TXT "a b" "c"',
    'ns.p.test. 60 IN A 10.0.0.1',
    'ns.p.test. 60 IN AAAA fd00::1',
    'ns.p.test. 60 IN RRSIG A 8 3 60 20300101000000 20200101000000 1 p.test. AAAA',
    'p.test. 60 IN NS ns.p.test.',
    'sub.p.test. 60 IN NS x.sub.p.test.',
    'x.y.sub.p.test. 60 IN A 10.0.0.3',
  ])
  assert.equal([...zones.axfrRecords('p.test.')].length, 4)
  assert.deepEqual([...zones.axfrRecords('sub.p.test.')], [])
})

test('a zone outgrows the index: the old content is served on', async (context) => {
  const path = folderOf(context)
  writeFileSync(path('db'), zone(1, 'a A 10.0.0.1'))
  const { zones, lines, stage } = await loaded(context, {
    file: [file({ path: path('db'), zones: ['p.test.'], reloadMs: HOUR_MS })],
  })
  writeFileSync(path('db'), zone(2, Array.from({ length: 20_000 }, (_, i) => `name${i} A 10.0.0.2`).join('\n')))
  await zones.refresh()
  assert.match(lines.at(-1) ?? '', /^error: plugin\/file: .*db: no room/)
  assert.deepEqual(askText(stage, 'a.p.test', 'A'), ['NOERROR AA', 'a.p.test. 60 IN A 10.0.0.1'])
  assert.equal(zones.zones[0].serial, 1)
  assert.equal([...zones.axfrRecords('p.test.')].length, 4)
  writeFileSync(path('db'), zone(3, 'b A 10.0.0.3'))
  await zones.refresh()
  assert.equal(addresses(stage, 'b.p.test'), '10.0.0.3')
})
