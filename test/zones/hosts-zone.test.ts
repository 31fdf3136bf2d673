// A hosts file while it changes: read again by path and content, published at once, forgotten never. Corefile reference 5.12.

import assert from 'node:assert/strict'
import { mkdirSync, renameSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { createHostsStage } from '../../src/plugins/hosts.ts'
import { StaticZones } from '../../src/zones/static-zones.ts'
import { ask, type HeldStage, holdStage } from '../plugins/stage-answer.ts'
import { configurationOf, folderOf, hosts, keptLog } from './configurations.ts'

const WAIT_MS = 10_000

async function loaded(context: TestContext, path: string, reloadMs: number) {
  const { log, lines } = keptLog()
  const inline = [{ address: '10.9.9.9', names: ['inline.test'] }]
  const configuration = configurationOf({ hosts: hosts({ path, reloadMs, inline, fallthrough: ['.'] }) })
  const zones = new StaticZones(configuration, 1, log, { poison: true, capacity: 2 ** 20 })
  await zones.load()
  context.after(() => zones.close())
  return { zones, lines, stage: holdStage(zones.hostsSource(0)!, createHostsStage) }
}

/** Addresses of a name, or what else there is to say. */
function addresses(stage: HeldStage, name: string, type = 'A'): string {
  const read = ask(stage, name, type)
  return typeof read === 'string' ? read : read.answer.map(({ data }) => data).join(' ')
}

function versionOf({ stage, held }: HeldStage): number {
  held.hold()
  const version = stage.beginBatch()
  held.release()
  return version
}

test('replaced, turned round, gone and back', async (context) => {
  const path = folderOf(context)
  for (const version of ['1', '2']) mkdirSync(path(version))
  writeFileSync(path('1/hosts'), '10.0.0.1 a.test b.test\n')
  writeFileSync(path('2/hosts'), '10.0.0.2 a.test c.test\n')
  symlinkSync('1', path('..data'))
  symlinkSync('..data/hosts', path('hosts'))
  const { zones, lines, stage } = await loaded(context, path('hosts'), 3_600_000)
  const looks = async () => {
    await zones.refresh()
    return ['a.test', 'b.test', 'c.test', 'inline.test'].map((name) => addresses(stage, name))
  }
  assert.deepEqual(await looks(), ['10.0.0.1', '10.0.0.1', 'PASS', '10.9.9.9'])
  assert.equal(zones.stats.hostsEntries.get(path('hosts')), 3)
  const before = zones.stats.hostsReloadSeconds
  assert.ok(Math.abs(before - Date.now() / 1000) < 100)

  // As a ConfigMap is updated.
  symlinkSync('2', path('..data_tmp'))
  renameSync(path('..data_tmp'), path('..data'))
  assert.deepEqual(await looks(), ['10.0.0.2', 'PASS', '10.0.0.2', '10.9.9.9'])
  assert.equal(addresses(stage, '1.0.0.10.in-addr.arpa', 'PTR'), 'PASS')
  assert.equal(addresses(stage, '2.0.0.10.in-addr.arpa', 'PTR'), 'a.test. c.test.')

  // Same size, same time.
  utimesSync(path('2/hosts'), 1000, 1000)
  await zones.refresh()
  writeFileSync(path('2/hosts'), '10.0.0.3 a.test c.test\n')
  utimesSync(path('2/hosts'), 1000, 1000)
  assert.deepEqual(await looks(), ['10.0.0.3', 'PASS', '10.0.0.3', '10.9.9.9'])

  unlinkSync(path('2/hosts'))
  assert.deepEqual(await looks(), ['10.0.0.3', 'PASS', '10.0.0.3', '10.9.9.9'], 'it keeps its last content')
  await looks()
  assert.equal(lines.length, 1, 'one line for one outage')
  assert.match(lines[0], /^warning: plugin\/hosts: ENOENT.*hosts/)
  writeFileSync(path('2/hosts'), '')
  assert.deepEqual(await looks(), ['PASS', 'PASS', 'PASS', '10.9.9.9'])
  assert.equal(zones.stats.hostsEntries.get(path('hosts')), 1)
})

test('every so often, or never', async (context) => {
  const path = folderOf(context)
  writeFileSync(path('hosts'), '10.0.0.1 a.test\n')
  const often = await loaded(context, path('hosts'), 10)
  const never = await loaded(context, path('hosts'), 0)
  const version = versionOf(often.stage)
  writeFileSync(path('hosts'), '10.0.0.2 a.test\n')
  const end = Date.now() + WAIT_MS
  while (addresses(often.stage, 'a.test') !== '10.0.0.2' && Date.now() < end) await delay(5)
  assert.equal(addresses(often.stage, 'a.test'), '10.0.0.2')
  assert.notEqual(versionOf(often.stage), version)
  await never.zones.refresh()
  assert.equal(addresses(never.stage, 'a.test'), '10.0.0.1')
})

test('a time that no timer can hold is not none at all', async (context) => {
  const path = folderOf(context)
  writeFileSync(path('hosts'), '10.0.0.1 a.test\n')
  const { stage } = await loaded(context, path('hosts'), 2 ** 31)
  writeFileSync(path('hosts'), '10.0.0.2 a.test\n')
  await delay(50)
  assert.equal(addresses(stage, 'a.test'), '10.0.0.1')
})

test('a file that is not there at the start', async (context) => {
  const path = folderOf(context)
  const { zones, lines, stage } = await loaded(context, path('hosts'), 3_600_000)
  assert.equal(addresses(stage, 'inline.test'), '10.9.9.9')
  assert.match(lines[0], /^warning: plugin\/hosts: ENOENT/)
  writeFileSync(path('hosts'), '10.0.0.1 a.test\n')
  await zones.refresh()
  assert.equal(addresses(stage, 'a.test'), '10.0.0.1')
})

test('no room for what is new: the old content stays, and the next fits again', async (context) => {
  const path = folderOf(context)
  writeFileSync(path('hosts'), '10.0.0.1 a.test\n')
  const { zones, lines, stage } = await loaded(context, path('hosts'), 3_600_000)
  writeFileSync(path('hosts'), Array.from({ length: 20_000 }, (_, i) => `10.0.0.2 name${i}.test\n`).join(''))
  await zones.refresh()
  assert.match(lines.at(-1) ?? '', /^error: plugin\/hosts: .*hosts: no room/)
  assert.equal(addresses(stage, 'a.test'), '10.0.0.1')
  assert.equal(addresses(stage, 'name7.test'), 'PASS')
  writeFileSync(path('hosts'), '10.0.0.3 a.test b.test\n')
  await zones.refresh()
  assert.equal(addresses(stage, 'a.test'), '10.0.0.3')
})

test('any change of any file, against the lines themselves', async (context) => {
  const path = folderOf(context)
  writeFileSync(path('hosts'), '')
  const { zones, stage } = await loaded(context, path('hosts'), 3_600_000)
  const names = ['a.test', 'b.test', 'x.a.test', 'y.x.a.test', 'z.other']
  const anyLines = fc.array(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.subarray(names, { minLength: 1 })), {
    maxLength: 8,
  })
  await fc.assert(
    fc.asyncProperty(anyLines, async (lines) => {
      writeFileSync(path('hosts'), lines.map(([last, each]) => `10.0.0.${last} ${each.join(' ')}\n`).join(''))
      await zones.refresh()
      for (const name of names) {
        const known = new Set(lines.filter(([, each]) => each.includes(name)).map(([last]) => `10.0.0.${last}`))
        assert.equal(addresses(stage, name), known.size === 0 ? 'PASS' : [...known].join(' '))
      }
      for (const last of [1, 2, 3, 4]) {
        const known = new Set(lines.filter(([each]) => each === last).flatMap(([, each]) => each))
        const expected = known.size === 0 ? 'PASS' : [...known].map((name) => `${name}.`).join(' ')
        assert.equal(addresses(stage, `${last}.0.0.10.in-addr.arpa`, 'PTR'), expected)
      }
    }),
    { numRuns: Number(process.env.PEREGRINE_FUZZ_ROUNDS ?? 300) },
  )
})
