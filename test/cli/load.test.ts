// `peregrine load` as a process, against a real server: every mode comes to figures that fit together, wrong input is one line and
// exit code 2, signals end it, and a real terminal is left as it was. What the figures are worth is for the tests of the engine.

import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createServer as createTlsServer } from 'node:tls'
import { Flags } from '../../src/cli/flags.ts'
import { load as loadHere } from '../../src/cli/load.ts'
import { type Ended, run } from '../life/run.ts'
import { dnsQuery, ipv4, pcap, udp } from '../load/replay/capture-writer.ts'
import { certificate, closeServers, httpsServer, listen, refused, streamListener } from '../load/stand-in-servers.ts'
import { childEnvironment, freePort, PEREGRINE, type ServerProcess, startServer } from '../server/server-process.ts'

const EXAMPLES = join(import.meta.dirname, '../../examples')
const folder = mkdtempSync(join(tmpdir(), 'peregrine-load-'))
const QUERIES = join(folder, 'queries')
const QUERY_LINES = [
  'cart.shop.svc.cluster.local A',
  'cart.shop.svc.cluster.local AAAA',
  'none.shop.svc.cluster.local A',
]
const SHORT = ['--duration', '400ms', '--warmup', '100ms', '--quiet']
/** Times 10 ms: as long as a busy machine may take to begin. */
const PATIENCE = 2000

let server: ServerProcess
let address = ''

before(async () => {
  writeFileSync(QUERIES, QUERY_LINES.map((line) => `${line}\n`).join(''))
  server = await startServer({ manifests: [EXAMPLES], flags: ['--okd'] })
  address = `127.0.0.1:${server.endpoint.port}`
})

after(async () => {
  await closeServers()
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** @param text  words; `@` stands for the server */
function load(text: string, ...more: string[]): Promise<Ended> {
  const words = text.split(' ').filter((word) => word !== '')
  const args = words.map((word) => word.replace('QUERIES', QUERIES).replace('@', address))
  return run(['load', ...args, ...more], { cwd: folder, env: { KUBERNETES_SERVICE_HOST: '' } })
}

/** The same without a process of its own, in quiet: for what ends before there is load. */
async function here(text: string): Promise<Ended> {
  const words = `--quiet ${text}`.split(' ').map((word) => word.replace('QUERIES', QUERIES).replace('@', address))
  let [stdout, stderr] = ['', '']
  const code = await loadHere(Flags.parse(words), {
    stdout: { write: (part) => (stdout += part) },
    stderr: { write: (part) => (stderr += part) },
    env: {},
    quit: (quitCode) => assert.fail(`it quits with ${quitCode}`),
  })
  return { code, stdout, stderr }
}

// biome-ignore lint/suspicious/noExplicitAny: JSON, whose fields the tests of reports check.
type Json = any

/** Of a short run. */
async function reported(text: string): Promise<Json> {
  const { code, stdout, stderr } = await load(`--json ${text}`, ...SHORT)
  assert.equal(code, 0, stderr)
  assert.equal(stderr, '')
  return JSON.parse(stdout)
}

test('closed loop: what pipelines read', async () => {
  const { stdout, code } = await load('--server @ --queries QUERIES --outstanding 64 --json', ...SHORT)
  assert.equal(code, 0)
  const report: Json = JSON.parse(stdout)
  assert.ok(report.qps > 100, `${report.qps} a second`)
  assert.ok(report.sent > 64)
  assert.equal(report.sent, report.answered + report.lost)
  assert.equal(report.lost, 0)
  const { NOERROR, NXDOMAIN } = report.rcodes
  assert.equal(NOERROR + NXDOMAIN, report.answered)
  // Two of three lines, and workers may be anywhere between them at the end.
  assert.ok(Math.abs(NOERROR - 2 * NXDOMAIN) < 300, `${NOERROR} and ${NXDOMAIN}`)
  const { p50, p90, p99, p999, max } = report.latency_us
  assert.ok(0 < p50 && p50 <= p90 && p90 <= p99 && p99 <= p999 && p999 <= max, JSON.stringify(report.latency_us))
})

test('open loop: as many as were to be sent', async () => {
  const { schedule, sent, answered, unsent } = await reported('--server @ --queries QUERIES --rate 2000')
  assert.equal(schedule.rate_qps, 2000)
  assert.ok(Math.abs(sent + unsent - 800) <= 1, `${sent} sent, ${unsent} not`)
  assert.ok(answered > 0)
})

test('a ramp: half of the highest rate on average', async () => {
  const { sent, unsent } = await reported('--server @ --queries QUERIES --ramp 1:4000')
  assert.ok(Math.abs(sent + unsent - 800) <= 2, `${sent} sent, ${unsent} not`)
})

test('so many passes, and no more', async () => {
  for (const schedule of ['--outstanding 2', '--rate 3000']) {
    const { code, stdout } = await load(
      `--server @ --queries QUERIES --passes 50 --warmup 0 --quiet --json ${schedule}`,
    )
    assert.equal(code, 0)
    const { sent, answered, rcodes } = JSON.parse(stdout)
    assert.deepEqual([sent, answered, rcodes.NXDOMAIN], [150, 150, 50], schedule)
  }
})

test('a capture at its own times, and twice as fast', async () => {
  const path = join(folder, 'capture.pcap')
  const octets = ipv4(udp(dnsQuery('cart.shop.svc.cluster.local')))
  writeFileSync(path, pcap(Array.from({ length: 60 }, (_, i) => ({ timeNs: BigInt(i) * 10_000_000n, octets }))))
  for (const [speed, length] of [
    [1, 0.59],
    [2, 0.295],
  ]) {
    const { code, stdout, stderr } = await load(`--server @ --pcap ${path} --speed ${speed} --quiet --json`)
    assert.equal(code, 0, stderr)
    const report: Json = JSON.parse(stdout)
    assert.deepEqual([report.sent, report.answered], [60, 60])
    assert.ok(report.duration_s > length - 0.05 && report.duration_s < length + 0.5, `${report.duration_s} s`)
  }
})

test('datagrams without system calls of our own, and workers that sleep', async () => {
  const report = await reported('--server @ --queries QUERIES --rate 1000 --transport dgram')
  assert.ok(report.answered > 50)
  const asleep = await reported('--server @ --queries QUERIES --rate 1000 --sleep')
  assert.ok(asleep.answered > 50)
  assert.equal(asleep.sleeps, true)
})

test('over TCP', async () => {
  const report = await reported('--server tcp://@ --queries QUERIES --outstanding 32 --sockets 4')
  assert.ok(report.answered > 100)
  assert.ok(report.connections >= 4)
})

test('over TLS and HTTPS, certificates unchecked when that is asked for', async () => {
  for (const [url, port] of [
    ['tls://127.0.0.1:PORT', await listen(createTlsServer(certificate, streamListener(refused)))],
    ['https://127.0.0.1:PORT/dns-query', await httpsServer(200, refused)],
  ] as const) {
    const args = `--server ${url.replace('PORT', String(port))} --queries QUERIES --outstanding 3 --sockets 3`
    const report = await reported(`${args} --insecure`)
    assert.ok(report.answered > 10)
    assert.equal(report.answered, report.rcodes.REFUSED)
    assert.equal(report.server.verifies_certificate, false)
    const { code, stderr } = await load(`${args} --quiet`)
    assert.equal(code, 2)
    assert.match(stderr, /^peregrine: server \S+ over (?:TLS|HTTPS): its certificate is not good: .*\n$/)
  }
})

test('the application in examples/, checked as npm start serves it', async () => {
  const { code, stdout, stderr } = await load('--server @ --rate 2000 --count 3000 --verify --json', ...SHORT)
  const { verification } = JSON.parse(stdout)
  assert.equal(code, 0, `${stderr} ${JSON.stringify(verification)}`)
  assert.ok(verification.checked > 50, `${verification.checked} checked`)
  assert.equal(verification.wrong, 0)
})

test('another cluster than the server has: both sides of what differs, and exit code 1', async () => {
  const other = join(folder, 'other')
  cpSync(EXAMPLES, other, { recursive: true })
  for (const file of readdirSync(other, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.yaml'),
  )) {
    const path = join(other, file)
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll(/\bname: cart$/gm, 'name: basket'))
  }
  const { code, stdout, stderr } = await load(
    `--server @ --queries QUERIES --manifests ${other} --okd --verify --rate 500`,
    ...SHORT,
  )
  assert.equal(code, 1, stderr)
  assert.match(
    stdout,
    /WRONG \(\d+ times\): cart\.shop\.svc\.cluster\.local\. A from 127\.0\.0\.1:\d+: NOERROR, not NXDOMAIN/,
  )
  assert.match(
    stdout,
    /got[\s\S]*cart\.shop\.svc\.cluster\.local\. 5 IN A [\s\S]*expected, by manifests[\s\S]*status: NXDOMAIN/,
  )
})

test('against another server, which is right', async () => {
  const report = await reported('--server @ --rate 500 --count 300 --reference tcp://@')
  assert.ok(report.verification.checked > 20)
  assert.equal(report.verification.wrong, 0)
})

test('servers in turn, and their CPU time', async () => {
  const pid = server.child.pid
  const args = `--server @ --server tcp://@ --queries QUERIES --outstanding 32 --rounds 2 --pid ${pid} --pid ${pid}`
  const report = await reported(args)
  assert.deepEqual([report.kind, report.rounds, report.servers.length], ['comparison', 2, 2])
  for (const { runs } of report.servers)
    for (const each of runs) assert.ok(each.server_cpu_s === null || each.server_cpu_s > 0)
})

test('a search for the capacity, which may be ended', async () => {
  const args = '--find-capacity --start-rate 200 --max-rate 400 --trial 200ms --warmup 0 --max-p99 1s --max-loss 10'
  const { stdout } = await signalled(`--server @ --queries QUERIES ${args} --json`, /^last trial: /m, ['SIGINT'])
  const report: Json = JSON.parse(stdout)
  assert.equal(report.kind, 'capacity')
  assert.ok(report.trials.length >= 1)
  assert.equal(report.trials[0].schedule.rate_qps, 200)
})

test('a page, lines of JSON and metrics, all in one', async () => {
  const [page, lines, port] = [join(folder, 'report.html'), join(folder, 'lines'), await freePort()]
  const running = load(
    `--server @ --rate 1000 --duration 3s --warmup 0 --html ${page} --json-lines ${lines} --metrics ${port}`,
  )
  let metrics = ''
  for (let tries = 0; tries < 400 && !/_sent_total\S* [1-9]/.test(metrics); tries++) {
    metrics = await fetch(`http://127.0.0.1:${port}/metrics`).then(
      (response) => response.text(),
      () => '',
    )
    await sleep(25)
  }
  const { code, stdout, stderr } = await running
  assert.equal(code, 0, stderr)
  assert.match(metrics, /^peregrine_load_sent_total\{server="127\.0\.0\.1:\d+"\} [1-9]\d*$/m)
  assert.match(metrics, /^peregrine_load_responses_total\{server="[^"]*",rcode="NXDOMAIN"\} [1-9]\d*$/m)
  assert.match(stdout, /1,000 queries a second \(open loop\)/)
  assert.match(readFileSync(page, 'utf8'), /^<!doctype html>/i)
  const seconds: Json[] = readFileSync(lines, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  assert.deepEqual(
    seconds.slice(0, 3).map(({ second, run }) => [second, run]),
    [
      [0, 1],
      [1, 1],
      [2, 1],
    ],
  )
  assert.equal(stderr.match(/^ +\d+ s {2}[\d,]+ answered\/s of [\d,]+, lost /gm)?.length, seconds.length)
})

test('a made-up cluster is written, served, asked for and checked', async () => {
  const [manifests, zone] = [join(folder, 'made-up'), join(folder, 'made-up.zone')]
  const written = await load(`--services 40 --endpoints 90 --write-manifests ${manifests} --write-zone ${zone}`)
  assert.deepEqual([written.code, written.stderr], [0, ''])
  assert.match(written.stdout, /made-up: 40 Services, 90 endpoints\n.*made-up\.zone: 40 Services, 90 endpoints\n$/)
  assert.match(readFileSync(zone, 'utf8'), /^\$ORIGIN cluster\.local\.$/m)
  const served = await startServer({ manifests: [manifests] })
  try {
    const args = `--server 127.0.0.1:${served.endpoint.port} --services 40 --endpoints 90 --count 2000`
    const report = await reported(`${args} --rate 2000 --verify --external-share 0 --nxdomain-share 0.1`)
    assert.equal(report.verification.wrong, 0, JSON.stringify(report.verification.answers[0]))
    assert.ok(report.verification.checked > 50)
    assert.ok(report.rcodes.NOERROR > 2 * report.rcodes.NXDOMAIN)
  } finally {
    await served.stop()
  }
})

test('broken bounds make exit code 1', async () => {
  const { code, stdout } = await load('--server @ --queries QUERIES --rate 500 --max-p99 1us', ...SHORT)
  assert.equal(code, 1)
  assert.match(stdout, /^OUT OF BOUNDS: the p99 is /m)
})

test('wrong input is one line, and exit code 2', async () => {
  const file = (name: string, content: string | Buffer): string => {
    writeFileSync(join(folder, name), content)
    return join(folder, name)
  }
  const closed = await freePort()
  const foreign = Object.values(networkInterfaces()).flat().length > 0 ? '192.0.2.1' : '192.0.2.2'
  const noDns = pcap([{ timeNs: 0n, octets: ipv4(udp(Buffer.from('hello'), { to: 80 })) }])
  const cases: [args: string, line: RegExp][] = [
    ['--server @ --rate 5 --outstanding 5', /^flags --outstanding and --rate exclude each other$/],
    ['--server @ --listen ::1', /^flag --listen is none of load's; load --help lists them$/],
    ['--server @ --queries no-such-file', /^no-such-file: no such file$/],
    [`--server @ --queries ${file('bad', 'cart.shop.svc.cluster.local A\nfoo bar baz\n')}`, /bad:2: /],
    [`--server @ --queries ${file('empty', '')}`, /empty: /],
    ['--server @ --pcap no-such-file', /^no-such-file: no such file$/],
    [`--server @ --pcap ${file('no.pcap', 'hello')}`, /no\.pcap: /],
    [`--server @ --pcap ${file('dns.pcap', noDns)}`, /dns\.pcap: .*no DNS quer/i],
    ['--server @ --manifests no-such-folder', /^no-such-folder: no such file or folder$/],
    [`--server @ --manifests ${file('bad.yaml', 'a: [')}`, /bad\.yaml/],
    ['--server @ --kubeconfig no-such-file', /no-such-file/],
    ['--server @ --external-names no-such-file', /^no-such-file: no such file$/],
    ['--server @ --html no-such-folder/report.html', /^flag --html: cannot write no-such-folder\/report\.html: /],
    [
      '--server @ --queries QUERIES --json-lines no-such-folder/lines',
      /^flag --json-lines: cannot write no-such-folder\/lines: /,
    ],
    ['--server @ --queries QUERIES --metrics 192.0.2.1:9', /^flag --metrics: .*192\.0\.2\.1:9/],
    ['--server @ --queries QUERIES --pid 2147483647', /^--pid 2147483647: there is no such process$/],
    [`--server 127.0.0.1:${closed} --queries QUERIES`, /^server 127\.0\.0\.1:\d+ over UDP: connection refused$/],
    [
      `--server tcp://127.0.0.1:${closed} --queries QUERIES`,
      /^server tcp:\/\/127\.0\.0\.1:\d+ over TCP: connection refused$/,
    ],
    [`--server @ --queries QUERIES --reference 127.0.0.1:${closed}`, /^reference 127\.0\.0\.1:\d+ does not answer: /],
    [
      `--server ${foreign} --queries QUERIES`,
      /^server 192\.0\.2\.1 is neither loopback nor private nor of the cluster; /,
    ],
    [`--server @ --queries QUERIES --reference ${foreign}`, /^server 192\.0\.2\.1 is neither loopback nor private /],
    ['--server no-such-name.invalid --queries QUERIES', /^server no-such-name\.invalid: no address: /],
    ['--services 5 --write-zone no-such-folder/zone', /^flag --write-zone: ENOENT/],
  ]
  for (const [args, line] of cases) {
    const { code, stdout, stderr } = await here(args)
    assert.equal(code, 2, `${args}: ${stderr}`)
    assert.match(stderr, /^peregrine: [^\n]+\n$/, args)
    assert.match(stderr.slice('peregrine: '.length, -1), line, args)
    assert.equal(stdout, '')
  }
})

test('the process says it as well, and ends with 2', async () => {
  const cases = [
    ['', 'load what? --server ADDR[:PORT] says so'],
    ['--server @ --no-such-flag', 'unknown flag --no-such-flag'],
    ['--server @ --rate', 'flag --rate needs a value'],
    ['--server @ --queries no-such-file', 'no-such-file: no such file'],
  ]
  await Promise.all(
    cases.map(async ([args, line]) => {
      assert.deepEqual(await load(args), { code: 2, stdout: '', stderr: `peregrine: ${line}\n` })
    }),
  )
})

test('a full disk costs what was to be on it, and nothing else', async () => {
  const args = '--server @ --queries QUERIES --rate 500 --html /dev/full --json-lines /dev/full'
  const { code, stdout, stderr } = await load(args, ...SHORT)
  assert.equal(code, 1)
  assert.match(stdout, /Latency/)
  assert.match(stderr, /^peregrine: flag --json-lines: ENOSPC.*\nperegrine: flag --html: ENOSPC.*\n$/)
})

test('who leaves in the middle is not told of it', async () => {
  const args = `load --server ${address} --queries ${QUERIES} --rate 500 --warmup 0 --quiet --json-lines -`
  const command = `{ ${PEREGRINE} ${args}; echo $? >&2; } | head -n 1`
  const { stdout, stderr } = spawnSync('sh', ['-c', command], {
    cwd: folder,
    env: childEnvironment(),
    encoding: 'utf8',
  })
  assert.match(stdout, /^\{"time":.*\}\n$/)
  assert.equal(stderr, '1\n')
})

test('every module can be loaded ahead of its use, as npm ci does it', async () => {
  const ended = await run(['compile'], { cwd: folder, env: { NODE_COMPILE_CACHE: join(folder, 'cache') } })
  assert.deepEqual(ended, { code: 0, stdout: '', stderr: '' })
})

test('flags of load are nobody else’s', async () => {
  const ended = await run(['serve', '--rate', '5'], { cwd: folder })
  assert.deepEqual([ended.code, ended.stderr.split('\n')[0]], [2, 'peregrine: flag --rate is for peregrine load'])
})

/** Sends signals to a load, one right after the other, once it has said something. */
async function signalled(
  text: string,
  said: RegExp,
  signals: readonly NodeJS.Signals[],
): Promise<{ code: number | null; stdout: string }> {
  const args = text.split(' ').map((word) => word.replace('QUERIES', QUERIES).replace('@', address))
  const child = spawn(PEREGRINE, ['load', ...args], { cwd: folder, env: childEnvironment() })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (part) => (stdout += part))
  child.stderr.on('data', (part) => (stderr += part))
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve))
  for (let tries = 0; tries < PATIENCE && !said.test(stderr); tries++) await sleep(10)
  for (const signal of signals) child.kill(signal)
  const killer = setTimeout(() => child.kill('SIGKILL'), 20_000)
  const code = await closed
  clearTimeout(killer)
  return { code, stdout }
}

test('signals: the first ends the run, the second the process', async () => {
  const args = '--server @ --queries QUERIES --rate 200 --duration 1m --warmup 0'
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const { code, stdout } = await signalled(args, /^ +\d+ s /m, [signal])
    assert.equal(code, 0, signal)
    assert.match(stdout, /^Interrupted after [\d.]+ s$/m)
  }
  const twice = await signalled(args, /^ +\d+ s /m, ['SIGINT', 'SIGTERM'])
  assert.deepEqual([twice.code, twice.stdout], [2, ''])
})

const SCRIPT = '/usr/bin/script'
const hasScript =
  existsSync(SCRIPT) && spawnSync(SCRIPT, ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux')

test('a real terminal is drawn on, and left as it was', {
  skip: !hasScript && 'SKIPPED: needs script (util-linux)',
}, async () => {
  const words = ['load', '--server', address, '--queries', QUERIES, '--rate', '500', '--warmup', '0']
  const drawn = async (duration: string, ...signals: NodeJS.Signals[]): Promise<string> => {
    const command = `stty cols 50 rows 10; TERM=xterm LC_ALL=C exec ${PEREGRINE} ${words.join(' ')} --duration ${duration}`
    const child = spawn(SCRIPT, ['-qefc', command, '/dev/null'], {
      cwd: folder,
      env: childEnvironment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let text = ''
    child.stdout.setEncoding('latin1').on('data', (part: string) => (text += part))
    const closed = new Promise((resolve) => child.once('close', resolve))
    if (signals.length > 0) {
      for (let tries = 0; tries < PATIENCE && !text.includes('answered/s'); tries++) await sleep(10)
      const [pid] = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'latin1').split(' ')
      for (const signal of signals) process.kill(Number(pid), signal)
    }
    await closed
    return text
  }
  const whole = await drawn('1200ms')
  const [picture, rest] = whole.split('\x1b[?25h')
  assert.ok(picture.includes('\x1b[?25l'), 'the cursor is hidden while it draws')
  assert.ok(picture.split('\x1b[3A\r').length > 5, 'the picture is drawn again and again')
  for (const line of picture.split(/\r\n|\r/)) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the terminal's control sequences.
    const shown = line.replaceAll(/\x1b\[[?\d]*[a-zA-Z]/g, '')
    assert.ok(shown.length < 50, shown)
  }
  assert.match(picture, /\n#+\.* +\d+ % {2}\d s, \d s left/)
  assert.match(rest, /^[\s\S]*Latency[\s\S]*$/)
  assert.ok(!rest.includes('\x1b'), 'nothing is drawn afterwards')
  const killed = await drawn('1m', 'SIGINT', 'SIGTERM')
  assert.ok(killed.lastIndexOf('\x1b[?25h') > killed.lastIndexOf('\x1b[?25l'), 'the cursor comes back')
  assert.doesNotMatch(killed, /Latency/)
})
