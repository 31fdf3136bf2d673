// The stand-in API server as a process that can be killed, frozen and started again on its port.

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Command } from '../apiserver/main.ts'
import { childEnvironment } from '../server/server-process.ts'

const MAIN = fileURLToPath(new URL('../apiserver/main.ts', import.meta.url))

export class ApiProcess {
  readonly port: number
  readonly kubeconfig: string
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #lines: AsyncIterator<string>

  private constructor(
    child: ChildProcessByStdio<Writable, Readable, null>,
    lines: AsyncIterator<string>,
    listening: { readonly port: number; readonly kubeconfig: string },
  ) {
    this.#child = child
    this.#lines = lines
    this.port = listening.port
    this.kubeconfig = listening.kubeconfig
  }

  /** Resolves when it listens; it ends with the test. `args`: those of test/apiserver/main.ts. */
  static async start(t: TestContext, args: readonly string[]): Promise<ApiProcess> {
    const child = spawn(process.execPath, [MAIN, ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: childEnvironment(),
    })
    t.after(async () => {
      child.kill('SIGCONT')
      child.stdin.end()
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const { value } = await lines.next()
    return new ApiProcess(child, lines, JSON.parse(value ?? ''))
  }

  /** Resolves when it is done. */
  async obey(command: Command): Promise<void> {
    this.#child.stdin.write(`${JSON.stringify(command)}\n`)
    for (;;) {
      const { value, done } = await this.#lines.next()
      if (done || JSON.parse(value).event === 'done') return
    }
  }

  freeze(): void {
    this.#child.kill('SIGSTOP')
  }

  thaw(): void {
    this.#child.kill('SIGCONT')
  }

  /** Resolves when it is gone. */
  async kill(): Promise<void> {
    const gone = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await gone
  }
}
