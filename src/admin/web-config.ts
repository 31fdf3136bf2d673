// The file that `prometheus { tls FILE }` names: certificates in the exporter toolkit's web configuration. Known there but not here, and so an
// error: users with passwords (bcrypt), and settings that would go unheeded.

import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { SecureVersion } from 'node:tls'
import { parseYaml } from '../kube/yaml-items.ts'

/** A file understood. */
export interface WebConfig {
  readonly path: string
  /** For node:https. */
  readonly tls: {
    readonly cert: Buffer
    readonly key: Buffer
    readonly ca?: Buffer
    readonly requestCert: boolean
    readonly rejectUnauthorized: boolean
    readonly minVersion: SecureVersion
  }
}

/** A file that cannot be used. */
export class WebConfigError extends Error {
  override readonly name = 'WebConfigError'
  readonly code = 'WEB_CONFIG'
}

const VERSIONS: Readonly<Record<string, SecureVersion>> = { TLS12: 'TLSv1.2', TLS13: 'TLSv1.3' }
/** client_auth_type -> is a certificate asked for, must it be good. */
const CLIENT_AUTH: Readonly<Record<string, readonly [request: boolean, verify: boolean]>> = {
  NoClientCert: [false, false],
  RequestClientCert: [true, false],
  RequireAndVerifyClientCert: [true, true],
}
const SECTIONS = ['tls_server_config', 'http_server_config', 'basic_auth_users']
const SETTINGS = ['cert_file', 'key_file', 'client_ca_file', 'client_auth_type', 'min_version']

/**
 * Reads such a file, and the certificate and key it names: relative to itself.
 * @throws WebConfigError
 */
export function readWebConfig(path: string): WebConfig {
  const fail = (text: string): never => {
    throw new WebConfigError(`${path}: ${text}`)
  }
  const read = (file: string): Buffer => {
    try {
      return readFileSync(file)
    } catch (error) {
      return fail((error as Error).message)
    }
  }
  const text = read(path).toString()
  let content: unknown
  try {
    content = parseYaml(text)
  } catch (error) {
    fail((error as Error).message)
  }
  const sections = mapping(content) ?? fail('not a mapping')
  for (const name of Object.keys(sections)) if (!SECTIONS.includes(name)) fail(`unknown setting ${name}`)
  if (Object.keys(mapping(sections.basic_auth_users) ?? {}).length > 0) {
    fail('basic_auth_users: passwords are not checked here; ask for client certificates instead')
  }
  if (mapping(sections.http_server_config)?.headers !== undefined) fail('http_server_config: headers are not sent here')
  const settings = mapping(sections.tls_server_config) ?? fail('no tls_server_config')
  for (const name of Object.keys(settings)) {
    if (!SETTINGS.includes(name)) fail(`tls_server_config: setting ${name} is not supported`)
  }
  const file = (name: string): string => {
    const value = settings[name]
    return typeof value === 'string' && value !== '' ? resolve(dirname(path), value) : ''
  }
  if (file('cert_file') === '' || file('key_file') === '') fail('tls_server_config: cert_file and key_file are needed')
  const version = VERSIONS[String(settings.min_version ?? 'TLS12')] ?? fail('min_version is neither TLS12 nor TLS13')
  const auth = String(settings.client_auth_type ?? 'NoClientCert')
  const [requestCert, verify] = CLIENT_AUTH[auth] ?? fail(`client_auth_type ${auth} is not supported`)
  if (verify && file('client_ca_file') === '') fail(`client_auth_type ${auth} needs a client_ca_file`)
  return {
    path,
    tls: {
      cert: read(file('cert_file')),
      key: read(file('key_file')),
      ...(file('client_ca_file') === '' ? {} : { ca: read(file('client_ca_file')) }),
      requestCert,
      rejectUnauthorized: verify,
      minVersion: version,
    },
  }
}

function mapping(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null
}
