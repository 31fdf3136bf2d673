// The dummy interface that carries the addresses which pods ask. It stays down: addresses of a node count all the same, and nothing else should
// come of it.

import { isIPv6 } from 'node:net'
import type { Ensured, RunCommand } from './commands.ts'
import type { SetupErrors } from './setup-errors.ts'

const EXISTS = /\bFile exists\b|\balready assigned\b/

/** What makes and removes it. Methods never reject. */
export class LocalInterface {
  readonly #name: string
  readonly #addresses: readonly string[]
  readonly #run: RunCommand
  readonly #errors: SetupErrors

  constructor(name: string, addresses: readonly string[], run: RunCommand, errors: SetupErrors) {
    this.#name = name
    this.#addresses = addresses
    this.#run = run
    this.#errors = errors
  }

  /** Makes what is missing. */
  async ensure(): Promise<Ensured> {
    const there = await this.#addressesThere()
    if (typeof there === 'string') return { made: [], failed: [there] }
    const made: string[] = []
    const failed: string[] = []
    const add = async (what: string, ...args: string[]): Promise<void> => {
      const failure = await this.#add(...args)
      if (failure === '') made.push(what)
      else failed.push(failure)
    }
    if (there === null) await add(`interface ${this.#name} added`, 'link', 'add', this.#name, 'type', 'dummy')
    if (failed.length > 0) return { made, failed }
    for (const address of this.#addresses) {
      if (there?.has(address)) continue
      const args = ['address', 'add', ...addressArguments(address), 'dev', this.#name]
      await add(`address ${address} added to ${this.#name}`, ...args)
    }
    return { made, failed }
  }

  /** @returns whether there was one */
  async remove(): Promise<boolean> {
    return (await this.#run('ip', removalOf(this.#name))).code === 0
  }

  /** The addresses that it has; null if there is no such interface; a text if that cannot be told. */
  async #addressesThere(): Promise<ReadonlySet<string> | null | string> {
    const { code, stdout, error } = await this.#run('ip', ['-oneline', 'address', 'show', 'dev', this.#name])
    if (code === 0) {
      const shown = [...stdout.matchAll(/\binet6?\s+([^\s/]+)/g)].map(([, address]) => address)
      // One spelling for each address.
      return new Set(this.#addresses.filter((address) => shown.some((each) => isSame(each, address))))
    }
    if (/does not exist/.test(error)) return null
    this.#errors.count('interface_check')
    return error
  }

  /** @returns what went wrong; '' = nothing */
  async #add(...args: string[]): Promise<string> {
    const { code, error } = await this.#run('ip', args)
    if (code === 0 || EXISTS.test(error)) return ''
    this.#errors.count('interface_add')
    return error
  }
}

/** Arguments of `ip` that remove the interface, its addresses with it. */
export function removalOf(name: string): string[] {
  return ['link', 'delete', name]
}

function addressArguments(address: string): string[] {
  // Nobody else has it: no time is lost to find that out.
  return isIPv6(address) ? [`${address}/128`, 'nodad'] : [`${address}/32`]
}

function isSame(one: string, other: string): boolean {
  return one === other || (isIPv6(one) && isIPv6(other) && canonical(one) === canonical(other))
}

function canonical(address: string): string {
  return new URL(`http://[${address}]`).hostname
}
