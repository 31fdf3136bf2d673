// A real Prometheus as a child process: scrapes what it is told to, evaluates rules, is asked over its HTTP API. Its data is in a temporary folder.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort, httpGet, WAIT_MS } from '../corefile/corefile-server.ts'

const PROMETHEUS = '/usr/bin/prometheus'
const POLL_MS = 50

/** Why tests with a real Prometheus cannot be run here, or false. */
export const SKIP: string | false = !existsSync(PROMETHEUS) && 'SKIPPED: needs Prometheus (Debian package prometheus)'

const children = new Set<PrometheusProcess>()
process.once('exit', () => {
  for (const child of children) child.kill()
})

/** Different ports that are free. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) ports.add(await freePort())
  return [...ports]
}

/** One series of an instant vector. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** A rule as Prometheus evaluates it. */
export interface RuleState {
  readonly name: string
  readonly type: 'alerting' | 'recording'
  readonly query: string
  /** `ok`, `err` or `unknown`. */
  readonly health: string
  readonly lastError?: string
  /** Of an alert, as the rule gives them. */
  readonly labels: Readonly<Record<string, string>>
  /** Of an alert: `inactive`, `pending` or `firing`. */
  readonly state?: string
}

/** What is scraped: job -> `HOST:PORT`. */
export interface PrometheusOptions {
  readonly jobs: Readonly<Record<string, string>>
  /** Paths of rule files. */
  readonly rules: readonly string[]
}

export class PrometheusProcess {
  /** What it has printed. */
  output = ''
  readonly #folder = mkdtempSync(join(tmpdir(), 'peregrine-prometheus-'))
  readonly #port: number
  readonly #child: ChildProcess
  readonly #closed: Promise<unknown>

  /** Starts one and waits until it answers. */
  static async start(options: PrometheusOptions): Promise<PrometheusProcess> {
    const prometheus = new PrometheusProcess(options, await freePort())
    try {
      await prometheus.#ready()
      return prometheus
    } catch (error) {
      prometheus.kill()
      throw error
    }
  }

  constructor({ jobs, rules }: PrometheusOptions, port: number) {
    this.#port = port
    const config = join(this.#folder, 'prometheus.yml')
    // JSON is YAML.
    writeFileSync(
      config,
      JSON.stringify({
        global: { scrape_interval: '500ms', scrape_timeout: '500ms', evaluation_interval: '1s' },
        rule_files: rules,
        scrape_configs: Object.entries(jobs).map(([job, target]) => ({
          job_name: job,
          static_configs: [{ targets: [target], labels: { pod: `${job}-1`, namespace: 'kube-system' } }],
        })),
      }),
    )
    const flags = [
      ...[`--config.file=${config}`, `--storage.tsdb.path=${join(this.#folder, 'data')}`],
      ...[`--web.listen-address=127.0.0.1:${port}`, '--log.level=warn'],
    ]
    this.#child = spawn(PROMETHEUS, flags, { stdio: ['ignore', 'pipe', 'pipe'], cwd: this.#folder })
    this.#closed = once(this.#child, 'close')
    this.#closed.catch(() => {})
    this.#child.on('error', (error) => (this.output += `${error.message}\n`))
    for (const pipe of [this.#child.stdout!, this.#child.stderr!]) {
      pipe.setEncoding('utf8').on('data', (text) => (this.output += text))
      ;(pipe as Socket).unref()
    }
    this.#child.unref()
    children.add(this)
  }

  /** Evaluates an expression now. @throws AssertionError if it is not valid */
  async query(expression: string): Promise<Series[]> {
    const { resultType, result } = await this.#api(`query?query=${encodeURIComponent(expression)}`)
    if (resultType === 'scalar') return [{ labels: {}, value: Number(result[1]) }]
    assert.equal(resultType, 'vector', expression)
    return result.map(({ metric, value }: { metric: Record<string, string>; value: [number, string] }) => ({
      labels: metric,
      value: Number(value[1].replace('Inf', 'Infinity')),
    }))
  }

  /** All rules as they were evaluated last. */
  async rules(): Promise<RuleState[]> {
    const { groups } = await this.#api('rules')
    return groups.flatMap(({ rules }: { rules: RuleState[] }) => rules)
  }

  /** Health of each job's target: `up`, `down`, `unknown`; with its last error. */
  async targets(): Promise<{ job: string; health: string; lastError: string }[]> {
    const { activeTargets } = await this.#api('targets')
    type Target = { labels: { job: string }; health: string; lastError: string }
    return activeTargets.map(({ labels, health, lastError }: Target) => ({ job: labels.job, health, lastError }))
  }

  /** Waits until `isTrue` holds. @throws Error with what it printed if that takes too long */
  async until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
    for (const deadline = performance.now() + WAIT_MS; !(await isTrue()); await sleep(POLL_MS)) {
      if (performance.now() > deadline) throw new Error(`not within ${WAIT_MS} ms: ${what}\n${this.output}`)
      if (this.#child.exitCode !== null) throw new Error(`Prometheus ended:\n${this.output}`)
    }
  }

  /** Waits until an expression has a value, other than NaN. */
  async untilValue(expression: string): Promise<void> {
    await this.until(expression, async () => (await this.query(expression)).some(({ value }) => Number.isFinite(value)))
  }

  /** Ends it, orderly. */
  async stop(): Promise<void> {
    const killer = setTimeout(() => this.#child.kill('SIGKILL'), WAIT_MS)
    this.#child.kill('SIGTERM')
    await this.#closed
    clearTimeout(killer)
    this.#remove()
  }

  /** Ends it at once. */
  kill(): void {
    this.#child.kill('SIGKILL')
    this.#remove()
  }

  async #ready(): Promise<void> {
    await this.until('ready', async () => {
      const answer = await httpGet({ path: '/-/ready', port: this.#port }).catch(() => undefined)
      return answer?.status === 200
    })
  }

  // biome-ignore lint/suspicious/noExplicitAny: the API's JSON; callers say what they expect.
  async #api(path: string): Promise<any> {
    const { body } = await httpGet({ path: `/api/v1/${path}`, port: this.#port })
    const { status, data, error } = JSON.parse(body)
    assert.equal(status, 'success', `${path}: ${error}`)
    return data
  }

  #remove(): void {
    children.delete(this)
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
