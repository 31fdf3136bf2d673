// Names of the cluster whose answer needs an upstream: the vectors of the cluster DNS reference (5.3, 5.7, 5.8) and of the OKD reference (26, 32) that
// the built-in configuration of test/server/ cannot answer. Every row over UDP and TCP, by the batched transport and by the portable one.

import assert from 'node:assert/strict'
import { platform } from 'node:os'
import { after, before, test } from 'node:test'
import type { Answer } from 'dns-packet'
import { type Asked, LyingUpstream, replyTo } from '../forward/lying-upstream.ts'
import { CLUSTER_IP, EXTERNAL, REVERSE } from '../server/cluster-dns-fixtures.ts'
import { type Manifest, ManifestFolder, manifestsOf, okdManifestsOf } from '../server/fixtures.ts'
import { FLAG, recordText } from '../server/wire.ts'
import { CorefileServer, WAIT_MS } from './corefile-server.ts'

const TYPE_A = 1
const TYPE_PTR = 12
const TRANSPORTS = platform() === 'linux' ? ['io', 'dgram'] : ['dgram']
const NAMES: Readonly<Record<string, readonly Answer[]>> = {
  'api.partner.example': [
    { type: 'CNAME', name: 'api.partner.example', ttl: 60, data: 'lb.partner.example' },
    { type: 'A', name: 'lb.partner.example', ttl: 30, data: '198.51.100.7' },
  ],
  'smtp.partner.test': [{ type: 'A', name: 'smtp.partner.test', ttl: 300, data: '198.51.100.25' }],
}
const FAILS = 'dead.partner.example'

/** What the references' upstream knows; of nx.…, that it is not there; all else is 192.0.2.200. */
function references(asked: Asked): void {
  const { name, type } = asked
  const known = NAMES[name.toLowerCase()]
  if (name === FAILS) asked.send(replyTo(asked, { rcode: 2 }))
  else if (name.startsWith('nx.')) asked.send(replyTo(asked, { rcode: 3 }))
  else if (known !== undefined) asked.send(replyTo(asked, { answers: type === TYPE_A ? known : [] }))
  else if (type === TYPE_PTR) {
    asked.send(replyTo(asked, { type: 'PTR', answers: [{ type: 'PTR', name, ttl: 60, data: 'next.example' }] }))
  } else asked.send(replyTo(asked, { answers: [{ type: 'A', name, ttl: 60, data: '192.0.2.200' }] }))
}

const PARTNER = ['partner.edge~ 5 CNAME api.partner.example.']
const LOAD_BALANCER = ['api.partner.example. 60 CNAME lb.partner.example.', 'lb.partner.example. 30 A 198.51.100.7']
/** What the next handler says. */
const NEXT = ['@ 60 A 192.0.2.200']
const NEXT_NAME = ['@ 60 PTR next.example.']

/** Result: RCODE, and `here` (AA) or `forwarded` (what the upstream has: no AA, RA). */
type Row = readonly [name: string, types: string, result: string, answer: readonly string[]]

interface Suite {
  readonly title: string
  readonly block: string
  readonly objects: readonly Manifest[]
  readonly rows: readonly Row[]
}

const OKD_SHOP = okdManifestsOf({
  services: [
    { ns: 'shop', name: 'mailer', type: 'ExternalName', externalName: 'smtp.partner.test', ports: ['smtp/TCP/587'] },
    { ns: 'shop', name: 'dead', type: 'ExternalName', externalName: 'nx.partner.test' },
  ],
  endpoints: [],
})

const SUITES: readonly Suite[] = [
  {
    title: 'ExternalName (5.3)',
    block: 'kubernetes cluster.local',
    objects: manifestsOf({
      ...EXTERNAL,
      services: {
        ...EXTERNAL.services,
        'edge/nx': { type: 'ExternalName', externalName: 'nx.partner.example' },
        'edge/dead': { type: 'ExternalName', externalName: FAILS },
      },
    }),
    rows: [
      ['partner.edge~', 'A', 'NOERROR here', [...PARTNER, ...LOAD_BALANCER]],
      ['PARTNER.edge~', 'A', 'NOERROR here', ['@ 5 CNAME api.partner.example.', ...LOAD_BALANCER]],
      ['partner.edge~', 'AAAA', 'NOERROR here', PARTNER],
      ['partner.edge~', 'CNAME', 'NOERROR here', PARTNER],
      ['partner.edge~', 'SRV TXT HTTPS MX', 'NOERROR here', []],
      ['_https._tcp.partner.edge~', 'SRV A', 'NXDOMAIN here', []],
      ['ep.partner.edge~', 'A', 'NXDOMAIN here', []],
      ['literal.edge~', 'A CNAME', 'NXDOMAIN here', []],
      ['literal6.edge~', 'AAAA', 'NXDOMAIN here', []],
      ['nx.edge~', 'A', 'NOERROR here', ['@ 5 CNAME nx.partner.example.']], // whatever the RCODE was
      ['dead.edge~', 'A', 'NOERROR here', [`@ 5 CNAME ${FAILS}.`]],
    ],
  },
  {
    title: 'fallthrough (5.8)',
    block: 'kubernetes cluster.local {\nfallthrough\n}',
    objects: manifestsOf(CLUSTER_IP),
    rows: [
      ['cart.shop~', 'A', 'NOERROR here', ['@ 5 A 172.30.4.10']],
      ['gone.shop~', 'A', 'NOERROR forwarded', NEXT],
      ['cart.shop~', 'AAAA', 'NOERROR here', []],
      ['shop~', 'A', 'NOERROR here', []],
      ['foo.cluster.local.', 'A', 'NOERROR forwarded', NEXT],
      ['www.example.org.', 'A', 'NOERROR forwarded', NEXT],
    ],
  },
  {
    title: 'fallthrough in-addr.arpa ip6.arpa (5.7)',
    block: 'kubernetes cluster.local in-addr.arpa ip6.arpa {\nfallthrough in-addr.arpa ip6.arpa\n}',
    objects: manifestsOf(REVERSE),
    rows: [
      ['10.4.30.172.in-addr.arpa.', 'PTR', 'NOERROR here', ['@ 5 PTR cart.shop~']],
      ['10.4.30.172.in-addr.arpa.', 'A', 'NOERROR here', []],
      ['99.99.99.10.in-addr.arpa.', 'PTR', 'NOERROR forwarded', NEXT_NAME],
      ['99.99.99.10.in-addr.arpa.', 'A', 'NOERROR forwarded', NEXT],
      ['300.4.30.172.in-addr.arpa.', 'PTR', 'NOERROR forwarded', NEXT_NAME],
      ['1.10.4.30.172.in-addr.arpa.', 'PTR', 'NOERROR forwarded', NEXT_NAME],
      ['cart.shop~', 'PTR', 'NOERROR here', []],
      ['gone.shop~', 'A', 'NXDOMAIN here', []], // in no zone of fallthrough
    ],
  },
  {
    title: 'OKD 26 and 32',
    block: 'kubernetes cluster.local {\nokd\nttl 30\n}',
    objects: OKD_SHOP,
    rows: [
      [
        'mailer.shop~',
        'A',
        'NOERROR here',
        ['@ 30 CNAME smtp.partner.test.', 'smtp.partner.test. 30 A 198.51.100.25'], // 300 there
      ],
      ['mailer.shop~', 'CNAME', 'NOERROR here', ['@ 30 CNAME smtp.partner.test.']],
      ['dead.shop~', 'A', 'NXDOMAIN here', ['@ 30 CNAME nx.partner.test.']],
    ],
  },
  {
    title: 'with a cache, one TTL for all',
    block: 'cache 30\nkubernetes cluster.local {\nttl 60\n}',
    objects: manifestsOf(EXTERNAL),
    rows: [
      [
        'partner.edge~',
        'A',
        'NOERROR here',
        [
          'partner.edge~ 30 CNAME api.partner.example.',
          'api.partner.example. 30 CNAME lb.partner.example.',
          'lb.partner.example. 30 A 198.51.100.7',
        ],
      ],
      ['partner.edge~', 'SRV', 'NOERROR here', []],
    ],
  },
]

const folder = new ManifestFolder()
let upstream: LyingUpstream

before(async () => {
  upstream = await LyingUpstream.open(references)
})
after(async () => {
  await upstream?.close()
  folder.remove()
})

for (const { title, block, objects, rows } of SUITES) {
  for (const transport of TRANSPORTS) {
    test(`${title}, ${transport}`, { timeout: WAIT_MS }, async () => {
      const server = await CorefileServer.start({
        text: `. {\nerrors\n${block}\nforward . ${upstream.to}\n}\n`,
        manifests: [folder.write(objects)],
        flags: ['--transport', transport],
      })
      try {
        const found = []
        for (const row of rows) {
          for (const type of row[1].split(' ')) {
            for (const tcp of [false, true]) found.push(...(await differences(server, row, type, tcp)))
          }
        }
        assert.deepEqual(found, [])
        assert.equal(await server.stop(), 0)
      } finally {
        server.kill()
      }
    })
  }
}

async function differences(server: CorefileServer, row: Row, type: string, tcp: boolean): Promise<string[]> {
  const [short, , result, answer] = row
  const name = expand(short)
  const [rcode, source] = result.split(' ')
  const response = await server.ask({ name, type, edns: {} }, { tcp })
  const { flags } = response
  const actual = [response.rcode, (flags & FLAG.AA) === 0, (flags & FLAG.RA) !== 0, ...response.answer.map(recordText)]
  const records = answer.map((text) =>
    expand(text)
      .replace('@', name)
      .replace(/ (\d+) /, ' $1 IN '),
  )
  const expected = [rcode, source === 'forwarded', source === 'forwarded', ...records]
  return String(actual) === String(expected)
    ? []
    : [`${name} ${type} ${tcp ? 'TCP' : 'UDP'}: ${actual}, not ${expected}`]
}

function expand(text: string): string {
  return text.replace('~', '.svc.cluster.local.')
}
