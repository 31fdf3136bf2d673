// Proxies of the environment, as golang.org/x/net/http/httpproxy has them (its test's cases, and its documentation's).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { environmentProxy } from '../../../src/kube/watch/environment-proxy.ts'

const PROXY = 'http://proxy:3128'
const API = 'https://api.example.com:6443'

const cases: [env: Record<string, string>, server: string, proxy: string | undefined][] = [
  [{}, API, undefined],
  [{ HTTPS_PROXY: PROXY }, API, PROXY],
  [{ https_proxy: PROXY }, API, PROXY],
  [{ HTTPS_PROXY: 'proxy:3128' }, API, PROXY],
  [{ HTTPS_PROXY: 'socks5://proxy:1080' }, API, 'socks5://proxy:1080'],
  [{ HTTP_PROXY: PROXY }, API, undefined],
  [{ HTTP_PROXY: PROXY }, 'http://api.example.com', PROXY],
  [{ HTTPS_PROXY: '' }, API, undefined],
]

const exempt: [noProxy: string, server: string, isExempt: boolean][] = [
  ['', 'https://localhost', true],
  ['', 'https://127.9.9.9:6443', true],
  ['', 'https://[::1]:6443', true],
  ['', 'https://10.96.0.1', false],
  ['*', 'https://10.96.0.1', true],
  ['10.0.0.0/8', 'https://10.96.0.1', true],
  ['10.0.0.0/8', 'https://11.96.0.1', false],
  ['10.0.0.0/33', 'https://10.96.0.1', false],
  ['10.0.0.0/x', 'https://10.96.0.1', false],
  ['fd00::/8', 'https://[fd00:10:96::1]', true],
  ['fd00::/8', 'https://10.96.0.1', false],
  ['10.96.0.1', 'https://10.96.0.1', true],
  ['10.96.0.1:6443', 'https://10.96.0.1:6443', true],
  ['10.96.0.1:6443', 'https://10.96.0.1', false],
  ['10.96.0.1:443', 'https://10.96.0.1', true],
  ['fd00::1', 'https://[fd00::1]', true],
  ['[fd00::1]:6443', 'https://[fd00::1]:6443', true],
  ['[fd00::1]:6443', 'https://[fd00::1]', false],
  ['example.com', API, true],
  ['EXAMPLE.com', API, true],
  ['.example.com', API, true],
  ['*.example.com', API, true],
  ['.example.com', 'https://example.com', false],
  ['example.com', 'https://example.com', true],
  ['ample.com', API, false],
  ['example.com:6443', API, true],
  ['example.com:443', API, false],
  ['first.example, second.example ,example.com', API, true],
]

test('which proxy', () => {
  for (const [env, server, proxy] of cases) {
    assert.equal(environmentProxy(new URL(server), env), proxy, JSON.stringify(env))
  }
})

test('and when none', () => {
  for (const name of ['NO_PROXY', 'no_proxy']) {
    for (const [noProxy, server, isExempt] of exempt) {
      const proxy = environmentProxy(new URL(server), { HTTPS_PROXY: PROXY, [name]: noProxy })
      assert.equal(proxy, isExempt ? undefined : PROXY, `${noProxy} ${server}`)
    }
  }
})
