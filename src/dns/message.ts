// Whole messages as objects, for plugins that need to see and change them. Cold: the hot path works in place (question.ts, response.ts).
// RFC 1035 §4.1, RFC 6891.

/** One record. */
export interface ResourceRecord {
  /** Presentation format with a final dot, letter case as it came. */
  owner: string
  type: number
  class: number
  /** Seconds. */
  ttl: number
  /** As on the wire, names in it uncompressed. */
  rdata: Uint8Array
}

/** An option of EDNS (RFC 6891 §6.1.2). */
export interface EdnsOption {
  readonly code: number
  readonly data: Uint8Array
}
