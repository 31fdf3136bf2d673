// Blocks: putting the RRsets of a name together, and reading back what a change needs to know of the old ones.
// Not here: copying them into a response (append.ts).

import {
  BLOCK_HEADER_WORDS,
  blockFlags,
  blockReference,
  blockRrsetCount,
  CLAIMS,
  FLAT,
  findRrset,
  firstRrset,
  NAMES,
  nextRrset,
  RAW,
  REFERENCE,
  RRSET_HEADER_WORDS,
  rrsetCount,
  rrsetData,
  rrsetEncoding,
  SRV,
  writeBlockHeader,
  writeRrsetHeader,
} from './layout.ts'

/** One claim on a reverse name (layout.ts, CLAIMS). */
export interface Claim {
  readonly target: number
  readonly rank: number
  readonly createdAt: number
}

const TYPE_PTR = 12
const CLASS_IN = 1
const CLAIM_WORDS = 3
const IPV6_FLAG = 0x80000000 | 0

/** Collects the RRsets of one name. One builder is used again and again: begin(), RRsets, then IndexWriter.setBlock(). */
export class BlockBuilder {
  #words = new Int32Array(1024)
  #octets = new Uint8Array(this.#words.buffer)
  #size = BLOCK_HEADER_WORDS
  #rrset = 0
  #rrsetCount = 0
  #flags = 0
  #records = 0
  #additionalCountAt = 0

  /** Size in words of what has been put together. */
  get size(): number {
    return this.#size
  }

  get isEmpty(): boolean {
    return this.#rrsetCount === 0 && this.#flags === 0
  }

  /** Starts a new block. `flags`: layout.ts, block flags. */
  begin(flags: number): this {
    this.#size = BLOCK_HEADER_WORDS
    this.#additionalCountAt = 0
    this.#rrsetCount = 0
    this.#flags = flags
    return this
  }

  /** A block that refers to `target`, and has no RRsets. */
  refer(target: number): this {
    this.begin(REFERENCE)
    this.#words[this.#size++] = target
    return this
  }

  /** Starts an A (1) or AAAA (28) RRset; pushAddress() adds records, end() closes it. */
  beginAddresses(type: number): void {
    this.#begin(type, FLAT)
  }

  /** One address record, 4 or 16 octets from `octets[at]`, in wire form behind a pointer to the question (RFC 1035 §4.1.4). */
  pushAddress(type: number, ttl: number, octets: Uint8Array, at: number, length: number): void {
    this.#reserve(7)
    const to = this.#size << 2
    writeRecordHeader(this.#octets, to, type, ttl, length)
    for (let i = 0; i < length; i++) this.#octets[to + 12 + i] = octets[at + i]
    this.#size += (12 + length) >> 2
    this.#records++
  }

  /** Starts an SRV RRset (RFC 2782): pushSrv() for each record, then pushAdditional() for the addresses, then end(). */
  beginSrv(type: number): void {
    this.#begin(type, SRV)
  }

  pushSrv(target: number, port: number, weight: number): void {
    this.#reserve(3)
    this.#words[this.#size++] = target
    this.#words[this.#size++] = port | (weight << 16)
    this.#records++
  }

  /** Starts an RRset of records whose RDATA is one name: CNAME, NS. */
  beginNames(type: number): void {
    this.#begin(type, NAMES)
  }

  pushName(target: number): void {
    this.#reserve(2)
    this.#words[this.#size++] = target
    this.#records++
  }

  /** Between the records and the additional addresses of an SRV or names RRset. */
  beginAdditional(): void {
    this.#reserve(1)
    this.#additionalCountAt = this.#size
    this.#words[this.#size++] = 0
  }

  /** Address of the target of record `index`: 4 or 16 octets. */
  pushAdditional(index: number, octets: Uint8Array, at: number, length: number): void {
    this.#reserve(5)
    this.#words[this.#size++] = length === 16 ? index | IPV6_FLAG : index
    const to = this.#size << 2
    for (let i = 0; i < length; i++) this.#octets[to + i] = octets[at + i]
    this.#size += length >> 2
    this.#words[this.#additionalCountAt]++
  }

  /**
   * In place of beginAdditional() and pushAdditional(): the additional addresses are those of this block's own A and AAAA RRsets,
   * which come first in it. Their owner is the target of the first record.
   */
  ownAdditional(): void {
    this.#reserve(1)
    this.#additionalCountAt = this.#size
    this.#words[this.#size] = BLOCK_HEADER_WORDS - this.#size
    this.#size++
  }

  /** Closes the RRset in the making. One without records is dropped. */
  end(): void {
    if (this.#records === 0) {
      this.#size = this.#rrset
      return
    }
    const header = this.#words[this.#rrset]
    const hasAdditional = header >>> 16 === SRV || header >>> 16 === NAMES
    if (hasAdditional && this.#additionalCountAt < this.#rrset) this.beginAdditional()
    writeRrsetHeader(this.#words, this.#rrset, header & 0xffff, header >>> 16, this.#records, this.#size - this.#rrset)
    this.#rrsetCount++
  }

  /** A PTR RRset out of claims, best first; the first `answered` of them are in the answer. */
  addClaims(claims: readonly Claim[], answered: number): void {
    this.#begin(TYPE_PTR, CLAIMS)
    this.#reserve(1 + CLAIM_WORDS * claims.length)
    this.#words[this.#size++] = claims.length
    for (const claim of claims) {
      this.#words[this.#size++] = claim.target
      this.#words[this.#size++] = claim.rank
      this.#words[this.#size++] = claim.createdAt | 0
    }
    this.#records = answered
    this.end()
  }

  /** An RRset of records in arbitrary RDATA. */
  addRaw(type: number, ttl: number, rdata: readonly Uint8Array[]): void {
    this.#begin(type, RAW)
    for (const octets of rdata) {
      const length = 12 + octets.length
      this.#reserve(1 + ((length + 3) >> 2))
      this.#words[this.#size++] = length
      const to = this.#size << 2
      writeRecordHeader(this.#octets, to, type, ttl, octets.length)
      this.#octets.set(octets, to + 12)
      this.#size += (length + 3) >> 2
      this.#records++
    }
    this.end()
  }

  /** Copies the block to `words[block]`, `size` words. Writer only. */
  write(words: Int32Array, block: number): void {
    writeBlockHeader(this.#words, 0, this.#rrsetCount, this.#flags, this.#size)
    const source = this.#words
    for (let i = 0; i < this.#size; i++) words[block + i] = source[i]
  }

  #begin(type: number, encoding: number): void {
    this.#reserve(RRSET_HEADER_WORDS)
    this.#rrset = this.#size
    this.#words[this.#rrset] = type | (encoding << 16)
    this.#records = 0
    this.#size += RRSET_HEADER_WORDS
  }

  #reserve(words: number): void {
    if (this.#size + words <= this.#words.length) return
    const grown = new Int32Array(Math.max(this.#words.length * 2, this.#size + words))
    grown.set(this.#words)
    this.#words = grown
    this.#octets = new Uint8Array(grown.buffer)
  }
}

function writeRecordHeader(octets: Uint8Array, to: number, type: number, ttl: number, rdataLength: number): void {
  octets[to] = 0xc0
  octets[to + 1] = 12
  octets[to + 2] = type >> 8
  octets[to + 3] = type
  octets[to + 4] = 0
  octets[to + 5] = CLASS_IN
  octets[to + 6] = ttl >>> 24
  octets[to + 7] = ttl >>> 16
  octets[to + 8] = ttl >>> 8
  octets[to + 9] = ttl
  octets[to + 10] = rdataLength >> 8
  octets[to + 11] = rdataLength
}

/** Calls `visit` with each name that a record in `block`, or the block itself, refers to, as often as it does. */
export function forEachTarget(words: Int32Array, block: number, visit: (target: number) => void): void {
  if ((blockFlags(words, block) & REFERENCE) !== 0) visit(blockReference(words, block))
  let rrset = firstRrset(block)
  for (let i = blockRrsetCount(words, block); i > 0; i--) {
    const encoding = rrsetEncoding(words, rrset)
    const data = rrsetData(rrset)
    if (encoding === NAMES) for (let n = 0; n < rrsetCount(words, rrset); n++) visit(words[data + n])
    else if (encoding === SRV) for (let n = 0; n < rrsetCount(words, rrset); n++) visit(words[data + 2 * n])
    else if (encoding === CLAIMS) for (let n = 0; n < words[data]; n++) visit(words[data + 1 + CLAIM_WORDS * n])
    rrset = nextRrset(words, rrset)
  }
}

/** The claims that the PTR RRset of `block` holds; [] without one. */
export function claimsOf(words: Int32Array, block: number): Claim[] {
  const rrset = block === 0 ? 0 : findRrset(words, block, TYPE_PTR)
  if (rrset === 0 || rrsetEncoding(words, rrset) !== CLAIMS) return []
  const data = rrsetData(rrset)
  return Array.from({ length: words[data] }, (_, i) => ({
    target: words[data + 1 + CLAIM_WORDS * i],
    rank: words[data + 2 + CLAIM_WORDS * i],
    createdAt: words[data + 3 + CLAIM_WORDS * i] >>> 0,
  }))
}
