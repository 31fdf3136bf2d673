// What a plugin is that answers out of an index, in place: contracts only. Hot: nothing is allocated per query.

import type { Query } from '../dns/question.ts'
import type { Response } from '../dns/response.ts'
import type { Request } from './plugin.ts'

/** The name is not this plugin's business, or it falls through: ask the next one. */
export const PASS = -1
/** Nothing was written, the server says SERVFAIL. */
export const FAIL = -2
/** Nothing was written: the answer has to be waited for, which another thread does. */
export const WAIT = -3
/** Bit of a result: the answer is authoritative. */
export const AUTHORITATIVE = 0x1000
/**
 * Bit of a NOERROR: the answer ends in a CNAME to a name that this stage has nothing to say of, and the type asked for is to be had there if at all.
 * What has been written is an answer as it stands; whoever can ask appends what the target yields (workers/stage-plugin.ts).
 */
export const CHASE = 0x2000
/** Beside CHASE: the RCODE is to be the target's (RFC 6604 §3). Without it the response stays NOERROR. */
export const TARGET_RCODE = 0x4000

/** One plugin of one block, over one index. */
export interface Stage {
  readonly plugin: string
  /** Takes up the version that is held from now on (index/reader.ts, HeldRegion). @returns a number that differs whenever an answer may differ */
  beginBatch(): number
  /** Names the memory that most messages will be in. Allocates: call it once. */
  setHome(packet: Uint8Array): void
  /**
   * Writes the records of the answer behind the question.
   *
   * @param query     as readQuery() left it: type, labels of the name; zone and key are for the stage to find
   * @param packet    the message, beginning at `start`
   * @param response  begun; records go to `response.at`, never beyond `response.limit`; counts and `truncated` are set
   * @returns RCODE (0..15), | AUTHORITATIVE, | CHASE and TARGET_RCODE; or PASS, FAIL or WAIT: the message is untouched then but for what lies behind the question
   */
  answer(query: Query, packet: Uint8Array, start: number, response: Response): number
  /** As Plugin.describe(). Cold. */
  describe?(request: Request, metadata: Map<string, () => string>): void
}
