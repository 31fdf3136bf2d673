// Cuts JSON (RFC 8259) into objects, and lists into items, and parses them one at a time. A file may hold several
// values one after another, as kubectl takes them.

import type { FileWindow } from './file-window.ts'
import type { ItemSink, Place } from './yaml-items.ts'

const QUOTE = 34
const COMMA = 44
const COLON = 58
const OPEN_LIST = 91
const BACKSLASH = 92
const CLOSE_LIST = 93
const OPEN_OBJECT = 123
const CLOSE_OBJECT = 125

/** Where no value can be told from the next any more: the rest of the file is lost. */
class BrokenJson extends Error {}

/** Reads all values of a file that the window is at the start of. */
export async function readJson(window: FileWindow, sink: ItemSink): Promise<void> {
  await window.more()
  if (window.text(0, 3) === '\uFEFF') window.consume(3)
  const reader = new ValueReader(window, sink)
  try {
    while ((await reader.octet()) !== -1) await reader.document()
  } catch (error) {
    if (!(error instanceof BrokenJson)) throw error
    sink.broken(reader.place, `line ${await window.lineAt(window.start)}: ${error.message}`)
  }
}

class ValueReader {
  readonly #window: FileWindow
  readonly #sink: ItemSink
  #document = 0
  #item = 0

  constructor(window: FileWindow, sink: ItemSink) {
    this.#window = window
    this.#sink = sink
  }

  get place(): Place {
    return { document: this.#document, item: this.#item }
  }

  /** The next octet that is not white space, left in the window; -1 at the end of the file. */
  async octet(): Promise<number> {
    const window = this.#window
    for (;;) {
      let at = window.start
      while (at < window.end && isSpace(window.octets[at]!)) at++
      window.consume(at)
      if (at < window.end) return window.octets[at]!
      if (window.ended) return -1
      await window.more()
    }
  }

  /** One value on its own: an object, a list object, or an array of objects. */
  async document(): Promise<void> {
    this.#document++
    this.#item = 0
    const octet = await this.octet()
    if (octet === OPEN_LIST) return this.#items({})
    if (octet !== OPEN_OBJECT) throw new BrokenJson('an object must begin here')
    this.#skip()
    const fields: Record<string, unknown> = {}
    let isList = false
    if ((await this.octet()) === CLOSE_OBJECT) this.#skip()
    else {
      do {
        if ((await this.octet()) !== QUOTE) throw new BrokenJson('the name of a field must begin here')
        const name = String(await this.#value())
        await this.#expect(COLON)
        if (name === 'items' && (await this.octet()) === OPEN_LIST) {
          isList = true
          await this.#items(fields)
        } else fields[name] = await this.#value()
      } while ((await this.#expect(COMMA, CLOSE_OBJECT)) === COMMA)
    }
    if (!isList) this.#sink.object(fields, this.place, null)
  }

  /** An array of objects. A broken one does not lose the others, as long as its brackets match. */
  async #items(list: Readonly<Record<string, unknown>>): Promise<void> {
    this.#skip()
    if ((await this.octet()) === CLOSE_LIST) return this.#skip()
    do {
      this.#item++
      await this.octet()
      const text = await this.#valueText()
      let value: unknown
      try {
        value = JSON.parse(text)
      } catch (error) {
        const line = await this.#window.lineAt(this.#window.start - Buffer.byteLength(text))
        this.#sink.broken(this.place, `line ${line}: ${(error as Error).message}`)
        continue
      }
      this.#sink.object(value, this.place, list)
    } while ((await this.#expect(COMMA, CLOSE_LIST)) === COMMA)
    this.#item = 0
  }

  #skip(): void {
    this.#window.consume(this.#window.start + 1)
  }

  async #expect(one: number, other = one): Promise<number> {
    const octet = await this.octet()
    if (octet !== one && octet !== other) throw new BrokenJson(`expected ${String.fromCharCode(one)}`)
    this.#skip()
    return octet
  }

  async #value(): Promise<unknown> {
    await this.octet()
    const text = await this.#valueText()
    try {
      return JSON.parse(text)
    } catch (error) {
      throw new BrokenJson((error as Error).message)
    }
  }

  /** Takes the text of one value out of the window. */
  async #valueText(): Promise<string> {
    const window = this.#window
    for (;;) {
      const end = valueEnd(window.octets, window.start, window.end, window.ended)
      if (end !== -1) {
        const text = window.text(window.start, end)
        window.consume(end)
        return text
      }
      if (window.ended) throw new BrokenJson('the value that begins here does not end')
      await window.more()
    }
  }
}

/** Offset behind the value at `at`, told by brackets and quotes alone; -1 if it does not end before `end`. */
function valueEnd(octets: Buffer, at: number, end: number, ended: boolean): number {
  let depth = 0
  for (; at < end; at++) {
    const octet = octets[at]!
    if (octet === QUOTE) {
      at = stringEnd(octets, at, end)
      if (at === -1) return -1
      if (depth === 0) return at + 1
    } else if (octet === OPEN_OBJECT || octet === OPEN_LIST) depth++
    else if (octet === CLOSE_OBJECT || octet === CLOSE_LIST) {
      if (depth === 0) return at
      if (--depth === 0) return at + 1
    } else if (depth === 0 && (octet === COMMA || octet === COLON || isSpace(octet))) return at
  }
  return ended && depth === 0 ? end : -1
}

/** Offset of the closing quote; -1 if there is none. */
function stringEnd(octets: Buffer, at: number, end: number): number {
  for (at++; at < end; at++) {
    const octet = octets[at]
    if (octet === QUOTE) return at
    if (octet === BACKSLASH) at++
  }
  return -1
}

function isSpace(octet: number): boolean {
  return octet === 32 || octet === 10 || octet === 13 || octet === 9
}
