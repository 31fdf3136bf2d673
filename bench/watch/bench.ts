// What the parts of the measurement share: the cluster that is served, how a server is started on it, where figures go.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ApiServerProcess } from './api-server.ts'
import { ClusterNames } from './names.ts'
import type { Options } from './options.ts'
import { Figures } from './report.ts'
import { freePort, type ServerOptions, ServerProcess } from './server.ts'

/** Targets are for clusters of this size. */
export const LARGE = 100_000
export const MEDIUM = 10_000
/** No server takes longer to become ready. */
export const READY_MS = 120_000

/** The measurement of one size. */
export class Bench {
  readonly options: Options
  readonly services: number
  readonly api: ApiServerProcess
  readonly names: ClusterNames
  readonly figures: Figures
  /** A folder of its own, for state files. */
  readonly folder = mkdtempSync(join(tmpdir(), 'peregrine-bench-'))
  readonly #servers: ServerProcess[] = []

  private constructor(options: Options, services: number, api: ApiServerProcess) {
    this.options = options
    this.services = services
    this.api = api
    this.names = new ClusterNames(services, options.endpointsPerService)
    this.figures = new Figures(services)
    process.once('exit', () => this.#removeFolder())
  }

  static async open(options: Options, services: number): Promise<Bench> {
    return new Bench(options, services, await ApiServerProcess.start(services, options.endpointsPerService))
  }

  wants(part: string): boolean {
    return part.includes(this.options.only)
  }

  async startServer(changed: Partial<ServerOptions> = {}): Promise<ServerProcess> {
    const { launcher, workers, profiles } = this.options
    const server = new ServerProcess({
      launcher,
      kubeconfig: this.api.kubeconfig,
      port: await freePort(),
      workers,
      stateDir: 'off',
      streamingLists: true,
      watchesLoop: false,
      profiles,
      ...changed,
    })
    this.#servers.push(server)
    return server
  }

  /** Ends all that runs. */
  async close(): Promise<void> {
    for (const server of this.#servers) await server.stop()
    await this.api.close()
    this.#removeFolder()
  }

  #removeFolder(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
