// Files that `forward` read nameservers from (/etc/resolv.conf): looked at again and again, so that what a DHCP client writes there is followed.
// CoreDNS reads them when it loads its configuration, and never again. The content is what is compared: links are swapped, and times lie.
// Not here: what is done about it (reloads.ts).

import { readFile } from 'node:fs/promises'
import type { LogLevel } from '../admin/logger.ts'
import type { Configuration, NameserverFile } from '../config/configuration.ts'
import { nameserversOf } from '../config/plugins/upstreams.ts'

const LOOK_MS = 5000

export interface UpstreamFilesParts {
  /** Nameservers have changed: the configuration is to be loaded again. */
  readonly onChange: () => void
  readonly log: (level: LogLevel, line: string) => void
  /** Between two looks; 5 s by default. */
  readonly lookMs?: number
}

/** Watches the files of one configuration until close(). */
export class UpstreamFiles {
  readonly #files: readonly WatchedFile[]
  readonly #onChange: () => void
  readonly #timer: NodeJS.Timeout | undefined
  #isLooking = false
  #isClosed = false

  constructor({ blocks }: Configuration, { onChange, log, lookMs = LOOK_MS }: UpstreamFilesParts) {
    const byPath = new Map<string, NameserverFile>()
    for (const { plugins } of blocks) {
      for (const { nameserverFiles } of plugins.forward ?? []) {
        for (const file of nameserverFiles) byPath.set(file.path, file)
      }
    }
    this.#files = [...byPath.values()].map((file) => new WatchedFile(file, log))
    this.#onChange = onChange
    if (this.#files.length > 0) this.#timer = setInterval(() => void this.#look(), lookMs).unref()
  }

  close(): void {
    this.#isClosed = true
    clearInterval(this.#timer)
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    const changes = await Promise.all(this.#files.map((file) => file.hasChanged()))
    this.#isLooking = false
    if (changes.includes(true) && !this.#isClosed) this.#onChange()
  }
}

class WatchedFile {
  readonly #path: string
  readonly #log: UpstreamFilesParts['log']
  /** Of the configuration, or what it was last to be loaded again for: what is no good is not tried twice. */
  #nameservers: string
  /** Why it cannot be used; '' if it can. */
  #trouble = ''

  constructor({ path, nameservers }: NameserverFile, log: UpstreamFilesParts['log']) {
    this.#path = path
    this.#log = log
    this.#nameservers = nameservers.join(' ')
  }

  /** Are there other nameservers in it than at the last look? Never rejects. */
  async hasChanged(): Promise<boolean> {
    let nameservers: string
    try {
      nameservers = nameserversOf(await readFile(this.#path, 'utf8')).join(' ')
    } catch (error) {
      return this.#keep((error as NodeJS.ErrnoException).code === 'ENOENT' ? 'is gone' : (error as Error).message)
    }
    if (nameservers === '') return this.#keep('has no nameservers')
    this.#trouble = ''
    if (nameservers === this.#nameservers) return false
    this.#nameservers = nameservers
    this.#log('info', `${this.#path} has changed: ${nameservers}`)
    return true
  }

  #keep(trouble: string): false {
    if (trouble !== this.#trouble) {
      this.#log('warning', `${this.#path} ${trouble}: upstreams stay as they are (${this.#nameservers})`)
    }
    this.#trouble = trouble
    return false
  }
}
