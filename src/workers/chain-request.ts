// A request on its way down a chain of plugins on whole messages, as one block sees it. Cold.

import type { Message, ResourceRecord } from '../dns/message.ts'
import type { Peer, Question, Request, Walk } from '../plugins/plugin.ts'
import type { Listener, Route } from './router.ts'

/** What came from the client, for all requests that are made of it. */
export interface Asked {
  readonly listener: Listener
  readonly message: Message
  readonly size: number
  readonly stream: boolean
  readonly client: Peer
  readonly local: Peer
  /** Of the whole run. */
  readonly events: RunEvent[]
}

/** Something that a plugin counts. */
export interface RunEvent {
  readonly route: Route | null
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
}

/** Asks the server itself. */
interface Asks {
  ask(asked: Asked, question: Question, original: Question, depth: number): Walk
}

/** One block's view of a request. */
export class ChainRequest implements Request {
  readonly client: Peer
  readonly local: Peer
  readonly protocol: 'udp' | 'tcp'
  readonly server: string
  readonly zone: string
  readonly view: string
  readonly id: number
  readonly opcode: number
  readonly size: number
  readonly asked: Question
  question: Question
  recursionDesired: boolean
  checkingDisabled: boolean
  authenticData: boolean
  edns: Request['edns']
  readonly authority: readonly ResourceRecord[]
  readonly metadata: Map<string, () => string> | null
  readonly #answerer: Asks
  readonly #asked: Asked
  readonly #route: Route | null
  readonly #depth: number

  constructor(
    answerer: Asks,
    asked: Asked,
    route: Route | null,
    question: Question,
    original: Question,
    depth: number,
  ) {
    const { message, listener } = asked
    this.#answerer = answerer
    this.#asked = asked
    this.#route = route
    this.#depth = depth
    this.client = asked.client
    this.local = asked.local
    this.protocol = asked.stream ? 'tcp' : 'udp'
    this.server = listener.source.server
    this.zone = route?.zone ?? ''
    this.view = route?.block.plugins.view?.name ?? ''
    this.id = message.id
    this.opcode = message.opcode
    this.size = asked.size
    this.asked = original
    this.question = question
    this.recursionDesired = message.recursionDesired
    this.checkingDisabled = message.checkingDisabled
    this.authenticData = message.authenticData
    const { edns } = message
    this.edns = edns === null ? null : { ...edns, options: [...edns.options] }
    this.authority = message.authority
    this.metadata = route?.block.plugins.metadata === undefined ? null : new Map()
  }

  ask(question: Question): Walk {
    return this.#answerer.ask(this.#asked, question, question, this.#depth + 1)
  }

  count(name: string, labels: Readonly<Record<string, string>> = {}): void {
    this.#asked.events.push({ route: this.#route, name, labels })
  }
}
