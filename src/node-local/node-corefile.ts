// The Corefile that a node serves by, kept in step with its template and with kube-dns' ConfigMap: both are looked at by path every few
// seconds, since a mounted ConfigMap changes by a symbolic link. Not here: loading it.

import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { type KubeDns, KubeDnsError, NO_KUBE_DNS, readKubeDns } from './kube-dns.ts'
import { type NodeLocalSettings, serviceVariable } from './settings.ts'
import { corefileOf, TemplateError } from './template.ts'

/** A Corefile that cannot be made, or not be written. */
export class NodeCorefileError extends Error {
  override readonly name = 'NodeCorefileError'
  readonly code = 'NODE_COREFILE'
}

/** What became of a look. */
export interface Look {
  /** The file was written: it says something else. */
  readonly isWritten: boolean
  /** What is worth a line: each once, until something else is wrong. */
  readonly warnings: readonly string[]
  /** How many things were in the way, said before or not. */
  readonly errors: number
}

export class NodeCorefile {
  readonly #settings: NodeLocalSettings
  readonly #env: NodeJS.ProcessEnv
  /** The last that was good. */
  #kubeDns: KubeDns = NO_KUBE_DNS
  #written: string | null = null
  #warned: ReadonlySet<string> = new Set()

  /** @param env  tells the addresses of Services */
  constructor(settings: NodeLocalSettings, env: NodeJS.ProcessEnv = process.env) {
    this.#settings = settings
    this.#env = env
  }

  /**
   * Writes the file for the first time. One that cannot be made is left as it is, if there is one: better the last template than no DNS.
   * @throws NodeCorefileError if there is nothing to serve by
   */
  begin(): Look {
    const look = this.look()
    if (this.#written === null && !hasText(this.#settings.corefile)) {
      throw new NodeCorefileError(look.warnings.join('; '))
    }
    return look
  }

  /** Reads everything anew and writes the file if it says something else. What is no good changes nothing. */
  look(): Look {
    const problems: string[] = []
    const kubeDns = this.#attempt(() => readKubeDns(this.#settings.kubeDns), problems)
    if (kubeDns !== null) this.#kubeDns = kubeDns
    const notes: string[] = []
    const text = this.#attempt(() => this.#make(notes), problems)
    const isNew = text !== null && text !== this.#written
    const isWritten = isNew && this.#attempt(() => this.#write(text), problems) === true
    const all = [...problems, ...notes]
    const warnings = all.filter((each) => !this.#warned.has(each))
    this.#warned = new Set(all)
    return { isWritten, warnings, errors: problems.length }
  }

  #make(notes: string[]): string {
    const { template, corefile, addresses, upstreamService } = this.#settings
    const variable = serviceVariable(upstreamService)
    const made = corefileOf(this.#read(template), {
      addresses,
      clusterAddress: this.#env[variable] ?? '',
      clusterUnknown: `flag --upstreamsvc is ${upstreamService}, and the environment has no ${variable}`,
      kubeDns: this.#kubeDns,
      path: corefile,
    })
    notes.push(...made.warnings)
    return made.text
  }

  #read(path: string): string {
    try {
      return readFileSync(path, 'utf8')
    } catch (error) {
      throw new NodeCorefileError(`flag --basecorefile: ${(error as Error).message}`)
    }
  }

  /** In one step: whoever reads it meanwhile finds one file or the other, whole. */
  #write(text: string): true {
    const path = this.#settings.corefile
    const draft = `${path}.${process.pid}.new`
    try {
      writeFileSync(draft, text)
      renameSync(draft, path)
    } catch (error) {
      rmSync(draft, { force: true })
      throw new NodeCorefileError(`flag --conf: ${(error as Error).message}`)
    }
    this.#written = text
    return true
  }

  /** @returns null if it cannot be done: then `problems` says why */
  #attempt<T>(work: () => T, problems: string[]): T | null {
    try {
      return work()
    } catch (error) {
      const isExpected =
        error instanceof KubeDnsError || error instanceof TemplateError || error instanceof NodeCorefileError
      if (!isExpected) throw error
      const { template } = this.#settings
      problems.push(error instanceof TemplateError ? `${template}: ${error.message}` : error.message)
      return null
    }
  }
}

/** An empty Corefile would be served too, as one for everybody who asks. */
function hasText(path: string): boolean {
  try {
    return readFileSync(path, 'utf8').trim() !== ''
  } catch {
    return false
  }
}
