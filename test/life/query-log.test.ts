// Lines of queries, read as collectors read those of CoreDNS: each with the pattern that its users write, in its own language. And what
// becomes of them when nobody reads.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type AskOptions, CorefileServer, freePort, httpGet } from '../corefile/corefile-server.ts'
import { type Behavior, LyingUpstream } from '../forward/lying-upstream.ts'
import { UdpClient } from '../server/exchange.ts'
import { childEnvironment, PEREGRINE } from '../server/server-process.ts'
import { encodeQuery, FLAG, type Query } from '../server/wire.ts'
import { metricOf } from './metrics.ts'

type Fields = Readonly<Record<string, string | undefined>>
type Reader = (line: string) => Fields | null

/** Named groups as RE2 and Rust's regex have them. */
function re2(pattern: string): Reader {
  return expression(new RegExp(pattern.replaceAll('(?P<', '(?<')))
}

function expression(pattern: RegExp): Reader {
  return (line) => pattern.exec(line)?.groups ?? null
}

/** Loki's `pattern`, and `dissect` of Logstash and Elasticsearch: fields between literals, each up to where the next literal begins. */
function literals(pattern: string, open: string, close: string): Reader {
  const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
  const field = new RegExp(`${escaped(open)}(\\w+)${escaped(close)}`)
  const parts = pattern.split(field).map((part, i) => (i % 2 === 0 ? escaped(part) : `(?<${part}>.*?)`))
  return expression(new RegExp(`^${parts.join('')}$`))
}

const READERS: Readonly<Record<string, Reader>> = {
  'Loki, regexp': re2(
    String.raw`^\[(?P<level>\w+)\]\s+(?P<client>\[?[0-9a-fA-F.:]+\]?):(?P<port>\d+) - (?P<id>\d+) "(?P<type>\S+) (?P<class>\S+) (?P<name>\S+) (?P<proto>tcp|udp) (?P<size>\d+) (?P<do>true|false) (?P<bufsize>\d+)" (?P<rcode>\S+) (?P<flags>\S+) (?P<rsize>\d+) (?P<duration>[\d.]+)s$`,
  ),
  'Loki, pattern': literals(
    '[<level>] <client> - <id> "<type> <class> <name> <proto> <size> <do> <bufsize>" <rcode> <flags> <rsize> <duration>s',
    '<',
    '>',
  ),
  'Fluent Bit': expression(
    /^\[(?<level>[^\]]*)\] (?<client>[^ ]*):(?<port>[0-9]*) - (?<id>[0-9]*) "(?<type>[^ ]*) (?<class>[^ ]*) (?<name>[^ ]*) (?<proto>[^ ]*) (?<size>[0-9]*) (?<do>[^ ]*) (?<bufsize>[0-9]*)" (?<rcode>[^ ]*) (?<flags>[^ ]*) (?<rsize>[0-9]*) (?<duration>[0-9.]*)s$/,
  ),
  Vector: re2(
    String.raw`^\[(?P<level>[A-Z]+)\] (?P<client>.+):(?P<port>\d{1,5}) - (?P<id>\d{1,5}) "(?P<type>[A-Z0-9]+) (?P<class>[A-Z0-9]+) (?P<name>\S+) (?P<proto>\w+) (?P<size>\d+) (?P<do>\w+) (?P<bufsize>\d+)" (?P<rcode>[A-Z0-9]+) (?P<flags>[a-z,]+|-) (?P<rsize>\d+) (?P<duration>\d+(?:\.\d+)?)s$`,
  ),
  'Logstash, dissect': literals(
    '[%{level}] %{client} - %{id} "%{type} %{class} %{name} %{proto} %{size} %{do} %{bufsize}" %{rcode} %{flags} %{rsize} %{duration}s',
    '%{',
    '}',
  ),
}
const COMPARED = ['level', 'id', 'type', 'class', 'name', 'proto', 'size', 'do', 'bufsize', 'rcode', 'flags'] as const

interface LoggedCase extends AskOptions {
  query: Query
  /** `type class name proto size do bufsize rcode flags`. */
  expected: string
}

const CASES: LoggedCase[] = [
  { query: { name: 'there.example', type: 'A' }, expected: 'A IN there.example. udp 31 false 512 NOERROR qr,aa,rd' },
  { query: { name: 'THERE.Example', type: 'A' }, expected: 'A IN there.example. udp 31 false 512 NOERROR qr,aa,rd' },
  {
    query: { name: 'there.example', type: 'AAAA', flags: 0 },
    expected: 'AAAA IN there.example. udp 31 false 512 NOERROR qr,aa',
  },
  {
    query: { name: 'there.example', type: 'A' },
    tcp: true,
    expected: 'A IN there.example. tcp 31 false 65535 NOERROR qr,aa,rd',
  },
  {
    query: { name: 'there.example', type: 'A', edns: { size: 4096, dnssecOk: true } },
    expected: 'A IN there.example. udp 42 true 4096 NOERROR qr,aa,rd',
  },
  {
    query: { name: 'there.example', type: 'A', flags: FLAG.RD | FLAG.CD | FLAG.AD },
    expected: 'A IN there.example. udp 31 false 512 NOERROR qr,aa,rd,cd',
  },
  {
    query: { name: 'there.example', type: 'A' },
    address: '::1',
    expected: 'A IN there.example. udp 31 false 512 NOERROR qr,aa,rd',
  },
  {
    query: { name: 'no.cluster.local', type: 'MX' },
    expected: 'MX IN no.cluster.local. udp 34 false 512 NXDOMAIN qr,aa,rd',
  },
  { query: { name: '.', type: 'NS' }, expected: 'NS IN . udp 17 false 512 REFUSED qr,rd,ra' },
  { query: { name: 'x.example', type: 65280 }, expected: 'TYPE65280 IN x.example. udp 27 false 512 REFUSED qr,rd,ra' },
  {
    query: { name: 'version.bind', type: 'TXT', class: 3 },
    expected: 'TXT CH version.bind. udp 30 false 512 NOERROR qr,aa,rd',
  },
  // What a client puts into a name cannot forge a line, or a field of one.
  {
    query: { name: ['a b\n[INFO] "', 'example'], type: 'A' },
    expected: String.raw`A IN a\032b\010[info]\032\". example. udp 38 false 512 REFUSED qr,rd,ra`.replace(
      '. example',
      '.example',
    ),
  },
]

/** Gives back the question of whatever is asked. */
const refuses: Behavior = ({ message, send }) => {
  message[2] |= 0x80 // QR
  message[3] = 0x80 | 5 // RA, REFUSED
  send(message)
}

describe('lines of queries', () => {
  let server: CorefileServer
  let upstream: LyingUpstream
  before(async () => {
    upstream = await LyingUpstream.open(refuses)
    const text = `. {
    log
    hosts {
        192.0.2.1 there.example
        fallthrough
    }
    kubernetes cluster.local
    chaos one
    forward . ${upstream.to}
}
`
    server = await CorefileServer.start({ text })
  })
  after(async () => {
    server.kill()
    await upstream.close()
  })

  CASES.forEach(({ query, expected, ...options }, number) => {
    test(expected, async () => {
      const id = 40_000 + number
      const { octets } = await server.ask({ ...query, id }, options)
      const line = await server.line(new RegExp(` - ${id} `))
      const [type, qclass, name, proto, size, dnssecOk, bufsize, rcode, flags] = expected.split(' ')
      const wanted = {
        type,
        class: qclass,
        name,
        proto,
        size,
        do: dnssecOk,
        bufsize,
        rcode,
        flags,
        level: 'INFO',
        id: String(id),
      }
      for (const [who, read] of Object.entries(READERS)) {
        const fields = read(line)
        assert.ok(fields !== null, `${who} cannot read ${line}`)
        for (const field of COMPARED) assert.equal(fields[field], wanted[field], `${who}, ${field}: ${line}`)
        assert.match(fields.client!, options.address === '::1' ? /^\[::1\](:\d+)?$/ : /^127\.0\.0\.1(:\d+)?$/, who)
        assert.ok(Number(fields.rsize) >= octets.length, `${who}: before compression it is no smaller`)
        assert.ok(Number(fields.duration) >= 0 && Number(fields.duration) < 60, who)
      }
    })
  })

  test('each query had one line, and nothing else was printed between them', () => {
    const lines = server.stdout.filter((line) => line.includes(' - 4'))
    assert.equal(lines.length, CASES.length)
    assert.ok(server.stdout.slice(-CASES.length).every((line) => line.startsWith('[INFO] ')))
  })
})

describe('the log when nobody reads it', () => {
  const QUERIES = 40_000
  const OUTSTANDING = 64
  let folder: string
  let child: ChildProcess
  let port: number
  let metrics: number
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'peregrine-log-'))
    ;[port, metrics] = [await freePort(), await freePort()]
    const path = join(folder, 'Corefile')
    writeFileSync(path, `.:${port} {\n  whoami\n  log\n  prometheus 127.0.0.1:${metrics}\n}\n`)
    // Its standard output is a pipe that nobody has begun to read.
    const args = ['-conf', path, '-quiet', '--workers', '1', '--state-dir', 'off']
    child = spawn(PEREGRINE, args, { stdio: ['ignore', 'pipe', 'inherit'], env: childEnvironment() })
    for (let tries = 0; tries < 500; tries++) {
      if (await httpGet({ path: '/metrics', port: metrics }).catch(() => null)) break
      await sleep(20)
    }
    for (let tries = 0; tries < 500 && (await ask(1)) > 0; tries++) await sleep(20)
  })
  after(() => {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })

  /** Asks as fast as it is answered. @returns how many were lost */
  async function ask(count: number): Promise<number> {
    const client = new UdpClient({ address: '127.0.0.1', port })
    let [asked, lost] = [0, 0]
    const one = async (): Promise<void> => {
      while (asked < count) {
        const id = asked++ & 0xffff
        const octets = await client.exchange(
          encodeQuery({ name: 'some.name.example', type: 'A', id }),
          count === 1 ? 500 : 10_000,
        )
        if (octets === undefined) lost++
      }
    }
    await Promise.all(Array.from({ length: Math.min(count, OUTSTANDING) }, one))
    client.close()
    return lost
  }

  async function page(): Promise<string> {
    return (await httpGet({ path: '/metrics', port: metrics })).body
  }

  async function dropped(): Promise<number> {
    return metricOf(await page(), 'peregrine_log_lines_dropped_total')
  }

  /** Lines are on their way for a moment. */
  async function settledDrops(): Promise<number> {
    for (let last = -1; ; await sleep(200)) {
      const count = await dropped()
      if (count === last) return count
      last = count
    }
  }

  test('queries are answered as ever, and every line is read or counted', { timeout: 60_000 }, async (context) => {
    assert.equal(await ask(QUERIES), 0, 'lost')
    const count = await settledDrops()
    assert.ok(count > 0, 'this many lines find no room')
    assert.ok(count < QUERIES, 'some found room')
    let text = ''
    child.stdout!.setEncoding('utf8').on('data', (part) => (text += part))
    const asked = metricOf(await page(), 'coredns_dns_requests_total')
    const lines = (): string[] => text.split('\n').filter((line) => line.includes('some.name.example'))
    for (let tries = 0; tries < 500 && lines().length + count < asked; tries++) await sleep(20)
    context.diagnostic(`${asked} queries, ${lines().length} lines, ${count} dropped`)
    assert.equal(lines().length + count, asked)
    assert.ok(
      lines().every((line) => READERS.Vector(line) !== null),
      'no line is cut, none has another in it',
    )
    assert.equal(await dropped(), count, 'as soon as somebody reads, none is dropped')
    const before = lines().length
    assert.equal(await ask(10), 0)
    for (let tries = 0; tries < 500 && lines().length < before + 10; tries++) await sleep(20)
    assert.equal(lines().length, before + 10)
  })

  test('the reader goes away: it serves on without a log, and ends with 0', async () => {
    child.stdout!.destroy()
    assert.equal(await ask(1000), 0)
    const before = await settledDrops()
    assert.equal(await ask(1000), 0)
    assert.equal(await settledDrops(), before + 1000)
    const exit = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    assert.equal(await exit, 0)
  })
})
