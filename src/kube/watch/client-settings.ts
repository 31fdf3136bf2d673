// A cluster and a user of a kubeconfig, as kubectl understands them: client-node's KubeConfig leaves some of that out.
// Not here: reading the file, and using what it says (connection.ts).

import { readFileSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { environmentProxy } from './environment-proxy.ts'

/** client-node's Cluster, as far as it matters. */
export interface ClusterSettings {
  readonly name: string
  readonly server: string
  readonly caData?: string
  readonly caFile?: string
  readonly tlsServerName?: string
  readonly skipTLSVerify: boolean
  readonly proxyUrl?: string
}

/** client-node's User, as far as it matters. */
export interface UserSettings {
  readonly name: string
  readonly certData?: string
  readonly certFile?: string
  readonly exec?: Exec
  readonly keyData?: string
  readonly keyFile?: string
  readonly authProvider?: { readonly name: string; readonly config?: Readonly<Record<string, unknown>> }
  readonly token?: string
  readonly username?: string
  readonly password?: string
  readonly impersonateUser?: string
}

/** How a plugin is run that prints credentials. */
export interface Exec {
  readonly apiVersion?: string
  readonly command?: string
  readonly args?: readonly string[]
  readonly env?: readonly { readonly name: string; readonly value: string }[] | null
  readonly provideClusterInfo?: boolean
}

export const TOKEN_FILE = 'tokenFile'

/**
 * Plain http is allowed (KubeConfig wants the certificate, of which there is none, unverified); the proxy is the environment's
 * where the file names none.
 */
export function clusterSettings(cluster: ClusterSettings): ClusterSettings {
  const server = new URL(cluster.server)
  return {
    ...cluster,
    skipTLSVerify: cluster.skipTLSVerify || server.protocol === 'http:',
    proxyUrl: cluster.proxyUrl || environmentProxy(server, process.env),
  }
}

/**
 * @param file  the kubeconfig: what is relative is relative to its folder
 * @param tokenFile  what KubeConfig overlooks; it wins over `token`
 */
export function userSettings(
  user: UserSettings,
  cluster: ClusterSettings,
  file: string,
  tokenFile: string | undefined,
): UserSettings {
  if (tokenFile) return { ...user, token: undefined, authProvider: tokenFileProvider(beside(file, tokenFile)) }
  return user.exec ? { ...user, exec: execSettings(user.exec, cluster, file) } : user
}

/** Has KubeConfig read a token from a file, again every minute. */
export function tokenFileProvider(tokenFile: string): UserSettings['authProvider'] {
  return { name: TOKEN_FILE, config: { tokenFile } }
}

/** A command with a slash is a path beside the kubeconfig; a plugin is told what is asked of it, and of which cluster. */
function execSettings(exec: Exec, cluster: ClusterSettings, file: string): Exec {
  const request = {
    kind: 'ExecCredential',
    apiVersion: exec.apiVersion ?? 'client.authentication.k8s.io/v1',
    spec: { interactive: false, ...(exec.provideClusterInfo ? { cluster: clusterInfo(cluster) } : {}) },
  }
  const asked = { name: 'KUBERNETES_EXEC_INFO', value: JSON.stringify(request) }
  return {
    ...exec,
    command: exec.command?.includes('/') ? beside(file, exec.command) : exec.command,
    env: [...(exec.env ?? []), asked],
  }
}

function clusterInfo(cluster: ClusterSettings): Record<string, unknown> {
  return {
    server: cluster.server,
    'tls-server-name': cluster.tlsServerName,
    'insecure-skip-tls-verify': cluster.skipTLSVerify || undefined,
    'certificate-authority-data': cluster.caFile ? readFileSync(cluster.caFile, 'base64') : cluster.caData,
    'proxy-url': cluster.proxyUrl,
  }
}

function beside(file: string, path: string): string {
  return isAbsolute(path) ? path : join(dirname(file), path)
}
