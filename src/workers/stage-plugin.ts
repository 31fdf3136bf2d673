// A plugin that answers out of an index (plugins/stage.ts), as one of a chain of plugins on whole messages: the question is written down, answered in
// place, and read again. Cold.

import { decodeMessage, encodeMessage } from '../dns/message.ts'
import { QUERY, Query, readQuery } from '../dns/question.ts'
import { beginResponse, endResponse, Response } from '../dns/response.ts'
import type { Plugin, Request, Serve, Walk } from '../plugins/plugin.ts'
import { AUTHORITATIVE, FAIL, PASS, type Stage } from '../plugins/stage.ts'

const SERVFAIL = 2
const CLASS_IN = 1
const SCRATCH_LENGTH = 65_535
const MESSAGE = { opcode: 0, response: false, authoritative: false, truncated: false, recursionDesired: false } as const
const NOTHING = { recursionAvailable: false, authenticData: false, checkingDisabled: false, rcode: 0 } as const
const EDNS_SIZE = 4096

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
    const dnssecOk = request.edns?.dnssecOk ?? false
    const edns = request.edns === null ? null : { version: 0, udpSize: EDNS_SIZE, dnssecOk, options: [] }
    const sections = { answer: [], authority: [], additional: [], edns }
    const length = encodeMessage({ id: 0, ...MESSAGE, ...NOTHING, question, ...sections }, scratch, 0, SCRATCH_LENGTH)
    query.verdict = readQuery(query, scratch, 0, length)
    if (query.verdict !== QUERY)
      return { kind: 'failure', rcode: SERVFAIL, error: 'the name cannot be looked up', plugin: this.name }
    beginResponse(response, query, 0, SCRATCH_LENGTH)
    const result = this.#stage.answer(query, scratch, 0, response)
    if (result === PASS) return yield* next(request)
    if (result === FAIL) return { kind: 'failure', rcode: SERVFAIL, error: '', plugin: this.name }
    const authoritative = (result & AUTHORITATIVE) !== 0
    const responseLength = endResponse(response, query, scratch, result & 0x0f, authoritative, EDNS_SIZE)
    const { rcode, truncated, answer, authority, additional } = decodeMessage(scratch, 0, responseLength)
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

  describe(request: Request, metadata: Map<string, () => string>): void {
    this.#stage.describe?.(request, metadata)
  }
}
