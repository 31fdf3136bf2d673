// Who asks, and where: service accounts, kubeconfigs, certificates, plugins and proxies, against small servers that look at
// what arrives. The words of errors too: they are all that an operator sees.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { basename, join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { ApiClient, ApiError, ConnectionError } from '../../../src/kube/watch/api-client.ts'
import { Connection, ConnectionConfigError } from '../../../src/kube/watch/connection.ts'
import {
  base64,
  clientBy,
  connectProxy,
  failureOf,
  firstChunk,
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
  socksProxy,
  textOf,
  WATCH,
} from './small-server.ts'

const LIMIT = { timeout: 30_000 }

/** Answers with what it saw: `header|common name of the client's certificate`. */
function mirror(t: TestContext, protocol: Protocol = 'h2', options = {}): Promise<SmallServer> {
  return serve(
    t,
    protocol,
    (request, response) => {
      const socket = request.socket as TLSSocket
      const name = protocol === 'http' ? '' : (socket.getPeerCertificate().subject?.CN ?? '')
      response.end(`${request.headers.authorization ?? ''}|${name}`)
    },
    options,
  )
}

async function answer(client: ApiClient): Promise<string> {
  return textOf((await client.request('/', LIST)).body)
}

/** Environment variables, for the time of the test. */
function setEnv(t: TestContext, env: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(env)) {
    const before = process.env[name]
    process.env[name] = value
    t.after(() => {
      if (before === undefined) delete process.env[name]
      else process.env[name] = before
    })
  }
}

async function openError(text: string, context: string, path: string): Promise<string> {
  const file = text === '' ? path : put(path, text)
  const error = await failureOf(Connection.open({ kubeconfig: file, context }))
  assert.ok(error instanceof ConnectionConfigError, String(error))
  assert.equal(error.code, 'BAD_CONNECTION')
  return error.message.replaceAll(file, 'FILE')
}

// The first test of all: modules are loaded once.
test('of what KubeConfig imports only what is needed is loaded', LIMIT, async (t) => {
  const loaded: string[] = []
  const hooks = registerHooks({
    load: (url, context, next) => {
      if (url.includes('/node_modules/')) loaded.push(url)
      return next(url, context)
    },
  })
  t.after(() => hooks.deregister())
  const { client } = await clientBy(t, kubeconfig((await mirror(t)).url))
  assert.equal(await answer(client), 'Bearer secret|')
  const unneeded = loaded.filter((url) => /\/gen\/(?!rxjsStub)|\/undici\/|\/socks/.test(url))
  assert.deepEqual(unneeded, [])
  assert.ok(loaded.length > 10 && loaded.length < 50, `${loaded.length} files`)
})

describe('credentials', LIMIT, () => {
  test('of each kind arrive', async (t) => {
    const server = await mirror(t)
    const [cert, key] = [base64('client.pem'), base64('client-key.pem')]
    const users: [user: object, seen: string][] = [
      [{ token: 'abc' }, 'Bearer abc|'],
      [{ 'client-certificate-data': cert, 'client-key-data': key }, '|peregrine'],
      [{ 'client-certificate': fixturePath('client.pem'), 'client-key': fixturePath('client-key.pem') }, '|peregrine'],
      [{ username: 'me', password: 'pass:word' }, `Basic ${Buffer.from('me:pass:word').toString('base64')}|`],
      [{}, '|'],
    ]
    for (const [user, seen] of users) {
      const { client } = await clientBy(t, kubeconfig(server.url, user))
      assert.equal(await answer(client), seen)
    }
  })

  test('of a context without a user: none, and the authority counts all the same', async (t) => {
    const [server, other] = [await mirror(t), await mirror(t, 'h2', { certificate: 'other-server' })]
    const without = (url: string): string => kubeconfig(url).replace(',"user":"u"}', '}')
    assert.equal(await answer((await clientBy(t, without(server.url))).client), '|')
    assert.match(
      (await failureOf(answer((await clientBy(t, without(other.url))).client))).message,
      /authority that is unknown/,
    )
  })

  test('of the context that is asked for', async (t) => {
    const server = await mirror(t)
    const config = JSON.parse(kubeconfig(server.url))
    config.users.push({ name: 'v', user: { token: 'other' } })
    config.contexts.push({ name: 'there', context: { cluster: 'c', user: 'v' } })
    const file = put(join(folder(t), 'config'), JSON.stringify(config))
    const client = new ApiClient(await Connection.open({ kubeconfig: file, context: 'there' }), NO_LIMITS, () => {})
    t.after(() => client.close())
    assert.equal(await answer(client), 'Bearer other|')
  })

  test('in a file that rotates: relative to the kubeconfig, before `token`, read anew after a 401', async (t) => {
    let accepted = 'Bearer one'
    const server = await serve(t, 'h2', ({ headers }, response) => {
      response.statusCode = headers.authorization === accepted ? 200 : 401
      response.end(`${headers.authorization}`)
    })
    const home = folder(t)
    const file = put(join(home, 'config'), kubeconfig(server.url, { tokenFile: 'token', token: 'not this' }))
    put(join(home, 'token'), 'one\n')
    const client = new ApiClient(await Connection.open({ kubeconfig: file, context: '' }), NO_LIMITS, () => {})
    t.after(() => client.close())
    assert.equal(await answer(client), 'Bearer one')
    put(join(home, 'token'), 'two\n')
    accepted = 'Bearer two'
    assert.equal(await answer(client), 'Bearer two')
    accepted = ''
    assert.match((await failureOf(answer(client))).message, new RegExp(`token file ${join(home, 'token')} of user 'u'`))
  })

  test('that no header may hold are not sent', async (t) => {
    const server = await mirror(t)
    const { client } = await clientBy(t, kubeconfig(server.url, { token: 'a\nb' }))
    const error = await failureOf(answer(client))
    assert.ok(error instanceof ConnectionError)
    assert.match(error.message, /Invalid character in header content/)
  })

  test('that are a certificate: a new one begins a new session, and what runs goes on', async (t) => {
    let isAccepted = true
    const server = await serve(t, 'h2', ({ url, socket }, response) => {
      if (url === '/watch') {
        response.write('first')
        return void setTimeout(() => response.end('last'), 300)
      }
      const { subject } = (socket as TLSSocket).getPeerCertificate()
      response.statusCode = isAccepted || subject === undefined ? 200 : 401
      response.end(`${subject?.CN ?? 'nobody'}`)
    })
    const certificate = { 'client-certificate-data': base64('client.pem'), 'client-key-data': base64('client-key.pem') }
    const { client, file } = await clientBy(t, kubeconfig(server.url, certificate))
    const { rest } = await firstChunk(await client.request('/watch', WATCH))
    assert.equal(await answer(client), 'peregrine')
    isAccepted = false
    put(file, kubeconfig(server.url, {}))
    assert.equal(await answer(client), 'nobody')
    assert.equal(server.connections(), 2)
    assert.equal(String((await rest.next()).value), 'last')
  })
})

describe('the service account', LIMIT, () => {
  const inPod = (t: TestContext, { port }: SmallServer, path: string): void =>
    setEnv(t, {
      KUBERNETES_SERVICE_HOST: '127.0.0.1',
      KUBERNETES_SERVICE_PORT: String(port),
      PEREGRINE_SERVICE_ACCOUNT: path,
    })

  test('is read, and its token again after a 401', async (t) => {
    let accepted = 'Bearer one'
    const server = await serve(t, 'h2', ({ headers }, response) => {
      response.statusCode = headers.authorization === accepted ? 200 : 401
      response.end(`${headers.authorization}`)
    })
    const path = folder(t)
    inPod(t, server, path)
    put(join(path, 'token'), 'one\n')
    put(join(path, 'ca.crt'), fixture('ca.pem').toString())
    const client = new ApiClient(await Connection.open({ kubeconfig: '', context: '' }), NO_LIMITS, () => {})
    t.after(() => client.close())
    assert.equal(await answer(client), 'Bearer one')
    put(join(path, 'token'), 'two')
    accepted = 'Bearer two'
    assert.equal(await answer(client), 'Bearer two')
    accepted = ''
    const refused = await failureOf(answer(client))
    assert.ok(refused instanceof ApiError)
    assert.match(refused.message, new RegExp(`\\(service account token ${join(path, 'token')}\\)`))
  })

  test('that is not complete is an error that names the file', async (t) => {
    const server = await mirror(t)
    const path = folder(t)
    inPod(t, server, path)
    put(join(path, 'token'), 'one\n')
    const error = await failureOf(Connection.open({ kubeconfig: '', context: '' }))
    assert.ok(error instanceof ConnectionConfigError)
    assert.match(error.message, /ca\.crt/)
  })

  test('needs an address', async (t) => {
    setEnv(t, { KUBERNETES_SERVICE_HOST: '', KUBERNETES_SERVICE_PORT: '443' })
    assert.match((await failureOf(Connection.open({ kubeconfig: '', context: '' }))).message, /this is no Pod/)
  })
})

describe('certificates of the server', LIMIT, () => {
  test('that nobody vouches for: said, tried again, and found when the authority is replaced', async (t) => {
    const server = await mirror(t, 'h2', { certificate: 'other-server' })
    const path = folder(t)
    const ca = put(join(path, 'ca.crt'), fixture('ca.pem').toString())
    const { client } = await clientBy(t, kubeconfig(server.url, { token: 'a' }, { 'certificate-authority': ca }))
    for (let n = 0; n < 3; n++) {
      const error = await failureOf(answer(client))
      assert.ok(error instanceof ConnectionError)
      assert.match(error.message, /certificate is signed by an authority that is unknown: .* \(CA: .*ca\.crt\)/)
    }
    put(ca, fixture('other-ca.pem').toString())
    assert.equal(await answer(client), 'Bearer a|')
  })

  test('of the server replaced together with its authority', async (t) => {
    const first = await mirror(t)
    const path = folder(t)
    const ca = put(join(path, 'ca.crt'), fixture('ca.pem').toString())
    const { client } = await clientBy(t, kubeconfig(first.url, { token: 'a' }, { 'certificate-authority': ca }))
    assert.equal(await answer(client), 'Bearer a|')
    await first.stop()
    await mirror(t, 'h2', { certificate: 'other-server', port: first.port })
    assert.ok((await failureOf(answer(client))) instanceof ConnectionError)
    put(ca, fixture('other-ca.pem').toString())
    for (let n = 0; n < 3; n++) {
      const text = await answer(client).catch((error) =>
        error instanceof ConnectionError ? '' : Promise.reject(error),
      )
      if (text !== '') return assert.equal(text, 'Bearer a|')
    }
    assert.fail('the new authority was not read')
  })

  test('for another name, for the name that is given, and unseen', async (t) => {
    const server = await mirror(t)
    const by = async (cluster: object): Promise<ApiClient> =>
      (await clientBy(t, kubeconfig(server.url, { token: 'a' }, cluster))).client
    const inline = { 'certificate-authority': undefined, 'certificate-authority-data': base64('ca.pem') }
    assert.equal(await answer(await by(inline)), 'Bearer a|')
    assert.equal(await answer(await by({ 'tls-server-name': 'kubernetes.default.svc' })), 'Bearer a|')
    const wrong = await failureOf(answer(await by({ 'tls-server-name': 'other.example' })))
    assert.match(wrong.message, /certificate is for other names: .*other\.example/)
    const other = { 'certificate-authority-data': base64('other-ca.pem'), 'certificate-authority': undefined }
    assert.match((await failureOf(answer(await by(other)))).message, /unknown: .* \(CA: inline, for cluster 'c'\)/)
    const none = { 'certificate-authority': undefined }
    assert.match((await failureOf(answer(await by(none)))).message, /unknown: .* \(CA: those of the system\)/)
    assert.equal(await answer(await by({ ...none, 'insecure-skip-tls-verify': true })), 'Bearer a|')
  })

  test('a server that speaks something else', async (t) => {
    const plain = await mirror(t, 'http')
    const { client } = await clientBy(t, kubeconfig(plain.url.replace('http:', 'https:')))
    assert.match((await failureOf(answer(client))).message, /does not speak TLS/)
  })
})

describe('exec plugins', LIMIT, () => {
  /** A plugin in shell; it counts its runs in a file beside it. */
  function plugin(t: TestContext, body: string): { path: string; runs(): number } {
    const home = folder(t)
    const path = put(join(home, 'plugin'), `#!/bin/sh\necho run >> '${home}/runs'\n${body}\n`, 0o700)
    const runs = (): number => readFileSync(join(home, 'runs'), 'utf8').split('\n').length - 1
    return { path, runs }
  }
  const credential = (status: object): string =>
    `cat <<'E'\n${JSON.stringify({ kind: 'ExecCredential', apiVersion: 'client.authentication.k8s.io/v1', status })}\nE`
  const user = (command: string, more: object = {}): object => ({
    exec: { apiVersion: 'client.authentication.k8s.io/v1', command, ...more },
  })

  test('are run once, with their arguments and environment, until what they say expires', async (t) => {
    const server = await mirror(t)
    const { path, runs } = plugin(t, `printf '{"status":{"token":"%s-%s-%s"}}' "$1" "$2" "$COLOUR"`)
    const { client } = await clientBy(
      t,
      kubeconfig(server.url, user(path, { args: ['a', 'b'], env: [{ name: 'COLOUR', value: 'red' }] })),
    )
    const both = await Promise.all([answer(client), answer(client), answer(client)])
    assert.deepEqual(both, Array(3).fill('Bearer a-b-red|'))
    assert.equal(runs(), 1)
    const old = plugin(t, credential({ token: 'x', expirationTimestamp: '2020-01-01T00:00:00Z' }))
    const { client: other } = await clientBy(t, kubeconfig(server.url, user(old.path)))
    await answer(other)
    const before = old.runs()
    await answer(other)
    assert.ok(old.runs() > before)
  })

  test('are run again after a 401', async (t) => {
    let accepted = 'Bearer 1'
    const server = await serve(t, 'h2', ({ url, headers }, response) => {
      response.statusCode = headers.authorization === accepted ? 200 : 401
      setTimeout(() => response.end(`${headers.authorization}`), url === '/late' ? 200 : 0)
    })
    const { path, runs } = plugin(t, `printf '{"status":{"token":"%d"}}' $(wc -l < "$(dirname "$0")/runs")`)
    const { client } = await clientBy(t, kubeconfig(server.url, user(path)))
    assert.equal(await answer(client), 'Bearer 1')
    accepted = 'Bearer 2'
    // Refused with the same credentials, one long after the other: one run is enough for both.
    const late = client.request('/late', LIST)
    assert.equal(await answer(client), 'Bearer 2')
    assert.equal(await textOf((await late).body), 'Bearer 2')
    assert.equal(runs(), 2)
  })

  test('may say a certificate, stand beside the kubeconfig, and are told what is asked', async (t) => {
    const server = await mirror(t)
    const status = {
      clientCertificateData: fixture('client.pem').toString(),
      clientKeyData: fixture('client-key.pem').toString(),
    }
    const certificate = plugin(t, credential(status))
    assert.equal(await answer((await clientBy(t, kubeconfig(server.url, user(certificate.path)))).client), '|peregrine')

    const told = plugin(t, `printf '{"status":{"token":"%s"}}' "$(printf %s "$KUBERNETES_EXEC_INFO" | base64 -w0)"`)
    const relative = user(`./${basename(told.path)}`, { provideClusterInfo: true })
    const file = put(join(told.path, '../config'), kubeconfig(server.url, relative))
    const client = new ApiClient(await Connection.open({ kubeconfig: file, context: '' }), NO_LIMITS, () => {})
    t.after(() => client.close())
    const info = JSON.parse(Buffer.from((await answer(client)).slice(7, -1), 'base64').toString())
    assert.deepEqual(info, {
      kind: 'ExecCredential',
      apiVersion: 'client.authentication.k8s.io/v1',
      spec: {
        interactive: false,
        cluster: { server: server.url, 'certificate-authority-data': base64('ca.pem') },
      },
    })
  })

  test('that fail are quoted, and not run again and again', async (t) => {
    const server = await mirror(t)
    const cases: [body: string, said: RegExp][] = [
      ['echo "log in first" >&2; exit 1', /failed: log in first$/],
      ['exit 3', /failed: it said nothing$/],
      ['echo "no JSON"', /failed: .*JSON/],
      ['echo "{}"', /failed: /],
    ]
    for (const [body, said] of cases) {
      const { path, runs } = plugin(t, body)
      const { client } = await clientBy(t, kubeconfig(server.url, user(path)))
      for (let n = 0; n < 4; n++) {
        const error = await failureOf(answer(client))
        assert.ok(error instanceof ConnectionError)
        assert.match(error.message, said)
        assert.match(error.message, /^exec plugin \/.*plugin of user 'u' in .*config failed/)
      }
      assert.equal(runs(), 1)
    }
    const { client } = await clientBy(t, kubeconfig(server.url, user('/no/such/plugin')))
    assert.match((await failureOf(answer(client))).message, /exec plugin \/no\/such\/plugin .* failed: .*ENOENT/)
  })

  test('are not run again because the server is away', async (t) => {
    const server = await mirror(t)
    await server.stop()
    const { path, runs } = plugin(t, credential({ token: 'x' }))
    const { client } = await clientBy(t, kubeconfig(server.url, user(path)))
    for (let n = 0; n < 4; n++) assert.match((await failureOf(answer(client))).message, /ECONNREFUSED/)
    assert.equal(runs(), 1)
  })
})

describe('proxies', LIMIT, () => {
  const proxies = { connect: connectProxy, socks: socksProxy }
  for (const [name, start] of Object.entries(proxies)) {
    for (const protocol of ['http/1.1', 'http'] as const) {
      test(`${name} to ${protocol}: on one connection, until the proxy is gone`, async (t) => {
        const server = await mirror(t, protocol)
        const asked: string[] = []
        const proxy = await start(t, asked)
        const { client } = await clientBy(t, kubeconfig(server.url, { token: 'a' }, { 'proxy-url': proxy.url }))
        for (let n = 0; n < 3; n++) assert.equal(await answer(client), 'Bearer a|')
        assert.deepEqual(asked, [`127.0.0.1:${server.port}`])
        await proxy.stop()
        for (let n = 0; n < 2; n++) assert.ok((await failureOf(answer(client))) instanceof ConnectionError)
      })
    }

    test(`${name}: a body that is cut, and a certificate that nobody vouches for`, async (t) => {
      const proxy = await start(t, [])
      const server = await serve(t, 'http/1.1', ({ socket }, response) => {
        response.write('half')
        setTimeout(() => socket.destroy(), 20)
      })
      const { client } = await clientBy(t, kubeconfig(server.url, { token: 'a' }, { 'proxy-url': proxy.url }))
      const { rest } = await firstChunk(await client.request('/', LIST))
      assert.ok((await failureOf(rest.next())) instanceof ConnectionError)
      const other = await mirror(t, 'http/1.1', { certificate: 'other-server' })
      const ca = put(join(folder(t), 'ca.crt'), fixture('ca.pem').toString())
      const cluster = { 'proxy-url': proxy.url, 'certificate-authority': ca }
      const { client: wary } = await clientBy(t, kubeconfig(other.url, { token: 'a' }, cluster))
      assert.match((await failureOf(answer(wary))).message, /authority that is unknown/)
      put(ca, fixture('other-ca.pem').toString())
      assert.equal(await answer(wary), 'Bearer a|')
    })
  }

  test('that refuse, or are not there', async (t) => {
    const refusing = await serve(t, 'http', (_, response) => void response.end())
    const { client } = await clientBy(t, kubeconfig('https://127.0.0.1:1', {}, { 'proxy-url': refusing.url }))
    assert.ok((await failureOf(answer(client))) instanceof ConnectionError)
    await refusing.stop()
    assert.match((await failureOf(answer(client))).message, /ECONNREFUSED/)
  })
})

test('a kubeconfig that is no good says where', LIMIT, async (t) => {
  const path = join(folder(t), 'config')
  const good = kubeconfig('https://127.0.0.1:1')
  const cases: [text: string, context: string, message: RegExp][] = [
    ['', '', /^kubeconfig FILE cannot be read: ENOENT/],
    ['a: b\n c: [', '', /^kubeconfig FILE: bad indentation of a mapping entry \(2:3\)$/],
    ['null', '', /^kubeconfig FILE: it holds no clusters, users and contexts$/],
    ['text', '', /^kubeconfig FILE: no current-context, and none was chosen: it has none$/],
    ['{}', '', /^kubeconfig FILE: no current-context/],
    [good, 'there', /^kubeconfig FILE has no context 'there': it has here$/],
    [good.replace('"current-context":"here",', ''), '', /^kubeconfig FILE: no current-context, .*: it has here$/],
    [good.replace('"cluster":"c"', '"cluster":"d"'), '', /context 'here' is of cluster 'd', which it does not have$/],
    [good.replace('"user":"u"', '"user":"v"'), '', /context 'here' is of user 'v', whom it does not have$/],
    [good.replace('"server":', '"sever":'), '', /^kubeconfig FILE: clusters\[0\]\.cluster\.server is missing$/],
    [good.replace('https:', 'ftp:'), '', /server 'ftp:.*' of cluster 'c' is no http\(s\) URL$/],
    [good.replace('https://127.0.0.1:1', 'one'), '', /server 'one' of cluster 'c' is no http\(s\) URL$/],
    [
      good.replace(fixturePath('ca.pem'), '/no/ca.pem'),
      '',
      /FILE: certificate-authority of cluster 'c': ENOENT.*\/no\/ca\.pem/,
    ],
    [
      good.replace('"token":"secret"', '"client-certificate":"no.pem"'),
      '',
      /FILE: client-certificate of user 'u': ENOENT.*no\.pem/,
    ],
    [good.replace('"token":"secret"', '"tokenFile":"no-token"'), '', /ENOENT.*no-token/],
  ]
  for (const [text, context, message] of cases) assert.match(await openError(text, context, path), message, text)
})
