// The command line of `peregrine load`: what each flag asks for, and which make no sense, alone or together.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type FlagName, Flags, UnknownFlagError, usage } from '../../src/cli/flags.ts'
import { isLoadFlag, LOAD_FLAGS, LOAD_GROUPS } from '../../src/cli/load-flags.ts'
import { type LoadPlan, loadPlan, SOCKETS_A_WORKER, writePlan } from '../../src/cli/load-plan.ts'
import { loadUsage } from '../../src/cli/load-usage.ts'
import { DEFAULT_MIX } from '../../src/load/queries/mix-options.ts'
import { SOCKETS_MAX } from '../../src/load/udp-loop.ts'

const ROOT = join(import.meta.dirname, '../..')
const NOWHERE: NodeJS.ProcessEnv = {}

/** @param text  words of a command line; `_` stands for a blank within one */
function plan(text: string, server = '--server 127.0.0.1'): LoadPlan {
  const words = `${server} ${text}`.split(' ').filter((word) => word !== '')
  return loadPlan(Flags.parse(words.map((word) => word.replaceAll('_', ' '))), NOWHERE)
}

const AB = '--server 127.0.0.1:1 --server 127.0.0.1:2'

const WRONG: [args: string, message: string, server?: string][] = [
  // nobody to ask
  ['', 'load what? --server ADDR[:PORT] says so', ''],
  ['', "flag --server: not a port: 'a:b'", '--server a:b'],
  ['', "flag --server: a scheme other than udp, tcp, tls and https: 'quic://a'", '--server quic://a'],
  ['--protocol quic', "flag --protocol is udp or tcp or tls or https, not 'quic'"],
  ['127.0.0.2', 'unexpected argument 127.0.0.2; --server says who is asked'],
  // flags of other commands
  ['--listen ::1', "flag --listen is none of load's; load --help lists them"],
  ['--conf Corefile', "flag --conf is none of load's; load --help lists them"],
  ['-dns.port 53', "flag --dns.port is none of load's; load --help lists them"],
  ['--localip 10.0.0.1', "flag --localip is none of load's; load --help lists them"],
  // who is asked
  ['--gso', 'flag --gso is for udp', '--server tcp://127.0.0.1'],
  ['--gso', 'flag --gso is for udp', '--server 127.0.0.1 --server tcp://127.0.0.1'],
  ['--transport io', 'flag --transport is for udp', '--server tcp://127.0.0.1'],
  ['--timestamps worker', 'flag --timestamps is for udp', '--server tcp://127.0.0.1'],
  ['--timestamps kernel --transport dgram', 'flags --timestamps kernel and --transport dgram exclude each other'],
  ['--timestamps clock', "flag --timestamps is kernel or worker, not 'clock'"],
  ['--gso --transport dgram', 'flags --gso and --transport dgram exclude each other'],
  ['--insecure', 'flag --insecure needs a server asked by tls or https'],
  ['--tls-server-name a', 'flag --tls-server-name needs a server asked by tls or https', '--server tcp://127.0.0.1'],
  // what is asked
  ['--queries a --pcap b', 'flags --queries and --pcap exclude each other'],
  ['--queries a --services 5', 'flags --queries and --services exclude each other'],
  ['--pcap a --services 5', 'flags --pcap and --services exclude each other'],
  ['--services 5 --manifests a', 'flags --services and --manifests exclude each other'],
  ['--services 5 --kubeconfig a', 'flags --services and --kubeconfig exclude each other'],
  ['--manifests a --kubeconfig b', 'flags --kubeconfig and --manifests exclude each other'],
  ['--context a', 'flag --context needs --kubeconfig'],
  ['--endpoints 5', 'flag --endpoints needs --services'],
  ['--services 0', "flag --services is a number from 1 to 1000000, not '0'"],
  ['--write-zone f', 'flag --write-zone needs --services'],
  ['--speed 2', 'flag --speed needs --pcap'],
  ['--pcap a --speed 0', "flag --speed is a number from 0.001 to 1000, not '0'"],
  ['--pcap a --speed 1001', "flag --speed is a number from 0.001 to 1000, not '1001'"],
  ['--pcap a --speed 2 --rate 5', 'flags --speed and --rate exclude each other'],
  ['--pcap a --speed 2 --outstanding 5', 'flags --speed and --outstanding exclude each other'],
  ['--pcap a --speed 2 --find-capacity', 'flags --speed and --find-capacity exclude each other'],
  ['--search a', 'flag --search needs --queries'],
  ['--queries a --manifests b', 'flag --manifests: with --queries it says what is true, for --verify'],
  ['--pcap a --manifests b', 'flag --manifests: with --pcap it says what is true, for --verify'],
  // how often which
  ['--queries a --count 5', 'flag --count is for the names of a cluster, not for --queries'],
  ['--pcap a --nxdomain-share 0', 'flag --nxdomain-share is for the names of a cluster, not for --pcap'],
  ['--queries a --pairs on', 'flag --pairs is for the names of a cluster, not for --queries'],
  ['--count 0', "flag --count is a number from 1 to 16777216, not '0'"],
  ['--distribution uniform --zipf-exponent 1', 'flag --zipf-exponent needs --distribution zipf'],
  ['--zipf-exponent 4.1', "flag --zipf-exponent is a number from 0 to 4, not '4.1'"],
  ['--srv-share 1.01', "flag --srv-share is a share from 0 to 1, or 0% to 100%, not '1.01'"],
  ['--srv-share 101%', "flag --srv-share is a share from 0 to 1, or 0% to 100%, not '101%'"],
  ['--srv-share half', "flag --srv-share is a share from 0 to 1, or 0% to 100%, not 'half'"],
  ['--srv-share -1', "flag --srv-share is a share from 0 to 1, or 0% to 100%, not '-1'"],
  [
    '--nxdomain-share 0.9',
    'shares of more than all queries: --nxdomain-share 0.9, --external-share 0.12, --srv-share 0.02, --ptr-share 0.02',
  ],
  ['--edns 511', "flag --edns is a number from 512 to 65535, not '511'"],
  ['--pcap a --edns 4096', 'flags --pcap and --edns exclude each other'],
  ['--pcap a --dnssec', 'flags --pcap and --dnssec exclude each other'],
  ['--pcap a --case-randomization', 'flags --pcap and --case-randomization exclude each other'],
  // when
  ['--rate 5 --outstanding 5', 'flags --outstanding and --rate exclude each other'],
  ['--rate 5 --ramp 1:2', 'flags --rate and --ramp exclude each other'],
  ['--ramp 1:2 --find-capacity', 'flags --ramp and --find-capacity exclude each other'],
  ['--outstanding 5 --find-capacity', 'flags --outstanding and --find-capacity exclude each other'],
  ['--rate 0', "flag --rate is a number from 1 to 10000000, not '0'"],
  ['--rate 10000001', "flag --rate is a number from 1 to 10000000, not '10000001'"],
  ['--rate 1.5', "flag --rate is a number from 1 to 10000000, not '1.5'"],
  ['--outstanding 0', "flag --outstanding is a number from 1 to 1000000, not '0'"],
  ['--ramp 5', "flag --ramp is FROM:TO, each a rate from 1 to 10000000, not '5'"],
  ['--ramp 0:5', "flag --ramp is FROM:TO, each a rate from 1 to 10000000, not '0:5'"],
  ['--ramp 1:99999999', "flag --ramp is FROM:TO, each a rate from 1 to 10000000, not '1:99999999'"],
  ['--ramp 1:2:3', "flag --ramp is FROM:TO, each a rate from 1 to 10000000, not '1:2:3'"],
  ['--start-rate 5', 'flag --start-rate needs --find-capacity'],
  ['--max-rate 5', 'flag --max-rate needs --find-capacity'],
  ['--trial 5s', 'flag --trial needs --find-capacity'],
  ['--find-capacity --start-rate 6 --max-rate 5', 'flag --start-rate is 6, more than --max-rate 5'],
  ['--find-capacity --trial 1ms', "flag --trial is 10ms to 24h, not '1ms'"],
  ['--find-capacity --duration 5s', 'flags --find-capacity and --duration exclude each other'],
  ['--find-capacity --passes 5', 'flags --find-capacity and --passes exclude each other'],
  ['--ramp 1:2 --passes 5', 'flags --ramp and --passes exclude each other'],
  ['--duration 9ms', "flag --duration is 10ms to 24h, not '9ms'"],
  ['--duration 25h', "flag --duration is 10ms to 24h, not '25h'"],
  ['--duration 5', "flag --duration: missing unit in duration '5'"],
  ['--warmup 25h', "flag --warmup is 0s to 24h, not '25h'"],
  ['--timeout 0', "flag --timeout is 1ms to 30s, not '0'"],
  ['--timeout 31s', "flag --timeout is 1ms to 30s, not '31s'"],
  ['--passes 0', "flag --passes is a number from 1 to 2147483647, not '0'"],
  // by what
  ['--workers 0', "flag --workers is a number from 1 to 62, not '0'"],
  ['--workers 2 --sockets 2001', 'flag --sockets: 1000 a worker at most, and there are 2 (--workers)'],
  ['--cores one', "flag --cores is a list of cores like 0,2-5, not 'one'"],
  ['--cores 5-2', "flag --cores is a list of cores like 0,2-5, not '5-2'"],
  ['--cores 1-2-3', "flag --cores is a list of cores like 0,2-5, not '1-2-3'"],
  ['--cores 1-', "flag --cores is a list of cores like 0,2-5, not '1-'"],
  ['--cores 1024', "flag --cores is a list of cores like 0,2-5, not '1024'"],
  // several servers
  ['--rounds 3', 'flag --rounds needs two --server or more'],
  ['--find-capacity', 'flag --find-capacity takes one --server', AB],
  ['--pid 5', "flag --pid is there 1 times for 2 servers: once for each, '-' for none", AB],
  ['--pid 5,6', "flag --pid is there 1 times for 2 servers: once for each, '-' for none", AB],
  ['--pid 5 --pid 6', "flag --pid is there 2 times for 1 servers: once for each, '-' for none"],
  ['--pid init', "flag --pid is a process id, not 'init'"],
  ['--pid 0', "flag --pid is a process id, not '0'"],
  ['--pid 5,', "flag --pid is a process id, not '5,'"],
  // are the answers right
  ['--strict', 'flag --strict needs --verify or --reference'],
  ['--verify=some', "flag --verify is all|N, not 'some'"],
  ['--verify 0', "flag --verify is all or N, from 1 on, not '0'"],
  ['--verify some', 'unexpected argument some; --server says who is asked'],
  ['--reference a:b', "flag --reference: not a port: 'a:b'"],
  ['--reference 127.0.0.1 --manifests a', 'flags --reference and --manifests exclude each other'],
  ['--queries a --verify', 'flag --verify needs --manifests, --kubeconfig or --reference to know what is true'],
  ['--pcap a --verify', 'flag --verify needs --manifests, --kubeconfig or --reference to know what is true'],
  // what has to hold
  ['--max-loss 101', "flag --max-loss is a percentage from 0 to 100, not '101'"],
  ['--max-loss none', "flag --max-loss is a percentage from 0 to 100, not 'none'"],
  ['--max-loss -1', "flag --max-loss is a percentage from 0 to 100, not '-1'"],
  ['--max-p99 31s', "flag --max-p99 is 0.001ms to 30s, not '31s'"],
  ['--max-p99 0', "flag --max-p99 is 0.001ms to 30s, not '0'"],
  // what is printed
  ['--json --json-lines -', 'flags --json and --json-lines - both write to standard output'],
  ['--metrics here', "flag --metrics is [ADDR:]PORT, not 'here'"],
  ['--metrics 65536', "flag --metrics is [ADDR:]PORT, not '65536'"],
  ['--metrics 10.0.0.1', "flag --metrics is [ADDR:]PORT, not '10.0.0.1'"],
  ['--metrics udp://10.0.0.1:5', "flag --metrics is [ADDR:]PORT, not 'udp://10.0.0.1:5'"],
  ['--metrics ::1', "flag --metrics is [ADDR:]PORT, not '::1'"],
]

test('what makes no sense, alone or together, is said in one line', () => {
  for (const [args, message, server] of WRONG) {
    assert.throws(() => plan(args, server), { message }, args)
  }
})

const MEANT: [args: string, part: (plan: LoadPlan) => unknown, expected: unknown, server?: string][] = [
  // who is asked
  ['', ({ targets }) => targets.map(({ transport, port }) => [transport, port]), [['udp', 53]]],
  ['--protocol tls', ({ targets }) => targets.map(({ transport, port }) => [transport, port]), [['tls', 853]]],
  ['', ({ targets }) => targets.map(({ port }) => port), [1, 2], AB],
  ['', ({ targetOptions }) => targetOptions, { transport: 'udp', serverName: '', verifiesCertificate: true }],
  [
    '--insecure --tls-server-name a --protocol https',
    ({ targetOptions }) => targetOptions,
    { transport: 'https', serverName: 'a', verifiesCertificate: false },
  ],
  ['', ({ isVouchedFor }) => isVouchedFor, false],
  ['--i-own-this-server', ({ isVouchedFor }) => isVouchedFor, true],
  // what is asked
  ['', ({ queries, isExample }) => [queries.kind, isExample], ['cluster', true]],
  ['--manifests m', ({ queries, isExample }) => [queries.kind, isExample], ['cluster', false]],
  ['--kubeconfig k', ({ queries, model }) => [queries.kind, model.source.kind], ['cluster', 'api']],
  ['--queries q', ({ queries }) => queries, { kind: 'file', path: 'q', search: undefined }],
  ['--queries - --search a,b', ({ queries }) => queries, { kind: 'file', path: '-', search: ['a', 'b'] }],
  ['--queries q', ({ isExample }) => isExample, false],
  ['--pcap p', ({ queries }) => queries, { kind: 'capture', path: 'p' }],
  [
    '--services 200',
    ({ queries }) => queries.kind === 'synthetic' && [queries.size.services, queries.size.endpoints],
    [200, 2000],
  ],
  [
    '--services 200 --endpoints 7',
    ({ queries }) => queries.kind === 'synthetic' && [queries.size.services, queries.size.endpoints],
    [200, 7],
  ],
  // examples/ as `npm start` serves it, manifests as `serve --manifests` does
  ['', ({ model }) => model.cluster.schema.okd?.wildcard, true],
  ['--okd --okd-wildcard off', ({ model }) => model.cluster.schema.okd?.wildcard, false],
  ['--manifests m', ({ model }) => model.cluster.schema.okd, null],
  ['--manifests m --okd', ({ model }) => model.cluster.schema.okd?.wildcard, true],
  ['--manifests m --zone lab.test --ttl 9', ({ model }) => [model.cluster.zones, model.cluster.ttl], [['lab.test'], 9]],
  // how often which
  ['', ({ mix }) => mix, DEFAULT_MIX],
  [
    '--seed 7 --count 9 --distribution uniform --pairs off --clients 3 --case-randomization',
    ({ mix }) => mix,
    { ...DEFAULT_MIX, seed: 7, count: 9, distribution: 'uniform', pairs: false, clients: 3, caseRandomisation: true },
  ],
  [
    '--nxdomain-share 50% --external-share .1 --srv-share 0 --ptr-share 0.25 --single-a-share 0% --zipf-exponent 2',
    ({ mix }) => mix,
    {
      ...DEFAULT_MIX,
      nxdomainShare: 0.5,
      externalShare: 0.1,
      srvShare: 0,
      ptrShare: 0.25,
      singleAShare: 0,
      zipfExponent: 2,
    },
  ],
  ['--edns 4096', ({ mix }) => mix.edns, { udpSize: 4096, dnssecOk: false }],
  ['--dnssec', ({ mix }) => mix.edns, { udpSize: 1232, dnssecOk: true }],
  ['--external-names f', ({ externalNames }) => externalNames, 'f'],
  // when
  ['', ({ mode }) => mode, { kind: 'run', schedule: { kind: 'closed', outstanding: 128 } }],
  ['--outstanding 512', ({ mode }) => mode, { kind: 'run', schedule: { kind: 'closed', outstanding: 512 } }],
  ['--rate 5000', ({ mode }) => mode, { kind: 'run', schedule: { kind: 'open', rate: 5000 } }],
  ['--ramp 10:500', ({ mode }) => mode, { kind: 'run', schedule: { kind: 'ramp', from: 10, to: 500 } }],
  ['--ramp 500:10', ({ mode }) => mode, { kind: 'run', schedule: { kind: 'ramp', from: 500, to: 10 } }],
  ['--pcap p', ({ mode }) => mode, { kind: 'run', schedule: { kind: 'replay', speed: 1 } }],
  ['--pcap p --speed 2.5', ({ mode }) => mode, { kind: 'run', schedule: { kind: 'replay', speed: 2.5 } }],
  ['--pcap p --rate 50', ({ mode }) => mode, { kind: 'run', schedule: { kind: 'open', rate: 50 } }],
  ['', ({ durationMs, warmupMs, timeoutMs }) => [durationMs, warmupMs, timeoutMs], [10_000, 1000, 5000]],
  ['--duration 1m --warmup 0 --timeout 500ms', (p) => [p.durationMs, p.warmupMs, p.timeoutMs], [60_000, 0, 500]],
  ['--passes 3', ({ durationMs, passes }) => [durationMs, passes], [null, 3]],
  ['--passes 3 --duration 1s', ({ durationMs, passes }) => [durationMs, passes], [1000, 3]],
  ['--pcap p', ({ durationMs, warmupMs, passes }) => [durationMs, warmupMs, passes], [null, 0, 1]],
  ['--pcap p --duration 9s', ({ durationMs, passes }) => [durationMs, passes], [9000, 0]],
  ['--pcap p --passes 2', ({ durationMs, passes }) => [durationMs, passes], [null, 2]],
  ['--pcap p --rate 50', ({ durationMs, warmupMs, passes }) => [durationMs, warmupMs, passes], [10_000, 1000, 0]],
  // search
  [
    '--find-capacity',
    ({ mode }) => mode.kind === 'capacity' && [mode.options.bounds, mode.options.startRate, mode.options.trialMs],
    [{ maxLoss: 0.001, maxP99Micros: 10_000 }, 1000, 2000],
  ],
  [
    '--find-capacity --max-p99 2ms --max-loss 1 --start-rate 50 --max-rate 60 --trial 3s',
    ({ mode }) =>
      mode.kind === 'capacity' && [
        mode.options.bounds,
        mode.options.startRate,
        mode.options.maxRate,
        mode.options.trialMs,
      ],
    [{ maxLoss: 0.01, maxP99Micros: 2000 }, 50, 60, 3000],
  ],
  ['--find-capacity --max-rate 60', ({ mode }) => mode.kind === 'capacity' && mode.options.startRate, 60],
  // several servers
  [
    '',
    ({ mode, durationMs }) => [mode.kind, mode.kind === 'comparison' && mode.rounds, durationMs],
    ['comparison', 5, 5000],
    AB,
  ],
  ['--rounds 9', ({ mode }) => mode.kind === 'comparison' && mode.rounds, 9, AB],
  ['', ({ pids }) => pids, [[], []], AB],
  ['--pid 5,6 --pid 7', ({ pids }) => pids, [[5, 6], [7]], AB],
  ['--pid - --pid 7', ({ pids }) => pids, [[], [7]], AB],
  // by what
  ['', ({ sockets }) => sockets, [128]],
  [
    '',
    ({ sockets }) => sockets,
    [16, 16, 16, 128],
    '--server tcp://::1 --server tls://::1 --server https://::1 --server ::1',
  ],
  ['--sockets 7', ({ sockets }) => sockets, [7, 7], AB],
  ['', ({ workers }) => workers, Math.max(1, Math.floor(availableParallelism() / 2))],
  ['--workers 3 --gso', ({ workers, gso }) => [workers, gso], [3, true]],
  ['', ({ transport, sleeps }) => [transport, sleeps], ['auto', false]],
  ['--transport dgram --sleep', ({ transport, sleeps }) => [transport, sleeps], ['dgram', true]],
  ['', ({ isStamped }) => isStamped, true],
  ['--timestamps kernel', ({ isStamped }) => isStamped, true],
  ['--timestamps worker --transport dgram', ({ isStamped }) => isStamped, false],
  ['', ({ cores }) => cores, []],
  ['--cores 0,2-4 --cores 9', ({ cores }) => cores, [0, 2, 3, 4, 9]],
  // are the answers right
  ['', ({ truth, sampleEvery }) => [truth, sampleEvery], [null, 0]],
  ['--verify', ({ truth, sampleEvery }) => [truth, sampleEvery], [{ kind: 'model' }, 1]],
  ['--verify --json', ({ sampleEvery, output }) => [sampleEvery, output.json], [1, true]],
  ['--verify all', ({ sampleEvery }) => sampleEvery, 1],
  ['--verify 10', ({ sampleEvery }) => sampleEvery, 10],
  ['--verify=10', ({ sampleEvery }) => sampleEvery, 10],
  ['--queries q --manifests m --verify', ({ truth, isExample }) => [truth, isExample], [{ kind: 'model' }, false]],
  ['--queries q --kubeconfig k --verify', ({ truth }) => truth, { kind: 'model' }],
  ['--services 5 --verify', ({ truth }) => truth, { kind: 'model' }],
  [
    '--queries q --reference tcp://127.0.0.1:54',
    ({ truth, sampleEvery }) =>
      truth?.kind === 'reference' && [truth.server.label, truth.server.transport, sampleEvery],
    ['tcp://127.0.0.1:54', 'tcp', 1],
  ],
  ['--reference 127.0.0.1:54 --verify 3', ({ sampleEvery }) => sampleEvery, 3],
  ['--verify --strict', ({ isStrict }) => isStrict, true],
  // what has to hold
  ['', ({ bounds }) => bounds, { maxLoss: null, maxP99Micros: null }],
  ['--max-loss 0.5', ({ bounds }) => bounds.maxLoss, 0.005],
  ['--max-loss 0.5%', ({ bounds }) => bounds.maxLoss, 0.005],
  ['--max-loss 0', ({ bounds }) => bounds.maxLoss, 0],
  ['--max-p99 1.5ms', ({ bounds }) => bounds.maxP99Micros, 1500],
  ['--max-p99 250us', ({ bounds }) => bounds.maxP99Micros, 250],
  // what is printed
  ['', ({ output }) => output, { json: false, quiet: false, jsonLines: '', html: '', metrics: null }],
  [
    '--json --quiet --json-lines f --html g --metrics 9154',
    ({ output }) => output,
    { json: true, quiet: true, jsonLines: 'f', html: 'g', metrics: { host: '127.0.0.1', port: 9154 } },
  ],
  ['--json-lines -', ({ output }) => output.jsonLines, '-'],
  ['--metrics :9154', ({ output }) => output.metrics, { host: '', port: 9154 }],
  ['--metrics 0', ({ output }) => output.metrics, { host: '127.0.0.1', port: 0 }],
  ['--metrics 10.0.0.1:9154', ({ output }) => output.metrics, { host: '10.0.0.1', port: 9154 }],
  ['--metrics [::]:9154', ({ output }) => output.metrics, { host: '::', port: 9154 }],
]

test('what flags ask for', () => {
  for (const [args, part, expected, server] of MEANT)
    assert.deepEqual(part(plan(args, server)), expected, `${server ?? ''} ${args}`)
})

test('a made-up cluster may be written instead', () => {
  const flags = Flags.parse('--services 300 --endpoints 900 --write-manifests d --write-zone f'.split(' '))
  const size = { label: '300 Services, 900 endpoints', services: 300, endpoints: 900, namespaces: 3 }
  assert.deepEqual(writePlan(flags), { size, manifests: 'd', zoneFile: 'f' })
  assert.equal(writePlan(Flags.parse(['--services', '300'])), null)
  const both = Flags.parse('--services 3 --write-zone f --server 127.0.0.1'.split(' '))
  assert.throws(() => writePlan(both), { message: 'flags --write-zone and --server exclude each other' })
  assert.throws(() => writePlan(Flags.parse(['--write-zone', 'f'])), { message: 'flag --write-zone needs --services' })
})

test('a worker takes as many sockets as its loop does', () => {
  assert.equal(SOCKETS_A_WORKER, SOCKETS_MAX)
  assert.deepEqual(plan('--workers 2 --sockets 2000').sockets, [2000])
})

test('the help of load has a line for each of its flags, and for no other', () => {
  const text = loadUsage()
  const listed: FlagName[] = LOAD_GROUPS.flatMap(([, entries]) =>
    entries.map((entry) => (typeof entry === 'string' ? entry : entry[0])),
  )
  const own = Object.keys(LOAD_FLAGS) as FlagName[]
  assert.deepEqual(
    own.filter((name) => !listed.includes(name)),
    [],
  )
  assert.deepEqual(listed.filter((name) => !isLoadFlag(name)).sort(), [
    'context',
    'json',
    'kubeconfig',
    'manifests',
    'quiet',
    'transport',
    'workers',
  ])
  assert.equal(new Set(listed).size, listed.length)
  for (const name of listed) assert.match(text, new RegExp(`^  --${name} `, 'm'))
  for (const line of text.split('\n')) assert.ok(line.length <= 120, line)
})

test('the help of all other commands names load, and none of its flags', () => {
  const text = usage()
  assert.match(text, /^ +peregrine load --server ADDR \[flags\] /m)
  for (const name of Object.keys(LOAD_FLAGS)) assert.doesNotMatch(text, new RegExp(`^  --${name} `, 'm'))
  for (const line of text.split('\n')) assert.ok(line.length <= 120, line)
})

/** Command lines in a document: indented or in backquotes, comments and redirections apart. */
function commandsIn(path: string): string[] {
  const text = readFileSync(join(ROOT, path), 'utf8')
  const found = [...text.matchAll(/^ {4}bin\/peregrine load (.+)$|`(?:bin\/peregrine )?load (--[^`]+)`/gm)]
  return found.map(([, line, inText]) =>
    (line ?? inText)
      .split(/ +[#>] ?/)[0]
      .replace(/\s+/g, ' ')
      .trim(),
  )
}

test('the documents give command lines that are good, and flags that exist', () => {
  const commands = [...commandsIn('docs/load.md'), ...commandsIn('README.md')]
  assert.ok(commands.length >= 12, commands.join('\n'))
  for (const command of commands) if (command !== '--help') assert.doesNotThrow(() => plan(command, ''), command)
  const flags = readFileSync(join(ROOT, 'docs/load.md'), 'utf8').matchAll(/(?<![\w-])--([a-z0-9][\w-]*)/g)
  const all = new Set([...flags].map(([, name]) => name))
  assert.ok(all.size > 40)
  for (const name of all) {
    try {
      Flags.parse([`--${name}=?`])
    } catch (error) {
      assert.ok(!(error instanceof UnknownFlagError), `--${name}`)
    }
  }
  // And none is left out: of those that are not said elsewhere.
  const untold = Object.keys(LOAD_FLAGS).filter((name) => !all.has(name))
  assert.deepEqual(untold, [])
})
