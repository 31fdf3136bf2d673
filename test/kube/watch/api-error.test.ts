// What a refusal and a broken connection say to people. The bodies are those of a real API server (shared data, apiserver/).

import assert from 'node:assert/strict'
import type { IncomingHttpHeaders } from 'node:http'
import { test } from 'node:test'
import { ApiError, type Asked } from '../../../src/kube/watch/api-error.ts'
import type { Access } from '../../../src/kube/watch/connection.ts'
import { ConnectionError, connectionError } from '../../../src/kube/watch/connection-error.ts'

const SERVICES: Asked = { verb: 'list', group: '', resource: 'services' }
const SLICES: Asked = { verb: 'watch', group: 'discovery.k8s.io', resource: 'endpointslices' }
const IMPORTS: Asked = { verb: 'list', group: 'multicluster.x-k8s.io', resource: 'serviceimports' }
const SOURCE = 'service account token /t'

interface Answer {
  readonly status: number
  readonly body: string | object
  readonly headers?: IncomingHttpHeaders
}

function refused(asked: Asked, path: string, { status, body, headers = {} }: Answer): ApiError {
  const text = typeof body === 'string' ? body : JSON.stringify({ kind: 'Status', apiVersion: 'v1', ...body })
  return new ApiError({ status, headers, body: text, asked, path, source: SOURCE })
}

function forbidden(user: string, group: string, resource: string, verb: string): Answer {
  const name = group === '' ? resource : `${resource}.${group}`
  const message = `${name} is forbidden: User "${user}" cannot ${verb} resource "${resource}" in API group "${group}" at the cluster scope`
  return { status: 403, body: { message, reason: 'Forbidden', code: 403 } }
}

const SLICES_PATH = '/apis/discovery.k8s.io/v1/endpointslices'
const IMPORTS_PATH = '/apis/multicluster.x-k8s.io/v1alpha1/serviceimports'

const sentences: [asked: Asked, path: string, answer: Answer, sentence: string][] = [
  [
    SLICES,
    SLICES_PATH,
    forbidden('system:serviceaccount:kube-system:coredns', 'discovery.k8s.io', 'endpointslices', 'watch'),
    'cannot watch endpointslices.discovery.k8s.io: grant it with a ClusterRole rule {apiGroups: [discovery.k8s.io], ' +
      'resources: [endpointslices], verbs: [list, watch]} bound to serviceaccount system:serviceaccount:kube-system:coredns',
  ],
  [
    SERVICES,
    '/api/v1/services',
    forbidden('reader', '', 'services', 'list'),
    'cannot list services: grant it with a ClusterRole rule {apiGroups: [""], resources: [services], verbs: [list, watch]} bound to user reader',
  ],
  [
    SERVICES,
    '/api/v1/services',
    forbidden('system:anonymous', '', 'services', 'list'),
    'cannot list services: the request came without credentials, and the cluster allows nothing without',
  ],
  [
    SERVICES,
    '/api/v1/services',
    { status: 403, body: '<h1>no\nentry</h1>' },
    'cannot list services: forbidden: <h1>no entry</h1>',
  ],
  [
    SERVICES,
    '/api/v1/services',
    { status: 401, body: { message: 'Unauthorized', reason: 'Unauthorized', code: 401 } },
    `cannot list services: the API server does not accept the credentials (${SOURCE}): Unauthorized`,
  ],
  [
    IMPORTS,
    IMPORTS_PATH,
    { status: 404, body: '404 page not found\n' },
    'cannot list serviceimports.multicluster.x-k8s.io: the API server does not serve multicluster.x-k8s.io/v1alpha1: ' +
      'the CustomResourceDefinition serviceimports.multicluster.x-k8s.io is not installed',
  ],
  [
    SLICES,
    `/prefix${SLICES_PATH}`,
    { status: 404, body: '404 page not found\n' },
    'cannot watch endpointslices.discovery.k8s.io: the API server does not serve discovery.k8s.io/v1: is it too old?',
  ],
  [
    SERVICES,
    '/k8s/api/v1/services',
    { status: 404, body: '' },
    'cannot list services: the server has no /k8s/api/v1/services: it is no API server, or another path belongs before it',
  ],
  [SERVICES, '/', { status: 500, body: '' }, 'cannot list services: the API server says 500'],
  [
    SERVICES,
    '/',
    { status: 502, body: '{"kind":"Status"' },
    'cannot list services: the API server says 502: {"kind":"Status"',
  ],
  [SERVICES, '/', { status: 500, body: 'null' }, 'cannot list services: the API server says 500: null'],
  [SERVICES, '/', { status: 500, body: { message: 7, reason: [] } }, 'cannot list services: the API server says 500'],
  [
    SERVICES,
    '/',
    { status: 500, body: { message: 'a\u001b[31m\r\nb' } },
    'cannot list services: the API server says 500: a [31m b',
  ],
  [
    SERVICES,
    '/',
    { status: 500, body: 'x'.repeat(5000) },
    `cannot list services: the API server says 500: ${'x'.repeat(300)}…`,
  ],
]

test('each refusal is one sentence that says what to do', () => {
  for (const [asked, path, answer, sentence] of sentences) {
    const error = refused(asked, path, answer)
    assert.equal(error.message, sentence)
    assert.deepEqual([error.code, error.status], ['API_REFUSED', answer.status])
  }
})

test('how long to wait, and whether to list anew', () => {
  const cases: [answer: Answer, retryAfterMs: number, expired: boolean][] = [
    [{ status: 429, body: 'Too many requests', headers: { 'retry-after': '1' } }, 1000, false],
    [
      { status: 504, body: { reason: 'Timeout', details: { retryAfterSeconds: 3 } }, headers: { 'retry-after': '1' } },
      3000,
      false,
    ],
    [{ status: 504, body: { reason: 'Timeout', details: { retryAfterSeconds: -3 } } }, 0, false],
    [{ status: 504, body: { reason: 'Timeout', details: 'x' } }, 0, false],
    [{ status: 503, body: '', headers: { 'retry-after': 'soon' } }, 0, false],
    [{ status: 503, body: '', headers: { 'retry-after': new Date(0).toUTCString() } }, 0, false],
    [{ status: 410, body: { reason: 'Expired', code: 410 } }, 0, true],
    [{ status: 410, body: 'Gone' }, 0, true],
    [{ status: 400, body: { reason: 'Gone' } }, 0, true],
    [{ status: 400, body: { reason: 'BadRequest' } }, 0, false],
  ]
  for (const [answer, retryAfterMs, expired] of cases) {
    const error = refused(SERVICES, '/', answer)
    assert.deepEqual([error.retryAfterMs, error.expired], [retryAfterMs, expired], JSON.stringify(answer))
  }
  const date = new Date(Date.now() + 60_000).toUTCString()
  const { retryAfterMs } = refused(SERVICES, '/', { status: 503, body: '', headers: { 'retry-after': date } })
  assert.ok(retryAfterMs > 50_000 && retryAfterMs <= 60_000)
})

test('a broken connection says why', () => {
  const access = { server: new URL('https://10.96.0.1/x'), caSource: '/ca.crt' } as Access
  const error = (code: string, message = 'words'): Error => Object.assign(new Error(message), { code })
  const cases: [cause: unknown, reason: string][] = [
    [error('ECONNREFUSED', 'connect ECONNREFUSED 10.96.0.1:443'), 'connect ECONNREFUSED 10.96.0.1:443'],
    [error('ECONNRESET', ''), 'ECONNRESET'],
    [error('CERT_HAS_EXPIRED'), "the server's certificate has expired: words (CA: /ca.crt)"],
    [
      error('CERT_NOT_YET_VALID'),
      "the server's certificate is not valid yet (is the clock right?): words (CA: /ca.crt)",
    ],
    [
      error('SELF_SIGNED_CERT_IN_CHAIN'),
      "the server's certificate is signed by an authority that is unknown: words (CA: /ca.crt)",
    ],
    [error('ERR_TLS_CERT_ALTNAME_INVALID'), "the server's certificate is for other names: words (CA: /ca.crt)"],
    [error('ERR_SSL_WRONG_VERSION_NUMBER'), 'the server does not speak TLS'],
    [error('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'), 'the server does not accept our TLS: words'],
    [
      new AggregateError([error('A', 'one'), error('CERT_HAS_EXPIRED')]),
      "one, the server's certificate has expired: words (CA: /ca.crt)",
    ],
    ['text', 'text'],
  ]
  for (const [cause, reason] of cases) {
    const { message, code } = connectionError(access, cause)
    assert.deepEqual([message, code], [`https://10.96.0.1: ${reason}`, 'API_UNREACHABLE'])
  }
  const same = new ConnectionError('same')
  assert.equal(connectionError(access, same), same)
})
