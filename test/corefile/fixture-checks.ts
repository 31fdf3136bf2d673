// Asks a server everything that the table of its Corefile says, and tells what is different. A line for each difference.

import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { FLAG, type Query, type Response, recordText } from '../server/wire.ts'
import { type CorefileServer, httpGet } from './corefile-server.ts'
import type { Ask, Fixture } from './fixture.ts'

const CLASSES: Readonly<Record<string, number>> = { IN: 1, CH: 3 }
const NSID_OPTION = Buffer.from([0, 3, 0, 0])
const LOG_MS = 10_000
/** Seconds between a question over UDP and the same over TCP. */
const AGE_MAX = 3

/** Port as in the file -> port it is served on. */
export type Ports = (port: number) => number

/** Everything but the end. @returns what is not as the table says */
export async function differences(server: CorefileServer, fixture: Fixture, ports: Ports): Promise<string[]> {
  const { asks, says = [], logs = [], hides } = fixture
  const found: string[] = []
  const note = (text: string): void => void found.push(`${fixture.file}: ${text}`)
  const isReady = fixture.http.ready === undefined || (await becomesReady(fixture, ports(fixture.http.ready)))
  if (!isReady) note('never ready')
  for (const difference of await wrongAnswers(server, asks)) note(difference)
  for (const line of listenerLines(fixture, ports)) {
    if (!server.stdout.includes(line)) note(`the start does not say '${line}':\n${server.output}`)
  }
  for (const pattern of says) if (!server.stdout.some((line) => pattern.test(line))) note(`${pattern} is not said`)
  for (const pattern of logs) {
    await server.line(pattern, {}, LOG_MS).catch(() => note(`${pattern} is not in the log:\n${server.output}`))
  }
  const told = hides === undefined ? undefined : server.stdout.find((line) => hides.test(line))
  if (told !== undefined) note(`the log should not have ${told}`)
  const errors = server.stdout.filter((line) => /^\[(ERROR|FATAL)\]/.test(line) && !/plugin\/errors: /.test(line))
  for (const line of [...errors, ...server.stderr]) note(line)
  await compareEndpoints(fixture, ports, note)
  return found
}

/** Asks over UDP and TCP. @returns what is not as the table says */
export async function wrongAnswers(server: CorefileServer, asks: readonly Ask[]): Promise<string[]> {
  const found: string[] = []
  for (const ask of asks) for (const tcp of [false, true]) await compare(server, ask, tcp, (text) => found.push(text))
  return found
}

type Note = (text: string) => void

async function becomesReady({ http }: Fixture, port: number): Promise<boolean> {
  for (const deadline = performance.now() + LOG_MS; performance.now() < deadline; await sleep(50)) {
    const { status } = await httpGet({ path: '/ready', port, host: http.host })
    if (status === 200) return true
  }
  return false
}

function listenerLines({ listeners = ['.:53'] }: Fixture, ports: Ports): string[] {
  return listeners.map((line) => line.replace(/:(\d+)(?= on|$)/, (_, port) => `:${ports(Number(port))}`))
}

async function compare(server: CorefileServer, ask: Ask, tcp: boolean, note: Note): Promise<void> {
  const [question, expected, { at, port, authoritative, nsid, forwarded } = {}] = ask
  const [name, type, qclass = 'IN'] = question.split(' ')
  const query: Query = { name, type, class: CLASSES[qclass] }
  if (nsid !== undefined) query.edns = { options: NSID_OPTION }
  const isLocal = forwarded === undefined
  const where = `${question}${at === undefined ? '' : ` at ${at}`} over ${tcp ? 'TCP' : 'UDP'}`
  let response: Response
  try {
    response = await server.ask(query, { tcp, address: at, port })
  } catch (error) {
    return note(`${where}: ${(error as Error).message}`)
  }
  const spelling = response.question?.name
  if (spelling !== name) note(`${where}: the question comes back as ${spelling}`)
  const { records, word } = resultOf(response)
  if (typeof expected === 'string') {
    if (!isWord(word, expected, name.toLowerCase())) note(`${where}: ${expected} expected\n${word}\n${records}`)
  } else {
    const wanted = expected.map((text) => fullRecord(text, name))
    const aged = isLocal || forwarded === 'always' ? records : withAge(records, wanted)
    if (!sameRecords(aged, wanted)) note(`${where}:\n${wanted.join('\n')}\nexpected\n${word}\n${records.join('\n')}`)
  }
  if (forwarded === 'kept') {
    const ttls = new Set([...response.answer, ...response.authority, ...response.additional].map(({ ttl }) => ttl))
    if (ttls.size > 1) note(`${where}: the TTLs of one reply are ${[...ttls]}`)
  }
  if (nsid !== undefined && !Buffer.from(response.octets).includes(nsid)) note(`${where}: no identifier ${nsid}`)
  const isAuthoritative = (response.flags & FLAG.AA) !== 0
  const isExpected = isLocal
    ? (authoritative ?? !/^(REFUSED|SERVFAIL|REFERRAL)/.test(word))
    : forwarded === 'hit' || (tcp && forwarded === 'kept')
  if (isAuthoritative !== isExpected) note(`${where}: AA is ${isAuthoritative} in ${word}`)
  const isRecursive = !isLocal && word !== 'REFUSED'
  if (((response.flags & FLAG.RA) !== 0) !== isRecursive) note(`${where}: RA is ${!isRecursive} in ${word}`)
}

/** A response in the words of the table. */
function resultOf(response: Response): { word: string; records: string[] } {
  const { rcode, answer, authority } = response
  const records = answer.map(recordText)
  const soa = authority.find(({ type }) => type === 'SOA')?.owner ?? 'without SOA'
  if (rcode === 'NXDOMAIN') return { records, word: `NXDOMAIN ${soa}` }
  if (rcode !== 'NOERROR' || answer.length > 0) return { records, word: rcode }
  const ns = authority.find(({ type }) => type === 'NS')
  if (ns !== undefined) return { records, word: `REFERRAL ${ns.owner}` }
  return { records, word: soa === 'without SOA' ? 'NOERROR' : `NODATA ${soa}` }
}

function isWord(actual: string, expected: string, name: string): boolean {
  if (actual === expected) return true
  const [, rcode, zone] = /^(NXDOMAIN|NODATA) (\S+\.)$/.exec(actual) ?? []
  return rcode === expected && `.${name}`.endsWith(`.${zone}`)
}

/** `[OWNER] TTL TYPE RDATA` as recordText() has it; `@HOST` is this machine's name. */
function fullRecord(text: string, name: string): string {
  const [, owner = name, ttl, type, data] = /^(?:(\S*[a-z.]) )?(\d+) (\S+) (.*)$/.exec(text)!
  return `${owner} ${ttl} IN ${type} ${data.replace('@HOST', hostname())}`
}

/** Records that may have been in a cache for a second or two, with the TTL that they began with. */
function withAge(records: readonly string[], wanted: readonly string[]): string[] {
  const ttls = new Set(wanted.map((text) => Number(text.split(' ')[1])))
  return records.map((text) => {
    const [owner, ttl, ...rest] = text.split(' ')
    const began = [...ttls].find((each) => each >= Number(ttl) && each - Number(ttl) <= AGE_MAX) ?? ttl
    return [owner, began, ...rest].join(' ')
  })
}

/** In any order; RDATA `*` is any. */
function sameRecords(actual: readonly string[], expected: readonly string[]): boolean {
  if (actual.length !== expected.length) return false
  const left = [...actual]
  return expected.every((text) => {
    const index = left.findIndex((each) => each === text || (text.endsWith(' *') && each.startsWith(text.slice(0, -1))))
    if (index >= 0) left.splice(index, 1)
    return index >= 0
  })
}

async function compareEndpoints(fixture: Fixture, ports: Ports, note: Note): Promise<void> {
  const { health, ready, metrics, host } = fixture.http
  const get = async (path: string, port: number, status: number, body?: string): Promise<string> => {
    const answer = await httpGet({ path, port: ports(port), host }).catch((error: Error) => error)
    if (answer instanceof Error) note(`${path}: ${answer.message}`)
    else if (answer.status !== status || (body !== undefined && answer.body !== body)) {
      note(`${path}: ${answer.status} ${answer.body}`)
    }
    return answer instanceof Error ? '' : answer.body
  }
  if (health !== undefined) {
    await get('/health', health, 200, 'OK')
    await get('/elsewhere', health, 404)
  }
  if (ready !== undefined) await get('/ready', ready, 200, 'OK')
  if (metrics === undefined) return
  const page = await get('/metrics', metrics, 200)
  if (!/^coredns_build_info\{.*\} 1$/m.test(page)) note('/metrics has no build_info')
  const { address, counts = [], port = 53 } = fixture
  const label = `server="dns://${address ?? ''}:${ports(port)}"`
  const samples = page.split('\n').filter((line) => line.startsWith('coredns_dns_requests_total{'))
  for (const zone of counts) {
    const found = samples.some((line) => line.includes(label) && line.includes(`,zone="${zone}"`))
    if (!found) note(`/metrics has no dns_requests_total of ${label}, zone ${zone}:\n${samples.join('\n')}`)
  }
}
