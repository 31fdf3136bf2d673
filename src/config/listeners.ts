// Which sockets the server blocks ask for, and which zones each of them answers: keys and `bind` of all blocks together.

import { isIP, SocketAddress } from 'node:net'
import type { NetworkInterfaceInfo } from 'node:os'
import type { BindConfig, ListenerConfig, ListenerZone } from './configuration.ts'
import { type CorefileError, errorAt, type Token } from './corefile/syntax.ts'
import type { Key } from './zone-names.ts'

/** As node:os tells. */
export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>

/** What of a block its listeners depend on. */
export interface ListeningBlock {
  readonly keys: readonly { readonly at: Token; readonly key: Key }[]
  /** The first `bind`, to blame; null = none. */
  readonly bindAt: Token | null
  readonly bind: BindConfig | undefined
  readonly hasView: boolean
}

interface Listener extends ListenerConfig {
  readonly zones: ListenerZone[]
}

/**
 * One listener for each scheme, port and address; its zones in file order.
 *
 * @param blocks  as in the file: a zone is given by the index of its block
 * @param warn  told what is allowed and yet surprises
 * @throws CorefileError for a zone that is served twice, and for a `bind` that means no address
 */
export function listenersOf(
  blocks: readonly ListeningBlock[],
  interfaces: Interfaces,
  warn: (at: Token, text: string) => void,
): ListenerConfig[] {
  const listeners = new Map<string, Listener>()
  const claims = new Claims()
  blocks.forEach((block, index) => {
    const addresses = addressesOf(block, interfaces)
    for (const { at, key } of block.keys) {
      for (const address of addresses) {
        const id = `${key.scheme} ${key.port} ${canonical(address)}`
        const listener = listeners.get(id) ?? { scheme: key.scheme, address, port: key.port, zones: [] }
        listeners.set(id, listener)
        for (const zone of key.zones) {
          if (!block.hasView) claims.add(at, key, zone, address)
          if (!listener.zones.some((each) => each.zone === zone && each.block === index)) {
            listener.zones.push({ zone, block: index })
          }
        }
      }
    }
  })
  warnOfMixture(blocks, warn)
  return [...listeners.values()]
}

/** Who serves which zone where; blocks with a view have no part in it. */
class Claims {
  readonly #everywhere = new Map<string, Token>()
  readonly #somewhere = new Map<string, Token>()
  readonly #taken = new Map<string, Token>()

  add(at: Token, key: Key, zone: string, address: string): void {
    const served = `${key.scheme}://${zone}:${key.port}`
    const here = address === '' ? served : `${served} on ${address}`
    const inspecting = (text: string, former: Token): CorefileError =>
      errorAt(at, `cannot serve ${here} - ${text}; see ${former.file}:${former.line}`)
    const id = `${served} ${canonical(address)}`
    const twice = this.#taken.get(id)
    if (twice !== undefined) throw inspecting('it is already defined', twice)
    const overlapping = address === '' ? this.#somewhere.get(served) : this.#everywhere.get(served)
    if (overlapping !== undefined) throw inspecting(`zone overlap listener capacity with ${served}`, overlapping)
    this.#taken.set(id, at)
    ;(address === '' ? this.#everywhere : this.#somewhere).set(served, at)
  }
}

/** Addresses that a block listens on, without duplicates; '' is every address. */
function addressesOf({ bind, bindAt }: ListeningBlock, interfaces: Interfaces): string[] {
  if (bind === undefined || bindAt === null) return ['']
  const expand = (names: readonly string[]): string[] =>
    names.flatMap((name) => addressesNamed(name, interfaces, bindAt))
  const except = new Set(expand(bind.except).map(canonical))
  const left = new Map<string, string>()
  for (const address of expand(bind.addresses)) {
    const id = canonical(address)
    if (!except.has(id) && !left.has(id)) left.set(id, address)
  }
  if (left.size === 0) throw errorAt(bindAt, 'plugin/bind: no address is left to listen on')
  return [...left.values()]
}

function addressesNamed(name: string, interfaces: Interfaces, at: Token): string[] {
  if (isIP(name) !== 0) return [name]
  const found = Object.hasOwn(interfaces, name) ? interfaces[name] : undefined
  if (found === undefined) throw errorAt(at, `plugin/bind: '${name}' is no IP address, and no interface has that name`)
  // A link-local address is none without its interface.
  return found.map(({ address, family, scopeid }) => (family === 'IPv6' && scopeid ? `${address}%${name}` : address))
}

/** One spelling for each address. */
function canonical(address: string): string {
  const [host, scope] = address.split('%')
  if (isIP(host) !== 6) return address
  const { address: shortest } = new SocketAddress({ address: host, family: 'ipv6' })
  return scope === undefined ? shortest : `${shortest}%${scope}`
}

/** A query to an address that one block binds never reaches the blocks of the same port that bind none. */
function warnOfMixture(blocks: readonly ListeningBlock[], warn: (at: Token, text: string) => void): void {
  const unbound = new Map<string, Token>()
  for (const { keys, bindAt } of blocks) {
    if (bindAt === null) for (const { at, key } of keys) unbound.set(`${key.scheme} ${key.port}`, at)
  }
  for (const { keys, bindAt } of blocks) {
    const mixed = keys.find(({ key }) => unbound.has(`${key.scheme} ${key.port}`))
    if (bindAt === null || mixed === undefined) continue
    const other = unbound.get(`${mixed.key.scheme} ${mixed.key.port}`)!
    warn(
      bindAt,
      `queries to these addresses reach only the zones bound to them, not those of ${other.file}:${other.line}`,
    )
  }
}
