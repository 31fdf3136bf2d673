import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { mock, test } from 'node:test'
import { ErrorsLog } from '../../src/admin/errors-log.ts'
import { createLineSink, type WriteOctets } from '../../src/admin/line-sink.ts'
import { LogLines } from '../../src/admin/log-lines.ts'
import { LogPump } from '../../src/admin/log-pump.ts'
import { createLogger, durationText, type Logger, logLine } from '../../src/admin/logger.ts'
import { type LoggedQuery, QueryLog } from '../../src/admin/query-log.ts'
import type { LogRule } from '../../src/config/configuration.ts'
import { COMBINED_FORMAT, COMMON_FORMAT } from '../../src/config/plugins/log.ts'
import { createLogRing, LogEntry, LogRingWriter } from '../../src/workers/log-ring.ts'
import { ERROR_TEXT, QUERY_TEXT } from '../../src/workers/query-account.ts'

const QUERY: LoggedQuery = {
  rules: 0,
  client: { address: '10.244.1.7', port: 41522 },
  local: { address: '10.96.0.10' },
  id: 52011,
  opcode: 0,
  name: 'web.shop.svc.cluster.local.',
  type: 1,
  class: 1,
  stream: 0,
  size: 54,
  dnssecOk: 0,
  bufsize: 512,
  replied: 1,
  flags: 0x8500,
  rcode: 0,
  answerCount: 1,
  replySize: 106,
  seconds: 0.000093,
  metadata: null,
}
const RULE: LogRule = { names: ['.'], format: COMMON_FORMAT, classes: ['all'] }

test('lines of queries', () => {
  const cases: [format: string, change: Partial<LoggedQuery>, line: string][] = [
    [
      COMMON_FORMAT,
      {},
      '10.244.1.7:41522 - 52011 "A IN web.shop.svc.cluster.local. udp 54 false 512" NOERROR qr,aa,rd 106 0.000093s',
    ],
    [
      COMBINED_FORMAT,
      { client: { address: 'fd00::7', port: 1 }, stream: 1, bufsize: 65535, dnssecOk: 1, opcode: 4, rcode: 3 },
      '[fd00::7]:1 - 52011 "A IN web.shop.svc.cluster.local. tcp 54 true 65535" NXDOMAIN qr,aa,rd 106 0.000093s "4"',
    ],
    // Nothing was sent.
    ['{rcode} {>rflags} {rsize}', { replied: 0, replySize: 0, rcode: 5 }, 'REFUSED - 0'],
    ['{>rflags}', { flags: 0xffff }, 'qr,aa,tc,rd,ra,z,ad,cd'],
    ['{rcode} {type} {class}', { rcode: 16, type: 65280, class: 3 }, 'BADVERS TYPE65280 CH'],
    ['{local} {remote}', { local: { address: '' } }, '- 10.244.1.7'],
    ['{nonsense} {} {name', {}, '- - {name'],
    ['{duration}', { seconds: 0 }, '0s'],
    ['{duration}', { seconds: 1.6e-9 }, '0.000000002s'],
    ['{duration}', { seconds: 12 }, '12s'],
    ['{duration}', { seconds: 10.25 }, '10.25s'],
    ['{name}', { name: 'a"b.' }, 'a\\"b.'],
    ['{/a/b} {/a/c} {/constructor}', { metadata: { 'a/b': 'x\ny' } }, 'x\\010y - -'],
    ['{/log/type} {/log/class}', { answerCount: 0 }, 'NODATA denial'],
    ['{/log/type} {/log/class}', { rcode: 3 }, 'NXDOMAIN denial'],
    ['{/log/type} {/log/class}', {}, 'NOERROR success'],
    ['{/log/type} {/log/class}', { rcode: 2 }, 'SERVFAIL error'],
  ]
  for (const [format, change, line] of cases) {
    const log = new QueryLog([[{ ...RULE, format }]])
    assert.equal(log.line({ ...QUERY, ...change }), `[INFO] ${line}`)
  }
})

test('the first rule whose name fits decides, alone, also about the class', () => {
  const log = new QueryLog([
    [
      { names: ['shop.svc.cluster.local.', 'example.'], format: 'shop', classes: ['denial', 'error'] },
      { names: ['.'], format: 'rest', classes: ['success'] },
    ],
    [],
  ])
  const cases: [change: Partial<LoggedQuery>, line: string][] = [
    [{}, ''],
    [{ rcode: 3 }, '[INFO] shop'],
    [{ rcode: 2 }, '[INFO] shop'],
    [{ answerCount: 0 }, '[INFO] shop'],
    [{ name: 'shop.svc.cluster.local.', rcode: 3 }, '[INFO] shop'],
    [{ name: 'workshop.svc.cluster.local.' }, '[INFO] rest'],
    [{ name: 'workshop.svc.cluster.local.', rcode: 3 }, ''],
    [{ name: 'a.example.', rcode: 5 }, '[INFO] shop'],
    [{ rules: 1 }, ''],
    [{ rules: 2 }, ''],
  ]
  for (const [change, line] of cases) assert.equal(log.line({ ...QUERY, ...change }), line, JSON.stringify(change))
})

const QUESTION = Buffer.from('\x03wEb\x01\x0a\x00\x00\x1c\x00\x01', 'latin1')
const REPLY = Buffer.concat([Buffer.from([0xcb, 0x2b, 0x85, 0x00, 0, 1, 0, 2, 0, 0, 0, 0]), QUESTION])

function entryOf(fields: Partial<LogEntry>): LogEntry {
  return Object.assign(new LogEntry(), { replied: 1, questionLength: QUESTION.length, bufsize: 1232, size: 23 }, fields)
}

function collector(): { lines: string[]; write: (text: string) => void; logger: Logger } {
  const lines: string[] = []
  const write = (text: string): void => void lines.push(...text.trimEnd().split('\n'))
  return { lines, write, logger: createLogger(write) }
}

test('from a ring to the lines', { timeout: 10_000 }, async () => {
  const { lines, write, logger } = collector()
  const memory = createLogRing(4096)
  const sink = { write, offer: (text: string) => write(text) === undefined, dropped: 0, flush: async () => {} }
  const consumer = new LogLines(new QueryLog([[RULE]]), [new ErrorsLog([], logger), null], sink, logger)
  const pump = new LogPump([memory], consumer)
  const writer = new LogRingWriter(memory)
  const addresses = Buffer.from('0a000001fd00000000000000000000000000000a', 'hex')
  writer.push(
    entryOf({ clientLength: 4, clientPort: 53, replySize: 60, seconds: 0.5 }),
    addresses,
    0,
    addresses,
    0,
    REPLY,
    0,
  )
  writer.push(entryOf({ clientLength: 16, stream: 1, rcode: 2 }), addresses, 4, addresses, 0, REPLY, 0)
  writer.push(entryOf({ clientLength: 4, rcode: 1, questionLength: 0 }), addresses, 0, addresses, 0, REPLY, 0)
  writer.pushText(QUERY_TEXT, JSON.stringify({ ...QUERY, metadata: {} }))
  writer.pushText(ERROR_TEXT, JSON.stringify({ block: 0, rcode: 2, name: 'a.', type: 15, error: 'no\nway' }))
  writer.pushText(ERROR_TEXT, JSON.stringify({ block: 1, rcode: 2, name: 'a.', type: 15, error: 'not wanted' }))
  writer.pushText(QUERY_TEXT, 'no JSON')
  writer.pushText(99, 'Recovered from panic')
  const alive = setInterval(() => {}, 10)
  while (lines.length < 7) await new Promise((resolve) => setTimeout(resolve, 5))
  writer.pushText(99, 'last')
  await pump.stop()
  clearInterval(alive)
  assert.deepEqual(
    lines.sort(),
    [
      '[ERROR] Recovered from panic',
      '[ERROR] a line of the log is lost: Unexpected token \'o\', "no JSON" is not valid JSON',
      '[ERROR] last',
      '[ERROR] plugin/errors: 2 a. MX: no\\010way',
      '[INFO] 10.0.0.1:0 - 52011 "- - . udp 23 false 1232" FORMERR qr,aa,rd 0 0s',
      '[INFO] 10.0.0.1:53 - 52011 "AAAA IN web.\\010. udp 23 false 1232" NOERROR qr,aa,rd 60 0.5s',
      '[INFO] 10.244.1.7:41522 - 52011 "A IN web.shop.svc.cluster.local. udp 54 false 512" NOERROR qr,aa,rd 106 0.000093s',
      '[INFO] [fd00::a]:0 - 52011 "AAAA IN web.\\010. tcp 23 false 1232" SERVFAIL qr,aa,rd 0 0s',
    ].sort(),
  )
})

test('a full pipe blocks nobody: lines of queries are dropped and counted, our own have room', async () => {
  const written: string[] = []
  let isStuck = true
  let pending: (() => void) | null = null
  const write: WriteOctets = (octets, done) => {
    const go = (): void => {
      // Half of it at a time, as a pipe may do.
      const part = octets.subarray(0, Math.ceil(octets.length / 2))
      written.push(Buffer.from(part).toString())
      setImmediate(done, null, part.length)
    }
    if (isStuck) pending = go
    else go()
  }
  const sink = createLineSink(1, write)
  const line = `${'x'.repeat(999)}\n`
  let kept = 0
  for (let i = 0; i < 3000; i++) if (sink.offer(line, 1)) kept++
  assert.equal(sink.dropped, 3000 - kept)
  assert.ok(kept > 500 && kept < 2000, `${kept} lines`)
  sink.write('[INFO] ours\n')
  isStuck = false
  pending!()
  await sink.flush()
  assert.equal(written.join(''), `${line.repeat(kept)}[INFO] ours\n`)
})

test('a write that has to wait is tried again; a reader that has gone ends it', async () => {
  let tries = 0
  const written: string[] = []
  const later: WriteOctets = (octets, done) => {
    if (tries++ === 0) setImmediate(done, Object.assign(new Error('full'), { code: 'EAGAIN' }), 0)
    else {
      written.push(Buffer.from(octets).toString())
      setImmediate(done, null, octets.length)
    }
  }
  const sink = createLineSink(1, later)
  sink.write('one\n')
  sink.write('two\n')
  await sink.flush()
  assert.deepEqual(written, ['one\n', 'two\n'])
  const gone = createLineSink(1, (_octets, done) => {
    setImmediate(done, Object.assign(new Error('gone'), { code: 'EPIPE' }), 0)
  })
  gone.write('one\n')
  await gone.flush()
  assert.equal(gone.offer('two\n', 7), false)
  assert.equal(gone.dropped, 8)
})

test('errors, one by one and consolidated', () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const { lines, logger } = collector()
    const rule = { periodMs: 30_000, level: 'warning', showFirst: false } as const
    const log = new ErrorsLog(
      [
        { ...rule, pattern: '^read udp .* i/o timeout$' },
        { ...rule, pattern: 'timeout', level: 'error', showFirst: true },
      ],
      logger,
    )
    const report = (text: string): void => log.report({ rcode: 2, name: 'a.example.', type: 'A', text })
    report('no healthy proxies')
    for (let i = 0; i < 3; i++) report(`read udp 10.0.0.${i}:53: i/o timeout`)
    report('timeout once')
    assert.deepEqual(lines.splice(0), [
      '[ERROR] plugin/errors: 2 a.example. A: no healthy proxies',
      '[ERROR] plugin/errors: 2 a.example. A: timeout once',
    ])
    mock.timers.tick(29_999)
    assert.deepEqual(lines, [])
    mock.timers.tick(1)
    // Once alone was shown already.
    assert.deepEqual(lines.splice(0), [
      "[WARNING] plugin/errors: 3 errors like '^read udp .* i/o timeout$' occurred in last 30s",
    ])
    report('timeout one')
    report('timeout two')
    report('read udp x: i/o timeout')
    log.flush()
    assert.deepEqual(lines.splice(0), [
      '[ERROR] plugin/errors: 2 a.example. A: timeout one',
      "[WARNING] plugin/errors: 1 errors like '^read udp .* i/o timeout$' occurred in last 30s",
      "[ERROR] plugin/errors: 2 errors like 'timeout' occurred in last 30s",
    ])
    mock.timers.tick(60_000)
    assert.deepEqual(lines, [])
  } finally {
    mock.timers.reset()
  }
})

test('levels and escapes', () => {
  const { lines, logger } = collector()
  logger.debug('x', 'not said')
  logger.isDebug = true
  logger.debug('x', 'said')
  logger.fatal('', 'a\r\n[INFO] forged\x1b[0m\x7f')
  assert.deepEqual(lines, ['[DEBUG] plugin/x: said', '[FATAL] a\\013\\010[INFO] forged\\027[0m\\127'])
  assert.equal(logLine('info', 'kubernetes', 'größer'), '[INFO] plugin/kubernetes: größer')
})

test('durations as Go writes them', () => {
  const cases: [milliseconds: number, text: string][] = [
    [0, '0s'],
    [300, '300ms'],
    [1500, '1.5s'],
    [5000, '5s'],
    [60_000, '1m0s'],
    [90_000, '1m30s'],
    [3_600_000, '1h0m0s'],
    [0.25, '250µs'],
    [1234.567891, '1.234567891s'],
  ]
  for (const [milliseconds, text] of cases) assert.equal(durationText(milliseconds), text)
})

test('a process whose output nobody reads ends nevertheless', { skip: process.platform !== 'linux' }, () => {
  const helper = join(import.meta.dirname, 'stuck-output.ts')
  const script = `{ "$1" "$2"; echo "ended $?" >&2; } | { sleep 5; echo "reader has gone" >&2; }`
  const { stderr } = spawnSync('sh', ['-c', script, 'sh', process.execPath, helper], {
    encoding: 'utf8',
    timeout: 30_000,
  })
  assert.deepEqual(stderr.trim().split('\n'), ['ended 0', 'reader has gone'])
})
