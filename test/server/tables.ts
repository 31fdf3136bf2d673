// Tables of queries and what must come back, asked of running servers: every row over UDP and over TCP, from the
// batched transport and from the portable one, whose responses must be the same octets.

import assert from 'node:assert/strict'
import { platform } from 'node:os'
import { test } from 'node:test'
import { type Manifest, ManifestFolder } from './fixtures.ts'
import { type ServerProcess, startServer } from './server-process.ts'
import { FLAG, type Response, recordText, type WireRecord } from './wire.ts'

/**
 * One line of a table.
 * - QNAME: `~` stands for `.svc.cluster.local.`, `^` for `.pod.cluster.local.`, `!` for `.svc.clusterset.local.`
 * - QTYPE: one or several, separated by spaces; each is asked
 * - result: NOERROR, NODATA (RFC 2308 §2.2), NXDOMAIN, REFUSED; after NODATA and NXDOMAIN the zone whose SOA comes, if not
 *   that of the table
 * - answer, additional: records as in a zone file, `[owner] [TTL] TYPE RDATA`; owner if not given: QNAME, TTL: that of the
 *   table. In any order, but a CNAME comes before the records of its target
 */
export type Row = [qname: string, qtypes: string, result: string, answer?: string[], additional?: string[]]

/** Rows with a heading. */
export interface Table {
  title: string
  rows: readonly Row[]
}

/** Tables that are asked of one server. */
export interface Suite {
  objects: readonly Manifest[]
  flags?: readonly string[]
  /** TTL of the zone: records, SOA MINIMUM, and, at most 300, the SOA itself. Default 5. */
  ttl?: number
  /** Where it listens, if not on 127.0.0.1. */
  address?: string
  /** Origin of the zone whose SOA comes unless a row names another. Default `cluster.local.` */
  zone?: string
  tables: readonly Table[]
}

interface Expected {
  qname: string
  qtype: string
  result: string
  zone: string
  ttl: number
  answer: ExpectedRecord[]
  additional: ExpectedRecord[]
}

interface ExpectedRecord {
  /** As it must be spelled if it is QNAME; otherwise in any case. */
  owner: string
  ttl: number
  type: string
  data: string
}

const TRANSPORTS = platform() === 'linux' ? ['io', 'dgram'] : ['dgram']
const ABBREVIATIONS: Record<string, string> = {
  '~': '.svc.cluster.local.',
  '^': '.pod.cluster.local.',
  '!': '.svc.clusterset.local.',
}

/** Registers one test for each table. */
export function testSuite(suite: Suite): void {
  const title = suite.tables.map((table) => table.title).join('; ')
  test(title, { timeout: 60_000 }, async (context) => {
    const folder = new ManifestFolder()
    const servers: ServerProcess[] = []
    try {
      const manifests = [folder.write(suite.objects)]
      const start = async (transport: string) => {
        const flags = [...(suite.flags ?? []), '--transport', transport]
        servers.push(await startServer({ manifests, flags, ...(suite.address && { address: suite.address }) }))
      }
      for (const transport of TRANSPORTS) await start(transport)
      for (const table of suite.tables) {
        await context.test(table.title, async () => {
          const failures = await askRows(table.rows, suite, servers)
          assert.equal(failures.length, 0, `\n${failures.join('\n')}`)
        })
      }
      await Promise.all(servers.splice(0).map((server) => server.stop()))
    } finally {
      for (const server of servers) server.child.kill('SIGKILL')
      folder.remove()
    }
  })
}

/** Asks every row of every server; one line for each that fails. */
async function askRows(rows: readonly Row[], suite: Suite, servers: readonly ServerProcess[]): Promise<string[]> {
  const failures: string[] = []
  for (const row of rows) {
    for (const qtype of row[1].split(' ')) {
      const expected = expectedOf(row, qtype, suite)
      const responses: Response[] = []
      for (const server of servers) {
        for (const tcp of [false, true]) {
          const where = `${expected.qname} ${qtype} (${TRANSPORTS[servers.indexOf(server)]}, ${tcp ? 'TCP' : 'UDP'})`
          try {
            // Large enough that no row of a table is truncated; truncation has tests of its own.
            const response = await server.query({ name: expand(row[0]), type: qtype, edns: { size: 1232 } }, tcp)
            responses.push(response)
            checkRow(expected, response)
          } catch (error) {
            failures.push(`${where}: ${(error as Error).message}`)
          }
        }
      }
      const fixed = new Set(responses.map(fixedText))
      if (fixed.size > 1) failures.push(`${expected.qname} ${qtype}: octets differ:\n  ${[...fixed].join('\n  ')}`)
    }
  }
  return failures
}

function expectedOf([qname, , result, answer = [], additional = []]: Row, qtype: string, suite: Suite): Expected {
  const [code, zone = suite.zone ?? 'cluster.local.'] = result.split(' ') as [string, string?]
  const ttl = suite.ttl ?? 5
  const name = absolute(expand(qname))
  const recordOf = (text: string) => expectedRecord(text, name, ttl)
  return {
    qname: name,
    qtype,
    result: code,
    zone,
    ttl,
    answer: answer.map(recordOf),
    additional: additional.map(recordOf),
  }
}

function checkRow(expected: Expected, response: Response): void {
  const { qname, qtype, result } = expected
  const negative = result === 'NODATA' || result === 'NXDOMAIN'
  assert.equal(response.rcode, result === 'NODATA' ? 'NOERROR' : result, 'RCODE')
  assert.deepEqual(response.question, { name: qname, type: qtype, class: 1 }, 'question')
  assert.equal(Boolean(response.flags & FLAG.AA), result !== 'REFUSED', 'AA')
  assert(!(response.flags & FLAG.RA), 'RA is clear')
  assert(!(response.flags & FLAG.TC), 'TC is clear')
  assert.deepEqual(response.opt, { size: 1232, extendedRcode: 0, version: 0, flags: 0, dataLength: 0 }, 'OPT')
  checkSection('answer', expected.answer, response.answer, qname)
  checkSection('additional', expected.additional, response.additional, qname)
  checkChain(response.answer, qname)
  // A chain that ends without the type has both: the CNAME in the answer and the SOA of the zone it ends in.
  if (negative) checkSoa(expected, response.authority)
  else assert.deepEqual(response.authority.map(recordText), [], 'authority')
}

function checkSection(title: string, expected: ExpectedRecord[], found: WireRecord[], qname: string): void {
  // An owner in the answer that is QNAME repeats its spelling; other names are compared in lower case.
  const text = ({ owner, ttl, type, data }: ExpectedRecord) => {
    const spelled = owner === qname && title === 'answer' ? owner : owner.toLowerCase()
    return `${spelled} ${ttl} ${type} ${type === 'SOA' ? withoutSerial(data.toLowerCase()) : data.toLowerCase()}`
  }
  assert.deepEqual(found.map(text).sort(), expected.map(text).sort(), title)
  for (const record of found) assert.equal(record.class, 1, `class of ${recordText(record)}`)
}

/** Each CNAME stands before the records of its target. */
function checkChain(answer: WireRecord[], qname: string): void {
  const known = new Set([qname.toLowerCase()])
  for (const { owner, type, data } of answer) {
    assert(known.has(owner.toLowerCase()), `${owner} ${type} has nothing before it that leads to it`)
    if (type === 'CNAME') known.add(data.toLowerCase())
  }
}

/** Exactly one SOA, its owner spelled as the zone part of QNAME was; the serial may be any. */
function checkSoa({ qname, zone, ttl }: Expected, authority: WireRecord[]): void {
  const owner = qname.toLowerCase().endsWith(zone) ? qname.slice(-zone.length) : zone
  const data = `ns.dns.${zone} hostmaster.${zone} SERIAL 7200 1800 86400 ${ttl}`
  assert.deepEqual(
    authority.map((record) => recordText({ ...record, data: withoutSerial(record.data.toLowerCase()) })),
    [`${owner} ${Math.min(ttl, 300)} IN SOA ${data}`],
    'authority',
  )
}

/** SOA RDATA with the word SERIAL in place of the number. */
function withoutSerial(data: string): string {
  return data.replace(/^(\S+ \S+) (\d+|serial) /, '$1 SERIAL ')
}

function expectedRecord(text: string, qname: string, ttl: number): ExpectedRecord {
  const words = expand(text).split(' ')
  const owner = words[0]!.endsWith('.') ? words.shift()! : qname
  const ownTtl = /^\d+$/.test(words[0]!) ? Number(words.shift()) : ttl
  const [type, ...data] = words
  return { owner, ttl: ownTtl, type: type!, data: data.join(' ') }
}

/**
 * What must be equal in the responses of both transports over UDP and TCP: everything but the id and the serial. Runs of
 * addresses are put in order, since rotation may differ; where it may not, the octets themselves are compared.
 */
function fixedText(response: Response): string {
  const sections = [response.answer, response.authority, response.additional]
  const addresses = (section: WireRecord[]) => section.filter(({ type }) => type === 'A' || type === 'AAAA').length
  const soa = [...response.answer, ...response.authority].some(({ type }) => type === 'SOA')
  if (!soa && sections.every((section) => addresses(section) < 2)) {
    return Buffer.from(response.octets.subarray(2)).toString('hex')
  }
  const records = sections.map((section) =>
    section
      .map(
        (record) =>
          `${recordText({ ...record, data: record.type === 'SOA' ? withoutSerial(record.data) : record.data })} /${record.length}`,
      )
      .sort()
      .join(', '),
  )
  return `${response.flags.toString(16)} ${response.octets.length} ${records.join(' | ')}`
}

function expand(text: string): string {
  return text.replace(/[~^!]/g, (character) => ABBREVIATIONS[character]!)
}

function absolute(name: string): string {
  return name.endsWith('.') ? name : `${name}.`
}
