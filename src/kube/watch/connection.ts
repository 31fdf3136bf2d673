// Where the API server is and who asks it: a context of a kubeconfig, a URL, or the service account of the Pod, through client-node's
// KubeConfig. The only file that names that package. Not here: the requests (api-client.ts).

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { type Agent, validateHeaderValue } from 'node:http'
import type { RequestOptions } from 'node:https'
import { registerHooks } from 'node:module'
import { dirname, join } from 'node:path'
import { getCACertificates, type SecureContextOptions } from 'node:tls'
import { isDeepStrictEqual } from 'node:util'
import type { KubeConfig } from '@kubernetes/client-node/dist/config.js'
import { parseYaml } from '../yaml-items.ts'
import {
  type ClusterSettings,
  clusterSettings,
  TOKEN_FILE,
  tokenFileProvider,
  type UserSettings,
  userSettings,
} from './client-settings.ts'
import { ConnectionError } from './connection-error.ts'
import type { ConnectionOptions } from './messages.ts'
import { serviceAccountFolder } from './service-account.ts'

/** A plugin that failed, or whose credentials the server never saw, is not run again sooner than this. */
const PLUGIN_PAUSE_MS = 5000
const PLUGIN_LIMIT_MS = 60_000
const PLUGIN_MESSAGE_MAX = 500

/**
 * Modules that client-node's KubeConfig imports and that no method called here needs, or only one that few need: they are loaded
 * when they are first used. At once, all together are 2,300 files, 50 MB and a quarter of a second.
 */
const LATER: Readonly<Record<string, readonly string[]>> = {
  './gen/index.js': ['createConfiguration', 'ServerConfiguration'],
  undici: ['Agent', 'ProxyAgent'],
  socks: ['SocksClient'],
  'socks-proxy-agent': ['SocksProxyAgent'],
}

/** What TLS is to be like: see node:tls. */
export type TlsSettings = Pick<SecureContextOptions, 'ca' | 'cert' | 'key'> & {
  readonly rejectUnauthorized?: boolean
  readonly servername?: string
}

/** All that a request needs to know; good for this moment. */
export interface Access {
  /** Scheme, host and port, and the path that stands before /api and /apis. */
  readonly server: URL
  /** Who asks: Authorization and the like. */
  readonly headers: Readonly<Record<string, string>>
  /** The same object as before if nothing in it has changed. */
  readonly tls: TlsSettings
  /** Goes through the proxy, if there is one: then it holds `tls`. */
  readonly agent: Agent | undefined
  /** Where the credentials are from, for people. */
  readonly source: string
  /** Where the authorities are from that may sign the server's certificate, for people. */
  readonly caSource: string
  /** How many times the source was read anew. */
  readonly reading: number
}

/** The kubeconfig, or the service account, is no good: what it is and where. */
export class ConnectionConfigError extends Error {
  readonly code = 'BAD_CONNECTION'
}

/** One source, read. */
interface Loaded {
  readonly config: KubeConfig
  readonly cluster: ClusterSettings
  readonly user: UserSettings
  readonly source: string
  readonly caSource: string
}

/** A source of access to one API server, read again when the server or its certificate say so. */
export class Connection {
  readonly #options: ConnectionOptions
  #loaded: Loaded | undefined
  #last: Access | undefined
  #pending: Promise<Access> | undefined
  #readings = 0
  #pluginRanAt = Number.NEGATIVE_INFINITY
  #pluginFailure: Error | undefined

  private constructor(options: ConnectionOptions) {
    this.#options = options
  }

  /** Reads the source and the files it names, but runs no plugin yet. Throws ConnectionConfigError. */
  static async open(options: ConnectionOptions): Promise<Connection> {
    const connection = new Connection(options)
    const loaded = await connection.#load()
    connection.#loaded = loaded
    const { exec, authProvider } = loaded.user
    if (!exec && (!authProvider || authProvider.name === TOKEN_FILE)) await connection.#apply(loaded)
    return connection
  }

  /**
   * Credentials as they are now: a token file is at most 60 s old, certificates are read each time, an exec plugin is run when
   * what it said has expired. Throws ConnectionConfigError, and ConnectionError with the words of a plugin that failed.
   */
  access(): Promise<Access> {
    this.#pending ??= this.#access().finally(() => {
      this.#pending = undefined
    })
    return this.#pending
  }

  /**
   * `access` was no good: read everything anew next time, unless that has happened already.
   * @param cause  `refused`: the server does not know us (401); `unreached`: there is no connection, or no trust in the server
   */
  renew(access: Access, cause: 'refused' | 'unreached'): void {
    if (access.reading !== this.#readings) return
    const soon = performance.now() - this.#pluginRanAt < PLUGIN_PAUSE_MS
    // The plugin says who we are; that nobody listens is no reason to ask it again and again.
    if (cause === 'unreached' && this.#loaded?.user.exec && soon) return
    this.#loaded = undefined
  }

  async #access(): Promise<Access> {
    if (this.#pluginFailure !== undefined && performance.now() - this.#pluginRanAt < PLUGIN_PAUSE_MS) {
      throw this.#pluginFailure
    }
    try {
      this.#loaded ??= await this.#load()
      this.#last = this.#accessOf(this.#loaded, await this.#apply(this.#loaded))
      return this.#last
    } catch (cause) {
      throw new ConnectionError(cause instanceof Error ? cause.message : String(cause), { cause })
    }
  }

  #accessOf({ cluster, source, caSource }: Loaded, options: RequestOptions): Access {
    const { ca = systemAuthorities(), cert, key, rejectUnauthorized, servername } = options
    const all: TlsSettings = { ca, cert, key, rejectUnauthorized, servername }
    const tls: TlsSettings = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
    const last = this.#last?.tls
    return {
      server: new URL(cluster.server),
      headers: headersOf(options),
      tls: last !== undefined && isDeepStrictEqual(last, tls) ? last : tls,
      agent: cluster.proxyUrl ? (options.agent as Agent) : undefined,
      source,
      caSource,
      reading: this.#readings,
    }
  }

  async #load(): Promise<Loaded> {
    this.#readings++
    const { kubeconfig, context, endpoint = '' } = this.#options
    if (kubeconfig !== '') return await this.#ofFile(kubeconfig, context)
    return endpoint === '' ? await this.#ofServiceAccount() : await this.#ofEndpoint(endpoint)
  }

  async #ofEndpoint(endpoint: string): Promise<Loaded> {
    const tls = this.#options.tls ?? null
    const user: UserSettings = { name: '', certFile: tls?.cert, keyFile: tls?.key }
    const cluster = { name: endpoint, server: serverOf(endpoint, tls !== null), caFile: tls?.ca, skipTLSVerify: false }
    return this.#settle(await newKubeConfig(), {
      cluster: clusterSettings(cluster),
      user,
      source: tls === null ? `no credentials, endpoint ${endpoint}` : `client certificate ${tls.cert}`,
    })
  }

  async #ofServiceAccount(): Promise<Loaded> {
    const folder = serviceAccountFolder()
    const [token, caFile] = [join(folder, 'token'), join(folder, 'ca.crt')]
    if (!process.env.KUBERNETES_SERVICE_HOST || !process.env.KUBERNETES_SERVICE_PORT) {
      throw new ConnectionConfigError('KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: this is no Pod')
    }
    const config = await newKubeConfig()
    config.loadFromCluster()
    return this.#settle(config, {
      cluster: clusterSettings({ ...config.getCurrentCluster()!, caFile }),
      user: { ...config.getCurrentUser()!, authProvider: tokenFileProvider(token) },
      source: `service account token ${token}`,
    })
  }

  async #ofFile(file: string, context: string): Promise<Loaded> {
    const { config, text } = await readKubeconfig(file)
    if (context !== '') config.setCurrentContext(context)
    const cluster = chosenCluster(config, file)
    const named = config.getCurrentUser() ?? { name: '' }
    const user = userSettings(named, cluster, file, tokenFileOf(text, named.name))
    return this.#settle(config, { cluster, user, source: `${kindOf(user)} of user '${user.name}' in ${file}` })
  }

  /** The chosen two become all that `config` knows. */
  async #settle(config: KubeConfig, chosen: Pick<Loaded, 'cluster' | 'user' | 'source'>): Promise<Loaded> {
    const { cluster, user } = chosen
    config.loadFromClusterAndUser(cluster, user)
    if (user.exec) runPluginsWith(config, () => (this.#pluginRanAt = performance.now()))
    const caSource =
      cluster.caFile ?? (cluster.caData ? `inline, for cluster '${cluster.name}'` : 'those of the system')
    return { ...chosen, config, caSource }
  }

  async #apply({ config, cluster, user, source }: Loaded): Promise<RequestOptions> {
    const options: RequestOptions = {}
    this.#pluginFailure = undefined
    try {
      await config.applyToHTTPSOptions(options)
    } catch (cause) {
      const said = cause instanceof Error ? cause.message.trim() : String(cause)
      const { kubeconfig, endpoint } = this.#options
      const field = kubeconfig === '' ? '' : fieldOf(said, cluster, user)
      const here = kubeconfig === '' && endpoint ? `tls of endpoint ${endpoint}` : source
      const place = field === '' ? here : `kubeconfig ${kubeconfig}: ${field}`
      if (!user.exec || field !== '') throw new ConnectionConfigError(`${place}: ${said}`, { cause })
      const message = `${source} failed: ${said.slice(0, PLUGIN_MESSAGE_MAX) || 'it said nothing'}`
      this.#pluginFailure = new ConnectionError(message, { cause })
      throw this.#pluginFailure
    }
    return options
  }
}

/** An endpoint as a URL. As Kubernetes' clients understand it, a scheme may be left out. */
function serverOf(endpoint: string, hasTls: boolean): string {
  const server = endpoint.includes('://') ? endpoint : `${hasTls ? 'https' : 'http'}://${endpoint}`
  if (/^https?:$/.test(URL.parse(server)?.protocol ?? '')) return server
  throw new ConnectionConfigError(`endpoint '${endpoint}' is no http(s) URL`)
}

/** What of a kubeconfig KubeConfig does not keep. */
function tokenFileOf(text: string, user: string): string | undefined {
  if (!text.includes('tokenFile')) return undefined
  const { users } = parseYaml(text) as { users?: { name?: unknown; user?: { tokenFile?: unknown } | null }[] }
  const tokenFile = users?.find(({ name }) => name === user)?.user?.tokenFile
  return typeof tokenFile === 'string' ? tokenFile : undefined
}

async function readKubeconfig(file: string): Promise<{ config: KubeConfig; text: string }> {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw new ConnectionConfigError(`kubeconfig ${file} cannot be read: ${messageOf(cause)}`, { cause })
  }
  const config = await newKubeConfig()
  try {
    config.loadFromString(text)
  } catch (cause) {
    // js-yaml knows line and column, KubeConfig the field; without either it was no mapping.
    const said = cause instanceof TypeError ? 'it holds no clusters, users and contexts' : messageOf(cause)
    throw new ConnectionConfigError(`kubeconfig ${file}: ${said}`, { cause })
  }
  config.makePathsAbsolute(dirname(file))
  return { config, text }
}

function chosenCluster(config: KubeConfig, file: string): ClusterSettings {
  const contexts = config.getContexts().map(({ name }) => name)
  const known = contexts.length === 0 ? 'it has none' : `it has ${contexts.join(', ')}`
  const name = config.getCurrentContext()
  if (!name) throw new ConnectionConfigError(`kubeconfig ${file}: no current-context, and none was chosen: ${known}`)
  const context = config.getContextObject(name)
  if (context === null) throw new ConnectionConfigError(`kubeconfig ${file} has no context '${name}': ${known}`)
  const cluster = config.getCluster(context.cluster)
  if (cluster === null) {
    throw new ConnectionConfigError(
      `kubeconfig ${file}: context '${name}' is of cluster '${context.cluster}', which it does not have`,
    )
  }
  if (context.user && config.getUser(context.user) === null) {
    throw new ConnectionConfigError(
      `kubeconfig ${file}: context '${name}' is of user '${context.user}', whom it does not have`,
    )
  }
  if (!/^https?:$/.test(URL.parse(cluster.server)?.protocol ?? '')) {
    throw new ConnectionConfigError(
      `kubeconfig ${file}: server '${cluster.server}' of cluster '${cluster.name}' is no http(s) URL`,
    )
  }
  return clusterSettings(cluster)
}

/** The field of a kubeconfig that names the file of which an error tells; '' if none does. */
function fieldOf(said: string, cluster: ClusterSettings, user: UserSettings): string {
  const named = (path: string | undefined): boolean => path !== undefined && path !== '' && said.includes(`'${path}'`)
  if (named(user.certFile)) return `client-certificate of user '${user.name}'`
  if (named(user.keyFile)) return `client-key of user '${user.name}'`
  return named(cluster.caFile) ? `certificate-authority of cluster '${cluster.name}'` : ''
}

function kindOf(user: UserSettings): string {
  if (user.exec) return `exec plugin ${user.exec.command}`
  if (user.authProvider)
    return user.authProvider.name === TOKEN_FILE
      ? `token file ${user.authProvider.config?.tokenFile}`
      : `auth-provider ${user.authProvider.name}`
  if (user.token) return 'token'
  if (user.username) return 'password'
  return user.certData || user.certFile ? 'client certificate' : 'no credentials'
}

function headersOf({ headers, auth }: RequestOptions): Record<string, string> {
  const all: Record<string, string> = {}
  // A token file may end with a line feed, which no header may hold.
  for (const [name, value] of Object.entries(headers ?? {})) {
    const text = String(value).trim()
    validateHeaderValue(name, text)
    all[name.toLowerCase()] = text
  }
  if (auth) all.authorization = `Basic ${Buffer.from(auth).toString('base64')}`
  return all
}

let ofSystem: string[] | undefined

/** Without a CA of its own a cluster's certificate is signed by an authority that the machine knows, or Node. */
function systemAuthorities(): string[] {
  ofSystem ??= [...new Set([...getCACertificates('default'), ...getCACertificates('system')])]
  return ofSystem
}

/** Plugins ask no questions, end after a minute, and are noticed. */
function runPluginsWith(config: KubeConfig, onRun: () => void): void {
  const { authenticators } = config as unknown as { readonly authenticators: readonly object[] }
  const runner = authenticators.find((each) => 'execFn' in each)
  Object.assign(runner!, {
    execFn: (command: string, args: readonly string[] | null, options: SpawnOptions): ChildProcess => {
      onRun()
      return spawn(command, args ?? [], { ...options, stdio: ['ignore', 'pipe', 'pipe'], timeout: PLUGIN_LIMIT_MS })
    },
  })
}

/** Loads client-node's KubeConfig, without the modules that come later. */
async function newKubeConfig(): Promise<KubeConfig> {
  const hooks = registerHooks({
    resolve: (specifier, context, next) => {
      const isOurs = context.parentURL?.includes('/@kubernetes/client-node/dist/') && Object.hasOwn(LATER, specifier)
      return isOurs ? { url: later(specifier, context.parentURL!), shortCircuit: true } : next(specifier, context)
    },
  })
  try {
    const { KubeConfig } = await import('@kubernetes/client-node/dist/config.js')
    return new KubeConfig()
  } finally {
    hooks.deregister()
  }
}

/** A module in place of another: its functions and classes load that one when they are called. */
function later(specifier: string, parent: string): string {
  const stubs = LATER[specifier].map(
    (name) => `export const ${name} = function (...args) {
      const { ${name} } = createRequire('${parent}')('${specifier}')
      return new.target ? new ${name}(...args) : ${name}(...args)
    }`,
  )
  const text = ["import { createRequire } from 'node:module'", ...stubs].join('\n')
  return `data:text/javascript,${encodeURIComponent(text)}`
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message.split('\n')[0] : String(cause)
}
