// Threads that die between two stores: real code on shared memory, stopped with an exception before its n-th store or load of it.

/** Thrown in place of a store or load. */
export class Death extends Error {}

interface Steps {
  /** Accesses that are left; -1: no end. */
  left: number
}

const realOf = new WeakMap<object, { real: Int32Array; steps: Steps }>()

function step(steps: Steps): void {
  if (steps.left < 0) return
  if (steps.left-- === 0) throw new Death()
}

const { load, store, compareExchange } = Atomics

/** Atomics do not take proxies: those of mortal() are unwrapped, and each access is a step. */
function install(): void {
  const unwrap = (array: object): Int32Array => {
    const found = realOf.get(array)
    if (found === undefined) return array as Int32Array
    step(found.steps)
    return found.real
  }
  Object.assign(Atomics, {
    load: (array: Int32Array, index: number) => load(unwrap(array), index),
    store: (array: Int32Array, index: number, value: number) => store(unwrap(array), index, value),
    compareExchange: (array: Int32Array, index: number, old: number, value: number) =>
      compareExchange(unwrap(array), index, old, value),
  })
}

let isInstalled = false

/** Something that works on `words`, and dies when it is told to. Single-threaded tests only. */
export class Mortal<T extends { readonly words: Int32Array }> {
  readonly body: T
  readonly #steps: Steps = { left: -1 }

  constructor(body: T) {
    if (!isInstalled) install()
    isInstalled = true
    this.body = body
    const real = body.words
    const steps = this.#steps
    const words = new Proxy(real, {
      get: (target, key) => {
        if (typeof key === 'string' && /^\d+$/.test(key)) step(steps)
        return Reflect.get(target, key, target)
      },
      set: (target, key, value) => {
        step(steps)
        target[Number(key)] = value
        return true
      },
    })
    realOf.set(words, { real, steps })
    Object.defineProperty(body, 'words', { value: words })
  }

  /** Has it do `work`, and die before its access number `after` (0: the first). @returns whether it died; if not, it lives on */
  try(after: number, work: (body: T) => void): boolean {
    this.#steps.left = after
    try {
      work(this.body)
      return false
    } catch (error) {
      if (error instanceof Death) return true
      throw error
    } finally {
      this.#steps.left = -1
    }
  }
}
