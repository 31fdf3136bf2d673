// Who is asked: how servers may be written, what their names are resolved to, and whom the guard lets pass.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LoadInputError } from '../../src/load/input-error.ts'
import type { Transport } from '../../src/load/run.ts'
import {
  foreignAddresses,
  guardTarget,
  type LookUp,
  type NamedTarget,
  parseTarget,
  type ResolvedTarget,
  resolveTarget,
  type TargetOptions,
} from '../../src/load/target.ts'

const OPTIONS: TargetOptions = { transport: 'udp', serverName: '', verifiesCertificate: true }
const nowhere: LookUp = () => assert.fail('an address is not looked up')

const GOOD: [text: string, transport: Transport, expected: string][] = [
  // as it is written         --protocol  transport host port path
  ['127.0.0.1', 'udp', 'udp 127.0.0.1 53 '],
  ['127.0.0.1:5353', 'udp', 'udp 127.0.0.1 5353 '],
  ['127.0.0.1', 'tcp', 'tcp 127.0.0.1 53 '],
  ['127.0.0.1', 'tls', 'tls 127.0.0.1 853 '],
  ['127.0.0.1', 'https', 'https 127.0.0.1 443 /dns-query'],
  ['::1', 'udp', 'udp ::1 53 '], // without brackets all of it is the address
  ['::1:5353', 'udp', 'udp ::1:5353 53 '],
  ['[::1]:5353', 'udp', 'udp ::1 5353 '],
  ['[::1]', 'tcp', 'tcp ::1 53 '],
  ['[fe80::1%eth0]:53', 'udp', 'udp fe80::1%eth0 53 '],
  ['fe80::1%eth0', 'udp', 'udp fe80::1%eth0 53 '],
  ['kube-dns.kube-system.svc', 'udp', 'udp kube-dns.kube-system.svc 53 '],
  ['kube-dns.kube-system.svc.cluster.local.:53', 'udp', 'udp kube-dns.kube-system.svc.cluster.local. 53 '],
  ['localhost:5353', 'tcp', 'tcp localhost 5353 '],
  ['under_score.example', 'udp', 'udp under_score.example 53 '],
  ['udp://10.0.0.10', 'tcp', 'udp 10.0.0.10 53 '], // the scheme wins
  ['tcp://10.0.0.10:54', 'udp', 'tcp 10.0.0.10 54 '],
  ['TLS://dns.example', 'udp', 'tls dns.example 853 '],
  ['tls://dns.example/', 'udp', 'tls dns.example 853 '],
  ['https://dns.example', 'udp', 'https dns.example 443 /dns-query'],
  ['https://dns.example/', 'udp', 'https dns.example 443 /dns-query'],
  ['https://dns.example:8443/other/path?x=1', 'udp', 'https dns.example 8443 /other/path?x=1'],
  ['https://[::1]:8443/dns-query', 'udp', 'https ::1 8443 /dns-query'],
]

test('how servers are written', () => {
  for (const [text, transport, expected] of GOOD) {
    const { label, ...named } = parseTarget(text, transport, 'server')
    assert.equal(`${named.transport} ${named.host} ${named.port} ${named.path}`, expected, text)
    assert.equal(label, text)
  }
})

const BAD: [text: string, why: string][] = [
  ['', 'no server in'],
  [':53', 'no server in'],
  ['[]:53', 'no server in'],
  ['udp://', 'no server in'],
  ['quic://10.0.0.1', 'a scheme other than udp, tcp, tls and https'],
  ['http://10.0.0.1/dns-query', 'a scheme other than udp, tcp, tls and https'],
  ['10.0.0.1:', 'not a port'],
  ['10.0.0.1:dns', 'not a port'],
  ['10.0.0.1:-1', 'not a port'],
  ['10.0.0.1:0', 'a port is 1 to 65535'],
  ['10.0.0.1:65536', 'a port is 1 to 65535'],
  ['[::1]:0', 'a port is 1 to 65535'],
  ['[::1]53', 'neither an address nor a name'],
  ['[::1', 'neither an address nor a name'],
  ['10.0.0.256', 'not an IPv4 address'],
  ['10.0.1', 'not an IPv4 address'], // getaddrinfo() would take that for 10.0.0.1
  ['1', 'not an IPv4 address'],
  ['a b', 'neither an address nor a name'],
  ['-a', 'neither an address nor a name'],
  ['a..b', 'neither an address nor a name'],
  [`${'a'.repeat(64)}.example`, 'neither an address nor a name'],
  ['user@host', 'neither an address nor a name'],
  ['10.0.0.1/dns-query', 'only https has a path'],
  ['tls://10.0.0.1/dns-query', 'only https has a path'],
  ['https://10.0.0.1/a b', 'a path that is no part of a URL'],
  ['https://10.0.0.1/a\r\nb', 'a path that is no part of a URL'],
]

test('what is no server is said in one line that names flag and text', () => {
  for (const [text, why] of BAD) {
    const expected = new LoadInputError(`flag --reference: ${why}: '${text}'`)
    assert.throws(() => parseTarget(text, 'udp', 'reference'), expected, text)
  }
})

test('any text is a server or bad input', () => {
  const texts = fc.oneof(fc.string(), fc.stringMatching(/^(?:udp|tcp|tls|https)?(?::\/\/)?[[\]:.\da-f/%]{0,20}$/))
  let servers = 0
  fc.assert(
    fc.property(texts, (text) => {
      let named: NamedTarget
      try {
        named = parseTarget(text, 'udp', 'server')
      } catch (error) {
        assert.ok(error instanceof LoadInputError)
        return
      }
      servers++
      assert.ok(named.port >= 1 && named.port <= 65_535 && named.host !== '')
      assert.match(named.path, named.transport === 'https' ? /^\// : /^$/)
    }),
  )
  assert.ok(servers > 0)
})

test('a name has all its addresses, and the first is asked', async () => {
  const named = parseTarget('tls://dns.example.', 'udp', 'server')
  const { target, addresses } = await resolveTarget(named, OPTIONS, async (host) => {
    assert.equal(host, 'dns.example.')
    return ['10.0.0.1', 'fd00::1']
  })
  assert.deepEqual(addresses, ['10.0.0.1', 'fd00::1'])
  assert.deepEqual(target, {
    label: 'tls://dns.example.',
    address: '10.0.0.1',
    port: 853,
    transport: 'tls',
    serverName: 'dns.example',
    path: '',
    verifiesCertificate: true,
  })
})

test('the name of the certificate: that of the server, or as the flag has it', async () => {
  const cases: [text: string, given: string, expected: string][] = [
    ['tls://10.0.0.1', '', ''],
    ['tls://10.0.0.1', 'dns.example', 'dns.example'],
    ['https://dns.example/dns-query', '', 'dns.example'],
    ['https://dns.example/dns-query', 'other.example', 'other.example'],
  ]
  for (const [text, serverName, expected] of cases) {
    const named = parseTarget(text, 'udp', 'server')
    const { target } = await resolveTarget(named, { ...OPTIONS, serverName }, async () => ['10.0.0.1'])
    assert.equal(target.serverName, expected, text)
  }
})

test('names without address', async () => {
  const named = parseTarget('no.example', 'udp', 'server')
  const cases: [lookUp: LookUp, message: string][] = [
    [() => Promise.reject(Object.assign(new Error('x'), { code: 'ENOTFOUND' })), 'no such name'],
    [() => Promise.reject(Object.assign(new Error('x'), { code: 'EAI_AGAIN' })), 'EAI_AGAIN'],
    [() => Promise.reject(new Error('broken')), 'broken'],
  ]
  for (const [lookUp, message] of cases) {
    const expected = new LoadInputError(`server no.example: no address: ${message}`)
    await assert.rejects(resolveTarget(named, OPTIONS, lookUp), expected)
  }
  await assert.rejects(
    resolveTarget(named, OPTIONS, async () => []),
    new LoadInputError('server no.example: no address'),
  )
})

test('what is nobody’s address is no server, whoever vouches for it', async () => {
  for (const address of ['0.0.0.0', '0.1.2.3', '224.0.0.251', '239.1.2.3', '255.255.255.255', '::', 'ff02::fb']) {
    const named = parseTarget(address.includes(':') ? `[${address}]` : address, 'udp', 'server')
    await assert.rejects(resolveTarget(named, OPTIONS, nowhere), /is not the address of a host$/, address)
    const other = parseTarget('dns.example', 'udp', 'server')
    await assert.rejects(
      resolveTarget(other, OPTIONS, async () => ['10.0.0.1', address]),
      LoadInputError,
      address,
    )
  }
})

function resolved(...addresses: string[]): ResolvedTarget {
  const [address] = addresses
  const target = { ...OPTIONS, label: 'x', address, port: 53, path: '' } as const
  return { target, addresses }
}

const NEAR = [
  ...['127.0.0.1', '127.255.255.255', '::1', '::ffff:127.0.0.1'], // loopback
  ...['10.0.0.0', '10.255.255.255', '172.16.0.0', '172.31.255.255', '192.168.0.0', '192.168.255.255'], // RFC 1918
  ...['::ffff:10.1.2.3', '::ffff:a00:1'],
  ...['100.64.0.0', '100.127.255.255'], // RFC 6598
  ...['169.254.0.0', '169.254.20.10', 'fe80::1', 'fe80::1%eth0', 'febf::1'], // link-local
  ...['fc00::', 'fd00:10:96::a', 'FDFF::1'], // RFC 4193
]
const FAR = [
  ...['8.8.8.8', '9.255.255.255', '11.0.0.0', '126.255.255.255', '128.0.0.0', '172.15.255.255', '172.32.0.0'],
  ...['192.167.255.255', '192.169.0.0', '100.63.255.255', '100.128.0.0', '169.253.255.255', '169.255.0.0'],
  ...['192.0.2.1', '198.51.100.1', '2001:db8::1', '2001:4860:4860::8888', '::2', '::ffff:8.8.8.8', '::7f00:1'],
  ...['fbff::1', 'fe00::1', 'fec0::1', '64:ff9b::a00:1', '2002:a00:1::1'], // an IPv4 address inside makes nothing private
]

test('near addresses pass, others do not', () => {
  for (const address of NEAR) assert.deepEqual(foreignAddresses(resolved(address)), [], address)
  for (const address of FAR) assert.deepEqual(foreignAddresses(resolved(address)), [address])
  for (const address of NEAR) guardTarget(resolved(address))
})

test('one address of a name that is out of bounds is enough, wherever it stands', () => {
  for (const addresses of [
    ['10.0.0.1', '8.8.8.8'],
    ['8.8.8.8', '10.0.0.1'],
    ['10.0.0.1', '::1', '2001:db8::1'],
  ]) {
    const message = `server x (${addresses.find((each) => FAR.includes(each))}) is neither loopback nor private nor of the cluster; if it is yours, say --i-own-this-server`
    assert.throws(() => guardTarget(resolved(...addresses)), new LoadInputError(message))
  }
})

test('an address is named once', () => {
  const { target, addresses } = resolved('8.8.8.8')
  const named = { target: { ...target, label: 'tcp://8.8.8.8:54' }, addresses }
  assert.throws(() => guardTarget(named), /^Error: server tcp:\/\/8\.8\.8\.8:54 is neither/)
})

test('addresses of the cluster pass', () => {
  const isOfCluster = (address: string): boolean => ['20.0.0.10', '2001:db8::a'].includes(address)
  guardTarget(resolved('20.0.0.10', '2001:db8::a', '10.0.0.1'), isOfCluster)
  assert.throws(() => guardTarget(resolved('20.0.0.10', '20.0.0.11'), isOfCluster), LoadInputError)
})
