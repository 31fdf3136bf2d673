// What a plugin is that works on whole messages: contracts only. Cold next to the plugins that answer out of an index (stage.ts): a block
// goes this way only for queries that need it.
//
// The plugins of a block form a chain in the fixed order of the Corefile reference (1.8). Each answers, passes on, or changes what comes back.
// They are generators, so that one of them may wait (for an upstream) in the thread that can; a plugin that needs no waiting just returns.

import type { EdnsOption, ResourceRecord } from '../dns/message.ts'

/** Who asks, or is asked. */
export interface Peer {
  readonly family: 4 | 6
  /** In its shortest form, without brackets or zone. */
  readonly address: string
  readonly port: number
}

/** A question. The name in presentation format, lower case, with a final dot. */
export interface Question {
  readonly name: string
  readonly type: number
  readonly class: number
}

/** One query on its way. Plugins change what is not readonly for those behind them; the reply to the client gets its own question back. */
export interface Request {
  readonly client: Peer
  /** The address that was asked; the listener's if it cannot be had. */
  readonly local: Peer
  readonly protocol: 'udp' | 'tcp'
  /** Label `server` of metrics: 'dns://:53'. */
  readonly server: string
  /** Zone of the block that took the query: label `zone`. */
  readonly zone: string
  /** Label `view`. */
  readonly view: string
  readonly id: number
  readonly opcode: number
  /** Octets of the query. */
  readonly size: number
  /** As the client asked. */
  readonly asked: Question
  /** As plugins further on see it. */
  question: Question
  recursionDesired: boolean
  checkingDisabled: boolean
  authenticData: boolean
  /** The question is to be asked of upstreams whether the answer is known or not, and by itself: set to see whether it comes back. */
  isAlone?: boolean
  /** null = no OPT. */
  edns: { readonly version: number; udpSize: number; readonly dnssecOk: boolean; options: EdnsOption[] } | null
  /** Authority section of the query: IXFR has an SOA there. */
  readonly authority: readonly ResourceRecord[]
  /** Labels `plugin/label` that `metadata` collected, each worked out when it is asked for; null unless the block collects. */
  readonly metadata: Map<string, () => string> | null
  /** Asks the whole server, beginning with its zones, as this client would: for the target of a CNAME. At most 8 deep: SERVFAIL then. */
  ask(question: Question): Walk
  /** Adds one to a counter `coredns_NAME` with the labels server, zone and view of this request and these besides. */
  count(name: string, labels?: Readonly<Record<string, string>>): void
}

/** A message for the client. Its header's question is always the client's own. */
export interface Reply {
  readonly kind: 'reply'
  rcode: number
  authoritative: boolean
  recursionAvailable: boolean
  authenticData: boolean
  truncated: boolean
  /** Absent: as in the query. */
  recursionDesired?: boolean
  answer: ResourceRecord[]
  authority: ResourceRecord[]
  additional: ResourceRecord[]
  /** For the reply's OPT, if the client had one. */
  options: EdnsOption[]
  /** Who wrote it: label `plugin` of metrics. */
  readonly plugin: string
}

/** Nothing written: the server says RCODE, and `errors` the text, if there is one. */
export interface Failure {
  readonly kind: 'failure'
  readonly rcode: number
  /** '' = nothing to say. Without the name of the plugin. */
  readonly error: string
  readonly plugin: string
}

/** Nothing at all is sent. */
export interface Silence {
  readonly kind: 'silence'
  readonly plugin: string
}

/** A zone is to be sent, in as many messages as it takes. Only over TCP. */
export interface Transfer {
  readonly kind: 'transfer'
  /** Absolute, lower case. */
  readonly zone: string
  /** IXFR: the serial that the client has; null: AXFR. */
  readonly serial: number | null
  readonly plugin: string
}

export type Outcome = Reply | Failure | Silence | Transfer

/** What a plugin waits for: an upstream's answer to the request's question, as one block's `forward` directives get it. */
export interface Wait {
  /** Index in AnswerSource.blocks. */
  readonly block: number
  readonly request: Request
  /** Nobody else's question is the same: a loop has to be seen. */
  readonly isAlone: boolean
}

/** A plugin at work. What it yields is for the thread that runs it: a query worker cannot wait and hands the query over to the resolver thread. */
export type Walk = Generator<Wait, Outcome, Outcome>

/** The rest of a chain. */
export type Serve = (request: Request) => Walk

/** One plugin of one block. */
export interface Plugin {
  readonly name: string
  serve(request: Request, next: Serve): Walk
  /** Puts what it knows of a request into `metadata`; only called in blocks that collect. */
  describe?(request: Request, metadata: Map<string, () => string>): void
}

/** An empty reply, AA set. */
export function replyOf(plugin: string, rcode = 0): Reply {
  return {
    kind: 'reply',
    rcode,
    authoritative: true,
    recursionAvailable: false,
    authenticData: false,
    truncated: false,
    answer: [],
    authority: [],
    additional: [],
    options: [],
    plugin,
  }
}
