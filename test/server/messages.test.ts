// Messages: what is accepted, refused or dropped, the header and the OPT record of a response, truncation, and the spelling
// of QNAME; over UDP and TCP, from both transports, whose responses must be the same octets.

import assert from 'node:assert/strict'
import { platform } from 'node:os'
import { after, before, describe, test } from 'node:test'
import { CLUSTER_IP } from './cluster-dns-fixtures.ts'
import { type Fixture, ManifestFolder, manifestsOf } from './fixtures.ts'
import { type ServerProcess, startServer } from './server-process.ts'
import { encodeHeader, encodeName, encodeOpt, encodeQuery, FLAG, readResponse, words } from './wire.ts'

const CART = 'cart.shop.svc.cluster.local'
const QUESTION = Buffer.concat([encodeName(CART), words(1, 1)])
const RECORD = Buffer.concat([encodeName('x'), words(1, 1, 0, 5, 4, 0x0a00, 1)])

/** Endpoints enough for each limit: 100 addresses at one name, and 5,000 that not even TCP can carry. */
const MANY: Fixture = {
  namespaces: ['shop', 'db'],
  services: { ...CLUSTER_IP.services, 'db/pg': { clusterIPs: 'None' }, 'db/vast': { clusterIPs: 'None' } },
  slices: {
    'db/pg-1': {
      for: 'pg',
      ports: ['sql:5432/TCP'],
      endpoints: range(100).map((index) => ({ a: [`10.20.30.${100 + index}`] })),
    },
    'db/vast-1': {
      for: 'vast',
      endpoints: range(5_000).map((index) => ({ a: [`10.40.${index >>> 8}.${index & 255}`] })),
    },
  },
}

/** What a message is met with; NONE is silence. */
type Reaction = 'NONE' | 'FORMERR' | 'NOTIMP' | 'REFUSED' | 'BADVERS' | 'A' | 'NXDOMAIN'

// biome-ignore format: one line a case
const REACTIONS: [message: string, octets: Uint8Array, reaction: Reaction][] = [
  ['QR set',                                 encodeQuery({ name: CART, type: 'A', flags: FLAG.QR | FLAG.RD }),  'NONE'],
  ['QR set, opcode UPDATE',                  encodeQuery({ name: CART, type: 'A', flags: FLAG.QR | 5 << 11 }),  'NONE'],
  ['QR set, no question',                    header(FLAG.QR, [0, 0, 0, 0]),                                     'NONE'],
  ['11 octets',                              header(FLAG.RD, [1, 0, 0, 0]).subarray(0, 11),                     'NONE'],
  ['2 octets',                               header(FLAG.RD, [1, 0, 0, 0]).subarray(0, 2),                      'NONE'],
  ['opcode IQUERY',                          encodeQuery({ name: CART, type: 'A', flags: 1 << 11 }),            'NOTIMP'],
  ['opcode STATUS',                          encodeQuery({ name: CART, type: 'A', flags: 2 << 11 }),            'NOTIMP'],
  ['opcode NOTIFY, SOA at the apex',         encodeQuery({ name: 'cluster.local', type: 'SOA', flags: 4 << 11 }), 'NOTIMP'],
  ['opcode UPDATE',                          encodeQuery({ name: CART, type: 'A', flags: 5 << 11 }),            'NOTIMP'],
  ['opcode DSO',                             encodeQuery({ name: CART, type: 'A', flags: 6 << 11 }),            'NOTIMP'],
  ['opcode 15',                              encodeQuery({ name: CART, type: 'A', flags: 15 << 11 | FLAG.RD }), 'NOTIMP'],
  ['opcode UPDATE, nothing after the header', header(5 << 11, [1, 0, 0, 0]),                                    'NOTIMP'],
  ['QDCOUNT 0',                              header(FLAG.RD, [0, 0, 0, 0]),                                     'FORMERR'],
  ['QDCOUNT 2',                              Buffer.concat([header(FLAG.RD, [2, 0, 0, 0]), QUESTION, QUESTION]), 'FORMERR'],
  ['ANCOUNT 1',                              Buffer.concat([header(FLAG.RD, [1, 1, 0, 0]), QUESTION, RECORD]),  'A'],
  ['ANCOUNT 2',                              Buffer.concat([header(FLAG.RD, [1, 2, 0, 0]), QUESTION, RECORD, RECORD]), 'FORMERR'],
  ['NSCOUNT 2',                              Buffer.concat([header(FLAG.RD, [1, 0, 2, 0]), QUESTION, RECORD, RECORD]), 'FORMERR'],
  ['ARCOUNT 2',                              Buffer.concat([header(FLAG.RD, [1, 0, 0, 2]), QUESTION, RECORD, RECORD]), 'A'],
  ['ARCOUNT 3',                              Buffer.concat([header(FLAG.RD, [1, 0, 0, 3]), QUESTION, RECORD, RECORD, RECORD]), 'FORMERR'],
  ['QNAME is a pointer to itself',           Buffer.concat([header(FLAG.RD, [1, 0, 0, 0]), words(0xc00c, 1, 1)]), 'FORMERR'],
  ['QNAME has label type 01',                Buffer.concat([header(FLAG.RD, [1, 0, 0, 0]), Buffer.of(0x41, 0, 0), words(1, 1)]), 'FORMERR'],
  ['QNAME has label type 10',                Buffer.concat([header(FLAG.RD, [1, 0, 0, 0]), Buffer.of(0x81, 0, 0), words(1, 1)]), 'FORMERR'],
  ['QDCOUNT 1, nothing after the header',    header(FLAG.RD, [1, 0, 0, 0]),                                     'FORMERR'],
  ['question cut short',                     encodeQuery({ name: CART, type: 'A' }).subarray(0, -1),            'FORMERR'],
  ['QNAME of 256 octets',                    encodeQuery({ name: longName(256), type: 'A' }),                   'FORMERR'],
  ['record cut short',                       Buffer.concat([header(FLAG.RD, [1, 0, 0, 1]), QUESTION, RECORD.subarray(0, -1)]), 'FORMERR'],
  ['record missing',                         Buffer.concat([header(FLAG.RD, [1, 0, 0, 1]), QUESTION]),          'FORMERR'],
  ['class CH',                               encodeQuery({ name: CART, type: 'A', class: 3 }),                  'REFUSED'],
  ['class ANY',                              encodeQuery({ name: CART, type: 'A', class: 255 }),                'REFUSED'],
  ['class CH and EDNS version 1',            encodeQuery({ name: CART, type: 'A', class: 3, edns: { version: 1 } }), 'REFUSED'],
  ['example.org., in no zone',               encodeQuery({ name: 'example.org', type: 'A' }),                   'REFUSED'],
  ['the root',                               encodeQuery({ name: '.', type: 'A' }),                             'REFUSED'],
  ['QNAME of 255 octets, in no zone',        encodeQuery({ name: longName(255), type: 'A' }),                   'REFUSED'],
  ['AXFR',                                   encodeQuery({ name: 'cluster.local', type: 'AXFR' }),              'REFUSED'],
  ['IXFR',                                   encodeQuery({ name: 'cluster.local', type: 'IXFR' }),              'REFUSED'],
  ['AXFR at a missing name',                 encodeQuery({ name: 'missing.shop.svc.cluster.local', type: 'AXFR' }), 'REFUSED'],
  ['OPT version 1',                          encodeQuery({ name: CART, type: 'A', edns: { version: 1 } }),      'BADVERS'],
  ['OPT version 255 at a missing name',      encodeQuery({ name: 'nope.cluster.local', type: 'A', edns: { version: 255 } }), 'BADVERS'],
  ['two OPT records',                        Buffer.concat([header(FLAG.RD, [1, 0, 0, 2]), QUESTION, encodeOpt({}), encodeOpt({})]), 'FORMERR'],
  ['OPT not owned by the root',              Buffer.concat([header(FLAG.RD, [1, 0, 0, 1]), QUESTION, encodeName('x'), encodeOpt({}).subarray(1)]), 'FORMERR'],
  ['OPT whose options end past the message', Buffer.concat([header(FLAG.RD, [1, 0, 0, 1]), QUESTION, encodeOpt({ options: Buffer.alloc(8) }).subarray(0, -1)]), 'FORMERR'],
  ['octets after the question',              Buffer.concat([encodeQuery({ name: CART, type: 'A' }), Buffer.alloc(20, 0xa5)]), 'A'],
  ['TC, AA, RA, Z and an RCODE set',         encodeQuery({ name: CART, type: 'A', flags: FLAG.TC | FLAG.AA | FLAG.RA | FLAG.Z | 5 }), 'A'],
  ['a dot inside of a label',                encodeQuery({ name: ['cart.shop', 'svc', 'cluster', 'local'], type: 'A' }), 'NXDOMAIN'],
  ['NUL inside of a label',                  encodeQuery({ name: ['cart\0', 'shop', 'svc', 'cluster', 'local'], type: 'A' }), 'NXDOMAIN'],
  ['octets of 0x80 and above',               encodeQuery({ name: [Buffer.of(0x80, 0xff, 0x20), 'shop', 'svc', 'cluster', 'local'], type: 'A' }), 'NXDOMAIN'],
  ['QNAME of 255 octets, in the zone',       encodeQuery({ name: `${longName(241)}.cluster.local`, type: 'A' }), 'NXDOMAIN'],
  ['a zone under the dot of a label',        encodeQuery({ name: ['cart', 'shop', 'svc', 'cluster.local'], type: 'A' }), 'REFUSED'],
]

const folder = new ManifestFolder()
const servers: ServerProcess[] = []
const TRANSPORTS = platform() === 'linux' ? ['io', 'dgram'] : ['dgram']
const LANES = TRANSPORTS.flatMap((transport, index) =>
  [false, true].map((tcp) => ({ index, tcp, title: `${transport}, ${tcp ? 'TCP' : 'UDP'}` })),
)

describe('messages', () => {
  before(async () => {
    const manifests = [folder.write(manifestsOf(MANY))]
    for (const transport of TRANSPORTS) {
      servers.push(await startServer({ manifests, flags: ['--transport', transport] }))
    }
  })
  after(async () => {
    await Promise.all(servers.map((server) => server.stop()))
    folder.remove()
  })

  test('each message meets its reaction', async () => {
    const failures: string[] = []
    const runs = REACTIONS.flatMap(([title, octets, reaction]) =>
      LANES.map((lane) => ({ title, octets, reaction, lane })),
    )
    const seen = new Map<string, Set<string>>()
    await Promise.all(
      LANES.map(async (ownLane) => {
        let id = 0x4000
        for (const { title, octets, reaction, lane } of runs) {
          if (lane !== ownLane) continue
          const message = withId(octets, id++)
          const response = await servers[lane.index]!.exchange(message, lane.tcp, reaction === 'NONE' ? 150 : 2_000)
          const problem = checkReaction(reaction, message, response)
          if (problem !== '') failures.push(`${title} (${lane.title}): ${problem}`)
          if (reaction === 'NXDOMAIN' || response === undefined) continue // the serial may differ
          seen.set(title, (seen.get(title) ?? new Set()).add(Buffer.from(response.subarray(2)).toString('hex')))
        }
      }),
    )
    for (const [title, octets] of seen) {
      if (octets.size > 1) failures.push(`${title}: octets differ:\n  ${[...octets].join('\n  ')}`)
    }
    assert.equal(failures.length, 0, `\n${failures.join('\n')}`)
  })

  forEachLane('the header repeats id, opcode, RD and CD and sets AA; AD, RA and Z are clear', async (server, tcp) => {
    for (const flags of [0, FLAG.RD, FLAG.CD, FLAG.AD, FLAG.RD | FLAG.CD, FLAG.CD | FLAG.AD]) {
      const response = await server.query({ name: CART, type: 'A', flags }, tcp)
      assert.equal(response.flags, FLAG.QR | FLAG.AA | (flags & (FLAG.RD | FLAG.CD)), `flags 0x${flags.toString(16)}`)
    }
    const refused = await server.query({ name: 'example.org', type: 'A', flags: FLAG.RD | FLAG.CD }, tcp)
    assert.equal(refused.flags, FLAG.QR | FLAG.RD | FLAG.CD | 5)
  })

  forEachLane('QNAME keeps its spelling in the question and in the owner', async (server, tcp) => {
    const response = await server.query({ name: 'cArT.sHoP.sVc.cLuStEr.lOcAl', type: 'A' }, tcp)
    assert.equal(response.question?.name, 'cArT.sHoP.sVc.cLuStEr.lOcAl.')
    assert.equal(response.answer[0]?.owner, 'cArT.sHoP.sVc.cLuStEr.lOcAl.')
  })

  forEachLane('OPT comes back with our size, DO copied and without options', async (server, tcp) => {
    const cookie = Buffer.concat([words(10, 8), Buffer.alloc(8, 7)])
    const unknown = Buffer.concat([words(65_001, 3), Buffer.of(1, 2, 3)])
    const edns = { size: 4096, dnssecOk: true, options: Buffer.concat([unknown, cookie]) }
    const response = await server.query({ name: CART, type: 'A', edns }, tcp)
    assert.deepEqual(response.opt, { size: 1232, extendedRcode: 0, version: 0, flags: 0x8000, dataLength: 0 })
    assert.equal(response.answer.length, 1)
    const plain = await server.query({ name: CART, type: 'A' }, tcp)
    assert.equal(plain.opt, undefined)
    const refused = await server.query({ name: 'example.org', type: 'A', edns: { size: 512 } }, tcp)
    assert.deepEqual([refused.rcode, refused.opt?.size, refused.authority.length], ['REFUSED', 1232, 0])
    const missing = await server.query({ name: 'missing.shop.svc.cluster.local', type: 'A', edns: {} }, tcp)
    assert.deepEqual([missing.rcode, missing.opt?.size, missing.authority.length], ['NXDOMAIN', 1232, 1])
  })

  forEachLane('OPT before and behind another additional record', async (server, tcp) => {
    for (const [index, records] of [
      [encodeOpt({}), RECORD],
      [RECORD, encodeOpt({})],
    ].entries()) {
      const message = Buffer.concat([encodeHeader(0x5100 + index, 0, [1, 0, 0, 2]), QUESTION, ...records])
      const response = readResponse((await server.exchange(message, tcp))!)
      assert.deepEqual([response.rcode, response.answer.length, response.opt?.size], ['NOERROR', 1, 1232])
    }
  })

  for (const [index, transport] of TRANSPORTS.entries()) {
    test(`UDP limits: no OPT, 100, 512, 1000, 1232, 4096 (${transport})`, async () => {
      await checkLimits(servers[index]!, 1232)
    })

    test(`TCP carries 100 records, and as many of 5,000 as 65,535 octets hold (${transport})`, async () => {
      const whole = await servers[index]!.query({ name: 'pg.db.svc.cluster.local', type: 'A' }, true)
      assert.equal(whole.answer.length, 100)
      assert(!(whole.flags & FLAG.TC))
      const cut = await servers[index]!.query({ name: 'vast.db.svc.cluster.local', type: 'A' }, true)
      assert(cut.flags & FLAG.TC)
      assert.equal(
        cut.answer.length,
        Math.floor((65_535 - 12 - encodeName('vast.db.svc.cluster.local').length - 4) / 16),
      )
    })

    test(`queries up to 4,096 octets over UDP, longer ones are FORMERR (${transport})`, async () => {
      for (const [octets, rcode] of [
        [600, 'NOERROR'],
        [4096, 'NOERROR'],
        [4097, 'FORMERR'],
        [9000, 'FORMERR'],
      ] as const) {
        const padding = Buffer.alloc(octets - 12 - QUESTION.length - 11 - 4)
        const options = Buffer.concat([words(65_001, padding.length), padding])
        const message = encodeQuery({ id: octets, name: CART, type: 'A', edns: { options } })
        assert.equal(message.length, octets)
        const response = await servers[index]!.exchange(message)
        assert(response, `no response to ${octets} octets`)
        assert.equal(readResponse(response).rcode, rcode, `${octets} octets`)
        if (rcode === 'FORMERR') assert.equal(response.length, 12)
      }
    })
  }

  test('responses on the wire', async () => {
    for (const { title, query, response } of WIRE) {
      for (const lane of LANES) {
        const found = await servers[lane.index]!.exchange(Buffer.from(query, 'hex'), lane.tcp)
        assert(found, title)
        // Offsets of the serial differ with the encoding, so that the SOA is compared as text.
        const facts = (octets: Uint8Array) => {
          const { octets: _octets, ...rest } = readResponse(octets)
          const text = JSON.stringify(rest).replace(/(hostmaster\.cluster\.local\.) \d+/, '$1 SERIAL')
          return text.replace(/"length":\d+/g, '"length":0')
        }
        assert.equal(facts(found), facts(Buffer.from(response, 'hex')), `${title} (${lane.title})`)
      }
    }
  })
})

for (const [bufsize, transport] of [512, 4096].flatMap((size) => TRANSPORTS.map((name) => [size, name] as const))) {
  test(`bufsize ${bufsize} (${transport})`, async () => {
    const own = new ManifestFolder()
    const flags = ['--bufsize', String(bufsize), '--transport', transport]
    const server = await startServer({ manifests: [own.write(manifestsOf(MANY))], flags })
    try {
      await checkLimits(server, bufsize)
    } finally {
      await server.stop()
      own.remove()
    }
  })
}

const WIRE = [
  {
    title: 'A with OPT',
    query:
      '12340100000100000000000104636172740473686f700373766307636c7573746572056c6f63616c000001000100002904d0000000000000',
    response:
      '12348500000100010000000104636172740473686f700373766307636c7573746572056c6f63616c0000010001c00c00' +
      '010001000000050004ac1e040a00002904d0000000000000',
  },
  {
    title: 'A, missing name',
    query: '123401000001000000000000076d697373696e670473686f700373766307636c7573746572056c6f63616c0000010001',
    response:
      '123485030001000000010000076d697373696e670473686f700373766307636c7573746572056c6f63616c0000010001' +
      'c01d0006000100000005002a026e7303646e73c01d0a686f73746d6173746572c01d0000000100001c20000007080001518000000005',
  },
  {
    title: 'A with EDNS version 1',
    query:
      '12340100000100000000000104636172740473686f700373766307636c7573746572056c6f63616c000001000100002904d0000100000000',
    response:
      '12348100000100000000000104636172740473686f700373766307636c7573746572056c6f63616c000001000100002904d0010000000000',
  },
  {
    title: 'opcode UPDATE',
    query: '12342800000100000000000004636172740473686f700373766307636c7573746572056c6f63616c0000010001',
    response: '1234a8040000000000000000',
  },
]

function forEachLane(title: string, check: (server: ServerProcess, tcp: boolean) => Promise<void>): void {
  for (const lane of LANES) test(`${title} (${lane.title})`, () => check(servers[lane.index]!, lane.tcp))
}

/** Empty if the response is the right one, else what is wrong with it. */
function checkReaction(reaction: Reaction, message: Uint8Array, octets: Uint8Array | undefined): string {
  if (reaction === 'NONE' || octets === undefined) {
    return (reaction === 'NONE') === (octets === undefined) ? '' : `${octets === undefined ? 'silence' : 'a response'}`
  }
  try {
    const response = readResponse(octets)
    const opcode = (message[2]! >>> 3) & 15
    const hasOpt = response.opt !== undefined
    switch (reaction) {
      case 'FORMERR':
      case 'NOTIMP':
        assert.equal(response.rcode, reaction)
        assert.equal(octets.length, 12, 'a header and nothing else')
        assert.equal(response.opcode, reaction === 'NOTIMP' ? opcode : 0, 'opcode')
        assert(!(response.flags & FLAG.AA), 'AA is clear')
        break
      case 'BADVERS':
        assert.deepEqual([response.rcode, response.opt?.extendedRcode, response.opt?.version], ['NOERROR', 1, 0])
        assert.equal(response.answer.length + response.authority.length + response.additional.length, 0)
        assert(response.question, 'the question is repeated')
        assert(!(response.flags & FLAG.AA), 'AA is clear')
        break
      case 'REFUSED':
        assert.equal(response.rcode, 'REFUSED')
        assert.equal(response.answer.length + response.authority.length + response.additional.length, 0)
        assert(response.question, 'the question is repeated')
        assert.equal(hasOpt, message[11]! > 0, 'OPT')
        assert(!(response.flags & FLAG.AA), 'AA is clear')
        break
      default:
        assert.equal(response.rcode, reaction === 'A' ? 'NOERROR' : reaction)
        assert.equal(response.answer.length, reaction === 'A' ? 1 : 0, 'answer')
        assert.equal(response.authority.length, reaction === 'A' ? 0 : 1, 'authority')
        assert(response.flags & FLAG.AA, 'AA is set')
        assert(Buffer.from(octets).includes(message.subarray(12, 12 + 20)), 'the question is repeated octet for octet')
    }
    return ''
  } catch (error) {
    return (error as Error).message
  }
}

/** Responses of every size stay within the limit and hold as many whole records from the front as fit. */
async function checkLimits(server: ServerProcess, bufsize: number): Promise<void> {
  for (const qtype of ['A', 'SRV']) {
    const name = 'pg.db.svc.cluster.local'
    const whole = await server.query({ name, type: qtype }, true)
    const recordsWhole = [...whole.answer, ...whole.additional]
    assert.equal(recordsWhole.length, qtype === 'A' ? 100 : 200)
    for (const size of [0, 100, 512, 1000, 1232, 1500, 4096, 65_535]) {
      const title = `${qtype}, size ${size} of ${bufsize}`
      const limit = size === 0 ? 512 : Math.min(Math.max(size, 512), bufsize)
      const response = await server.query({ name, type: qtype, ...(size > 0 && { edns: { size } }) })
      const records = [...response.answer, ...response.additional]
      assert(response.octets.length <= limit, `${title}: ${response.octets.length} octets`)
      assert.equal(response.opt?.size, size === 0 ? undefined : bufsize, `${title}: OPT is kept`)
      assert.equal(Boolean(response.flags & FLAG.TC), records.length < recordsWhole.length, `${title}: TC`)
      if (response.answer.length < whole.answer.length) assert.equal(response.additional.length, 0, title)
      if (records.length < recordsWhole.length) {
        const next = recordsWhole[records.length]!.length
        assert(response.octets.length + next > limit, `${title}: ${response.octets.length} octets, one more fits`)
      }
    }
  }
  const plain = await server.query({ name: 'pg.db.svc.cluster.local', type: 'A' })
  assert.equal(plain.answer.length, 29)
}

function header(flags: number, counts: [number, number, number, number]): Uint8Array {
  return encodeHeader(0x1234, flags, counts)
}

/** A name that takes `octets` on the wire (at least 70), without the trailing dot. */
function longName(octets: number): string {
  const labels: string[] = []
  let left = octets - 1
  for (; left > 64; left -= 61) labels.push('x'.repeat(60))
  return [...labels, 'y'.repeat(left - 1)].join('.')
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}

function withId(octets: Uint8Array, id: number): Uint8Array {
  const copy = Buffer.from(octets)
  copy.writeUInt16BE(id, 0)
  return copy
}
