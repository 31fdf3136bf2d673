// Cuts YAML into documents, and documents that are lists into items, and reads them one at a time: a dump of any size
// costs the memory of its largest item. Cutting by lines is sound because nothing inside an item, block scalars
// included, may be indented as little as its dash, and no line inside a document may begin with its marker
// (YAML 1.2.2 §8.2.1, §9.1.2).

import { CORE_SCHEMA, load, mergeTag, YAMLException } from 'js-yaml'
import type { FileWindow } from './file-window.ts'
import { BlockReader, NOT_BLOCK_STYLE } from './yaml-block.ts'

/** Where in a file something stands. */
export interface Place {
  /** From 1; documents without content do not count. */
  readonly document: number
  /** From 1; 0 for the document itself. */
  readonly item: number
}

/** What is done with what is read. */
export interface ItemSink {
  /** One object. `list` is what the list around it says of itself (kind, apiVersion), if there is one. */
  object(value: unknown, place: Place, list: Readonly<Record<string, unknown>> | null): void
  /** Text that is no YAML or no JSON. */
  broken(place: Place, message: string): void
}

const SCHEMA = CORE_SCHEMA.withTags(mergeTag)
const ALIASES_MAX = 1000
/** `items:` is looked for in so many octets at the start of a document. */
const HEADER_LENGTH_MAX = 4096
/** Strings up to this length are copied when they are cut from another (V8 makes a slice of longer ones). */
const COPIED_LENGTH_MAX = 12

const MARKER = Buffer.from('\n---')
const EMPTY_LINE = /^(?:[ \t]*(?:#.*)?|%.*|\.\.\.[ \t]*(?:#.*)?|---[ \t]*(?:#.*)?)\r?$/

/** Reads all documents of a file that the window is at the start of. */
export async function readYaml(window: FileWindow, sink: ItemSink): Promise<void> {
  const reader = new DocumentReader(window, sink)
  await window.more()
  if (window.text(0, 3) === '\uFEFF') window.consume(3)
  while (await reader.next()) {}
}

/** One YAML document through the general library; the strings it returns do not hold on to `text`. */
export function parseYaml(text: string): unknown {
  return ownStrings(load(text, { schema: SCHEMA, maxAliases: ALIASES_MAX }), new Map())
}

class DocumentReader {
  readonly #window: FileWindow
  readonly #sink: ItemSink
  readonly #blocks = new BlockReader()
  #document = 0

  constructor(window: FileWindow, sink: ItemSink) {
    this.#window = window
    this.#sink = sink
  }

  /** Reads one document. False: the file is at its end. */
  async next(): Promise<boolean> {
    const window = this.#window
    while (!window.ended && window.end - window.start < HEADER_LENGTH_MAX) await window.more()
    if (window.start >= window.end) return false
    const header = headerOf(window.text(window.start, Math.min(window.end, window.start + HEADER_LENGTH_MAX)))
    if (header !== null && !this.#isOfOnePiece(header)) await this.#readList(header)
    else await this.#readWhole()
    return true
  }

  /** A list that is small and uses anchors, or lets items begin below their dash, must not be cut. */
  #isOfOnePiece(header: ListHeader): boolean {
    const { octets, start, end, ended } = this.#window
    const marker = octets.subarray(start, end).indexOf(MARKER, header.firstItem)
    if (marker === -1 && !ended) return false
    const text = octets.subarray(start, marker === -1 ? end : start + marker)
    return text.includes(' &') || text.includes(`\n${' '.repeat(header.column)}-\n`)
  }

  /** Length of the document that begins at the start of the window, the newline before the next marker included. */
  async #documentLength(from: number): Promise<number> {
    const window = this.#window
    for (;;) {
      const found = await window.find(MARKER, from)
      if (found === -1) return window.end - window.start
      if (window.start + found + 4 >= window.end && !window.ended) await window.more()
      const at = window.start + found + 4
      if (at >= window.end || isBreak(window.octets[at]!)) return found + 1
      from = found + 1
    }
  }

  async #readWhole(): Promise<void> {
    const window = this.#window
    const length = await this.#documentLength(0)
    const { start } = window
    const text = window.text(start, start + length)
    const first = firstContent(text)
    if (first !== -1) {
      const place = { document: ++this.#document, item: 0 }
      // The offset is in UTF-16 units, the reader wants octets: the same as long as all that is skipped is ASCII.
      const skipped = Buffer.byteLength(text.slice(0, first))
      const value = this.#blocks.read(window.octets, start + skipped, start + length, 0)
      if (value !== NOT_BLOCK_STYLE) this.#sink.object(value, place, null)
      else await this.#readText(text, start, place, null)
    }
    window.consume(start + length)
  }

  /** Text that is not in block style. @param offset  of its first line in the window */
  async #readText(
    text: string,
    offset: number,
    place: Place,
    list: Readonly<Record<string, unknown>> | null,
  ): Promise<void> {
    let value: unknown
    try {
      value = parseYaml(text)
    } catch (error) {
      return this.#sink.broken(place, await this.#located(error, offset))
    }
    this.#sink.object(value, place, list)
  }

  async #located(error: unknown, offset: number): Promise<string> {
    if (!(error instanceof YAMLException)) return String(error)
    if (error.mark === undefined) return error.reason
    const line = (await this.#window.lineAt(offset)) + error.mark.line
    return `line ${line}, column ${error.mark.column + 1}: ${error.reason}`
  }

  async #readList(header: ListHeader): Promise<void> {
    const window = this.#window
    const document = ++this.#document
    const list: Record<string, unknown> = {}
    this.#addHeader(list, header.text)
    // Items that rely on the list for their kind, read before the list has said it.
    const waiting: { value: unknown; place: Place }[] = []
    const sink: ItemSink = {
      object: (value, place) => {
        if (list.kind === undefined && !hasKind(value)) waiting.push({ value, place })
        else this.#sink.object(value, place, list)
      },
      broken: (place, message) => this.#sink.broken(place, message),
    }
    const items = new DocumentReader(window, sink)
    const dash = Buffer.from(`\n${' '.repeat(header.column)}- `)
    window.consume(window.start + header.firstItem)
    for (let item = 1; await items.#readItem(header.column, dash, { document, item }, list); item++) {}
    for (const { value, place } of waiting) this.#sink.object(value, place, list)
  }

  /** Reads the item at the start of the window. False: it was the last, and the rest of the document is read, too. */
  async #readItem(column: number, dash: Buffer, place: Place, list: Record<string, unknown>): Promise<boolean> {
    const window = this.#window
    const next = await window.find(dash, 1)
    let length = next === -1 ? window.end - window.start : next + 1
    const marked = window.octets.subarray(window.start, window.start + length).includes(MARKER)
    if (marked) length = Math.min(length, await this.#documentLength(0))
    const last = next === -1 || length <= next
    // Not before: the search may have moved them.
    const { octets, start } = window
    const value = this.#blocks.read(octets, start + column + 2, start + length, column + 2)
    let own = this.#blocks.behind - start
    if (value !== NOT_BLOCK_STYLE) this.#sink.object(value, place, list)
    else {
      const text = window.text(start, start + length)
      const ownText = text.slice(0, tailOf(text, column))
      own = Buffer.byteLength(ownText)
      await this.#readText(ownText.replace('-', ' '), start, place, list)
    }
    window.consume(start + own)
    if (own === length) return !last
    const rest = await this.#documentLength(0)
    this.#addHeader(list, window.text(window.start, window.start + rest))
    window.consume(window.start + rest)
    return false
  }

  /** What a list says before and behind its items. Only kind and apiVersion matter: if it is broken, no harm is done. */
  #addHeader(list: Record<string, unknown>, text: string): void {
    if (firstContent(text) === -1) return
    try {
      Object.assign(list, parseYaml(text))
    } catch {}
  }
}

interface ListHeader {
  /** The lines before `items:`. */
  readonly text: string
  /** Octets from the start of the document to the line of the first dash. */
  readonly firstItem: number
  /** Of the dashes. */
  readonly column: number
}

/** Null if the document is not a list whose items can be told by their dashes. */
function headerOf(text: string): ListHeader | null {
  const first = firstContent(text)
  if (first === -1) return null
  const end = text.indexOf('\n---', first)
  const document = end === -1 ? text : text.slice(0, end)
  const items = /^items:\n( *)- (?=\S)/m.exec(document)
  if (items === null) return null
  const header = document.slice(first, items.index)
  const firstItem = Buffer.byteLength(document.slice(0, items.index)) + 'items:\n'.length
  return { text: header, firstItem, column: items[1]!.length }
}

/** Offset of the first line that is not empty, a comment, a directive or a bare marker; -1 if there is none. */
function firstContent(text: string): number {
  let at = 0
  while (at < text.length) {
    const newline = text.indexOf('\n', at)
    const end = newline === -1 ? text.length : newline
    if (!EMPTY_LINE.test(text.slice(at, end))) return at
    at = end + 1
  }
  return -1
}

/** Offset of the first line of an item's text that is indented too little to be part of it. */
function tailOf(text: string, column: number): number {
  const tail = new RegExp(`\\n {0,${column}}(?![ #\\r\\n])`, 'g')
  const found = tail.exec(text)
  return found === null || found.index + 1 >= text.length ? text.length : found.index + 1
}

function isBreak(octet: number): boolean {
  return octet === 10 || octet === 13 || octet === 32 || octet === 9
}

function hasKind(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'kind' in value
}

/** A copy in which no string is a slice of the text it was parsed from. Aliases stay aliases, by `copies`. */
function ownStrings(value: unknown, copies: Map<object, unknown>): unknown {
  if (typeof value === 'string') return value.length > COPIED_LENGTH_MAX ? Buffer.from(value).toString() : value
  if (typeof value !== 'object' || value === null) return value
  const known = copies.get(value)
  if (known !== undefined) return known
  const copy: unknown[] | Record<string, unknown> = Array.isArray(value) ? [] : {}
  copies.set(value, copy)
  for (const [key, entry] of Object.entries(value)) {
    const own = ownStrings(entry, copies)
    if (Array.isArray(copy)) copy.push(own)
    else if (key === '__proto__') Object.defineProperty(copy, key, { value: own, enumerable: true })
    else copy[String(ownStrings(key, copies))] = own
  }
  return copy
}
