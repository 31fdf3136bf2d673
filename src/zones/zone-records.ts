// The records of a zone as they are in the index, for transfers: the way back of zone-nodes.ts.

import type { ResourceRecord } from '../dns/message.ts'
import { textOfWire } from '../dns/name.ts'
import {
  blockRrsetCount,
  blockSize,
  firstRrset,
  nextRrset,
  RAW,
  rrsetCount,
  rrsetData,
  rrsetEncoding,
} from '../index/layout.ts'
import { keyOfLabels, wireOfKey, type ZoneSnapshot } from './zone-writer.ts'

const TYPE_SOA = 6
const HEAD_LENGTH = 12 // owner as a pointer, type, class, TTL, length of RDATA
const FLAT_WORDS = { 4: 4, 16: 7 } as const // of a record of A and AAAA

/** All records of a zone, from its SOA to its SOA (RFC 5936 §2.2). @param zone  labels of the apex */
export function* snapshotRecords(
  zone: readonly string[],
  snapshot: ZoneSnapshot,
): Generator<ResourceRecord, void, void> {
  const soa = snapshotSoa(zone, snapshot)
  if (soa === null) return
  yield soa
  for (const record of allRecords(zone, snapshot)) if (record.type !== TYPE_SOA) yield record
  yield soa
}

function snapshotSoa(zone: readonly string[], snapshot: ZoneSnapshot): ResourceRecord | null {
  for (const record of allRecords(zone, snapshot)) if (record.type === TYPE_SOA) return record
  return null
}

function* allRecords(zone: readonly string[], { keys, words }: ZoneSnapshot): Generator<ResourceRecord, void, void> {
  const suffix = keyOfLabels(zone)
  let block = 0
  for (const key of keys) {
    const owner = textOfWire(wireOfKey(key + suffix))
    yield* blockRecords(owner, words, block)
    block += blockSize(words, block)
  }
}

function* blockRecords(owner: string, words: Int32Array, block: number): Generator<ResourceRecord, void, void> {
  const octets = new Uint8Array(words.buffer, words.byteOffset, words.byteLength)
  let rrset = firstRrset(block)
  for (let left = blockRrsetCount(words, block); left > 0; left--) {
    let word = rrsetData(rrset)
    for (let record = rrsetCount(words, rrset); record > 0; record--) {
      const isRaw = rrsetEncoding(words, rrset) === RAW
      const at = (isRaw ? word + 1 : word) << 2
      const length = recordLength(octets, at)
      yield readRecord(owner, octets.subarray(at, at + length))
      word += isRaw ? 1 + ((length + 3) >> 2) : FLAT_WORDS[length - HEAD_LENGTH === 4 ? 4 : 16]
    }
    rrset = nextRrset(words, rrset)
  }
}

function recordLength(octets: Uint8Array, at: number): number {
  return HEAD_LENGTH + ((octets[at + 10] << 8) | octets[at + 11])
}

function readRecord(owner: string, octets: Uint8Array): ResourceRecord {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length)
  return {
    owner,
    type: view.getUint16(2),
    class: view.getUint16(4),
    ttl: view.getUint32(6),
    rdata: octets.slice(HEAD_LENGTH),
  }
}
