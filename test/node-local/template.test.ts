// The Corefile of a node out of its template: what stands for placeholders, stub domains, other upstream servers; and that nothing of kube-dns'
// ConfigMap becomes more than names and addresses.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { readCorefile } from '../../src/config/corefile/read.ts'
import type { ServerBlock } from '../../src/config/corefile/syntax.ts'
import { type KubeDns, KubeDnsError, NO_KUBE_DNS, readKubeDns } from '../../src/node-local/kube-dns.ts'
import { corefileOf, TemplateError } from '../../src/node-local/template.ts'

const TEMPLATE = `cluster.local:53 {
    errors
    cache {
        success 9984 30
        denial 9984 5
    }
    bind 169.254.20.10 10.96.0.10
    forward . __PILLAR__CLUSTER__DNS__ {
        force_tcp
    }
    health 169.254.20.10:8080
}
# Not __PILLAR__ANYTHING__: a comment.
.:53 {
    errors
    cache 30
    bind 169.254.20.10 10.96.0.10
    forward . __PILLAR__UPSTREAM__SERVERS__ {
        force_tcp # over TCP
        prefer_udp
    }
}
`

const folder = mkdtempSync(join(tmpdir(), 'peregrine-kube-dns-'))
after(() => rmSync(folder, { recursive: true }))

function kubeDns(stubDomains: string, upstreamNameservers = ''): KubeDns {
  writeFileSync(join(folder, 'stubDomains'), stubDomains)
  writeFileSync(join(folder, 'upstreamNameservers'), upstreamNameservers)
  return readKubeDns(folder)
}

function make(template: string, kube: KubeDns = NO_KUBE_DNS, clusterAddress = '10.97.0.53') {
  return corefileOf(template, {
    addresses: ['169.254.20.10', '10.96.0.10'],
    clusterAddress,
    clusterUnknown: 'nobody knows',
    kubeDns: kube,
    path: '/etc/Corefile',
  })
}

function blocksOf(text: string): readonly ServerBlock[] {
  return readCorefile('/etc/Corefile', {}, text).blocks
}

/** `name args { property args; … }` */
function directivesOf({ directives }: ServerBlock): string[] {
  const words = (tokens: readonly { text: string }[]): string => tokens.map(({ text }) => text).join(' ')
  return directives.map(({ name, args, properties }) => {
    const inside = properties.map((property) => words([property.name, ...property.args]))
    return `${words([name, ...args])}${inside.length === 0 ? '' : ` { ${inside.join('; ')} }`}`
  })
}

test('placeholders become the address of the cluster DNS and the servers of the node; all else stays', () => {
  const { text, warnings } = make(TEMPLATE)
  const expected = TEMPLATE.replace('__PILLAR__CLUSTER__DNS__', '10.97.0.53')
  assert.equal(text, expected.replace('__PILLAR__UPSTREAM__SERVERS__', '/etc/resolv.conf'))
  assert.deepEqual(warnings, [])
})

test('with upstreamNameservers these are asked, and the block of the root is not forced to TCP; others are', () => {
  const { text } = make(TEMPLATE, kubeDns('', '["1.1.1.1", "[2001:db8::1]:5353", "8.8.8.8:53"]'))
  const [cluster, root] = blocksOf(text).map(directivesOf)
  assert.equal(root.at(-1), 'forward . 1.1.1.1 [2001:db8::1]:5353 8.8.8.8:53 { prefer_udp }')
  assert.equal(cluster.at(-2), 'forward . 10.97.0.53 { force_tcp }')
  // Line by line as it was: errors name the lines of the template.
  assert.equal(text.split('\n').length, TEMPLATE.split('\n').length)
})

test('the block of the root is known by any spelling of its key', () => {
  for (const key of ['.', '.:53', 'dns://.:53', 'corp.example .', '"."']) {
    const template = `${key} {\n  forward . __PILLAR__UPSTREAM__SERVERS__ {\n    force_tcp\n  }\n}\n`
    assert.doesNotMatch(make(template, kubeDns('', '["1.1.1.1"]')).text, /force_tcp/, key)
  }
  for (const key of ['.:5353', 'corp.example', 'tls://.']) {
    const template = `${key} {\n  forward . 10.0.0.1 {\n    force_tcp\n  }\n}\n`
    assert.match(make(template, kubeDns('', '["1.1.1.1"]')).text, /force_tcp/, key)
  }
})

test('every stub domain becomes a block of its own', () => {
  const { text } = make(
    TEMPLATE,
    kubeDns('{"Acme.Local": ["1.2.3.4"], "consul.local.": ["10.150.0.1:8600", "fd00::1"]}'),
  )
  const stubs = blocksOf(text).slice(2)
  assert.deepEqual(
    stubs.map((block) => [block.keys.map((key) => key.text), ...directivesOf(block)]),
    [
      [['acme.local:53'], 'errors', 'cache 30', 'bind 169.254.20.10 10.96.0.10', 'forward . 1.2.3.4'],
      [
        ['consul.local:53'],
        ...['errors', 'cache 30', 'bind 169.254.20.10 10.96.0.10', 'forward . 10.150.0.1:8600 fd00::1'],
      ],
    ],
  )
})

test('a stub domain that the template has a block for would make the Corefile bad: it is left out', () => {
  const { text, warnings } = make(
    TEMPLATE,
    kubeDns('{"cluster.local": ["1.2.3.4"], ".": ["1.2.3.4"], "a.example": ["1.2.3.4"]}'),
  )
  assert.equal(blocksOf(text).length, 3)
  assert.deepEqual(warnings, [
    'stub domain cluster.local is left out: the template has a block for it',
    'stub domain . is left out: the template has a block for it',
  ])
})

test('placeholders that nobody replaced are errors with their line', () => {
  const unknown = TEMPLATE.replace('169.254.20.10:8080', '__PILLAR__LOCAL__DNS__:8080')
  assert.throws(() => make(unknown), new TemplateError('line 11: __PILLAR__LOCAL__DNS__ has not been replaced'))
  const two = 'x {\n  bind __PILLAR__LOCAL__DNS__ __PILLAR__DNS__SERVER__\n}\n'
  assert.throws(() => make(two), new TemplateError('line 2: __PILLAR__LOCAL__DNS__ has not been replaced'))
  assert.throws(() => make(TEMPLATE, NO_KUBE_DNS, ''), new TemplateError('__PILLAR__CLUSTER__DNS__: nobody knows'))
  // Not asked for, not missed.
  make('. {\n  whoami\n}\n', NO_KUBE_DNS, '')
})

test('a template that is no Corefile is passed on as it is: loading it tells what is wrong', () => {
  const broken = '. {\n  forward . __PILLAR__UPSTREAM__SERVERS__ {\n force_tcp\n'
  assert.match(make(broken, kubeDns('', '["1.1.1.1"]')).text, /forward \. 1\.1\.1\.1/)
})

test('without a ConfigMap, without its keys, or with empty ones there are no stub domains', () => {
  assert.deepEqual(readKubeDns(''), NO_KUBE_DNS)
  assert.deepEqual(readKubeDns(join(folder, 'missing')), NO_KUBE_DNS)
  assert.deepEqual(kubeDns('', ' \n'), NO_KUBE_DNS)
  assert.deepEqual(kubeDns('{}', '[]'), NO_KUBE_DNS)
  assert.deepEqual(kubeDns('null'), NO_KUBE_DNS)
})

const BAD: readonly [stubDomains: string, upstreamNameservers: string, message: RegExp][] = [
  ['{', '', /stubDomains: /],
  ['[]', '', /^stubDomains: it is no object/],
  ['{"a.example": "1.2.3.4"}', '', /^stubDomains: a\.example: it is no list of servers/],
  ['{"a.example": []}', '', /^stubDomains: a\.example: no servers/],
  ['{"a.example": ["ns.example"]}', '', /^stubDomains: a\.example: "ns\.example" is no IP address/],
  ['{"a.example": ["1.2.3.4:0"]}', '', /no IP address/],
  ['{"a.example": ["1.2.3.4:65536"]}', '', /no IP address/],
  ['{"a.example": ["fe80::1%eth0"]}', '', /no IP address/],
  ['{"a.example": ["[1.2.3.4]:53"]}', '', /no IP address/],
  ['{"a.example": [53]}', '', /53 is no IP address/],
  ['{"a {\\n}": ["1.2.3.4"]}', '', /is no domain name/],
  ['{"a.example:5353": ["1.2.3.4"]}', '', /is no domain name/],
  ['{"": ["1.2.3.4"]}', '', /is no domain name/],
  ['{"a..example": ["1.2.3.4"]}', '', /^stubDomains: /],
  ['{"A.example": ["1.2.3.4"], "a.example.": ["1.2.3.5"]}', '', /there twice/],
  ['', '{}', /^upstreamNameservers: it is no list/],
  ['', '["1.2.3.4 5.6.7.8"]', /no IP address/],
  ['', JSON.stringify(Array(16).fill('1.2.3.4')), /over 15 servers/],
]

test('values that are no good are errors that say which', () => {
  for (const [stubDomains, upstreamNameservers, message] of BAD) {
    assert.throws(
      () => kubeDns(stubDomains, upstreamNameservers),
      (error) => error instanceof KubeDnsError && message.test(error.message),
      `${stubDomains} ${upstreamNameservers}`,
    )
  }
})

test('whatever the ConfigMap says, the template stays what it is, and each stub domain is one block', () => {
  const name = fc.oneof(
    fc.domain(),
    fc.string({ unit: fc.constantFrom('a', '.', '-', '_', '{', '}', '\n', ' ', '"', '#', '\\', '$', '%', ':') }),
  )
  const server = fc.oneof(fc.ipV4(), fc.ipV6(), fc.constantFrom('1.2.3.4:53', '[::1]:53'), fc.string())
  const servers = fc.array(server, { maxLength: 3 })
  let good = 0
  let bad = 0
  fc.assert(
    fc.property(fc.dictionary(name, servers, { maxKeys: 3 }), servers, (stubDomains, upstreams) => {
      let kube: KubeDns
      try {
        kube = kubeDns(JSON.stringify(stubDomains), JSON.stringify(upstreams))
        good++
      } catch (error) {
        bad++
        assert.ok(error instanceof KubeDnsError)
        return
      }
      const [cluster, root, ...stubs] = blocksOf(make(TEMPLATE, kube).text)
      assert.deepEqual(directivesOf(cluster), directivesOf(blocksOf(make(TEMPLATE).text)[0]))
      const from = upstreams.length === 0 ? '/etc/resolv.conf' : upstreams.join(' ')
      const options = upstreams.length === 0 ? 'force_tcp; prefer_udp' : 'prefer_udp'
      assert.equal(directivesOf(root).at(-1), `forward . ${from} { ${options} }`)
      assert.deepEqual(
        stubs.map((block) => directivesOf(block).at(-1)),
        [...kube.stubDomains].filter(([zone]) => zone !== '.').map(([, list]) => `forward . ${list.join(' ')}`),
      )
    }),
    { numRuns: 500 },
  )
  assert.ok(good > 20 && bad > 20, `${good} good, ${bad} bad`)
})
