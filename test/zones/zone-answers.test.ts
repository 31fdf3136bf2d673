// The stage of `file` against an obvious resolver (zone-oracle.ts), over zones in which everything meets everything.
// PEREGRINE_SEED: the seed; PEREGRINE_FUZZ_ROUNDS: how many zones.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ResourceRecord } from '../../src/dns/message.ts'
import { askText } from '../plugins/stage-answer.ts'
import { encodeName, typeNumber, words } from '../server/wire.ts'
import { fileStage, livingZone } from './static-stage.ts'
import { type PlainRecord, plainAnswer } from './zone-oracle.ts'

const ZONE = 'z.'
const OUTSIDE = 'out.'
const ROUNDS = Number(process.env.PEREGRINE_FUZZ_ROUNDS ?? 300)
const RUNS_MAX = 20
const SEED = Number(process.env.PEREGRINE_SEED ?? Date.now() % 0x7fffffff)
const SOA: PlainRecord = { owner: [], type: 'SOA', data: 'ns.z. h.z. 1 2 3 4 60', target: null }

/** Few labels and shallow names: they shall meet. */
const anyName = (labels: readonly string[], maxLength: number) => fc.array(fc.constantFrom(...labels), { maxLength })
const anyOwner = anyName(['a', 'b', '*'], 3)
const anyTarget = fc.oneof(
  { weight: 5, arbitrary: anyName(['a', 'b', '*', 'x'], 3) },
  { weight: 1, arbitrary: fc.constant(null) },
)
const textOf = (target: readonly string[] | null) => (target === null ? OUTSIDE : [...target, ZONE].join('.'))
const hexOf = (name: string) => {
  const wire = encodeName(name)
  return `\\# ${wire.length} ${Buffer.from(wire).toString('hex')}`
}

const anyRecord: fc.Arbitrary<PlainRecord> = fc
  .tuple(
    anyOwner,
    fc.constantFrom('A', 'AAAA', 'NS', 'CNAME', 'DNAME', 'SRV', 'TXT', 'DS'),
    anyTarget,
    fc.nat({ max: 2 }),
  )
  .map(([owner, type, target, number]): PlainRecord => {
    const name = textOf(target)
    switch (type) {
      case 'A':
        return { owner, type, data: `10.0.0.${number}`, target: null }
      case 'AAAA':
        return { owner, type, data: `fd00::${number + 1}`, target: null }
      case 'TXT':
        return { owner, type, data: `"${number}"`, target: null }
      case 'DS':
        return { owner, type, data: `\\# 5 000108020${number}`, target: null }
      case 'SRV':
        return { owner, type, data: `0 0 ${number} ${name}`, target }
      case 'DNAME':
        return { owner, type, data: hexOf(name), target }
      default:
        return { owner, type: type as 'NS' | 'CNAME', data: name, target }
    }
  })

/** RDATA of what the generator makes, octet by octet. */
function rdataOf({ type, data }: PlainRecord): Uint8Array {
  const parts = data.split(' ')
  if (parts[0] === '\\#') return Buffer.from(parts[2], 'hex')
  switch (type) {
    case 'A':
      return Uint8Array.from(data.split('.'), Number)
    case 'AAAA':
      return Buffer.concat([Buffer.from('fd00', 'hex'), Buffer.alloc(13), Buffer.of(Number(data.slice(6)))])
    case 'TXT':
      return Buffer.of(1, data.charCodeAt(1))
    case 'SRV':
      return Buffer.concat([words(...parts.slice(0, 3).map(Number)), encodeName(parts[3])])
    case 'SOA':
      return Buffer.concat([
        ...parts.slice(0, 2).map(encodeName),
        ...parts.slice(2).flatMap((number) => [words(0, Number(number))]),
      ])
    default:
      return encodeName(data)
  }
}

function recordOf(record: PlainRecord): ResourceRecord {
  const owner = [...record.owner, ZONE].join('.')
  return {
    owner,
    type: typeNumber(record.type === 'DNAME' ? 'TYPE39' : record.type),
    class: 1,
    ttl: 300,
    rdata: rdataOf(record),
  }
}

test(`any zone, any question (seed ${SEED})`, { timeout: 600_000 }, () => {
  const kinds = new Map<string, number>()
  const living = livingZone(ZONE)
  const anyZone = fc.uniqueArray(anyRecord, {
    maxLength: 14,
    selector: ({ owner, type, data }) => `${owner.join('.')} ${type} ${data}`,
  })
  const anyQuestion = fc.tuple(
    anyName(['a', 'b', 'x', '*'], 4),
    fc.constantFrom('A', 'AAAA', 'NS', 'CNAME', 'SRV', 'TXT', 'DS', 'TYPE39'),
  )
  const property = fc.property(anyZone, fc.array(anyQuestion, { minLength: 12, maxLength: 12 }), (zone, questions) => {
    const records = [SOA, ...zone]
    const stage = fileStage([{ origin: ZONE, records: records.map(recordOf) }])
    living.replace(records.map(recordOf))
    for (const [qname, type] of questions) {
      const expected = plainAnswer(ZONE, records, qname, type === 'TYPE39' ? 'DNAME' : type)
      const name = [...qname, ZONE].join('.')
      assert.deepEqual(askText(stage, name, type), expected, `${name} ${type}`)
      assert.deepEqual(askText(stage, name.toUpperCase(), type, { start: 1 })[0], expected[0])
      assert.deepEqual(askText(living.stage, name, type), expected, `${name} ${type} after what was there before`)
      const kind = kindOf(expected)
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
    }
  })
  // The generator reaches all of these; the rarest not in every run.
  const wanted = [
    'answer',
    'chain',
    'renamed',
    'referral',
    'chain, referral',
    'NODATA',
    'NXDOMAIN',
    'chain, NODATA',
    'chain, NXDOMAIN',
    'additional',
  ]
  for (let run = 0; run < RUNS_MAX && (run === 0 || wanted.some((kind) => !kinds.has(kind))); run++) {
    fc.assert(property, { numRuns: ROUNDS, seed: SEED + run })
  }
  for (const kind of wanted) assert.ok(kinds.has(kind), `${kind} comes up`)
})

function kindOf([head, ...lines]: readonly string[]): string {
  const chain = lines.some((line) => / CNAME /.test(line)) ? 'chain, ' : ''
  if (lines.some((line) => / TYPE39 /.test(line)) && chain !== '') return 'renamed'
  if (lines.some((line) => /^~.* NS /.test(line))) return `${chain}referral`
  if (lines.some((line) => /^~.* SOA /.test(line))) return chain + (head.startsWith('NXDOMAIN') ? 'NXDOMAIN' : 'NODATA')
  if (lines.some((line) => line.startsWith('+'))) return 'additional'
  return chain === '' ? 'answer' : 'chain'
}
