// Octets to lines. A line may come in any number of chunks, a chunk may hold any number of lines.

const LINE_FEED = 0x0a

export class LineSplitter {
  readonly #lengthMax: number
  /** The line that has begun, as it came: joined once, when it is whole. */
  #chunks: Buffer[] = []
  #length = 0

  /** @param lengthMax  octets of one line */
  constructor(lengthMax: number) {
    this.#lengthMax = lengthMax
  }

  /**
   * The lines that end in `chunk`, without their line feeds. They share memory with the chunk.
   *
   * @throws RangeError if a line is too long
   */
  linesOf(chunk: Buffer): Buffer[] {
    const lines: Buffer[] = []
    let from = 0
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, from)) {
      lines.push(this.#whole(chunk.subarray(from, end)))
      from = end + 1
    }
    if (from < chunk.length) this.#keep(chunk.subarray(from))
    return lines
  }

  #keep(part: Buffer): void {
    this.#length += part.length
    if (this.#length > this.#lengthMax) throw new RangeError(`a line is longer than ${this.#lengthMax} octets`)
    this.#chunks.push(part)
  }

  #whole(last: Buffer): Buffer {
    if (this.#chunks.length === 0) return last
    this.#keep(last)
    const line = Buffer.concat(this.#chunks, this.#length)
    this.#chunks = []
    this.#length = 0
    return line
  }
}
