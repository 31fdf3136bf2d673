// What a transaction remembers: one growing list of int32, without garbage.

/** A list of int32 that is filled and emptied again and again. */
export class Log {
  #content = new Int32Array(1024)
  length = 0

  push(a: number, b?: number, c?: number): void {
    if (this.length + 3 > this.#content.length) {
      const grown = new Int32Array(this.#content.length * 2)
      grown.set(this.#content)
      this.#content = grown
    }
    this.#content[this.length++] = a
    if (b !== undefined) this.#content[this.length++] = b
    if (c !== undefined) this.#content[this.length++] = c
  }

  /** The element pushed last, 0 if there is none. */
  get last(): number {
    return this.length === 0 ? 0 : this.#content[this.length - 1]
  }

  at(index: number): number {
    return this.#content[index]
  }

  /** A view: valid until the next push(). */
  content(): Int32Array {
    return this.#content.subarray(0, this.length)
  }

  clear(): void {
    this.length = 0
  }
}
