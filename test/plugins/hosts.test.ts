// Plugin hosts: what it answers, passes on and leaves alone. Corefile reference 5.12.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HostsConfig } from '../../src/config/configuration.ts'
import { createHostsStage } from '../../src/plugins/hosts.ts'
import { parseHosts } from '../../src/zones/hosts-names.ts'
import { StaticZones } from '../../src/zones/static-zones.ts'
import { configurationOf, hosts } from '../zones/configurations.ts'
import { ask, askText, type HeldStage, holdStage } from './stage-answer.ts'

const FILE = `
# comment
10.0.0.1  web.example.org WWW.Example.Org   # another
10.0.0.2	web.example.org
10.0.0.1  web.example.org
fd00::1   web.example.org
fe80::7%eth0 link.example.org
::ffff:10.0.0.9 mapped.example.org
10.0.0.3  *.wild.example.org
10.0.0.4  deep.sub.example.org
10.0.0.5  host.other.test
10.0.0.6
not-an-address x.example.org
10.0.0.7  bad..name ok.example.org.
300.0.0.1 y.example.org
`

async function stageOf(config: Partial<HostsConfig>): Promise<HeldStage> {
  const inline = [...parseHosts(FILE), ...(config.inline ?? [])]
  const zones = new StaticZones(configurationOf({}, { hosts: hosts({ ...config, inline }) }), 1, () => {}, {
    poison: true,
    capacity: 2 ** 20,
  })
  await zones.load()
  zones.close()
  assert.equal(zones.hostsSource(0), null)
  return holdStage(zones.hostsSource(1)!, createHostsStage)
}

test('names and addresses', async () => {
  const stage = await stageOf({ ttl: 60 })
  // biome-ignore format: a table
  const cases: [name: string, type: string, answer: string[]][] = [
    ['web.example.org', 'A', ['NOERROR AA', 'web.example.org. 60 IN A 10.0.0.1', 'web.example.org. 60 IN A 10.0.0.2']],
    ['wEb.EXAMPLE.org', 'AAAA', ['NOERROR AA', 'wEb.EXAMPLE.org. 60 IN AAAA fd00::1']],
    ['www.example.org', 'A', ['NOERROR AA', 'www.example.org. 60 IN A 10.0.0.1']],
    ['www.example.org', 'AAAA', ['NOERROR AA']],
    ['www.example.org', 'MX', ['NOERROR AA']],
    ['www.example.org', 'HTTPS', ['NOERROR AA']],
    ['link.example.org', 'AAAA', ['NOERROR AA', 'link.example.org. 60 IN AAAA fe80::7']],
    ['mapped.example.org', 'A', ['NOERROR AA', 'mapped.example.org. 60 IN A 10.0.0.9']],
    ['ok.example.org', 'A', ['NOERROR AA', 'ok.example.org. 60 IN A 10.0.0.7']],
    // An asterisk is one label, and the first.
    ['a.wild.example.org', 'A', ['NOERROR AA', 'a.wild.example.org. 60 IN A 10.0.0.3']],
    ['*.wild.example.org', 'A', ['NOERROR AA', '*.wild.example.org. 60 IN A 10.0.0.3']],
    ['a.b.wild.example.org', 'A', ['FAIL']],
    ['wild.example.org', 'A', ['FAIL']],
    // Unknown: there is no SOA to say NXDOMAIN with. Empty non-terminals are unknown too.
    ['gone.example.org', 'A', ['FAIL']],
    ['sub.example.org', 'A', ['FAIL']],
    ['x.example.org', 'A', ['FAIL']],
    ['y.example.org', 'A', ['FAIL']],
    ['', 'A', ['FAIL']],
    ['1.0.0.10.in-addr.arpa', 'A', ['FAIL']],
  ]
  for (const [name, type, answer] of cases) assert.deepEqual(askText(stage, name, type), answer, `${name} ${type}`)
})

test('names of addresses', async () => {
  const stage = await stageOf({})
  const reverse6 = `1.${'0.'.repeat(28)}0.D.f.ip6.arpa`.replace('0.D.f', '0.d.F')
  // biome-ignore format: a table
  const cases: [name: string, answer: string[]][] = [
    ['1.0.0.10.in-addr.arpa', ['NOERROR AA', '1.0.0.10.in-addr.arpa. 3600 IN PTR web.example.org.', '1.0.0.10.in-addr.arpa. 3600 IN PTR www.example.org.']],
    ['5.0.0.10.in-addr.arpa', ['NOERROR AA', '5.0.0.10.in-addr.arpa. 3600 IN PTR host.other.test.']],
    ['9.0.0.10.in-addr.arpa', ['NOERROR AA', '9.0.0.10.in-addr.arpa. 3600 IN PTR mapped.example.org.']],
    [reverse6, ['NOERROR AA', `${reverse6}. 3600 IN PTR web.example.org.`]],
    // Always passed on.
    ['6.0.0.10.in-addr.arpa', ['PASS']],
    ['0.0.10.in-addr.arpa', ['PASS']],
    ['web.example.org', ['PASS']],
  ]
  for (const [name, answer] of cases) assert.deepEqual(askText(stage, name, 'PTR'), answer, name)
})

test('zones, fallthrough, no_reverse, fallthrough_unsupported', async () => {
  // biome-ignore format: a table
  const cases: [config: Partial<HostsConfig>, name: string, type: string, verdict: string][] = [
    [{ fallthrough: ['.'] }, 'gone.example.org', 'A', 'PASS'],
    [{ fallthrough: ['.'] }, 'gone.example.org', 'MX', 'PASS'],
    [{ fallthrough: ['.'] }, 'web.example.org', 'MX', 'NOERROR'],
    [{ fallthrough: ['other.test.'] }, 'gone.example.org', 'A', 'FAIL'],
    [{ fallthrough: ['other.test.'] }, 'gone.Other.test', 'A', 'PASS'],
    [{ fallthrough: ['other.test.'] }, 'other.test', 'A', 'PASS'],
    [{ zones: ['example.org.'] }, 'web.example.org', 'A', 'NOERROR'],
    [{ zones: ['example.org.'] }, 'gone.example.org', 'A', 'FAIL'],
    [{ zones: ['example.org.'] }, 'host.other.test', 'A', 'PASS'],
    // Names outside of the zones are not even read; others lead back from any address.
    [{ zones: ['example.org.'] }, '5.0.0.10.in-addr.arpa', 'PTR', 'PASS'],
    [{ zones: ['example.org.'] }, '2.0.0.10.in-addr.arpa', 'PTR', 'NOERROR'],
    [{ reverse: false }, '2.0.0.10.in-addr.arpa', 'PTR', 'PASS'],
    [{ fallthroughUnsupported: true }, 'web.example.org', 'MX', 'PASS'],
    [{ fallthroughUnsupported: true }, 'www.example.org', 'AAAA', 'NOERROR'],
    [{ fallthroughUnsupported: true }, 'gone.example.org', 'MX', 'FAIL'],
  ]
  for (const [config, name, type, verdict] of cases) {
    const read = ask(await stageOf(config), name, type)
    assert.equal(typeof read === 'string' ? read : read.rcode, verdict, `${JSON.stringify(config)} ${name} ${type}`)
  }
})

test('any place in the packet, any size', async () => {
  const inline = Array.from({ length: 100 }, (_, i) => ({ address: `10.1.0.${i}`, names: ['many.test'] }))
  const stage = await stageOf({ inline })
  for (const start of [0, 1, 2, 3]) {
    const all = ask(stage, 'many.test', 'A', { start })
    assert.ok(typeof all !== 'string' && all.answer.length === 100)
    assert.deepEqual(
      all.answer.map(({ data }) => data),
      inline.map(({ address }) => address),
      'in their order',
    )
    const cut = ask(stage, 'many.test', 'A', { start, size: 512 })
    assert.ok(typeof cut !== 'string' && cut.answer.length === 30 && (cut.flags & 0x0200) !== 0)
  }
})

test('a block list: one address of very many names', async () => {
  const names = Array.from({ length: 50_000 }, (_, i) => `ad${i}.test`)
  const zones = new StaticZones(
    configurationOf({ hosts: hosts({ inline: [{ address: '0.0.0.0', names }] }) }),
    1,
    () => {},
  )
  await zones.load()
  zones.close()
  const stage = holdStage(zones.hostsSource(0)!, createHostsStage)
  assert.deepEqual(askText(stage, 'ad49999.test', 'A'), ['NOERROR AA', 'ad49999.test. 3600 IN A 0.0.0.0'])
  const pointers = ask(stage, '0.0.0.0.in-addr.arpa', 'PTR', { size: 1232 })
  assert.ok(typeof pointers !== 'string' && pointers.answer.length > 10)
})
