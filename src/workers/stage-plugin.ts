// A plugin that answers out of an index (plugins/stage.ts), as one of a chain of plugins on whole messages: the question is written down, answered in
// place, and read again. What the target of a last CNAME yields is asked of the whole server and appended. Cold.

import { decodeMessage, encodeMessage, rdataNames } from '../dns/message.ts'
import { QUERY, Query, readQuery } from '../dns/question.ts'
import { TYPES } from '../dns/record-types.ts'
import { beginResponse, endResponse, Response } from '../dns/response.ts'
import type { Failure, Plugin, Question, Reply, Request, Serve, Walk } from '../plugins/plugin.ts'
import { AUTHORITATIVE, CHASE, PASS, type Stage, TARGET_RCODE } from '../plugins/stage.ts'

const NOERROR = 0
const SERVFAIL = 2
const REFUSED = 5
const CLASS_IN = 1
/** A type that no stage has records of. */
const TYPE_NULL = 10
const SCRATCH_LENGTH = 65_535
const MESSAGE = { opcode: 0, response: false, authoritative: false, truncated: false, recursionDesired: false } as const
const NOTHING = { recursionAvailable: false, authenticData: false, checkingDisabled: false, rcode: 0 } as const
const EDNS_SIZE = 4096
/** The name cannot be put into a message. */
const UNREADABLE = -3

const scratch = new Uint8Array(SCRATCH_LENGTH)
const query = new Query()
const response = new Response()

/** A stage in a chain. */
export class StagePlugin implements Plugin {
  readonly name: string
  readonly #stage: Stage

  constructor(stage: Stage) {
    this.name = stage.plugin
    this.#stage = stage
  }

  *serve(request: Request, next: Serve): Walk {
    const { question } = request
    if (question.class !== CLASS_IN) return yield* next(request)
    const result = this.#answer(question, request)
    if (result === PASS) return yield* next(request)
    const outcome = this.#outcome(result)
    if (outcome.kind !== 'reply' || (result & CHASE) === 0) return outcome
    return yield* this.#chased(request, outcome, (result & TARGET_RCODE) !== 0)
  }

  describe(request: Request, metadata: Map<string, () => string>): void {
    this.#stage.describe?.(request, metadata)
  }

  /** As Stage.answer(), with the response in `scratch`; or UNREADABLE. */
  #answer(question: Question, { edns: asked }: Request): number {
    const dnssecOk = asked?.dnssecOk ?? false
    const edns = asked === null ? null : { version: 0, udpSize: EDNS_SIZE, dnssecOk, options: [] }
    const sections = { answer: [], authority: [], additional: [], edns }
    const length = encodeMessage({ id: 0, ...MESSAGE, ...NOTHING, question, ...sections }, scratch, 0, SCRATCH_LENGTH)
    query.verdict = readQuery(query, scratch, 0, length)
    if (query.verdict !== QUERY) return UNREADABLE
    beginResponse(response, query, 0, SCRATCH_LENGTH)
    return this.#stage.answer(query, scratch, 0, response)
  }

  /** What #answer() has come to, in memory of its own. */
  #outcome(result: number): Reply | Failure {
    if (result < 0) {
      const error = result === UNREADABLE ? 'the name cannot be looked up' : ''
      return { kind: 'failure', rcode: SERVFAIL, error, plugin: this.name }
    }
    const authoritative = (result & AUTHORITATIVE) !== 0
    const length = endResponse(response, query, scratch, result & 0x0f, authoritative, EDNS_SIZE)
    const { rcode, truncated, answer, authority, additional } = decodeMessage(scratch, 0, length)
    return {
      kind: 'reply',
      rcode,
      authoritative,
      recursionAvailable: false,
      authenticData: false,
      truncated,
      answer,
      authority,
      additional,
      options: [],
      plugin: this.name,
    }
  }

  /**
   * `reply` ends in a CNAME: with what the server says of its target. The CNAME stays as it is where nobody serves the target, and where the
   * target leads back to it. No message at all: what there is of another type, for the cluster's names NODATA (cluster DNS reference §1.6).
   */
  *#chased(request: Request, reply: Reply, hasTargetRcode: boolean): Walk {
    const { type, class: qclass } = request.question
    const links = reply.answer.filter((record) => record.type === TYPES.CNAME)
    const [target] = rdataNames(links.at(-1)!)
    const outcome = yield* request.ask({ name: target.toLowerCase(), type, class: qclass })
    if (outcome.kind === 'silence' || outcome.kind === 'transfer') {
      return this.#outcome(this.#answer({ ...request.question, type: TYPE_NULL }, request))
    }
    if (outcome.kind === 'failure') {
      const isNobodys = outcome.rcode === REFUSED && outcome.plugin === ''
      return hasTargetRcode && !isNobodys ? { ...reply, rcode: SERVFAIL } : reply
    }
    const owners = new Set(links.map(({ owner }) => owner.toLowerCase()))
    if (outcome.answer.some(({ owner }) => owners.has(owner.toLowerCase()))) return reply
    // With the names of OKD, what is elsewhere is not kept for longer than what is here (OKD reference, vector 26).
    const ttlMax = hasTargetRcode && this.name === 'kubernetes' ? links.at(-1)!.ttl : Infinity
    return joined(reply, outcome, hasTargetRcode, ttlMax)
  }
}

/** The reply about an alias, and behind it that about its target, with TTLs of `ttlMax` seconds at most. */
function joined(reply: Reply, target: Reply, hasTargetRcode: boolean, ttlMax: number): Reply {
  const answer = [...reply.answer, ...target.answer.map((record) => ({ ...record, ttl: Math.min(record.ttl, ttlMax) }))]
  const truncated = reply.truncated || target.truncated
  if (!hasTargetRcode) return { ...reply, rcode: NOERROR, truncated, answer }
  const authority = [...reply.authority, ...target.authority]
  return { ...reply, rcode: target.rcode, truncated, answer, authority }
}
