// Which block takes a query, and what becomes of it there: zones, views, listeners, `fallthrough`. And the traps of the format, each of which
// somebody depends on. One server for all.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { CorefileServer, freePort, WAIT_MS } from './corefile-server.ts'
import type { Ask } from './fixture.ts'
import { wrongAnswers } from './fixture-checks.ts'

const PARENT = `$ORIGIN parent.test.
@ 60 IN SOA ns hostmaster 1 60 60 60 60
@ 60 IN NS ns
ns 60 IN A 192.0.2.1
child 60 IN NS ns.child
child 60 IN DS 1 13 2 AA
ns.child 60 IN A 192.0.2.2
www 60 IN A 192.0.2.3
`
const CHILD = `$ORIGIN child.parent.test.
@ 60 IN SOA ns hostmaster 2 60 60 60 60
@ 60 IN NS ns
ns 60 IN A 192.0.2.2
www 60 IN A 192.0.2.4
`

/** The port of every key is {$PORT}; BOUND is another. */
const COREFILE = `
(reports) {
    errors
}
parent.test:{$PORT} {
    import reports
    file parent.db
}
child.parent.test:{$PORT} {
    file child.db
}
# A prefix is its reverse zones, on octets: 20.10 and 21.10.
10.20.0.0/15:{$PORT} {
    import reports
    # The zones of the names, if not those of the block: others are ignored.
    hosts /dev/null example {
        10.20.0.7 seven.example
        10.21.0.8 eight.example
    }
}
split.example:{%PORT%} {
    metadata
    view inside {
        expr incidr(client_ip(), '127.0.0.0/8')
    }
    log . "inside view={/view/name} {name}"
    hosts {
        192.0.2.10 www.split.example
    }
}
split.example:{$PORT} {
    hosts {
        192.0.2.11 www.split.example
        192.0.2.12 *.apps.split.example
    }
}
never.example:{$PORT} {
    view never {
        expr false
    }
    whoami
}
example:{$PORT}, other.example.:{$PORT} ,
one.example:{$PORT} two.example:{$PORT} {
    prometheus 127.0.0.1:{$METRICS}
    errors
    hosts {
        192.0.2.20 www.one.example www.two.example www.never.example
        fallthrough
    }
}
empty.example:{$PORT}  {
}
10.0.0.1:{$PORT} {
    hosts {
        192.0.2.30 www.10.0.0.1
    }
}
cluster.local:{$PORT} {
    errors
    kubernetes
    hosts {
        # Comes before kubernetes, whatever the order of the file.
        192.0.2.40 cart.shop.svc.cluster.local
        fallthrough shop.svc.cluster.local
    }
}
zones.example:{$PORT} {
    hosts {
        192.0.2.41 a.zones.example
        fallthrough passed.zones.example
    }
    whoami
}
rewrites.example:{$PORT} {
    # Without a dot of its own FROM gets a final one: never the beginning of a longer name.
    rewrite name prefix foo bar
    rewrite name prefix old. new.
    rewrite name suffix .from.rewrites.example .to.rewrites.example answer auto
    rewrite name exact x.rewrites.example bar.rewrites.example
    hosts {
        192.0.2.50 bar.rewrites.example new.rewrites.example
        192.0.2.51 a.to.rewrites.example
    }
}
templates.example:{$PORT} {
    template IN A {
        match ^host-([0-9]+)\\.(?P<room>[a-z]+)\\.templates\\.example\\.$
        answer "{{ $x := index .Match 1 }}{{ .Name }} 60 in A 10.0.0.{{ $x }}"
        additional "{{ .Group.room }}.templates.example. 60 IN TXT \\"{$ROOM}\\""
        fallthrough
    }
    template IN TXT {
        match ^variable\\.
        answer "{{ .Name }} 60 IN TXT \\"<{$NOT_SET}{{$x}}>\\""
    }
    template IN MX {
        rcode REFUSED
    }
}
logs.example:{$PORT} {
    log "{name} alone"
    log logs.example "{name} with a name {rcode}"
    whoami
}
small.example:{$PORT} {
    errors { }
    cache 3600s
    any
    local
    acl {
        filter type AAAA
    }
    whoami
}
chaos.example:{$CHAOS} bind:{$CHAOS} {
    chaos us-1 "Some Body" nobody
}
.:{$BOUND} {
    bind 127.0.0.2 127.0.0.3
    hosts {
        192.0.2.60 where
    }
}
.:{$BOUND} {
    bind 127.0.0.4
    hosts {
        192.0.2.61 where
    }
}
`

let server: CorefileServer
let bound: number
let chaos: number
let metrics: number

before(
  async () => {
    const port = await freePort()
    bound = await freePort()
    chaos = await freePort()
    metrics = await freePort()
    const env = { PORT: `${port}`, BOUND: `${bound}`, CHAOS: `${chaos}`, METRICS: `${metrics}`, ROOM: 'two words' }
    const files = { 'parent.db': PARENT, 'child.db': CHILD }
    server = await CorefileServer.start({ text: COREFILE, files, port, env })
  },
  { timeout: WAIT_MS },
)

after(() => server?.kill())

function table(title: string, asks: readonly Ask[], port = (): number => server.port): void {
  test(title, async () => {
    const found = await wrongAnswers(
      server,
      asks.map(([question, result, options]) => [question, result, { port: port(), ...options }]),
    )
    assert.equal(found.length, 0, `\n${found.join('\n')}\n${server.output}`)
  })
}

table('the longest zone takes a query; DS goes to the parent', [
  ['www.parent.test. A', ['60 A 192.0.2.3']],
  ['www.child.parent.test. A', ['60 A 192.0.2.4']],
  ['child.parent.test. SOA', ['60 SOA *']],
  ['child.parent.test. DS', ['60 DS *']],
  ['xchild.parent.test. A', 'NXDOMAIN parent.test.'], // ends alike, but at no dot
  ['parent.test. DS', 'NODATA parent.test.'], // nothing above
  ['www.unparent.test. A', 'REFUSED'],
])

table('prefixes as keys are reverse zones', [
  ['7.0.20.10.in-addr.arpa. PTR', ['3600 PTR seven.example.']],
  ['8.0.21.10.in-addr.arpa. PTR', ['3600 PTR eight.example.']],
  ['8.0.22.10.in-addr.arpa. PTR', 'REFUSED'],
  ['www.10.0.0.1. A', ['3600 A 192.0.2.30']], // a domain that looks like an address
  ['1.0.0.10.in-addr.arpa. PTR', 'REFUSED'],
])

table('views', [
  ['www.split.example. A', ['3600 A 192.0.2.10']],
  ['www.split.example. A', ['3600 A 192.0.2.11'], { at: '::1' }],
  ['a.apps.split.example. A', ['3600 A 192.0.2.12'], { at: '::1' }],
  ['a.b.apps.split.example. A', 'SERVFAIL', { at: '::1' }], // one label, no more
  ['www.never.example. A', ['3600 A 192.0.2.20']], // no block of that zone: the next shorter one
])

table('several keys, no plugins, no next plugin', [
  ['www.one.example. A', ['3600 A 192.0.2.20']],
  ['www.two.example. A', ['3600 A 192.0.2.20']],
  ['www.two.example. MX', 'NOERROR'],
  ['gone.two.example. A', 'SERVFAIL'],
  ['www.empty.example. A', 'REFUSED'],
])

table('fallthrough by zones, and the fixed order of plugins', [
  ['cart.shop.svc.cluster.local. A', ['3600 A 192.0.2.40']],
  ['cart.shop.svc.cluster.local. SRV', 'NOERROR'], // known to hosts, which has no such type
  ['web.shop.svc.cluster.local. A', ['5 A 10.103.108.252']],
  ['ingress.edge.svc.cluster.local. A', 'SERVFAIL'], // hosts does not pass it on
  ['a.zones.example. A', ['3600 A 192.0.2.41']],
  ['a.zones.example. TXT', 'NOERROR'],
  ['x.passed.zones.example. TXT', 'NOERROR'], // by whoami
  ['x.zones.example. TXT', 'SERVFAIL'],
])

table('rewrite: final dots', [
  ['foo.rewrites.example. A', ['bar.rewrites.example. 3600 A 192.0.2.50']],
  ['foobar.rewrites.example. A', 'SERVFAIL'],
  ['old.rewrites.example. A', ['new.rewrites.example. 3600 A 192.0.2.50']],
  ['older.rewrites.example. A', 'SERVFAIL'],
  ['a.from.rewrites.example. A', ['3600 A 192.0.2.51']],
  ['X.rewrites.example. A', ['3600 A 192.0.2.50']],
])

table('template: variables of the environment and of the language', [
  ['host-7.blue.templates.example. A', ['60 A 10.0.0.7']],
  ['HOST-7.blue.templates.example. A', ['60 A 10.0.0.7']],
  ['host-700.blue.templates.example. A', 'SERVFAIL'], // no address: it does not parse
  ['hosts.templates.example. A', 'SERVFAIL'], // passed on, and nothing is there
  ['variable.templates.example. TXT', ['60 TXT "<{}>"']], // {$x} within braces is taken for a variable
  ['other.templates.example. TXT', 'SERVFAIL'], // no match, not passed on
  ['any.templates.example. MX', 'REFUSED'],
])

table('small plugins together', [
  ['small.example. ANY', ['8482 HINFO *']],
  ['small.example. AAAA', 'NOERROR', { authoritative: false }], // kept out by acl
  ['small.example. A', 'NOERROR'],
  ['localhost.small.example. A', ['604800 A 127.0.0.1']],
])

table(
  'blocks that bind different addresses of one port',
  [
    ['where. A', ['3600 A 192.0.2.60'], { at: '127.0.0.2' }],
    ['where. A', ['3600 A 192.0.2.60'], { at: '127.0.0.3' }],
    ['where. A', ['3600 A 192.0.2.61'], { at: '127.0.0.4' }],
  ],
  () => bound,
)

table(
  'class CH where chaos is',
  [
    ['version.bind. TXT CH', ['0 TXT "us-1"']],
    ['authors.bind. TXT CH', ['0 TXT "Some Body"', '0 TXT "nobody"']],
    ['hostname.bind. TXT CH', ['0 TXT "@HOST"']],
  ],
  () => chaos,
)

table('class CH where it is not', [['version.parent.test. TXT CH', 'REFUSED']])

test('what the log says of it', async () => {
  await wrongAnswers(server, [
    ['www.split.example. A', []],
    ['asked.logs.example. A', []],
    ['gone.one.example. A', []],
  ])
  await server.line(/^\[INFO\] inside view=inside www\.split\.example\.$/)
  await server.line(/^\[INFO\] asked\.logs\.example\. with a name NOERROR$/)
  await server.line(/^\[ERROR\] plugin\/errors: 2 gone\.one\.example\. A: plugin\/hosts: no next plugin found$/)
  assert(!server.stdout.some((line) => /^\[INFO\] .* alone$/.test(line)), 'a lone format is a name')
  const warnings = server.stdout.filter((line) => line.startsWith('[WARNING]')).join('\n')
  assert.match(warnings, /'10\.0\.0\.1' looks like an address/)
  assert.match(warnings, /3600s/)
  assert.match(warnings, /\{name\} alone/)
})

test('a query that no block takes is counted as dropped, one of a block under the key it has come by', async () => {
  await wrongAnswers(server, [
    ['www.one.example. A', []],
    ['www.elsewhere.test. A', []],
  ])
  const { body } = await server.get('/metrics', metrics)
  const lines = body.split('\n').filter((line) => line.startsWith('coredns_dns_requests_total{'))
  for (const zone of ['one.example.', 'two.example.', 'example.', 'dropped']) {
    assert(
      lines.some((line) => line.includes(`zone="${zone}"`)),
      `${zone}\n${lines.join('\n')}`,
    )
  }
  assert(!lines.some((line) => line.includes('zone="parent.test."')), 'that block has no prometheus')
})
