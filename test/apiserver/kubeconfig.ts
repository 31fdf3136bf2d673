// Kubeconfig files and service account folders that lead to the stand-in, in a folder of their own.
// https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/

import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DEFAULT_TOKEN } from './access.ts'
import { fixture } from './server.ts'

/** How a user of a kubeconfig proves who it is. */
export type Credentials =
  | { readonly type: 'token'; readonly token?: string }
  | { readonly type: 'token-file'; readonly token?: string }
  | { readonly type: 'certificate'; readonly inline: boolean }
  /** A program that prints an ExecCredential with the token (and when it expires, RFC 3339). */
  | { readonly type: 'exec'; readonly token?: string; readonly expires?: string }
  /** A program that prints an ExecCredential with the client certificate. */
  | { readonly type: 'exec-certificate' }
  | { readonly type: 'none' }

export interface KubeconfigContext {
  readonly name: string
  readonly server: string
  readonly credentials?: Credentials
  /** `inline` (the default) and `file` name the authority of the fixtures, `other` a foreign one. */
  readonly authority?: 'inline' | 'file' | 'other' | 'insecure' | 'none'
  readonly tlsServerName?: string
  readonly proxyUrl?: string
  readonly namespace?: string
}

/** A temporary folder for kubeconfigs and what they name. */
export class KubeconfigFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'peregrine-kubeconfig-'))

  /** One context that is current, or several of which the first is; returns the path of the file. */
  write(contexts: KubeconfigContext | readonly KubeconfigContext[], name = 'config'): string {
    const all = Array.isArray(contexts) ? (contexts as readonly KubeconfigContext[]) : [contexts as KubeconfigContext]
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': all[0].name,
      clusters: all.map((context) => ({ name: `${context.name}-cluster`, cluster: this.#cluster(context) })),
      users: all.map((context) => ({ name: `${context.name}-user`, user: this.#user(context) })),
      contexts: all.map(({ name, namespace }) => ({
        name,
        context: { cluster: `${name}-cluster`, user: `${name}-user`, namespace },
      })),
    }
    // YAML is a superset of JSON.
    return this.file(name, `${JSON.stringify(config, null, 2)}\n`)
  }

  /** A token of the server, on one line of YAML. */
  writeSimple(server: string): string {
    return this.write({ name: 'stand-in', server, credentials: { type: 'token' } })
  }

  /** Where the token of a context with `token-file` is. */
  tokenFile(context: string): string {
    return join(this.path, `${context}.token`)
  }

  /** Puts a file in place of another at once. */
  file(name: string, text: string, mode = 0o600): string {
    const path = join(this.path, name)
    writeFileSync(`${path}.new`, text, { mode })
    renameSync(`${path}.new`, path)
    return path
  }

  /**
   * What a Pod finds in /var/run/secrets/kubernetes.io/serviceaccount, with the links by which a kubelet changes all files at
   * once; called again, it rotates the token. Returns the folder.
   */
  writeServiceAccount({
    token = DEFAULT_TOKEN,
    authority = fixture('ca.pem'),
    namespace = 'kube-system',
  } = {}): string {
    const folder = join(this.path, 'serviceaccount')
    mkdirSync(folder, { recursive: true })
    const data = mkdtempSync(join(folder, '..data_'))
    writeFileSync(join(data, 'token'), token)
    writeFileSync(join(data, 'ca.crt'), authority)
    writeFileSync(join(data, 'namespace'), namespace)
    symlinkSync(data, join(folder, '..data_tmp'))
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
    for (const name of ['token', 'ca.crt', 'namespace']) {
      symlinkSync(join('..data', name), join(folder, `${name}.new`))
      renameSync(join(folder, `${name}.new`), join(folder, name))
    }
    return folder
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true })
  }

  #cluster({ name, server, authority = 'inline', tlsServerName, proxyUrl }: KubeconfigContext): object {
    const base = { server, 'tls-server-name': tlsServerName, 'proxy-url': proxyUrl }
    if (server.startsWith('http:') || authority === 'none') return base
    if (authority === 'insecure') return { ...base, 'insecure-skip-tls-verify': true }
    const text = fixture(authority === 'other' ? 'other-ca.pem' : 'ca.pem')
    if (authority === 'file') return { ...base, 'certificate-authority': this.file(`${name}-ca.pem`, text) }
    return { ...base, 'certificate-authority-data': base64(text) }
  }

  #user({ name, credentials = { type: 'token' } }: KubeconfigContext): object {
    switch (credentials.type) {
      case 'token':
        return { token: credentials.token ?? DEFAULT_TOKEN }
      case 'token-file':
        return { tokenFile: this.file(`${name}.token`, credentials.token ?? DEFAULT_TOKEN) }
      case 'certificate':
        return this.#certificate(name, credentials.inline)
      case 'exec':
        return this.#exec(name, {
          token: credentials.token ?? DEFAULT_TOKEN,
          expirationTimestamp: credentials.expires,
        })
      case 'exec-certificate':
        return this.#exec(name, {
          clientCertificateData: fixture('client.pem'),
          clientKeyData: fixture('client-key.pem'),
        })
      case 'none':
        return {}
    }
  }

  #certificate(name: string, inline: boolean): object {
    const [cert, key] = [fixture('client.pem'), fixture('client-key.pem')]
    if (inline) return { 'client-certificate-data': base64(cert), 'client-key-data': base64(key) }
    return {
      'client-certificate': this.file(`${name}-client.pem`, cert),
      'client-key': this.file(`${name}-client-key.pem`, key),
    }
  }

  /** The program writes a line to `NAME-exec.calls` each time, and prints what `NAME-exec.json` holds. */
  #exec(name: string, status: object): object {
    const apiVersion = 'client.authentication.k8s.io/v1'
    const answer = this.file(`${name}-exec.json`, JSON.stringify({ apiVersion, kind: 'ExecCredential', status }))
    const calls = join(this.path, `${name}-exec.calls`)
    const program = this.file(`${name}-exec`, `#!/bin/sh\necho call >> '${calls}'\ncat '${answer}'\n`)
    chmodSync(program, 0o700)
    return { exec: { apiVersion, command: program, args: [], interactiveMode: 'Never' } }
  }
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
