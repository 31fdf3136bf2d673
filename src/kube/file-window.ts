// A window that slides over a file: as much of it in memory as one item needs, never all of a large one.

import type { FileHandle } from 'node:fs/promises'

const CAPACITY = 1 << 20
const NEWLINE = 10

/** The octets from `start` to `end` of `octets` are a stretch of the file. */
export class FileWindow {
  readonly #file: FileHandle
  octets: Buffer
  start = 0
  end = 0
  /** Nothing comes behind `end`. */
  ended = false
  /** Offset in the file of octets[0]. */
  #fileOffset = 0
  #countedOffset = 0
  #countedLines = 0

  /** @param size  what the file is thought to hold, in octets; more or less is no error */
  constructor(file: FileHandle, size: number) {
    this.#file = file
    this.octets = Buffer.allocUnsafeSlow(Math.max(4096, Math.min(size + 1, CAPACITY)))
  }

  /** Gives up what lies before `offset` (counted in `octets`). */
  consume(offset: number): void {
    this.start = offset
  }

  /**
   * Reads on. What is in the window stays in it, but may move: offsets in `octets` become invalid.
   *
   * @returns by how much they moved towards 0
   */
  async more(): Promise<number> {
    const moved = this.start
    if (moved > 0) {
      this.octets.copyWithin(0, moved, this.end)
      this.start = 0
      this.end -= moved
      this.#fileOffset += moved
    } else if (this.end === this.octets.length) {
      const larger = Buffer.allocUnsafeSlow(this.octets.length * 2)
      this.octets.copy(larger, 0, 0, this.end)
      this.octets = larger
    }
    const room = this.octets.length - this.end
    const { bytesRead } = await this.#file.read(this.octets, this.end, room, this.#fileOffset + this.end)
    if (bytesRead === 0) this.ended = true
    this.end += bytesRead
    return moved
  }

  /** Offset of `pattern` in `octets` from `start + from` on, minus `start`; -1 if it is nowhere in the rest of the file. */
  async find(pattern: Buffer, from: number): Promise<number> {
    for (;;) {
      const found = this.octets.indexOf(pattern, this.start + from)
      if (found !== -1 && found + pattern.length <= this.end) return found - this.start
      if (this.ended) return -1
      from = Math.max(from, this.end - this.start - pattern.length + 1)
      await this.more()
    }
  }

  text(from: number, to: number): string {
    return this.octets.toString('utf8', from, to)
  }

  /**
   * Number of the line (from 1) that `offset` of `octets` is on. Reads the file again, so it is for errors only; cheap
   * as long as offsets are asked for in rising order.
   */
  async lineAt(offset: number): Promise<number> {
    const target = this.#fileOffset + offset
    const buffer = Buffer.allocUnsafe(64 * 1024)
    while (this.#countedOffset < target) {
      const length = Math.min(buffer.length, target - this.#countedOffset)
      const { bytesRead } = await this.#file.read(buffer, 0, length, this.#countedOffset)
      if (bytesRead === 0) break
      for (let at = buffer.indexOf(NEWLINE); at !== -1 && at < bytesRead; at = buffer.indexOf(NEWLINE, at + 1)) {
        this.#countedLines++
      }
      this.#countedOffset += bytesRead
    }
    return this.#countedLines + 1
  }
}
