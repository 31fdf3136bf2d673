// Micro-benchmarks of everything between two system calls, and of one change's way into the index.
// `npm run bench`, or node bench/micro.ts [--services N] [--milliseconds N] [--only TEXT] [--json FILE]
//
// What runs per query is measured in batches of 64, each in a slot of its own as a worker has them, and divided. Answering
// overwrites a query's header and what stands behind its question; putting those octets back is part of every `answer`
// figure and stands by itself as `answer: nothing`. Medians: the machine may be shared.

import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import dnsPacket, { type RecordType } from 'dns-packet'
import { Bench, type FnOptions } from 'tinybench'
import { encodeMessage, type ResourceRecord } from '../src/dns/message.ts'
import { Query, readKey, readQuery } from '../src/dns/question.ts'
import { parseRecord } from '../src/dns/record-text.ts'
import { beginResponse, NOERROR, NXDOMAIN, Response } from '../src/dns/response.ts'
import { ZoneTable } from '../src/dns/zone-table.ts'
import { ReadyAnswer, readReply } from '../src/forward/ready-answer.ts'
import { appendReady } from '../src/forward/ready-form.ts'
import { createRegion, rootTrie } from '../src/index/layout.ts'
import { find, findAll } from '../src/index/lookup.ts'
import { holdNewest } from '../src/index/reader.ts'
import { IndexWriter } from '../src/index/writer.ts'
import { ClusterIndex } from '../src/kube/cluster-index.ts'
import type { ClusterObjects, Service } from '../src/kube/objects.ts'
import { serviceRecords } from '../src/kube/schema.ts'
import { createAnswerer } from '../src/workers/answer.ts'
import { plainSource } from '../src/workers/answerer.ts'
import { endpointAddress, endpointAt, generateObjects, INDEX_OPTIONS, NAMESPACES, sliceOf } from './objects.ts'

const { values } = parseArgs({
  options: {
    services: { type: 'string', default: '1000' },
    milliseconds: { type: 'string', default: '400' },
    /** Only tasks whose name holds this. */
    only: { type: 'string', default: '' },
    json: { type: 'string', default: '' },
  },
})
const SERVICES = Number(values.services)
const ENDPOINTS = 10
const BATCH = 64
const SLOT = 4288
const CAPACITY = 4096
const HEADER = 12
const PADDING = 464 // RFC 8467: what a client that pads sends
const LARGE = 100

// ---- the cluster: ClusterIP Services, and one headless Service of 100 endpoints ----

const HEADLESS: Service = {
  namespace: 'ns-0',
  name: 'large',
  kind: 'Headless',
  clusterIPs: [],
  externalName: '',
  ports: [{ name: 'http', protocol: 'TCP', port: 80 }],
  externalAddresses: [],
  createdAt: 1,
}
const ADDED: Service = { ...HEADLESS, name: 'added', kind: 'ClusterIP', clusterIPs: ['10.95.0.1'] }

/** The cluster with endpoint `changed` in the middle of the large slice, and with or without one more Service. */
function clusterWith(changed: string, added: boolean): ClusterObjects {
  const endpoints = Array.from({ length: LARGE }, (_, i) => endpointAt(i === LARGE / 2 ? changed : `10.77.0.${i}`))
  const slices = new Map(base.slices)
  slices.set('ns-0/large-0', sliceOf('ns-0', 'large', endpoints))
  const services = new Map(base.services)
  services.set('ns-0/large', HEADLESS)
  if (added) services.set('ns-0/added', ADDED)
  return { ...base, services, slices }
}

const base = generateObjects(SERVICES, ENDPOINTS)
const before = clusterWith('10.77.1.1', false)
const region = createRegion(Math.max(64, Math.ceil(SERVICES / 100)) * 2 ** 20)
const writer = new IndexWriter(region, { readerCount: 1 })
const zoneNames = [...INDEX_OPTIONS.zones, ...INDEX_OPTIONS.reverseZones]
const index = new ClusterIndex(writer, INDEX_OPTIONS)
index.replace(before)
index.flush(Date.now(), true)

const zones = zoneNames.map((text, i) => ({
  labels: text.split('.'),
  ttl: INDEX_OPTIONS.ttl,
  pods: i === 0,
  wildcards: false,
  keepsBrokenChains: false,
}))
const answerer = createAnswerer(plainSource(region.buffer, zones, 1232), 0)

// ---- queries ----

/** A batch of queries, each in its slot. */
class Slots {
  readonly octets = new Uint8Array(BATCH * SLOT)
  readonly lengths = new Int32Array(BATCH)
  private readonly queries: Uint8Array[] = []
  /** First octet behind the question. */
  private readonly questionEnds: number[] = []

  constructor(name: (i: number) => string, type: RecordType, udpSize = 0, padding = 0) {
    const options = padding === 0 ? [] : [{ code: 12, data: Buffer.alloc(padding) }]
    const opt = { type: 'OPT', name: '.', udpPayloadSize: udpSize, extendedRcode: 0, ednsVersion: 0, flags: 0, options }
    const additionals = udpSize === 0 ? [] : [opt as unknown as dnsPacket.OptAnswer]
    for (let i = 0; i < BATCH; i++) {
      const questions = [{ name: name(i), type }]
      const query = dnsPacket.encode({
        id: i,
        type: 'query',
        flags: dnsPacket.RECURSION_DESIRED,
        questions,
        additionals,
      })
      this.queries.push(query)
      this.lengths[i] = query.length
      this.questionEnds.push(dnsPacket.encode({ type: 'query', questions }).length)
      this.octets.set(query, i * SLOT)
    }
  }

  /** What answering overwrote. */
  restore(i: number): void {
    const query = this.queries[i]
    const { octets } = this
    const at = i * SLOT
    for (let k = 0; k < HEADER; k++) octets[at + k] = query[k]
    for (let k = this.questionEnds[i]; k < query.length; k++) octets[at + k] = query[k]
  }
}

const serviceOf = (i: number): number => (i * 7919) % SERVICES
const serviceName = (i: number): string => `svc-${serviceOf(i)}.ns-${serviceOf(i) % NAMESPACES}.svc.cluster.local`
const missingName = (i: number): string => `www.example-${i}.com.ns-${i}.svc.cluster.local`
const endpointName = (i: number): string =>
  `${endpointAddress(serviceOf(i), 3, ENDPOINTS).replaceAll('.', '-')}.${serviceName(i)}`
const reverseName = (i: number): string =>
  `${endpointAddress(serviceOf(i), 3, ENDPOINTS).split('.').reverse().join('.')}.in-addr.arpa`
const largeName = (): string => 'large.ns-0.svc.cluster.local'

// ---- the tasks ----

const bench = new Bench({ time: Number(values.milliseconds), warmupTime: 150, throws: true })
/** Operations to one call, by task. */
const operations: number[] = []

function add(name: string, count: number, run: () => void, options?: FnOptions): void {
  if (!name.includes(values.only)) return
  operations.push(count)
  bench.add(name, run, options)
}

let sink = 0

const positive = new Slots(serviceName, 'A') // never answered: responses cannot be parsed again
const missing = new Slots(missingName, 'A')
const table = new ZoneTable(zones)

function parse(slots: Slots, query: Query, words: Int32Array, i: number): void {
  const { octets, lengths } = slots
  readQuery(query, octets, i * SLOT, lengths[i])
  const start = i * SLOT + HEADER
  query.zone = table.find(query, octets, start)
  readKey(query, words, start >> 2, query.zone, query.nameLength - table.nameLength(query.zone))
}

for (const [name, slots] of [
  ['parse: question, zone and key', positive],
  ['parse: the same of a name that is missing', missing],
  ['parse: the same with EDNS', new Slots(serviceName, 'A', 1232)],
  ['parse: the same with EDNS, padded', new Slots(serviceName, 'A', 1232, PADDING)],
] as const) {
  const query = new Query()
  const words = new Int32Array(slots.octets.buffer)
  const run = (): void => {
    for (let i = 0; i < BATCH; i++) parse(slots, query, words, i)
    sink += query.hash
  }
  add(name, BATCH, run, { beforeAll: () => table.setHome(slots.octets) })
}

for (const [name, slots] of [
  ['found', positive],
  ['missing', missing],
] as const) {
  const words = new Int32Array(slots.octets.buffer)
  const queries = Array.from({ length: BATCH }, (_, i) => {
    const query = new Query()
    parse(slots, query, words, i)
    return query
  })
  const trie = rootTrie(region.words, holdNewest(region, 0))
  add(`lookup: find, ${name}`, BATCH, () => {
    for (let i = 0; i < BATCH; i++) {
      const { hash, meta, keyWords } = queries[i]
      sink += find(region.words, trie, hash, meta, keyWords)
    }
  })
  add(`lookup: findAll, ${name}`, BATCH, () => {
    sink += findAll(region.words, trie, queries, BATCH)
  })
}

/** `expected`: RCODE, records in the answer, TC. */
function addAnswer(name: string, slots: Slots, expected: readonly [number, number, boolean]): void {
  const { octets, lengths } = slots
  answerer.beginBatch()
  answerer.answer(octets, 0, lengths[0], CAPACITY, false)
  const got = [octets[3] & 15, octets[7], (octets[2] & 2) !== 0]
  if (got.join() !== expected.join()) throw new Error(`${name}: ${got} instead of ${expected}`)
  for (const batched of [false, true]) {
    const options = { beforeAll: () => answerer.setHome(octets), afterAll: () => answerer.endBatch() }
    const run = (): void => {
      answerer.beginBatch()
      for (let i = 0; i < BATCH; i++) {
        slots.restore(i)
        if (batched) answerer.prepare(octets, i * SLOT, lengths[i])
      }
      if (batched) answerer.findPrepared()
      for (let i = 0; i < BATCH; i++) sink += answerer.answer(octets, i * SLOT, lengths[i], CAPACITY, false)
    }
    add(`answer: ${name}${batched ? ', side by side' : ''}`, BATCH, run, options)
  }
}

add('answer: nothing', BATCH, () => {
  for (let i = 0; i < BATCH; i++) positive.restore(i)
})
addAnswer('A', new Slots(serviceName, 'A'), [0, 1, false])
addAnswer('NXDOMAIN', new Slots(missingName, 'A'), [3, 0, false])
addAnswer('A of an endpoint', new Slots(endpointName, 'A'), [0, 1, false])
addAnswer('NODATA', new Slots(serviceName, 'AAAA'), [0, 0, false])
addAnswer('A with EDNS', new Slots(serviceName, 'A', 1232), [0, 1, false])
addAnswer('SRV', new Slots((i) => `_http._tcp.${serviceName(i)}`, 'SRV'), [0, 1, false])
addAnswer('PTR', new Slots(reverseName, 'PTR'), [0, 1, false])
addAnswer('TXT', new Slots(() => 'dns-version.cluster.local', 'TXT'), [0, 1, false])
addAnswer('headless, 100 addresses, truncated', new Slots(largeName, 'A'), [0, 29, true])
addAnswer('headless, 100 addresses, 1232 octets', new Slots(largeName, 'A', 1232), [0, 73, true])

// ---- replies of upstreams: made ready once a cache miss, copied behind the question at each hit ----

const address = (owner: string, i: number): string => `${owner} 60 A 10.0.0.${i}`
const ALIAS = 'www.example.com.edge.example.net.'
const replies: [name: string, rcode: number, answer: string[], authority: string[]][] = [
  ['1 address', NOERROR, [address('www.example.com.', 1)], []],
  ['4 addresses', NOERROR, [1, 2, 3, 4].map((i) => address('www.example.com.', i)), []],
  ['CNAME and 2 addresses', NOERROR, [`www.example.com. 60 CNAME ${ALIAS}`, address(ALIAS, 1), address(ALIAS, 2)], []],
  ['NXDOMAIN', NXDOMAIN, [], ['example.com. 300 SOA ns.icann.org. noc.dns.icann.org. 1 7200 3600 1209600 3600']],
]
for (const [name, rcode, answer, authority] of replies) {
  const question = { name: 'www.example.com.', type: 1, class: 1 }
  const records = (lines: string[]): ResourceRecord[] =>
    lines.map((line) => parseRecord(line, { origin: '.', ttl: 60, class: 1 }))
  const sections = { answer: records(answer), authority: records(authority), additional: [] }
  const flags = {
    response: true,
    authoritative: false,
    truncated: false,
    authenticData: false,
    checkingDisabled: false,
  }
  const edns = { version: 0, udpSize: 1232, dnssecOk: false, options: [] }
  const recursion = { recursionDesired: true, recursionAvailable: true }
  const message = new Uint8Array(1232)
  const reply = { id: 1, opcode: 0, ...flags, ...recursion, rcode, question, ...sections, edns }
  const length = encodeMessage(reply, message, 0, message.length)
  const ready = new ReadyAnswer()
  add(`reply: read, ${name}`, BATCH, () => {
    for (let i = 0; i < BATCH; i++) if (readReply(ready, message, 0, length, 1)) sink += ready.ttl
  })
  const form = new ReadyAnswer()
  if (!readReply(form, message, 0, length, 1)) throw new Error(`${name} is malformed`)
  const slots = new Slots(() => 'www.Example.COM', 'A', 1232)
  const response = new Response()
  const query = new Query()
  readQuery(query, slots.octets, 0, slots.lengths[0])
  add(`reply: append, ${name}`, BATCH, () => {
    for (let i = 0; i < BATCH; i++) {
      beginResponse(response, query, i * SLOT, 1232)
      sink += appendReady(response, slots.octets, form.words, form.octets, 0, 30)
    }
  })
}

/** Publishes `states` in turn; only the publication itself counts, not finding out what differs. */
function addPublish(name: string, states: readonly ClusterObjects[]): void {
  let turn = 0
  const beforeEach = (): void => index.replace(states[++turn % states.length])
  const afterAll = (): void => {
    index.replace(before)
    index.flush(Date.now())
  }
  add(name, 1, () => void index.flush(Date.now()), { beforeEach, afterAll })
}

addPublish('publish: one endpoint of a slice of 100', [before, clusterWith('10.77.1.2', false)])
addPublish('publish: a Service added, and deleted', [before, clusterWith('10.77.1.1', true)])

const tenSlices = [base.slices.get('ns-1/svc-1-0')!]
const largeSlices = [before.slices.get('ns-0/large-0')!]
const clusterIP = base.services.get('ns-1/svc-1')!
add('schema: ClusterIP, 10 endpoints', 1, () => void serviceRecords(clusterIP, tenSlices, INDEX_OPTIONS.schema))
add('schema: headless, 100 endpoints', 1, () => void serviceRecords(HEADLESS, largeSlices, INDEX_OPTIONS.schema))

bench.runSync()

// ---- the report ----

const figures = bench.tasks.map((task, i) => {
  const { result } = task
  if (!('latency' in result)) throw new Error(`${task.name} did not complete: ${JSON.stringify(result)}`)
  const scale = 1e6 / operations[i]
  const { p50, p99, min } = result.latency
  return { name: task.name, medianNs: p50 * scale, minNs: min * scale, p99Ns: p99 * scale }
})
console.log(`${writer.stats.names} names, ns an operation${' '.repeat(29)}median        min        p99`)
for (const { name, medianNs, minNs, p99Ns } of figures) {
  const columns = [medianNs, minNs, p99Ns].map((ns) => ns.toFixed(ns < 1000 ? 1 : 0).padStart(10))
  console.log(`${name.padEnd(50)} ${columns.join(' ')}`)
}
const medianOf = (name: string): number => figures.find((figure) => figure.name === name)?.medianNs ?? Number.NaN
const ratio = medianOf('answer: NXDOMAIN, side by side') / medianOf('answer: A, side by side')
if (ratio > 0) console.log(`NXDOMAIN costs ${ratio.toFixed(2)} of a positive answer`)
if (values.json !== '') writeFileSync(values.json, `${JSON.stringify({ sink, figures }, null, 2)}\n`)
