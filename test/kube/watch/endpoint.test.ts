// An API server named by its URL, with or without the three files of `tls`, as a Corefile names it.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { ApiClient, ConnectionError } from '../../../src/kube/watch/api-client.ts'
import { Connection, ConnectionConfigError } from '../../../src/kube/watch/connection.ts'
import type { ConnectionOptions } from '../../../src/kube/watch/messages.ts'
import {
  failureOf,
  fixture,
  fixturePath,
  folder,
  kubeconfig,
  LIST,
  NO_LIMITS,
  type Protocol,
  put,
  type SmallServer,
  serve,
  textOf,
} from './small-server.ts'

const LIMIT = { timeout: 30_000 }
const TLS = { cert: fixturePath('client.pem'), key: fixturePath('client-key.pem'), ca: fixturePath('ca.pem') }

/** Answers with what it saw: `header|common name of the client's certificate`. */
function mirror(t: TestContext, protocol: Protocol = 'h2'): Promise<SmallServer> {
  return serve(t, protocol, (request, response) => {
    const socket = request.socket as TLSSocket
    const name = protocol === 'http' ? '' : (socket.getPeerCertificate().subject?.CN ?? '')
    response.end(`${request.headers.authorization ?? ''}|${name}|${request.url}`)
  })
}

async function clientOf(t: TestContext, options: Partial<ConnectionOptions>): Promise<ApiClient> {
  const client = new ApiClient(await Connection.open({ kubeconfig: '', context: '', ...options }), NO_LIMITS, () => {})
  t.after(() => client.close())
  return client
}

async function answer(client: ApiClient): Promise<string> {
  return textOf((await client.request('/api', LIST)).body)
}

test('the certificate says who asks', LIMIT, async (t) => {
  for (const protocol of ['h2', 'http/1.1'] as const) {
    const server = await mirror(t, protocol)
    assert.equal(await answer(await clientOf(t, { endpoint: server.url, tls: TLS })), '|peregrine|/api')
  }
})

test('without a scheme: https with tls, else http; a path stands before the rest', LIMIT, async (t) => {
  const [secure, plain] = [await mirror(t), await mirror(t, 'http')]
  const at = (port: number): string => `127.0.0.1:${port}`
  assert.equal(await answer(await clientOf(t, { endpoint: at(secure.port), tls: TLS })), '|peregrine|/api')
  assert.equal(await answer(await clientOf(t, { endpoint: at(plain.port) })), '||/api')
  assert.equal(await answer(await clientOf(t, { endpoint: `${plain.url}/k8s/`, tls: null })), '||/k8s/api')
})

test('without tls the authorities of the system vouch for the server', LIMIT, async (t) => {
  const { url } = await mirror(t)
  const error = await failureOf(answer(await clientOf(t, { endpoint: url })))
  assert.ok(error instanceof ConnectionError)
  assert.match(error.message, /authority that is unknown: .* \(CA: those of the system\)/)
})

test('a kubeconfig wins over an endpoint', LIMIT, async (t) => {
  const { url } = await mirror(t)
  const file = put(join(folder(t), 'config'), kubeconfig(url))
  const options = { kubeconfig: file, endpoint: 'https://127.0.0.1:1', tls: TLS }
  assert.equal(await answer(await clientOf(t, options)), 'Bearer secret||/api')
})

test('files that are replaced are read again', LIMIT, async (t) => {
  const { url } = await mirror(t)
  const ca = put(join(folder(t), 'ca.crt'), fixture('other-ca.pem').toString())
  const client = await clientOf(t, { endpoint: url, tls: { ...TLS, ca } })
  assert.match((await failureOf(answer(client))).message, /authority that is unknown: .*ca\.crt\)/)
  put(ca, fixture('ca.pem').toString())
  assert.equal(await answer(client), '|peregrine|/api')
})

const REFUSED: [what: string, options: Partial<ConnectionOptions>, message: RegExp][] = [
  ['another scheme', { endpoint: 'ftp://there' }, /^endpoint 'ftp:\/\/there' is no http\(s\) URL$/],
  ['no host', { endpoint: 'https://' }, /^endpoint 'https:\/\/' is no http\(s\) URL$/],
  [
    'a file that is not there',
    { endpoint: 'https://there', tls: { ...TLS, key: '/does/not/exist' } },
    /^tls of endpoint https:\/\/there: .*\/does\/not\/exist/,
  ],
]
for (const [what, options, message] of REFUSED) {
  test(`is no good with ${what}`, LIMIT, async () => {
    const error = await failureOf(Connection.open({ kubeconfig: '', context: '', ...options }))
    assert.ok(error instanceof ConnectionConfigError, String(error))
    assert.match(error.message, message)
  })
}
