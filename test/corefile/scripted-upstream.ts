// An upstream that says for each name what a test wants, counts how often it was asked, and replies as text. In its simplest form it tells by the last octet
// of an address how often it was asked for the name.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Answer } from 'dns-packet'
import { type Answering, type Asked, LyingUpstream, replyTo } from '../forward/lying-upstream.ts'
import { FLAG, type Response } from '../server/wire.ts'

const UNTIL_MS = 10_000

/** How a query finds its way: nothing but what answers in place; or through plugins on whole messages, which `metadata` asks for. */
export const WAYS: readonly { readonly title: string; readonly lines: string; readonly flags: readonly string[] }[] = [
  { title: 'in place', lines: '', flags: [] },
  { title: 'by a chain, portable transport', lines: 'metadata\n', flags: ['--transport', 'dgram'] },
]

/** What an upstream says the n-th time (from 1); null: nothing at all. */
export type Script = (n: number, asked: Asked) => Answering | null

/** An upstream that does for each name what a test wants; without a script it does as it is told at its start. */
export class ScriptedUpstream {
  readonly scripts = new Map<string, Script>()
  readonly lying: LyingUpstream
  /** Every query once: what was sent again because the answer took its time has the same id and port. */
  readonly asked: Asked[] = []
  readonly #counts = new Map<string, number>()
  readonly #numbers = new Map<string, number>()

  readonly #usual: Script

  /** @param usual  default: an address, for an hour */
  static async open(usual: Script = address(3600)): Promise<ScriptedUpstream> {
    return new ScriptedUpstream(await LyingUpstream.open(), usual)
  }

  private constructor(lying: LyingUpstream, usual: Script) {
    this.lying = lying
    this.#usual = usual
    lying.behavior = (asked) => this.#answer(asked)
  }

  /** How often the name was asked for. */
  count(name: string): number {
    return this.#counts.get(name) ?? 0
  }

  /** Waits until it has been asked for a name so often. @throws Error after 10 s */
  async untilAsked(name: string, times: number): Promise<void> {
    for (const deadline = performance.now() + UNTIL_MS; this.count(name) < times; await sleep(5)) {
      if (performance.now() > deadline) throw new Error(`${name} was asked for ${this.count(name)} times, not ${times}`)
    }
  }

  async close(): Promise<void> {
    await this.lying.close()
  }

  #answer(asked: Asked): void {
    const name = asked.name.toLowerCase()
    const sent = [asked.proto, asked.connection, asked.port, asked.id, name].join(' ')
    const n = this.#numbers.get(sent) ?? this.count(name) + 1
    if (!this.#numbers.has(sent)) {
      this.asked.push(asked)
      this.#numbers.set(sent, n)
      this.#counts.set(name, n)
    }
    const answering = (this.scripts.get(name) ?? this.#usual)(n, asked)
    if (answering !== null) asked.send(replyTo(asked, answering))
  }
}

const UNIT = 'zone.test'
/** A SOA record with MINIMUM 3. */
export const soaOf = (ttl: number, zone = UNIT): Answer => ({
  type: 'SOA',
  name: zone,
  ttl,
  data: { mname: `ns.${zone}`, rname: `hostmaster.${zone}`, serial: 1, refresh: 2, retry: 3, expire: 4, minimum: 3 },
})

/** An address that tells how often it was asked for. */
export function address(ttl: number): Script {
  return (n, { name }) => ({ answers: [{ type: 'A', name, ttl, data: `192.0.2.${n}` }] })
}
/** NXDOMAIN, or another code, with a SOA record of that TTL. */
export const denial =
  (ttl: number, rcode = 3): Script =>
  () => ({ rcode, answers: [], authorities: [soaOf(ttl)] })
/** A code and nothing else. */
export const failure =
  (rcode: number): Script =>
  () => ({ rcode })
/** One script for the first time, another one after that. */
export const afterwards =
  (first: Script, second: Script): Script =>
  (n, asked) =>
    (n === 1 ? first : second)(n, asked)

const MNEMONICS = { aa: FLAG.AA, tc: FLAG.TC, ra: FLAG.RA, ad: FLAG.AD }

/** `NOERROR aa,ra: 30 A 192.0.2.1; authority: 30 SOA`; RDATA of addresses and aliases alone. */
export function said({ rcode, flags, answer, authority, additional }: Response): string {
  const set = Object.entries(MNEMONICS).filter(([, bit]) => (flags & bit) !== 0)
  const text = [answer, authority, additional].map((records, section) => {
    if (records.length === 0) return ''
    const each = records.map(({ ttl, type, data }) =>
      [ttl, type, ...(/^(A|CNAME)$/.test(type) ? [data] : [])].join(' '),
    )
    return `${['', ' authority', ' additional'][section]}: ${each.join(', ')}`
  })
  return `${rcode} ${set.map(([name]) => name)}${text.join('')}`
}
