// What a connection is to the loop, whatever its transport, and what it tells its owner. Not here: which queries are under way.

/** A connection that queries are sent over, many at a time. It tries to connect from the start. */
export interface Connection {
  /** Queries that it takes now; 0 while it is not open, or the other side does not take what was sent. */
  readonly room: number
  /**
   * Sends queries together; more than `room` by one are no harm. Nothing is told to the owner before this returns.
   *
   * @param queries  their places in the table, read before this returns
   * @param firstId  of the first of them; the others count up, mod 2^16
   * @param nowMs    the time
   */
  send(queries: Uint32Array, count: number, firstId: number, nowMs: number): void
  /** Nobody waits any more for what was sent before that time. */
  giveUp(beforeMs: number): void
  /** Ends it; its owner hears no more. */
  close(): void
}

/** Who hears what becomes of a connection. Never called while a method of it runs. */
export interface ConnectionOwner {
  /** It takes queries. */
  opened(): void
  /**
   * A message has come, of any octets.
   *
   * @param id     of the query that it is for
   * @param bytes  that hold it; to be read before this returns
   */
  message(id: number, bytes: Uint8Array, at: number, length: number): void
  /** Something went wrong with one query: it will have no answer. @param what  in words */
  refused(what: string): void
  /**
   * It takes no queries (any more). Called once.
   *
   * @param error     null when the other side ended it in order
   * @param isSilent  whether no message comes any more for what was sent
   */
  ended(error: ConnectionError | null, isSilent: boolean): void
  /** Nothing is left of it. Called once, after `ended`. */
  closed(): void
}

/** Starts a connection. */
export type Opener = (owner: ConnectionOwner) => Connection

/** A connection that could not be made, or broke. `code` is an errno name or a name of Node's; the message is for people. */
export class ConnectionError extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }

  /** Of what Node says. */
  static from(error: Error): ConnectionError {
    if (error instanceof ConnectionError) return error
    // Of OpenSSL's errors the reason is enough.
    const { code, reason } = error as NodeJS.ErrnoException & { reason?: string }
    return new ConnectionError(code ?? 'CONNECTION_FAILED', reason ?? error.message)
  }
}
