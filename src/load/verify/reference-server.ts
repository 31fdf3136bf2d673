// Another server as the truth: what it answers is right. Each question is asked once, and its answer kept.

import { LoadInputError } from '../input-error.ts'
import type { Target } from '../run.ts'
import { DnsClient, type DnsClientOptions } from './dns-client.ts'
import { questionKey } from './question-key.ts'
import { NoTruthError, type Truth } from './truth.ts'

/** Octets of answers that are kept, with their questions; the oldest go first, and are asked again when they are needed. */
const KEPT_OCTETS_MAX = 64 * 2 ** 20
const LEFT_SHARE = 0.9
/** What an entry takes beside its octets, roughly. */
const ENTRY_OCTETS = 200
/** `. NS`: any answer will do. */
const PROBE = Uint8Array.of(0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1)

/** null = it gave no answer. */
type KeptAnswer = Uint8Array | null | Promise<Uint8Array | null>

export class ReferenceServer implements Truth {
  readonly name: string
  /** It may count TTLs down, and has an answer to everything. */
  readonly rules: Truth['rules'] = {}
  readonly #client: DnsClient
  readonly #kept = new Map<string, KeptAnswer>()
  #keptOctets = 0

  /**
   * Asks it a first time.
   *
   * @param target  udp or tcp
   * @param probe   what it is asked; any answer is good
   * @throws LoadInputError if it does not answer, or is to be asked another way
   */
  static async start(
    target: Target,
    options: DnsClientOptions = {},
    probe: Uint8Array = PROBE,
  ): Promise<ReferenceServer> {
    const { label, transport } = target
    if (!DnsClient.speaks(target))
      throw new LoadInputError(`reference ${label}: asked over udp or tcp, not ${transport}`)
    const client = new DnsClient(target, options)
    if ((await client.ask(probe)) === null) {
      const { failure } = client
      client.close()
      throw new LoadInputError(`reference ${label} does not answer: ${failure}`)
    }
    return new ReferenceServer(label, client)
  }

  private constructor(name: string, client: DnsClient) {
    this.name = name
    this.#client = client
  }

  answer(query: Uint8Array): Uint8Array | Promise<Uint8Array> {
    const key = questionKey(query)
    const kept = this.#kept.get(key)
    if (kept instanceof Uint8Array) return kept
    return Promise.resolve(kept === undefined ? this.#ask(key, query) : kept).then((answer) => {
      if (answer === null) throw new NoTruthError(`reference ${this.name} does not answer`)
      return answer
    })
  }

  /** Forgets the answer. */
  async refresh(query: Uint8Array): Promise<boolean> {
    const key = questionKey(query)
    // What is under way is new enough.
    if (!(this.#kept.get(key) instanceof Promise)) this.#forget(key)
    return false
  }

  close(): void {
    this.#client.close()
  }

  #ask(key: string, query: Uint8Array): Promise<Uint8Array | null> {
    const asked = this.#client.ask(query).then((answer) => {
      this.#kept.set(key, answer)
      this.#keptOctets += octetsOf(key, answer)
      if (this.#keptOctets > KEPT_OCTETS_MAX) this.#forgetOldest()
      return answer
    })
    this.#kept.set(key, asked)
    return asked
  }

  /** Many at once: each look for the oldest goes through all that were forgotten before it. */
  #forgetOldest(): void {
    for (const oldest of this.#kept.keys()) {
      if (this.#keptOctets <= KEPT_OCTETS_MAX * LEFT_SHARE) break
      this.#forget(oldest)
    }
  }

  #forget(key: string): void {
    const kept = this.#kept.get(key)
    if (kept === undefined || kept instanceof Promise) return
    this.#kept.delete(key)
    this.#keptOctets -= octetsOf(key, kept)
  }
}

function octetsOf(key: string, answer: Uint8Array | null): number {
  return ENTRY_OCTETS + key.length + (answer?.length ?? 0)
}
