// Who may do what: tokens, client certificates and rights, as a test sets and changes them.

import type { TLSSocket } from 'node:tls'
import type { AnyRequest } from './outgoing.ts'
import type { Resource } from './resources.ts'
import { forbidden, RefusedError, UNAUTHORIZED } from './status.ts'

export const DEFAULT_TOKEN = 'peregrine-test-token'
const DEFAULT_USER = 'system:serviceaccount:kube-system:peregrine'
const ANONYMOUS = 'system:anonymous'

export type Verb = 'list' | 'watch' | 'get'

export class Access {
  /** Token -> user. What is not in it is refused with 401. */
  readonly tokens = new Map([[DEFAULT_TOKEN, DEFAULT_USER]])
  /** `list services`: what nobody may do. All else is allowed to all but anonymous users. */
  readonly #denied = new Set<string>()
  /** Whether requests without credentials may do what users may. */
  anonymousAllowed = false

  /** Takes the right from everybody: `deny('list', 'endpointslices')`. */
  deny(verb: Verb, resource: string): void {
    this.#denied.add(`${verb} ${resource}`)
  }

  /** Gives the right back. */
  allow(verb: Verb, resource: string): void {
    this.#denied.delete(`${verb} ${resource}`)
  }

  /** Everybody with credentials may do everything again. */
  allowAll(): void {
    this.#denied.clear()
  }

  /** @throws RefusedError (401) if the credentials are wrong; none at all are an anonymous user */
  userOf(request: AnyRequest): string {
    const authorization = String(request.headers.authorization ?? '')
    if (authorization.startsWith('Bearer ')) {
      const user = this.tokens.get(authorization.slice('Bearer '.length).trim())
      if (user === undefined) throw new RefusedError(UNAUTHORIZED)
      return user
    }
    return certificateUser(request) ?? ANONYMOUS
  }

  /** @throws RefusedError (403) */
  check(user: string, verb: Verb, resource: Resource, namespace: string, name: string): void {
    const known = user !== ANONYMOUS || this.anonymousAllowed
    if (known && !this.#denied.has(`${verb} ${resource.name}`)) return
    throw new RefusedError(forbidden(user, verb, resource, namespace, name))
  }
}

/** The common name of the client's certificate; null if it sent none. */
function certificateUser(request: AnyRequest): string | null {
  const socket = ('stream' in request ? request.stream.session?.socket : request.socket) as TLSSocket | undefined
  if (socket === undefined || typeof socket.getPeerCertificate !== 'function') return null
  const certificate = socket.getPeerCertificate()
  if (certificate?.subject === undefined) return null
  if (!socket.authorized) throw new RefusedError(UNAUTHORIZED)
  const name = certificate.subject.CN
  return (Array.isArray(name) ? name[0] : name) ?? null
}
