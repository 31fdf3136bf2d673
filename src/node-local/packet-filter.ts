// Rules of the packet filter that let DNS to the node's own addresses past connection tracking and past kube-proxy's NAT (reference, section
// 15.3), through `iptables` or `ip6tables`.
//
// What comes from pods passes the rules only while something listens on the address (`-m socket`): a server that is gone with everything around
// it, as when a container is killed for its memory, leaves rules that match nothing, and kube-proxy leads queries to the cluster's own servers.
// A kernel without that match gets the rules without it. What the node's own programs send (OUTPUT) cannot be matched so.

import { isIPv6 } from 'node:net'
import type { CommandResult, Ensured, RunCommand } from './commands.ts'
import type { SetupErrors } from './setup-errors.ts'

/** One rule. */
export interface Rule {
  readonly table: 'raw' | 'filter'
  readonly chain: 'PREROUTING' | 'INPUT' | 'OUTPUT'
  /** What it matches. */
  readonly match: readonly string[]
  readonly comment: string
  readonly target: 'NOTRACK' | 'ACCEPT'
}

const PORT = '53'
const SKIP = 'NodeLocal DNS Cache: skip conntrack'
const ALLOW = 'NodeLocal DNS Cache: allow DNS traffic'
const LISTENING = ['-m', 'socket']
/** Seconds that iptables waits for others that use it. */
const LOCK_SECONDS = '5'
/** How iptables ends when it does not get its lock. */
const LOCKED = 4
/** Copies of one rule that are removed: more than were ever made by mistake, and no endless loop. */
export const COPIES_MAX = 8

/** The rules of one address. @param watchful  whether what comes from pods matches only while something listens */
export function rulesOf(address: string, healthPort: number, watchful: boolean): Rule[] {
  const to = (protocol: string, port: string): string[] => ['-d', address, '-p', protocol, '--dport', port]
  const from = (protocol: string, port: string): string[] => ['-s', address, '-p', protocol, '--sport', port]
  const skip = (chain: Rule['chain'], match: readonly string[]): Rule => {
    return { table: 'raw', chain, match, comment: SKIP, target: 'NOTRACK' }
  }
  const allow = (chain: Rule['chain'], match: readonly string[]): Rule => {
    return { table: 'filter', chain, match, comment: ALLOW, target: 'ACCEPT' }
  }
  const health = String(healthPort)
  return [
    ...['tcp', 'udp'].flatMap((protocol) => [
      skip('PREROUTING', [...to(protocol, PORT), ...(watchful ? LISTENING : [])]),
      skip('OUTPUT', to(protocol, PORT)),
      skip('OUTPUT', from(protocol, PORT)),
      allow('INPUT', to(protocol, PORT)),
      allow('OUTPUT', from(protocol, PORT)),
    ]),
    skip('OUTPUT', to('tcp', health)),
    skip('OUTPUT', from('tcp', health)),
  ]
}

/** Every rule that may be there: those of kernels with and without the match. */
export function allRules(addresses: readonly string[], healthPort: number): Rule[] {
  return addresses.flatMap((address) => [
    ...rulesOf(address, healthPort, true),
    ...rulesOf(address, healthPort, false).filter(({ chain }) => chain === 'PREROUTING'),
  ])
}

/** The program for addresses of that family. */
export function filterProgram(addresses: readonly string[]): string {
  return addresses.some((address) => isIPv6(address)) ? 'ip6tables' : 'iptables'
}

/** Arguments of iptables. `-I` puts a rule in front of others: one that drops what is not allowed may be there. */
export function argumentsOf(operation: '-C' | '-I' | '-D', { table, chain, match, comment, target }: Rule): string[] {
  const what = [...match, '-m', 'comment', '--comment', comment, '-j', target]
  return ['-w', LOCK_SECONDS, '-t', table, operation, chain, ...what]
}

/** What makes and removes the rules of some addresses. Methods never reject. */
export class PacketFilter {
  readonly #addresses: readonly string[]
  readonly #healthPort: number
  readonly #run: RunCommand
  readonly #errors: SetupErrors
  readonly #program: string
  /** Whether the kernel can tell that something listens: until it says no. */
  #watchful = true

  constructor(addresses: readonly string[], healthPort: number, run: RunCommand, errors: SetupErrors) {
    this.#addresses = addresses
    this.#healthPort = healthPort
    this.#run = run
    this.#errors = errors
    this.#program = filterProgram(addresses)
  }

  /** Makes what is missing. @param until  stops when it is aborted */
  async ensure(until?: AbortSignal): Promise<Ensured> {
    const failed: string[] = []
    const made: string[] = []
    let count = 0
    for (const address of this.#addresses) {
      for (const [index, plain] of rulesOf(address, this.#healthPort, false).entries()) {
        if (until?.aborted) break
        const watchful = rulesOf(address, this.#healthPort, true)[index]
        const { result, isNew } = await this.#ensureRule(watchful, plain, made)
        if (result.code === 0) {
          count += isNew ? 1 : 0
          continue
        }
        this.#errors.count(isLocked(result) ? 'iptables_lock' : 'iptables')
        failed.push(result.error)
        // Without the program nothing else will go better.
        if (result.code === null) break
      }
    }
    if (count > 0) made.push(`${count} rules added for ${this.#addresses.join(', ')}`)
    return { made, failed }
  }

  /** Removes every rule that is there. @param until  stops when it is aborted @returns how many there were */
  async remove(until?: AbortSignal): Promise<number> {
    let removed = 0
    for (const rule of allRules(this.#addresses, this.#healthPort)) {
      for (let copies = 0; copies < COPIES_MAX && !until?.aborted; copies++) {
        if ((await this.#run(this.#program, argumentsOf('-D', rule))).code !== 0) break
        removed++
      }
    }
    return removed
  }

  /** @param said  gets a line if the kernel turns out not to have the match */
  async #ensureRule(watchful: Rule, plain: Rule, said: string[]): Promise<{ result: CommandResult; isNew: boolean }> {
    const rule = this.#watchful ? watchful : plain
    const found = await this.#run(this.#program, argumentsOf('-C', rule))
    if (found.code === 0) return { result: found, isNew: false }
    const result = await this.#run(this.#program, argumentsOf('-I', rule))
    const isTried = rule.match.length === plain.match.length || !isRefused(result)
    if (isTried) return { result, isNew: true }
    const second = await this.#run(this.#program, argumentsOf('-I', plain))
    if (second.code === 0) {
      this.#watchful = false
      said.push('rules match whether or not something listens: there is no `-m socket` here')
    }
    return { result: second, isNew: true }
  }
}

/** Exit code 4 has other causes too. */
function isLocked({ code, error }: CommandResult): boolean {
  return code === LOCKED && /\block\b/i.test(error)
}

/** The rule itself is to blame, not the moment. */
function isRefused(result: CommandResult): boolean {
  return result.code !== null && result.code !== 0 && !isLocked(result)
}
