// Keys of names wherever they stand in a message, for stages that look up more than the question. Hot: nothing is allocated.

import { KEY_WORDS } from '../dns/key.ts'
import { type Query, readKey, sealKey } from '../dns/question.ts'

const STAR = 0x2a

export class KeyReader {
  private readonly scratchWords = new Int32Array(KEY_WORDS)
  private readonly scratch = new Uint8Array(this.scratchWords.buffer)
  /** The memory that messages usually come in, and the same as words. */
  private home: Uint8Array = this.scratch
  private homeWords: Int32Array = this.scratchWords

  /** Names the memory that most messages will be in. Allocates. */
  setHome(packet: Uint8Array): void {
    if (packet.byteOffset % 4 !== 0) return
    this.home = packet
    this.homeWords = new Int32Array(packet.buffer, packet.byteOffset, packet.byteLength >> 2)
  }

  /** Makes in `key` the key of the first `length` octets of the name at packet[at..], for `zone` of an index. */
  read(key: Query, packet: Uint8Array, at: number, zone: number, length: number): void {
    if (packet === this.home && (at & 3) === 0) {
      readKey(key, this.homeWords, at >> 2, zone, length)
      return
    }
    const { scratch } = this
    for (let i = 0; i < length; i++) scratch[i] = packet[at + i]
    readKey(key, this.scratchWords, 0, zone, length)
  }
}

/** Makes in `suffix` what `key` has from octet `from` on. */
export function keySuffix(suffix: Query, key: Query, from: number): void {
  copyFrom(suffix, key, from, 0)
}

/** Makes in `wildcard` the asterisk label, and what `key` has from octet `from` on (RFC 4592 §2.1.1). */
export function keyWildcard(wildcard: Query, key: Query, from: number): void {
  wildcard.key[0] = 1
  wildcard.key[1] = STAR
  copyFrom(wildcard, key, from, 2)
}

function copyFrom(target: Query, source: Query, from: number, to: number): void {
  const length = source.meta & 0xffff
  for (let i = from; i < length; i++) target.key[to++] = source.key[i]
  sealKey(target, source.meta >>> 16, to)
}
