// Answers a watch: what is there if the client asks for it, then each change as a line of JSON, bookmarks, and an end.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes

import { rangeOf, type Target } from './list.ts'
import type { StoredObject } from './object.ts'
import type { ListOptions } from './options.ts'
import type { Outgoing } from './outgoing.ts'
import { type Resource, typePrefix } from './resources.ts'
import { watchExpired } from './status.ts'
import type { Change, ChangeType, Store } from './store.ts'

export interface WatchPace {
  /** Milliseconds from one bookmark to the next. */
  readonly bookmarkMs: number
  /** Seconds that a watch lasts if the client does not say. */
  readonly defaultTimeoutSeconds: number
}

const BOOKMARK_BEFORE_END_MS = 2000
const PIECE_OCTETS = 256 * 1024

/** A watch that is open. */
export class Watch {
  readonly target: Target
  readonly #store: Store
  readonly #options: ListOptions
  readonly #out: Outgoing
  readonly #timers: NodeJS.Timeout[] = []
  /** Changes while what was there at first is still being sent; null afterwards. */
  #waiting: Change[] | null = null
  /** Changes up to this version are not sent. */
  #after = 0
  #stopListening = () => {}

  constructor(store: Store, target: Target, options: ListOptions, out: Outgoing) {
    this.#store = store
    this.target = target
    this.#options = options
    this.#out = out
  }

  /** Resolves when the watch has begun; it ends by itself or with the client. */
  async begin(pace: WatchPace): Promise<void> {
    const { version, sendInitialEvents } = this.#options
    this.#out.beginStream()
    if (sendInitialEvents ?? (version === null || version === 0)) await this.#sendInitial()
    else if (!this.#resume(version ?? this.#store.version)) return
    if (this.#out.closed) return this.close()
    this.#pace(pace)
  }

  /** A line of the test's own. */
  inject(line: string): void {
    this.#out.push(Buffer.from(`${line}\n`))
  }

  /** A clean end of the body. */
  end(): void {
    this.close()
    this.#out.end()
  }

  /** Tells the client nothing any more. */
  close(): void {
    this.#stopListening()
    for (const timer of this.#timers) clearTimeout(timer)
  }

  #resume(version: number): boolean {
    const { name } = this.target.resource
    const changes = this.#store.changesSince(name, version)
    if (changes === null) {
      this.inject(`{"type":"ERROR","object":${watchExpired(version, this.#store.oldest(name))}}`)
      this.#out.end()
      return false
    }
    this.#after = version
    for (const change of changes) this.#tell(change)
    this.#stopListening = this.#store.listen(name, this.#tell)
    return true
  }

  async #sendInitial(): Promise<void> {
    const store = this.#store
    const { resource, namespace } = this.target
    const { selector, sendInitialEvents, bookmarks } = this.#options
    const items = store.items(resource.name)
    const { from, to } = rangeOf(items, namespace)
    const waiting: Change[] = []
    this.#waiting = waiting
    const version = store.version
    this.#after = version
    this.#stopListening = store.listen(resource.name, this.#tell)
    let piece: Buffer[] = []
    let octets = 0
    for (let i = from; i < to && !this.#out.closed; i++) {
      if (selector !== null && !selector(items[i])) continue
      const line = eventLine('ADDED', resource, items[i])
      piece.push(line)
      octets += line.length
      if (octets < PIECE_OCTETS) continue
      await this.#out.write(Buffer.concat(piece))
      piece = []
      octets = 0
    }
    if (octets > 0) await this.#out.write(Buffer.concat(piece))
    if (sendInitialEvents === true && bookmarks) this.#out.push(bookmarkLine(resource, version, true))
    this.#waiting = null
    for (const change of waiting) this.#tell(change)
  }

  readonly #tell = (change: Change): void => {
    if (this.#waiting !== null) {
      this.#waiting.push(change)
      return
    }
    if (change.version <= this.#after) return
    this.#after = change.version
    const line = this.#lineOf(change)
    if (line !== null) for (let i = 0; i < change.tellings; i++) this.#out.push(line)
  }

  /** What the change is to a client that sees only some objects; null: nothing. */
  #lineOf(change: Change): Buffer | null {
    const { resource, namespace } = this.target
    const { type, object, previous, version } = change
    if (namespace !== '' && !object.key.startsWith(`${namespace}/`)) return null
    const { selector } = this.#options
    if (selector === null) return lineOf(resource, change)
    const was = previous !== null && selector(previous)
    const is = type !== 'DELETED' && selector(object)
    if (!was && !is) return null
    if (was && is) return lineOf(resource, change)
    return is ? eventLine('ADDED', resource, object) : eventLine('DELETED', resource, previous!.at(version))
  }

  #pace({ bookmarkMs, defaultTimeoutSeconds }: WatchPace): void {
    const { timeoutSeconds, bookmarks } = this.#options
    const timeoutMs = (timeoutSeconds || defaultTimeoutSeconds) * 1000
    // setTimeout takes no more than 2^31 - 1.
    this.#timers.push(setTimeout(() => this.end(), Math.min(timeoutMs, 2 ** 31 - 1)))
    if (!bookmarks) return
    this.#timers.push(setInterval(this.#bookmark, bookmarkMs))
    if (timeoutMs > BOOKMARK_BEFORE_END_MS) {
      this.#timers.push(setTimeout(this.#bookmark, timeoutMs - BOOKMARK_BEFORE_END_MS))
    }
  }

  readonly #bookmark = (): void => {
    if (this.#store.version < this.#after) return
    this.#after = this.#store.version
    this.#out.push(bookmarkLine(this.target.resource, this.#store.version, false))
  }
}

let lastChange: Change | null = null
let lastLine: Buffer = Buffer.alloc(0)

/** The line of a change, made once for all watches. */
function lineOf(resource: Resource, change: Change): Buffer {
  if (change !== lastChange) lastLine = eventLine(change.type, resource, change.object)
  lastChange = change
  return lastLine
}

function eventLine(type: ChangeType, resource: Resource, object: StoredObject): Buffer {
  const head = `{"type":"${type}","object":{${typePrefix(resource)}`
  const line = Buffer.allocUnsafe(head.length + object.length + 2)
  line.write(head, 0, 'latin1')
  const end = object.write(line, head.length)
  line.write('}\n', end, 'latin1')
  return line
}

/** @param initialEnd  whether it ends the objects that a streaming list begins with */
function bookmarkLine(resource: Resource, version: number, initialEnd: boolean): Buffer {
  const annotations = initialEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}
  const created = resource.custom ? {} : { creationTimestamp: null }
  const metadata = resource.custom
    ? { ...annotations, resourceVersion: String(version) }
    : { resourceVersion: String(version), ...created, ...annotations }
  const object = `${typePrefix(resource)}"metadata":${JSON.stringify(metadata)}${resource.bookmarkRest}`
  return Buffer.from(`{"type":"BOOKMARK","object":{${object}}}\n`)
}
