// Who we are and whom we trust changes while the cluster is being followed: nothing is missing meanwhile, what changes is followed
// again without a restart, and the log says what is to be done where somebody has to do it.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { DEFAULT_TOKEN } from '../apiserver/access.ts'
import type { KubeconfigContext, KubeconfigFolder } from '../apiserver/kubeconfig.ts'
import { fixture } from '../apiserver/server.ts'
import { type Follower, follow } from './aids.ts'

const NEW_TOKEN = 'the-next-token'
const USER = 'system:serviceaccount:kube-system:peregrine'
const OTHER = { cert: fixture('other-server.pem'), key: fixture('other-server-key.pem') }

interface Case {
  readonly name: string
  readonly context?: Omit<KubeconfigContext, 'name' | 'server'>
  /** What becomes of server and files, with whatever the connection has to suffer from it. */
  readonly change: (follower: Follower) => void
  /** What is in the log before `repair`; nothing to repair: what is in the log at last. */
  readonly said?: RegExp
  readonly repair?: (follower: Follower) => void
}

/** The context of all cases, with other credentials or another authority. */
function context(folder: KubeconfigFolder, server: string, more: Omit<KubeconfigContext, 'name' | 'server'>): string {
  return folder.write({ name: 'stand-in', server, ...more })
}

/** The server knows another token from now on; watches that are open are not ended by that, the next request is refused. */
function rotate({ server }: Follower): void {
  server.access.tokens.delete(DEFAULT_TOKEN)
  server.access.tokens.set(NEW_TOKEN, USER)
}

const cases: Case[] = [
  {
    name: 'a token file is replaced, the old token is refused',
    context: { credentials: { type: 'token-file' } },
    change(follower) {
      follower.folder.file('stand-in.token', NEW_TOKEN)
      rotate(follower)
      follower.server.cut()
    },
  },
  {
    name: 'a token is refused before its file is replaced',
    context: { credentials: { type: 'token-file' } },
    change(follower) {
      rotate(follower)
      follower.server.cut()
    },
    said: /services: cannot watch services: the API server does not accept the credentials \(token file \S+stand-in\.token of user/,
    repair: ({ folder }) => void folder.file('stand-in.token', NEW_TOKEN),
  },
  {
    name: 'a token is refused, watches end cleanly',
    context: { credentials: { type: 'token-file' } },
    change(follower) {
      follower.folder.file('stand-in.token', `${NEW_TOKEN}\n`)
      rotate(follower)
      follower.server.endWatches()
    },
  },
  {
    name: 'a token in the kubeconfig is replaced',
    change(follower) {
      rotate(follower)
      context(follower.folder, follower.server.url, { credentials: { type: 'token', token: NEW_TOKEN } })
      follower.server.cut()
    },
  },
  {
    name: 'a plugin that has another token now',
    context: { credentials: { type: 'exec' } },
    change(follower) {
      rotate(follower)
      const path = join(follower.folder.path, 'stand-in-exec.json')
      const status = { token: NEW_TOKEN }
      const apiVersion = 'client.authentication.k8s.io/v1'
      writeFileSync(path, JSON.stringify({ apiVersion, kind: 'ExecCredential', status }))
      follower.server.cut()
    },
  },
  {
    name: 'the server has a certificate of another authority, the kubeconfig knows it',
    change({ server, folder }) {
      context(folder, server.url, { authority: 'other' })
      server.setCertificate(OTHER)
      server.cut()
    },
  },
  {
    name: 'the server has a certificate of another authority before anybody knows it',
    context: { authority: 'file' },
    change({ server }) {
      server.setCertificate(OTHER)
      server.cut()
    },
    said: /services: https:\S+ the server's certificate is signed by an authority that is unknown: .*CA: .*stand-in-ca\.pem/,
    repair: ({ folder }) => void folder.file('stand-in-ca.pem', fixture('other-ca.pem')),
  },
  {
    name: 'the kubeconfig leads to another user, with a client certificate',
    change({ server, folder }) {
      context(folder, server.url, { credentials: { type: 'certificate', inline: true } })
      server.access.tokens.clear()
      server.cut()
    },
  },
  {
    name: 'the kubeconfig is damaged for a while',
    change({ server, folder }) {
      folder.file('config', 'clusters: [')
      server.access.tokens.delete(DEFAULT_TOKEN)
      server.cut()
    },
    said: /services: .*kubeconfig \S+config: /,
    repair(follower) {
      rotate(follower)
      context(follower.folder, follower.server.url, { credentials: { type: 'token', token: NEW_TOKEN } })
    },
  },
]

describe('followed by each on its own', { concurrency: true }, () => {
  for (const { name, context: more = {}, change, said, repair } of cases) {
    test(name, async (t) => {
      const follower = await follow(t, {
        cluster: { services: 20, endpointsPerService: 2 },
        kubeconfig: (folder, url) => context(folder, url, more),
      })
      const { cluster, server } = follower
      await follower.following()
      follower.guardServices(Array.from({ length: 10 }, (_, i) => 2 * i))
      change(follower)
      if (repair !== undefined) {
        await follower.until(`it says ${said}`, () => follower.logged(said!).length > 0)
        cluster.changeEndpoint(1)
        assert.ok(follower.feed.status.synced, 'what is known stays')
        repair(follower)
      }
      cluster.removeService(3)
      cluster.addService(20)
      await follower.converged()
      await follower.following()
      const users = server.seen.filter(({ verb }) => verb === 'watch').map(({ user }) => user)
      assert.notEqual(users.at(-1), '', 'the last requests were allowed')
      const failing = (): string[] => Object.values(follower.feed.status.resources).map((status) => status.failing)
      await follower.until('all is well', () => failing().join('') === '')
      if (repair !== undefined) assert.ok(follower.logged(/: followed again after/).length > 0)
    })
  }

  test('the service account of a Pod: token and authority change with its link', async (t) => {
    const env = ['KUBERNETES_SERVICE_HOST', 'KUBERNETES_SERVICE_PORT', 'PEREGRINE_SERVICE_ACCOUNT']
    const before = env.map((name) => process.env[name])
    t.after(() => {
      for (const [i, name] of env.entries()) {
        if (before[i] === undefined) delete process.env[name]
        else process.env[name] = before[i]
      }
    })
    const follower = await follow(t, {
      cluster: { services: 20, endpointsPerService: 2 },
      kubeconfig(folder, url) {
        process.env.PEREGRINE_SERVICE_ACCOUNT = folder.writeServiceAccount()
        process.env.KUBERNETES_SERVICE_HOST = '127.0.0.1'
        process.env.KUBERNETES_SERVICE_PORT = new URL(url).port
        return ''
      },
    })
    const { server, folder, cluster } = follower
    await follower.following()
    follower.guardServices(Array.from({ length: 10 }, (_, i) => 2 * i))
    rotate(follower)
    server.setCertificate(OTHER)
    folder.writeServiceAccount({ token: NEW_TOKEN, authority: fixture('other-ca.pem') })
    server.cut()
    cluster.changeEndpoint(1)
    await follower.converged()
    await follower.following()
  })

  for (const [resource, group] of [
    ['endpointslices', 'discovery.k8s.io'],
    ['services', '""'],
    ['namespaces', '""'],
  ] as const) {
    test(`the right to watch ${resource} is withdrawn, and given back`, async (t) => {
      const follower = await follow(t, { cluster: { services: 20, endpointsPerService: 2 } })
      const { server, cluster, apply, store } = follower
      await follower.following()
      follower.guardServices(Array.from({ length: 10 }, (_, i) => 2 * i))
      server.access.deny('watch', resource)
      server.access.deny('list', resource)
      server.endWatches()
      const rule = `{apiGroups: [${group}], resources: [${resource}], verbs: [list, watch]}`
      const isSaid = (line: string): boolean =>
        line.startsWith(`${resource}: cannot watch ${resource}`) && line.includes(rule) && line.includes(USER)
      await follower.until('the log says how to grant it', () => follower.log.some(isSaid))
      await follower.until('the others are watched', () => server.watchCount === 2)
      assert.match(follower.feed.status.resources[resource]!.failing, /grant it/)

      // The others go on being followed, and this one stays as it was.
      apply('namespaces', { metadata: { name: 'new' } })
      cluster.removeService(3)
      cluster.changeEndpoint(1)
      const isFollowed = (): boolean =>
        resource === 'services'
          ? follower.ask('new.svc.cluster.local') === 'NOERROR'
          : follower.ask(`${cluster.nameOf(3)}.${cluster.namespaceOf(3)}.svc.cluster.local`) === 'NXDOMAIN'
      await follower.until('the others are followed', isFollowed)
      const others = Object.entries(follower.feed.status.resources).filter(([name]) => name !== resource)
      for (const [name, { failing }] of others) assert.equal(failing, '', name)
      assert.ok(follower.log.filter((line) => line.startsWith(`${resource}: cannot`)).length <= 2, 'it is not repeated')
      store.compact()

      server.access.allowAll()
      await follower.converged()
      await follower.following()
      await follower.until('all is well', () => follower.feed.status.resources[resource]!.failing === '')
    })
  }
})
