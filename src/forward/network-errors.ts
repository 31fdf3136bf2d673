// What went wrong on the way to an upstream, in Go's words: people search logs for them. Corefile reference 5.6, 12.

const TEXTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset by peer',
  EPIPE: 'broken pipe',
  ENETUNREACH: 'network is unreachable',
  EHOSTUNREACH: 'no route to host',
  ETIMEDOUT: 'connection timed out',
  EADDRNOTAVAIL: 'cannot assign requested address',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EINVAL: 'invalid argument',
  EMFILE: 'too many open files',
  ENFILE: 'too many open files in system',
  EMSGSIZE: 'message too long',
  ENOBUFS: 'no buffer space available',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'server misbehaving',
}

/** `connection refused`, or what Node says where Go's words are not known. */
export function errorText(error: Error): string {
  const { code } = error as NodeJS.ErrnoException
  return TEXTS[code ?? ''] ?? error.message
}
