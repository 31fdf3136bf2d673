// A node's DNS cache around its server: the Corefile and the interface before it listens, the rules once it does, all of it away before it stops.
// Never rules without a server: those that a former process left behind go first of all.

import { Endpoints } from '../admin/endpoints.ts'
import type { Logger } from '../admin/logger.ts'
import { type Ensured, runCommand } from './commands.ts'
import { LocalInterface } from './local-interface.ts'
import { NodeCorefile } from './node-corefile.ts'
import { PacketFilter } from './packet-filter.ts'
import type { NodeLocalSettings } from './settings.ts'
import { SetupErrors, setupMetrics } from './setup-errors.ts'

/** Between two looks at template and ConfigMap. */
const LOOK_MS = 10_000
/** For removing everything; the guard does what is left. A Pod has 30 s in all. */
const LEAVE_MS = 10_000

/** Lines are the core's, marked by who says them. */
const SAYS = 'node-cache: '

export class NodeSetup {
  readonly errors = new SetupErrors()
  readonly #settings: NodeLocalSettings
  readonly #logger: Logger
  readonly #endpoints = new Endpoints()
  readonly #corefile: NodeCorefile | null
  readonly #interface: LocalInterface | null
  readonly #filter: PacketFilter | null
  readonly #timers: NodeJS.Timeout[] = []
  /** What is under way, one thing after the other. */
  #work: Promise<void> = Promise.resolve()
  readonly #leaving = new AbortController()

  constructor(settings: NodeLocalSettings, logger: Logger) {
    const { addresses, corefile, filters, healthPort, interfaceName } = settings
    this.#settings = settings
    this.#logger = logger
    this.#corefile = corefile === '' ? null : new NodeCorefile(settings)
    this.#interface =
      interfaceName === '' ? null : new LocalInterface(interfaceName, addresses, runCommand, this.errors)
    this.#filter = filters ? new PacketFilter(addresses, healthPort, runCommand, this.errors) : null
  }

  /**
   * Before the server listens: its Corefile and its addresses. An interface that cannot be made is told and counted; if the addresses are
   * nowhere else, listening fails.
   * @throws NodeCorefileError if there is nothing to serve by, EndpointError
   */
  async prepare(): Promise<void> {
    const stale = (await this.#filter?.remove()) ?? 0
    if (stale > 0) this.#logger.warning('', `${SAYS}${stale} rules removed that were left behind`)
    if (this.#corefile !== null) this.#account(this.#corefile.begin())
    await this.#endpoints.apply([
      { address: this.#settings.metrics, path: '/metrics', handler: setupMetrics(this.errors) },
    ])
    this.#tell(await this.#interface?.ensure())
  }

  /** Once the server listens: rules, and from now on regular looks. @param reload  has the server load its Corefile */
  async serving(reload: () => Promise<void>): Promise<void> {
    await this.#next(() => this.#sync())
    if (this.#leaving.signal.aborted) return
    this.#every(this.#settings.syncIntervalMs, () => this.#sync())
    if (this.#corefile !== null) this.#every(LOOK_MS, () => this.#look(reload))
  }

  /** Before the server stops: rules first, then the interface. Never rejects; a second call does nothing. */
  async leave(): Promise<void> {
    if (this.#leaving.signal.aborted) return
    this.#leaving.abort()
    for (const timer of this.#timers) clearInterval(timer)
    await this.#work
    if (!this.#settings.stays) await this.#remove()
    await this.#endpoints.close()
  }

  async #remove(): Promise<void> {
    const rules = (await this.#filter?.remove(AbortSignal.timeout(LEAVE_MS))) ?? 0
    const hadInterface = (await this.#interface?.remove()) ?? false
    const interfaces = hadInterface ? `, and interface ${this.#settings.interfaceName}` : ''
    this.#logger.info('', `${SAYS}${rules} rules removed${interfaces}`)
  }

  async #sync(): Promise<void> {
    this.#tell(await this.#interface?.ensure())
    this.#tell(await this.#filter?.ensure(this.#leaving.signal))
  }

  async #look(reload: () => Promise<void>): Promise<void> {
    const look = this.#corefile!.look()
    this.#account(look)
    if (look.isWritten && this.#settings.reloadsAtOnce) await reload()
  }

  #account({ isWritten, warnings, errors }: ReturnType<NodeCorefile['look']>): void {
    for (let i = 0; i < errors; i++) this.errors.count('configmap')
    for (const warning of warnings) this.#logger.warning('', `${SAYS}${warning}`)
    if (isWritten) this.#logger.info('', `${SAYS}${this.#settings.corefile} written`)
  }

  #tell(ensured: Ensured | undefined): void {
    for (const line of ensured?.made ?? []) this.#logger.info('', `${SAYS}${line}`)
    for (const line of ensured?.failed ?? []) this.#logger.error('', `${SAYS}${line}`)
  }

  /** Does something when all before it is done, unless the end has come by then. */
  #next(work: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(async () => {
      if (!this.#leaving.signal.aborted) await work()
    })
    return this.#work
  }

  /** Again and again, but not while the last time is still waiting or under way. */
  #every(ms: number, work: () => Promise<void>): void {
    let isDue = false
    const timer = setInterval(() => {
      if (isDue) return
      isDue = true
      void this.#next(work).then(() => {
        isDue = false
      })
    }, ms)
    this.#timers.push(timer.unref())
  }
}
