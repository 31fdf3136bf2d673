// A model of publication and reclamation (src/index/reader.ts, IndexWriter.publish and .reclaim), small enough to be searched
// through: every order in which the steps of one writer and some readers can happen. One step is one atomic access, or one
// read of memory that others may write; the accesses are sequentially consistent, as Atomics are.
//
// Memory is a few cells. A version is a root cell and a data cell; every second version has new data, the others share the
// data of the one before. A freed cell is poisoned at once, and taken again as soon as possible.

/** Ways to get the protocol wrong. 'none' is what src/index does. */
export type Mistake =
  | 'none'
  | 'not pinned' // the reader announces nothing before it loads ROOT
  | 'scanned before publication' // the writer looks at the readers, then stores ROOT, then frees
  | 'version announced before the load' // of a word that the writer stores before ROOT, and before the reader loads ROOT
  | 'released before the last read'
  | 'passed one version early' // readers of the version before the retiring one count as passed

export interface Outcome {
  /** States that can be reached. */
  readonly states: number
  /** The steps to the first violation, in order; null if there is none. */
  readonly counterexample: readonly string[] | null
  /** Cells that were taken a second time, in any order of steps. */
  readonly reuses: number
}

const NOTHING = 0
const PINNED = 255
const FREE = 0

// Steps of a reader.
const IDLE = 0
const LOAD = 1
const READ_VERSION = 2
const ANNOUNCE = 3
const READ_ROOT = 4
const READ_DATA = 5
const HOLDING = 6
const STEP_NAMES = [
  'pins',
  'loads ROOT',
  'reads the version',
  'announces it',
  'reads the root',
  'reads the data',
  'ends',
]

// Steps of the writer.
const MAKE = 0
const STORE_VERSION = 1
const STORE_ROOT = 2
const SCAN = 3
const RECLAIM = 4

interface Reader {
  step: number
  announced: number
  /** Cell of the root it loaded, and the version that it was then: what a correct protocol keeps readable. */
  root: number
  version: number
  data: number
}

interface State {
  cells: number[]
  root: number
  versionWord: number
  readers: Reader[]
  step: number
  version: number
  made: number
  scanned: number
  limbo: { version: number; cells: number[] }[]
}

/** Content of a root cell; of a data cell. Neither is ever FREE. */
const rootContent = (version: number, data: number): number => 16 * version + data
const dataContent = (version: number): number => 200 + (version >> 1)

export class ReaderModel {
  readonly #readers: number
  readonly #versions: number
  readonly #cellCount: number
  readonly #mistake: Mistake

  /** `versions` are published in all; 6 cells make the writer wait for readers, and reuse what they leave at once. */
  constructor(readers: number, versions: number, mistake: Mistake, cells = 6) {
    this.#readers = readers
    this.#versions = versions
    this.#mistake = mistake
    this.#cellCount = cells
  }

  /** Breadth first, so that a counterexample is a shortest one. @throws Error if what is retired is not always given back */
  search(statesMax: number): Outcome {
    const start = this.#start()
    const states = [start]
    const parents = [-1]
    const labels = ['']
    const seen = new Set([keyOf(start)])
    let reuses = 0
    for (let i = 0; i < states.length; i++) {
      for (const { label, state, wrong, reused } of this.#successors(states[i])) {
        if (reused) reuses++
        if (wrong) return { states: states.length, counterexample: [...trace(i, parents, labels), label], reuses }
        const key = keyOf(state)
        if (seen.has(key)) continue
        if (states.length === statesMax) throw new Error(`more than ${statesMax} states`)
        seen.add(key)
        states.push(state)
        parents.push(i)
        labels.push(label)
      }
      this.#checkLiveness(states[i])
      states[i] = start // not needed again: memory for the keys
    }
    return { states: states.length, counterexample: null, reuses }
  }

  #start(): State {
    const cells = Array<number>(this.#cellCount).fill(FREE)
    cells[0] = rootContent(1, 1)
    cells[1] = dataContent(1)
    const readers = Array.from({ length: this.#readers }, idle)
    return { cells, root: 0, versionWord: 1, readers, step: MAKE, version: 1, made: 0, scanned: 0, limbo: [] }
  }

  *#successors(state: State): Generator<{ label: string; state: State; wrong: boolean; reused: boolean }> {
    const next = structuredCopy(state)
    const before = state.limbo.length
    const label = this.#writerStep(next)
    if (label !== '') yield { label: `writer ${label}`, state: next, wrong: false, reused: next.limbo.length < before }
    for (let i = 0; i < state.readers.length; i++) {
      for (const other of state.readers[i].step === HOLDING ? [false, true] : [false]) {
        const copy = structuredCopy(state)
        const { name, wrong } = this.#readerStep(copy, copy.readers[i], other)
        yield { label: `reader ${i} ${name}`, state: copy, wrong, reused: false }
      }
      if (state.readers[i].step === IDLE) continue
      // Its thread dies; whoever notices lets go on its behalf.
      const copy = structuredCopy(state)
      copy.readers[i] = idle()
      yield { label: `reader ${i} dies`, state: copy, wrong: false, reused: false }
    }
  }

  /** One step; '' if there is nothing left to do. */
  #writerStep(state: State): string {
    const { cells, limbo } = state
    const scansFirst = this.#mistake === 'scanned before publication'
    if (state.step === MAKE) {
      const version = state.version + 1
      const free = cells.flatMap((content, cell) => (content === FREE ? [cell] : []))
      if (version > this.#versions || free.length < 2) {
        if (limbo.length === 0 || scansFirst) return ''
        state.step = SCAN
        return this.#writerStep(state)
      }
      const oldRoot = cells[state.root]
      const freshData = dataContent(version) !== dataContent(version - 1)
      const data = freshData ? free[1] : oldRoot % 16
      if (freshData) cells[data] = dataContent(version)
      state.made = free[0]
      cells[free[0]] = rootContent(version, data)
      state.step = scansFirst
        ? SCAN
        : this.#mistake === 'version announced before the load'
          ? STORE_VERSION
          : STORE_ROOT
      return `makes version ${version}`
    }
    if (state.step === STORE_VERSION) {
      state.versionWord = state.version + 1
      state.step = STORE_ROOT
      return 'stores the version'
    }
    if (state.step === STORE_ROOT) {
      const old = cells[state.root]
      const retired = [state.root]
      if (old % 16 !== cells[state.made] % 16) retired.push(old % 16)
      state.root = state.made
      state.made = 0
      state.version++
      limbo.push({ version: state.version, cells: retired })
      state.step = scansFirst ? RECLAIM : SCAN
      return `stores ROOT: version ${state.version}`
    }
    if (state.step === SCAN) {
      const version = scansFirst ? state.version + 1 : limbo[0].version
      const reader = state.scanned
      const held = state.readers[reader].announced
      const passed = this.#mistake === 'passed one version early' ? version - 1 : version
      const blocks = held === PINNED || (held !== NOTHING && held < passed)
      state.scanned = blocks || reader + 1 === state.readers.length ? 0 : reader + 1
      if (state.scanned === 0) state.step = blocks ? MAKE : scansFirst ? STORE_ROOT : RECLAIM
      return `looks at reader ${reader}`
    }
    const { cells: freed } = limbo.shift()!
    for (const cell of freed) cells[cell] = FREE
    state.step = limbo.length > 0 ? SCAN : MAKE
    return `frees cells ${freed.join(' and ')}`
  }

  /** @param ends  at HOLDING: let go, instead of pinning the next version at once */
  #readerStep(state: State, reader: Reader, ends: boolean): { name: string; wrong: boolean } {
    const { cells } = state
    const announcesFirst = this.#mistake === 'version announced before the load'
    const pins = announcesFirst ? 'announces the version' : this.#mistake === 'not pinned' ? 'begins' : 'pins'
    const name = reader.step === IDLE ? pins : STEP_NAMES[reader.step]
    let wrong = false
    switch (reader.step) {
      case HOLDING:
        if (ends) {
          Object.assign(reader, idle())
          return { name, wrong }
        }
        Object.assign(reader, { ...idle(), announced: reader.announced })
        return this.#readerStep(state, reader, false)
      case IDLE:
        if (announcesFirst) reader.announced = state.versionWord
        else if (this.#mistake !== 'not pinned') reader.announced = PINNED
        reader.step = LOAD
        break
      case LOAD:
        reader.root = state.root
        reader.version = state.version
        reader.step = announcesFirst ? READ_ROOT : READ_VERSION
        break
      case READ_VERSION:
        wrong = cells[reader.root] >> 4 !== reader.version
        reader.step = ANNOUNCE
        break
      case ANNOUNCE:
        reader.announced = reader.version
        reader.step = READ_ROOT
        break
      case READ_ROOT:
        wrong = cells[reader.root] >> 4 !== reader.version
        reader.data = cells[reader.root] % 16
        if (this.#mistake === 'released before the last read') reader.announced = NOTHING
        reader.step = READ_DATA
        break
      case READ_DATA:
        wrong = cells[reader.data] !== dataContent(reader.version)
        reader.step = HOLDING
    }
    return { name, wrong }
  }

  /** When no reader holds anything, the writer alone gets everything back. */
  #checkLiveness(state: State): void {
    if (state.readers.some(({ announced }) => announced !== NOTHING)) return
    if (this.#mistake !== 'none') return
    const alone = structuredCopy(state)
    for (let steps = 0; this.#writerStep(alone) !== ''; steps++) {
      if (steps > 1000) throw new Error('the writer never comes to rest')
    }
    const used = alone.cells.filter((content) => content !== FREE).length
    if (alone.version !== this.#versions || alone.limbo.length > 0 || used !== 2) {
      throw new Error(`memory is not given back: ${JSON.stringify(alone)}`)
    }
  }
}

function idle(): Reader {
  return { step: IDLE, announced: NOTHING, root: 0, version: 0, data: 0 }
}

function structuredCopy(state: State): State {
  return {
    ...state,
    cells: [...state.cells],
    readers: state.readers.map((reader) => ({ ...reader })),
    limbo: [...state.limbo],
  }
}

function keyOf(state: State): string {
  const fields = [...state.cells, state.root, state.versionWord, state.step, state.version, state.made, state.scanned]
  for (const { step, announced, root, version, data } of state.readers) {
    fields.push(step, announced, root, version, data)
  }
  for (const { version, cells } of state.limbo) fields.push(version, cells.length, ...cells)
  return String.fromCharCode(...fields)
}

function trace(last: number, parents: readonly number[], labels: readonly string[]): string[] {
  const steps: string[] = []
  for (let i = last; i > 0; i = parents[i]) steps.unshift(labels[i])
  return steps
}
