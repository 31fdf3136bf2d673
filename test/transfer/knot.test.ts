// Knot DNS as a secondary of ours: it takes the zones, and follows what NOTIFY tells it.

import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { CorefileServer, freePort } from '../corefile/corefile-server.ts'
import { UdpClient } from '../server/exchange.ts'
import { encodeQuery, readResponse, recordText } from '../server/wire.ts'

const KNOTD = ['/usr/sbin/knotd', '/usr/local/sbin/knotd'].find((path) => existsSync(path))
const skip = KNOTD === undefined ? 'knotd is not installed (knot)' : false
const WAIT_MS = 40_000

let server: CorefileServer | undefined
let knot: ChildProcess | undefined
let output = ''
let folder: string
let port: number

before(async () => {
  if (skip) return
  folder = mkdtempSync(join(tmpdir(), 'peregrine-knot-'))
  port = await freePort()
  const ours = await freePort()
  const zones = ['example.org', 'cluster.local', 'large.example.org'].map(
    (zone) => `  - domain: ${zone}\n    master: peregrine\n    acl: notify\n`,
  )
  const config = `
server:
  rundir: ${folder}
  listen: 127.0.0.1@${port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
log:
  - target: stdout
    any: info
database:
  storage: ${folder}/db
remote:
  - id: peregrine
    address: 127.0.0.1@${ours}
acl:
  - id: notify
    address: 127.0.0.1
    action: notify
template:
  - id: default
    storage: ${folder}
    journal-content: none
    zonefile-sync: -1
zone:
${zones.join('')}`
  writeFileSync(join(folder, 'knot.conf'), config)
  server = await CorefileServer.start({
    port: ours,
    text: `
cluster.local {
  kubernetes cluster.local
  transfer {
    to *
  }
}
example.org {
  debug
  file db.example.org {
    reload 1s
  }
  file db.large large.example.org
  transfer {
    to 127.0.0.1:${port}
  }
}
`,
    files: { 'db.example.org': zoneText(7, ''), 'db.large': zoneText(1, largeText()) },
  })
  knot = spawn(KNOTD!, ['-c', join(folder, 'knot.conf')], { stdio: ['ignore', 'pipe', 'pipe'] })
  for (const pipe of [knot.stdout!, knot.stderr!]) pipe.on('data', (text) => (output += text))
})

after(async () => {
  server?.kill()
  if (knot === undefined) return
  if (knot.exitCode === null) {
    const ended = new Promise((resolve) => knot!.once('exit', resolve))
    knot.kill('SIGKILL')
    await ended
  }
  rmSync(folder, { recursive: true, force: true })
})

function zoneText(serial: number, more: string): string {
  return `$TTL 300\n@ SOA ns host ${serial} 3600 600 86400 60\n NS ns\nns A 192.0.2.${serial}\n${more}`
}

function largeText(): string {
  return Array.from({ length: 20_000 }, (_, i) => `host-${i} A 10.0.${i >> 8}.${i & 255}\n`).join('')
}

/** What Knot answers, as records; waits until they fit. */
async function knotSays(name: string, type: string, expected: RegExp): Promise<string> {
  const client = new UdpClient({ address: '127.0.0.1', port })
  try {
    for (const deadline = performance.now() + WAIT_MS; ; await sleep(100)) {
      const octets = await client.exchange(encodeQuery({ name, type, edns: {} }), 500)
      const found = octets === undefined ? '' : readResponse(octets).answer.map(recordText).join('\n')
      if (expected.test(found)) return found
      const lines = `${output}\n${server!.output}`
      assert.ok(performance.now() < deadline, `Knot says '${found}' of ${name} ${type}; output:\n${lines}`)
    }
  } finally {
    client.close()
  }
}

test('it takes a zone of a file, a large one, and one of a cluster', { skip }, async () => {
  await knotSays('example.org', 'SOA', / 7 3600 600 86400 60$/)
  await knotSays('host-19999.large.example.org', 'A', / A 10\.0\.78\.31$/)
  await knotSays('cluster.local', 'SOA', / hostmaster\.cluster\.local\. /)
  const ours = await server!.ask({ name: 'web.shop.svc.cluster.local', type: 'A' })
  assert.equal(ours.answer.length, 1)
  await knotSays(
    'web.shop.svc.cluster.local',
    'A',
    new RegExp(`^${recordText(ours.answer[0]).replaceAll('.', '\\.')}$`),
  )
})

test('it is told of a change, and takes it', { skip }, async () => {
  server!.write(zoneText(8, 'new A 192.0.2.80\n'), 'db.example.org')
  await knotSays('example.org', 'SOA', / 8 3600 /)
  await knotSays('new.example.org', 'A', / 192\.0\.2\.80$/)
  await server!.line(/\[DEBUG\] plugin\/transfer: 127\.0\.0\.1:\d+ has been notified of example\.org\.$/)
  await server!.line(
    /\[INFO\] plugin\/transfer: IXFR of zone example\.org\. with serial 8 to 127\.0\.0\.1: \d+ records$/,
  )
})

test('what it has is what its own client lists', { skip }, () => {
  const listed = execFileSync('kdig', [
    '@127.0.0.1',
    '-p',
    String(server!.port),
    '+noall',
    '+answer',
    'example.org',
    'AXFR',
  ])
  assert.match(String(listed), /new\.example\.org\.\s+300\s+IN\s+A\s+192\.0\.2\.80/)
  assert.match(output, /info: \[example\.org\.\] AXFR, incoming,.* finished/)
  assert.doesNotMatch(output, /(?:error|warning):.*(?:AXFR|IXFR)/)
})
