// One query as a stub resolver puts it on the wire: RFC 1035 §4.1, with the OPT of RFC 6891 §6.1.2 if wanted. The ID is 0: senders
// choose one. Not here: reading what comes back.

/** What the OPT of a query says. */
export interface EdnsOptions {
  /** Octets of the largest UDP answer that is welcome, 512..65535. */
  readonly udpSize: number
  /** DO: DNSSEC records are welcome (RFC 3225 §3). */
  readonly dnssecOk: boolean
}
