// Is there anybody? A server is asked a few questions before the load begins, over the transport of the load, so that a wrong
// address is one clear line and not a report of losses.

import { HEADER_LENGTH } from '../dns/question.ts'
import { LoadInputError } from './input-error.ts'
import type { Target, Transport } from './run.ts'
import { FrameReader, framed } from './streams/frame-reader.ts'
import { type Exchange, TcpExchange, UdpExchange } from './verify/exchange.ts'

export interface ProbeOptions {
  /** From 1 on. Default 3. */
  readonly tries?: number
  /** Of the first try, milliseconds; the second waits twice as long, and so on. Default 1000. */
  readonly timeoutMs?: number
}

/** Asks once. @returns why there was no answer; '' = there was one, null = it did not come in time */
type Ask = (query: Uint8Array, timeoutMs: number) => Promise<string | null>

const TRIES = 3
const TIMEOUT_MS = 1000
const NAMES: Readonly<Record<Transport, string>> = { udp: 'UDP', tcp: 'TCP', tls: 'TLS', https: 'HTTPS' }
/** What goes wrong, in words. */
const CAUSES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was closed',
  EPIPE: 'the connection was closed',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  EACCES: 'not permitted',
  EPERM: 'not permitted',
  EPROTO: 'it does not speak TLS',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS',
}
/** What OpenSSL and Node say of certificates; --insecure passes over it. */
const CERTIFICATE = /^(?:CERT_|ERR_TLS_CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_)/
const FLAGS_OFFSET = 2
const QR = 0x80

/**
 * Asks until there is an answer: any response will do.
 *
 * @param queries  whole messages, asked one after the other; some servers do not answer everything
 * @throws LoadInputError that names server and cause
 */
export async function probe(target: Target, queries: readonly Uint8Array[], options: ProbeOptions = {}): Promise<void> {
  const { tries = TRIES, timeoutMs = TIMEOUT_MS } = options
  const { ask, close } = asker(target)
  try {
    for (let i = 0; i < tries; i++) {
      const cause = await ask(queries[i % queries.length], timeoutMs * (i + 1))
      if (cause === '') return
      if (cause !== null) throw unreachable(target, cause)
    }
    throw unreachable(target, `no answer within ${tries} tries`)
  } finally {
    close()
  }
}

function unreachable({ label, address, port, transport }: Target, cause: string): LoadInputError {
  const where = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
  const isNamed = label.includes(where)
  return new LoadInputError(`server ${label}${isNamed ? '' : ` (${where})`} over ${NAMES[transport]}: ${cause}`)
}

function asker(target: Target): { ask: Ask; close: () => void } {
  const { transport } = target
  if (transport === 'tls') return { ask: (query, timeoutMs) => askByTls(target, query, timeoutMs), close() {} }
  if (transport === 'https') return { ask: (query, timeoutMs) => askByHttps(target, query, timeoutMs), close() {} }
  const exchange: Exchange = transport === 'udp' ? new UdpExchange(target) : new TcpExchange(target)
  const ask: Ask = async (query, timeoutMs) => {
    if ((await exchange.ask(query, timeoutMs)) !== null) return ''
    return exchange.failure === '' ? null : causeText({ code: exchange.failure, message: exchange.failure })
  }
  return { ask, close: () => exchange.close() }
}

/** One message over a connection of its own. RFC 7858 §3.3. */
async function askByTls(target: Target, query: Uint8Array, timeoutMs: number): Promise<string | null> {
  const { DNS_OVER_TLS, TlsClient } = await import('./streams/tls.ts')
  const socket = new TlsClient(target, DNS_OVER_TLS).connect()
  const { promise, resolve } = Promise.withResolvers<string | null>()
  const timer = setTimeout(() => resolve(null), timeoutMs)
  const reader = new FrameReader((bytes, at, length) => resolve(verdict(bytes.subarray(at, at + length))))
  socket.on('secureConnect', () => socket.write(framed(query)))
  socket.on('data', (octets: Buffer) => reader.read(octets))
  socket.on('error', (error) => resolve(causeText(error)))
  socket.on('close', () => resolve('the connection was closed'))
  const cause = await promise
  clearTimeout(timer)
  socket.destroy()
  return cause
}

/** One POST over a connection of its own. RFC 8484 §4.1; the ID is 0, as caches like it. */
async function askByHttps(target: Target, query: Uint8Array, timeoutMs: number): Promise<string | null> {
  const { connect } = process.getBuiltinModule('node:http2')
  const { HTTP_2, MESSAGE_TYPE, requestsTo } = await import('./streams/https.ts')
  const { TlsClient } = await import('./streams/tls.ts')
  const { path } = target
  const { authority, headers } = requestsTo(target)
  const socket = new TlsClient(target, HTTP_2).connect()
  const { promise, resolve } = Promise.withResolvers<string | null>()
  const timer = setTimeout(() => resolve(null), timeoutMs)
  socket.on('error', (error) => resolve(causeText(error)))
  socket.on('secureConnect', () => {
    if (socket.alpnProtocol !== HTTP_2) resolve('it does not speak HTTP/2')
  })
  const session = connect(`https://${authority}`, { createConnection: () => socket })
  session.on('error', (error) => resolve(causeText(error)))
  session.on('close', () => resolve('the connection was closed'))
  const request = session.request([...headers, String(query.length)])
  let refusal = ''
  const parts: Buffer[] = []
  request.on('response', ({ ':status': status, 'content-type': type = 'none' }) => {
    if (status !== 200) refusal = `HTTP ${status} at ${path}`
    else if (!type.startsWith(MESSAGE_TYPE)) refusal = `what is at ${path} is no DNS (content type ${type})`
  })
  request.on('data', (part: Buffer) => parts.push(part))
  request.on('end', () => resolve(refusal || verdict(Buffer.concat(parts))))
  request.on('error', (error) => resolve(causeText(error)))
  const message = query.slice()
  message[0] = message[1] = 0
  request.end(message)
  const cause = await promise
  clearTimeout(timer)
  session.destroy()
  socket.destroy()
  return cause
}

function verdict(message: Uint8Array): string {
  const isResponse = message.length >= HEADER_LENGTH && (message[FLAGS_OFFSET] & QR) !== 0
  return isResponse ? '' : 'what comes back is no DNS response'
}

function causeText({ code, message }: { readonly code?: string; readonly message: string }): string {
  if (code === undefined) return message
  if (code === 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL') return 'it does not speak this protocol over TLS'
  if (CERTIFICATE.test(code)) return `its certificate is not good: ${message} (--insecure does without)`
  return CAUSES[code] ?? (code === message ? code : `${code}: ${message}`)
}
