// Node's modules for TLS and HTTP/2, loaded when an upstream needs them: 4 MB that most do without.

/** node:tls. */
export function tlsModule(): typeof import('node:tls') {
  return process.getBuiltinModule('node:tls')
}

/** node:http2. */
export function http2Module(): typeof import('node:http2') {
  return process.getBuiltinModule('node:http2')
}
