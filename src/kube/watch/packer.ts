// From API objects to the items of a message: who it is, and its packed form. Knows nothing of requests.

import { FieldError, mappingOf, type Raw } from '../fields.ts'
import type { Port } from '../objects.ts'
import { KEEP } from '../packed.ts'
import type { LabelSet } from '../sources.ts'
import { type Metadata, metadataOf, SharedValues } from '../trim.ts'
import type { Resource } from './messages.ts'
import { RESOURCES, type ResourceKind, type Selection } from './resources.ts'

/** Nothing is kept from one object to the next: what is trimmed here lives no longer than until it is packed. */
class UnsharedValues extends SharedValues {
  override text(text: string): string {
    return text
  }

  override ports(ports: readonly Port[]): readonly Port[] {
    return ports
  }

  override labels(labels: LabelSet): LabelSet {
    return labels
  }
}

/** Packs the objects of one resource. */
export class Packer {
  readonly #resource: Resource
  readonly #kind: ResourceKind
  readonly #selection: Selection
  readonly #shared: SharedValues
  readonly #damaged: (line: string) => void

  /** @param damaged  is told, in one line, of an object that cannot be read */
  constructor(resource: Resource, selection: Selection, damaged: (line: string) => void) {
    this.#resource = resource
    this.#kind = RESOURCES[resource]
    this.#selection = selection
    this.#shared = new UnsharedValues(selection.podNames)
    this.#damaged = damaged
  }

  /**
   * Appends an object that a list named: namespace, name and packed form. One that makes no names is left out, one that cannot
   * be read is to stay as it is known.
   */
  appendListed(items: string[], object: unknown): void {
    this.#append(items, object, false, true)
  }

  /** Appends an object that was added, changed or (`gone`) deleted. */
  appendChanged(items: string[], object: unknown, gone: boolean): void {
    this.#append(items, object, gone, false)
  }

  #append(items: string[], object: unknown, gone: boolean, listed: boolean): void {
    let metadata: Metadata | null = null
    let packed = KEEP
    try {
      const raw = mappingOf(object, 'object')
      metadata = metadataOf(raw, this.#shared, this.#kind.dotted)
      packed = gone ? '' : this.#kind.pack(raw, metadata, this.#selection, this.#shared)
    } catch (error) {
      const field = error instanceof FieldError ? `${error.field} ` : ''
      const fate = metadata === null ? 'left out' : 'left as it was known'
      this.#damaged(`${this.#resource} ${nameOf(object)}: ${field}${(error as Error).message}; ${fate}`)
      if (metadata === null) return
    }
    if (listed && packed === '') return
    items.push(this.#resource === 'namespaces' ? '' : metadata.namespace, metadata.name, packed)
  }
}

/** Who a damaged object is, as far as it says. */
function nameOf(object: unknown): string {
  const metadata = (object as Raw | null)?.metadata as Raw | null | undefined
  const name = [metadata?.namespace, metadata?.name].filter((part) => typeof part === 'string').join('/')
  return name === '' ? '(no name)' : name.slice(0, 400).replace(/[^!-~]/g, '?')
}
