// An upstream that lies, seen by a client of the whole server: each lie has a block, a cache and an upstream of its own. What does the client get, is it
// in time, and does the cache know a lie afterwards, when the upstream is honest?

import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { after, before, test } from 'node:test'
import type { Answer } from 'dns-packet'
import { CorefileServer } from '../corefile/corefile-server.ts'
import { type Asked, a, type Behavior, framed, honest, LyingUpstream, replyTo } from '../forward/lying-upstream.ts'
import type { Response } from '../server/wire.ts'

const TRUE = '192.0.2.1'
/** What an honest upstream says afterwards: whoever gets it has not had it from the cache. */
const FRESH = '192.0.2.77'
const FORGED = '203.0.113.66'
/** The server has 5 s; the rest is for a machine that is busy with other things. */
const IN_TIME_MS = 10_000
const ADDRESS = [0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 66]

const silent: Behavior = () => {}
const says = (...answers: Parameters<typeof replyTo>[1][]): Behavior => {
  return (asked) => {
    for (const answering of answers) asked.send(replyTo(asked, answering))
  }
}
/** UDP answers are cut off, so that it is asked over TCP. */
const overTcp = (behavior: Behavior): Behavior => {
  return (asked) => (asked.proto === 'udp' ? asked.send(replyTo(asked, { truncated: true })) : behavior(asked))
}
/** Names that belong to somebody else, and that a lie is about. */
const victimOf = ({ name }: Pick<Asked, 'name'>): string => name.replace(/^www\.(.*)\.test$/, 'bank.$1.example')
const forgedFor = (asked: Asked): Answer => a(victimOf(asked), FORGED, 86_400)
const cname = (name: string, data: string): Answer => ({ type: 'CNAME', name, data, ttl: 60 })
const soa = (name: string): Answer => ({
  type: 'SOA',
  name,
  ttl: 60,
  data: { mname: 'ns.test', rname: 'root.test', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 60 },
})

/** Octets in place of the sections behind the question, and how many answers the header speaks of. */
function handmade(asked: Asked, answers: number, octets: readonly number[]): Buffer {
  const reply = replyTo(asked, { answers: [] })
  reply.writeUInt16BE(answers, 6)
  return Buffer.concat([reply, Uint8Array.from(octets)])
}

const questionEnd = (asked: Asked): number => replyTo(asked, { answers: [] }).length

interface Lie {
  readonly lie: string
  readonly behavior: Behavior
  /** What the client gets: RCODE, and the answer section as `type data`, or `N records`. */
  readonly said: string
  /** Out of the cache afterwards; the rest is asked for again. */
  readonly isKept?: boolean
  /** Properties of `forward` and of `cache`. */
  readonly forward?: string
  readonly cache?: string
  /** How the client asks. */
  readonly tcp?: boolean
  /** Of the first record. */
  readonly ttl?: number
  /** Other names that must not be known afterwards. */
  readonly others?: (name: string) => string[]
}

const TCP = 'force_tcp'
const CHAIN = 40
/** As many as there is room for in 64 KiB, each of 16 octets. */
const MANY = 4000

const LIES: readonly Lie[] = [
  { lie: 'nothing', behavior: silent, said: 'SERVFAIL' },
  {
    lie: 'wrong ids',
    behavior: (asked) => {
      for (let i = 1; i <= 20; i++) says({ id: asked.id ^ i, answers: [a(asked.name, FORGED)] })(asked)
    },
    said: 'SERVFAIL',
  },
  {
    lie: 'wrong ids and the right one',
    behavior: (asked) => {
      for (let i = 1; i <= 20; i++) says({ id: asked.id ^ i, answers: [a(asked.name, FORGED)] })(asked)
      honest(asked)
    },
    said: `NOERROR A ${TRUE}`,
    isKept: true,
  },
  {
    lie: 'wrong port',
    behavior: (asked) => asked.sendFromElsewhere(replyTo(asked, { answers: [a(asked.name, FORGED)] })),
    said: 'SERVFAIL',
  },
  { lie: 'another address', behavior: (asked) => void sendFromAnother(asked), said: 'SERVFAIL' },
  {
    lie: 'another question',
    behavior: (asked) => says({ name: victimOf(asked), answers: [forgedFor(asked)] })(asked),
    said: 'FORMERR',
  },
  {
    lie: 'a question of the same length',
    behavior: (asked) => {
      const name = asked.name.replace('www', 'wwx')
      says({ name, answers: [a(name, FORGED)] })(asked)
    },
    said: 'FORMERR',
  },
  { lie: 'another type', behavior: says({ type: 'AAAA', answers: [] }), said: 'FORMERR' },
  { lie: 'the query', behavior: (asked) => asked.send(asked.message), said: 'SERVFAIL' },
  {
    lie: 'two answers',
    behavior: (asked) => says({}, { answers: [a(asked.name, FORGED)] })(asked),
    said: `NOERROR A ${TRUE}`,
    isKept: true,
  },
  {
    lie: 'another one later, to the retransmission',
    behavior: (asked) => {
      honest(asked)
      setTimeout(() => asked.send(replyTo(asked, { answers: [a(asked.name, FORGED)] })), 300)
    },
    said: `NOERROR A ${TRUE}`,
    isKept: true,
  },
  {
    lie: 'an answer to the first attempt after one to the second',
    behavior: late(),
    said: `NOERROR A ${TRUE}`,
    isKept: true,
  },
  { lie: 'noise', behavior: (asked) => asked.send(Buffer.alloc(300, 0xc3)), said: 'SERVFAIL' },
  {
    lie: 'id, QR and noise',
    behavior: (asked) => asked.send(Buffer.of(asked.id >> 8, asked.id & 255, 0x81, 0, 0, 1, 255, 255, 0, 0, 0, 0, 99)),
    said: 'SERVFAIL',
  },
  { lie: 'half a record', behavior: (asked) => asked.send(replyTo(asked).subarray(0, -3)), said: 'SERVFAIL' },
  {
    lie: 'records that are not there',
    behavior: (asked) => asked.send(handmade(asked, 65_535, [0xc0, 12, ...ADDRESS])),
    said: 'SERVFAIL',
  },
  {
    lie: 'a name that is a pointer to itself',
    behavior: (asked) => asked.send(handmade(asked, 1, [0xc0, questionEnd(asked), ...ADDRESS])),
    said: 'SERVFAIL',
  },
  {
    lie: 'two names that point at each other',
    behavior: (asked) => {
      const at = questionEnd(asked)
      asked.send(handmade(asked, 2, [0xc0, at + 16, ...ADDRESS, 0xc0, at, ...ADDRESS]))
    },
    said: 'SERVFAIL',
  },
  {
    lie: 'a loop in RDATA',
    behavior: (asked) => {
      const rdata = questionEnd(asked) + 12
      asked.send(handmade(asked, 1, [0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 2, 0xc0, rdata]))
    },
    said: 'SERVFAIL',
  },
  {
    lie: 'CNAMEs in a circle',
    behavior: (asked) => {
      const victim = victimOf(asked)
      says({ answers: [cname(asked.name, victim), cname(victim, asked.name), forgedFor(asked)] })(asked)
    },
    // The victim's records belong to the chain: all three are the upstream's answer, for this client alone.
    said: 'NOERROR 3 records',
  },
  {
    lie: 'a CNAME to itself',
    behavior: (asked) => says({ answers: [cname(asked.name, asked.name)] })(asked),
    said: 'NOERROR 1 records',
  },
  {
    lie: 'a long chain of CNAMEs',
    behavior: (asked) => {
      const links = Array.from({ length: CHAIN }, (_, i) => (i === 0 ? asked.name : link(asked.name, i)))
      const chain = links.slice(1).map((next, i) => cname(links[i], next))
      says({ answers: [...chain, a(links[CHAIN - 1], TRUE)] })(asked)
    },
    said: `NOERROR ${CHAIN} records`,
    tcp: true,
    isKept: true,
    others: (name) => [1, 2, CHAIN - 2, CHAIN - 1].map((i) => link(name, i)),
  },
  {
    lie: "a CNAME to somebody else's name, and its address",
    behavior: (asked) => {
      const victim = victimOf(asked)
      says({ answers: [cname(asked.name, victim), a(victim, TRUE)] })(asked)
    },
    said: 'NOERROR 2 records',
    isKept: true,
  },
  {
    lie: "somebody else's address among the answers",
    behavior: (asked) => says({ answers: [forgedFor(asked), a(asked.name, TRUE), forgedFor(asked)] })(asked),
    said: `NOERROR A ${TRUE}`,
    isKept: true,
  },
  {
    lie: "somebody else's address and nothing else",
    behavior: (asked) => says({ answers: [forgedFor(asked)] })(asked),
    said: 'NOERROR',
  },
  {
    lie: "somebody else's nameserver, and its address",
    behavior: (asked) =>
      says({
        answers: [a(asked.name, TRUE)],
        authorities: [{ type: 'NS', name: 'example', data: victimOf(asked), ttl: 86_400 }],
        additionals: [forgedFor(asked)],
      })(asked),
    said: `NOERROR A ${TRUE}`,
    isKept: true,
  },
  {
    lie: 'NXDOMAIN for everything, by the root',
    behavior: says({ rcode: 3, authorities: [soa('.')] }),
    said: 'NXDOMAIN',
    isKept: true,
  },
  { lie: 'NXDOMAIN without SOA', behavior: says({ rcode: 3 }), said: 'NXDOMAIN' },
  {
    lie: 'NXDOMAIN with the answer',
    behavior: (asked) => says({ rcode: 3, answers: [a(asked.name, TRUE)], authorities: [soa('test')] })(asked),
    said: `NXDOMAIN A ${TRUE}`,
  },
  { lie: 'REFUSED', behavior: says({ rcode: 5 }), said: 'REFUSED' },
  { lie: 'SERVFAIL', behavior: says({ rcode: 2 }), said: 'SERVFAIL' },
  { lie: 'FORMERR', behavior: says({ rcode: 1 }), said: 'FORMERR' },
  // 5 s is the least of `cache`, for the client too.
  { lie: 'TTL 0', behavior: ttl(0), said: `NOERROR A ${TRUE}`, isKept: true, ttl: 5 },
  { lie: 'TTL 0, and it may be', behavior: ttl(0), said: `NOERROR A ${TRUE}`, cache: 'success 9984 3600 0', ttl: 0 },
  // RFC 2181 §8: 0.
  { lie: 'TTL 2^31', behavior: ttl(2 ** 31), said: `NOERROR A ${TRUE}`, isKept: true, ttl: 5 },
  {
    lie: 'TTL 2^31, and it may be',
    behavior: ttl(2 ** 31),
    said: `NOERROR A ${TRUE}`,
    cache: 'disable success',
    ttl: 0,
  },
  { lie: 'TTL 2^32 - 1', behavior: ttl(2 ** 32 - 1), said: `NOERROR A ${TRUE}`, isKept: true, ttl: 5 },
  { lie: 'TTL 2^31 - 1', behavior: ttl(2 ** 31 - 1), said: `NOERROR A ${TRUE}`, isKept: true, ttl: 3600 },
  { lie: 'TC and nothing over TCP', behavior: overTcp(silent), said: 'NOERROR TC' },
  { lie: 'TC and RST', behavior: overTcp((asked) => asked.reset()), said: 'NOERROR TC' },
  { lie: 'TC and the answer', behavior: overTcp(honest), said: `NOERROR A ${TRUE}`, isKept: true },
  {
    lie: 'half an answer and TC',
    behavior: (asked) => {
      const reply = replyTo(asked, { truncated: true, answers: [a(asked.name, FORGED)] })
      if (asked.proto === 'udp') asked.send(reply.subarray(0, -3))
      else honest(asked)
    },
    said: `NOERROR A ${TRUE}`,
    isKept: true,
  },
  { lie: 'TCP: nothing', forward: TCP, behavior: silent, said: 'SERVFAIL' },
  { lie: 'TCP: its end', forward: TCP, behavior: (asked) => asked.end(), said: 'SERVFAIL' },
  { lie: 'TCP: RST', forward: TCP, behavior: (asked) => asked.reset(), said: 'SERVFAIL' },
  {
    lie: 'TCP: its end in mid-message',
    forward: TCP,
    behavior: (asked) => {
      asked.write(framed(replyTo(asked)).subarray(0, 30))
      asked.end()
    },
    said: 'SERVFAIL',
  },
  {
    lie: 'TCP: RST in mid-message',
    forward: TCP,
    behavior: (asked) => {
      asked.write(framed(replyTo(asked)).subarray(0, 30))
      setTimeout(() => asked.reset(), 20)
    },
    said: 'SERVFAIL',
  },
  {
    lie: 'TCP: half a message and silence',
    forward: TCP,
    behavior: (asked) => asked.write(framed(replyTo(asked)).subarray(0, 30)),
    said: 'SERVFAIL',
  },
  {
    lie: 'TCP: an answer to nobody, then the right one',
    forward: TCP,
    behavior: (asked) => says({ id: asked.id ^ 1, answers: [a(asked.name, FORGED)] }, {})(asked),
    said: `NOERROR A ${TRUE}`,
    isKept: true,
  },
  {
    lie: 'TCP: 64 KiB of zeros',
    forward: TCP,
    behavior: (asked) => asked.write(framed(new Uint8Array(65_535))),
    said: 'SERVFAIL',
  },
  {
    lie: 'TCP: 64 KiB of pointers',
    forward: TCP,
    behavior: (asked) => {
      const reply = handmade(asked, 65_535, new Array(65_535).fill(0xc0)).subarray(0, 65_535)
      asked.send(reply)
    },
    said: 'SERVFAIL',
  },
  {
    lie: 'TCP: 64 KiB, all of it true',
    forward: TCP,
    tcp: true,
    behavior: (asked) => {
      const records = Array.from({ length: MANY }, (_, i) => [0xc0, 12, ...ADDRESS.slice(0, -2), i >> 8, i & 255])
      asked.send(handmade(asked, MANY, records.flat()))
    },
    said: `NOERROR ${MANY} records`,
    isKept: true,
  },
]

const link = (name: string, i: number): string => name.replace(/^www/, `link${i}`)

function ttl(seconds: number): Behavior {
  return (asked) => asked.send(replyTo(asked, { answers: [a(asked.name, TRUE, seconds)] }))
}

/** With id, port and question as they should be. */
async function sendFromAnother(asked: Asked): Promise<void> {
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.3', resolve))
  socket.send(replyTo(asked, { answers: [a(asked.name, FORGED)] }), asked.port, '127.0.0.1', () => socket.close())
}

function late(): Behavior {
  let first: Asked | undefined
  return (asked) => {
    first ??= asked
    // A retransmission is the same attempt.
    if (asked.id === first.id && asked.port === first.port) return
    honest(asked)
    const earlier = first
    setTimeout(() => earlier.send(replyTo(earlier, { answers: [a(earlier.name, FORGED)] })), 200)
  }
}

/** RCODE, TC if it is set, and the answer section. */
function told({ rcode, flags, answer }: Response): string {
  const tc = (flags & 0x0200) === 0 ? '' : ' TC'
  if (answer.length === 1 && answer[0].type !== 'CNAME') return `${rcode}${tc} ${answer[0].type} ${answer[0].data}`
  return `${rcode}${tc}${answer.length === 0 ? '' : ` ${answer.length} records`}`
}

/** A block for one lie, its upstream, and a name that it is about. */
function blockOf({ forward = '', cache = '' }: Lie, i: number, to: string): string {
  return `n${i}.test n${i}.example {
  forward . ${to} {
    max_fails 0
    read_timeout 400ms
    ${forward}
  }
  cache {
    servfail 0
    ${cache}
  }
}
`
}

const STORM = 200
let server: CorefileServer
let upstreams: LyingUpstream[] = []
let storm: LyingUpstream

before(async () => {
  upstreams = await Promise.all(LIES.map(({ behavior }) => LyingUpstream.open(behavior)))
  storm = await LyingUpstream.open(says({ rcode: 2 }))
  const blocks = LIES.map((lie, i) => blockOf(lie, i, upstreams[i].to))
  const stormy = `storm.test {\n  forward . ${storm.to}\n  cache {\n    servfail 2s\n  }\n}\n`
  server = await CorefileServer.start({ text: blocks.join('') + stormy })
})

after(async () => {
  const code = await server.stop()
  await Promise.all([...upstreams, storm].map((upstream) => upstream.close()))
  assert.equal(code, 0)
  assert.doesNotMatch(server.output, /restarted|crashed/)
})

/** Asks at an honest time. @returns what it says, and whether the upstream was asked */
async function askHonest(i: number, name: string, tcp: boolean): Promise<[said: string, wasAsked: boolean]> {
  const upstream = upstreams[i]
  const before = upstream.asked.filter((asked) => asked.name.toLowerCase() === name).length
  const said = told(await server.ask({ name, type: 'A' }, { tcp }))
  assert.doesNotMatch(said, new RegExp(FORGED.replaceAll('.', '\\.')), `${LIES[i].lie}: a lie about ${name}`)
  return [said, upstream.asked.filter((asked) => asked.name.toLowerCase() === name).length > before]
}

test('clients get the right answer or a failure in time, and the cache holds no lie', async () => {
  const settled = await Promise.allSettled(
    LIES.map(async ({ lie, said, isKept = false, tcp = false, ttl: seconds, others }, i) => {
      const name = `www.n${i}.test`
      const beganMs = performance.now()
      const response = await server.ask({ name, type: 'A' }, { tcp })
      const tookMs = performance.now() - beganMs
      assert.equal(told(response), said, lie)
      assert.ok(tookMs < IN_TIME_MS, `${lie}: ${tookMs} ms`)
      if (seconds !== undefined) assert.equal(response.answer[0].ttl, seconds, lie)
      upstreams[i].behavior = says()
      // What is on its way still: late and second answers.
      await new Promise((resolve) => setTimeout(resolve, 500))
      upstreams[i].behavior = (asked) => asked.send(replyTo(asked, { answers: [a(asked.name, FRESH)] }))
      const [again, wasAsked] = await askHonest(i, name, tcp)
      assert.equal(wasAsked, !isKept, `${lie}: asked again`)
      assert.equal(again, isKept ? said : `NOERROR A ${FRESH}`, `${lie}: again`)
      const strangers = [victimOf({ name }), ...(others?.(name) ?? [])]
      for (const other of strangers) {
        assert.deepEqual(await askHonest(i, other, tcp), [`NOERROR A ${FRESH}`, true], `${lie}: ${other}`)
      }
    }),
  )
  const wrong = settled.flatMap((each) => (each.status === 'rejected' ? [String(each.reason?.stack)] : []))
  assert.deepEqual(wrong, [])
})

test('a storm of SERVFAIL: each name is asked once, is known to fail for the time of `servfail`, and then asked again', async () => {
  const names = Array.from({ length: STORM }, (_, i) => `n${i}.storm.test`)
  const ask = async (): Promise<Set<string>> => {
    const said = new Set<string>()
    // More at a time would overflow the buffer of the upstream's socket.
    for (let i = 0; i < STORM; i += 50) {
      const wave = names.slice(i, i + 50).map(async (name) => said.add(told(await server.ask({ name, type: 'A' }))))
      await Promise.all(wave)
    }
    return said
  }
  assert.deepEqual(await ask(), new Set(['SERVFAIL']))
  assert.equal(new Set(storm.asked.map(({ name }) => name)).size, STORM)
  storm.behavior = honest
  await new Promise((resolve) => setTimeout(resolve, 2500))
  assert.deepEqual(await ask(), new Set([`NOERROR A ${TRUE}`]))
})

test('a name that failed is not asked for again at once', async () => {
  storm.behavior = says({ rcode: 2 })
  assert.equal(told(await server.ask({ name: 'once.storm.test', type: 'A' })), 'SERVFAIL')
  storm.behavior = honest
  assert.equal(told(await server.ask({ name: 'once.storm.test', type: 'A' })), 'SERVFAIL')
})
