// Which structure should the index be? Lookups, size and changes of each candidate at two sizes, hot and cold, with huge
// pages and without. `npm run bench:index`, or node bench/index.ts [--json FILE] [--sizes 1k,1.1m] [--structures a,b]
//
// Every cell is measured in a process of its own, so that no structure sees code compiled for another. The machine may be
// noisy: of many short passes the fastest counts for "best", and the median is printed beside it.

import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Query, readName } from '../src/dns/question.ts'
import { createRegion, type Region } from '../src/index/layout.ts'
import { Champ } from './structures/champ.ts'
import { HashTable } from './structures/hash-table.ts'
import { ClusterNames, type Draw, drawNames, NAME_STRIDE, seededRandom } from './structures/names.ts'
import { QpTrie } from './structures/qp-trie.ts'
import { type Structure, valueOfBlock } from './structures/structure.ts'

/** What can be measured. */
const STRUCTURES: Record<string, (region: Region, names: number) => Structure> = {
  champ: (region) => new Champ(region),
  qp: (region) => new QpTrie(region),
  hash: (region, names) => new HashTable(region, names),
}
const TITLES: Record<string, string> = { champ: 'CHAMP', qp: 'qp-trie', hash: 'hash table (floor)' }
const SIZES: Record<string, { services: number; endpoints: number; mebibytes: number }> = {
  '1k': { services: 90, endpoints: 9, mebibytes: 4 },
  '1.1m': { services: 100_000, endpoints: 10, mebibytes: 320 },
}
const DRAWS: readonly Draw[] = ['hot', 'missing-hot', 'zipf', 'uniform', 'missing']
const BATCH = 64
const TABLE_COUNT = 32 * 1024
const PASSES = 15
const CHANGES = 4000
const SEED = 20260101

interface Lookup {
  bestNs: number
  medianNs: number
}
interface Cell {
  structure: string
  size: string
  hugePages: boolean
  names: number
  buildUs: number
  bytesPerName: number
  changeUs: number
  /** By draw; `all-` draws are looked up side by side. */
  lookups: Record<string, Lookup>
}

/** Two functions and no branch: each loop is compiled for one structure and one way to ask. */
function timeOneByOne(structure: Structure, batch: Batch, count: number): number {
  const { queries, words } = batch
  const began = performance.now()
  for (let i = 0; i < count; i++) {
    batch.found[i] = structure.find(queries[i], words, i * (NAME_STRIDE >> 2), queries[i].nameLength - 1)
  }
  return performance.now() - began
}

function timeSideBySide(structure: Structure, batch: Batch, count: number): number {
  const began = performance.now()
  structure.findAll!(batch.queries, batch.words, NAME_STRIDE >> 2, count, batch.found)
  return performance.now() - began
}

/** Names as they lie in the slots of a worker. */
class Batch {
  readonly octets = new Uint8Array(BATCH * NAME_STRIDE)
  readonly words = new Int32Array(this.octets.buffer)
  readonly queries = Array.from({ length: BATCH }, () => new Query())
  readonly found = new Int32Array(BATCH)

  load(table: Uint8Array, first: number): void {
    const { octets, queries } = this
    const from = first * NAME_STRIDE
    for (let i = 0; i < octets.length; i++) octets[i] = table[from + i]
    for (let i = 0; i < BATCH; i++) readName(queries[i], octets, i * NAME_STRIDE, (i + 1) * NAME_STRIDE)
  }
}

/** The fresh names of each pass are drawn anew: a cold lookup must not meet what the pass before has warmed. */
function measureDraw(
  structure: Structure,
  names: ClusterNames,
  draw: Draw,
  time: (structure: Structure, batch: Batch, count: number) => number,
): Lookup {
  const batch = new Batch()
  const random = seededRandom(SEED)
  const expected = draw === 'missing' || draw === 'missing-hot' ? 0 : BATCH
  const perPass: number[] = []
  for (let pass = 0; pass < PASSES; pass++) {
    const table = drawNames(names, draw, TABLE_COUNT, random)
    let spent = 0
    for (let first = 0; first < TABLE_COUNT; first += BATCH) {
      batch.load(table, first)
      spent += time(structure, batch, BATCH)
      let hits = 0
      for (let i = 0; i < BATCH; i++) if (batch.found[i] !== 0) hits++
      if (hits !== expected) throw new Error(`${draw}: ${hits} of ${BATCH} names found`)
    }
    perPass.push((spent * 1e6) / TABLE_COUNT)
  }
  perPass.sort((a, b) => a - b)
  return { bestNs: perPass[0], medianNs: perPass[perPass.length >> 1] }
}

/** Median CPU time of a new block for one name, published. */
function measureChange(structure: Structure, names: ClusterNames): number {
  const random = seededRandom(SEED + 1)
  const spent: number[] = []
  for (let i = 0; i < CHANGES; i++) {
    const labels = names.labels(Math.floor(random() * names.count))
    const began = performance.now()
    structure.set(labels, i)
    structure.publish()
    spent.push((performance.now() - began) * 1000)
  }
  spent.sort((a, b) => a - b)
  return spent[spent.length >> 1]
}

/** Does the structure know each name, and no other? */
function verify(structure: Structure, region: Region, names: ClusterNames): void {
  const batch = new Batch()
  for (let i = 0; i < names.count; i += 97) {
    const wire = names.labels(i).flatMap((label) => [label.length, ...Buffer.from(label.toUpperCase())])
    batch.octets.fill(0, 0, NAME_STRIDE)
    batch.octets.set(wire)
    const end = readName(batch.queries[0], batch.octets, 0, NAME_STRIDE)
    const block = structure.find(batch.queries[0], batch.words, 0, end - 1)
    if (block === 0 || valueOfBlock(region, block) !== i) throw new Error(`name ${i} is not found`)
    batch.octets[1] ^= 0x10
    if (structure.find(batch.queries[0], batch.words, 0, end - 1) !== 0) throw new Error(`no name ${i} is found`)
  }
}

async function measure(structureName: string, size: string, wantsHugePages: boolean): Promise<Cell> {
  const { services, endpoints, mebibytes } = SIZES[size]
  const names = new ClusterNames(services, endpoints)
  const region = createRegion(mebibytes * 2 ** 20)
  const hugePages = wantsHugePages && (await takeHugePages(region.buffer))
  const structure = STRUCTURES[structureName](region, names.count)
  const began = performance.now()
  for (let i = 0; i < names.count; i++) {
    structure.set(names.labels(i), i)
    if (i % 1000 === 0) structure.publish()
  }
  structure.publish()
  const buildUs = ((performance.now() - began) * 1000) / names.count
  verify(structure, region, names)
  const bytesPerName = structure.indexBytes / names.count
  const lookups: Record<string, Lookup> = {}
  for (const draw of DRAWS) lookups[draw] = measureDraw(structure, names, draw, timeOneByOne)
  if (structure.findAll !== undefined) {
    for (const draw of DRAWS) lookups[`all-${draw}`] = measureDraw(structure, names, draw, timeSideBySide)
  }
  const changeUs = measureChange(structure, names)
  return { structure: structureName, size, hugePages, names: names.count, buildUs, bytesPerName, changeUs, lookups }
}

async function takeHugePages(buffer: SharedArrayBuffer): Promise<boolean> {
  try {
    const { adviseHugePages } = await import('../src/io/huge-pages.ts')
    const taken = adviseHugePages(buffer)
    const mode = readFileSync('/sys/kernel/mm/transparent_hugepage/enabled', 'utf8')
    return taken && !mode.includes('[never]')
  } catch {
    return false
  }
}

function table(cells: readonly Cell[]): string {
  const head = ['names', 'structure', 'pages', ...DRAWS.map((draw) => DRAW_TITLES[draw]), 'octets a name', 'change µs']
  const rows = cells.flatMap((cell) => {
    const pages = cell.hugePages ? 'huge' : 'small'
    const common = [cell.names.toLocaleString('en'), TITLES[cell.structure], pages]
    const one = DRAWS.map((draw) => figures(cell.lookups[draw]))
    const lines = [[...common, ...one, cell.bytesPerName.toFixed(1), cell.changeUs.toFixed(1)]]
    if (cell.lookups['all-hot'] !== undefined) {
      const all = DRAWS.map((draw) => figures(cell.lookups[`all-${draw}`]))
      lines.push(['', `${TITLES[cell.structure]}, ${BATCH} side by side`, pages, ...all, '', ''])
    }
    return lines
  })
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
}

const DRAW_TITLES: Record<Draw, string> = {
  hot: 'hot',
  'missing-hot': 'hot NXDOMAIN',
  zipf: 'Zipf',
  uniform: 'uniform',
  missing: 'NXDOMAIN',
}

function figures({ bestNs, medianNs }: Lookup): string {
  return `${bestNs.toFixed(0)} (${medianNs.toFixed(0)})`
}

const { values } = parseArgs({
  options: {
    json: { type: 'string', default: '' },
    sizes: { type: 'string', default: Object.keys(SIZES).join(',') },
    structures: { type: 'string', default: Object.keys(STRUCTURES).join(',') },
    pages: { type: 'string', default: 'small,huge' },
    /** Used between the processes of one measurement: structure, size, pages. */
    cell: { type: 'string', default: '' },
  },
})

if (values.cell !== '') {
  const [structure, size, pages] = values.cell.split(' ')
  console.log(JSON.stringify(await measure(structure, size, pages === 'huge')))
} else {
  const cells: Cell[] = []
  const self = fileURLToPath(import.meta.url)
  for (const size of values.sizes.split(',')) {
    for (const pages of values.pages.split(',')) {
      if (pages === 'huge' && SIZES[size].mebibytes < 8) continue
      for (const structure of values.structures.split(',')) {
        process.stderr.write(`${size} ${structure} ${pages} pages\n`)
        const cell = [structure, size, pages].join(' ')
        cells.push(JSON.parse(execFileSync(process.execPath, [self, '--cell', cell], { encoding: 'utf8' })) as Cell)
      }
    }
  }
  console.log('ns a lookup, key included: best of passes (median)\n')
  console.log(table(cells))
  if (values.json !== '') writeFileSync(values.json, `${JSON.stringify(cells, null, 2)}\n`)
}
