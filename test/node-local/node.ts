// A node as a test wants it: inside a network namespace of its own, a stand-in for the dummy device where the kernel has none, pods with
// namespaces of their own, a stand-in for kube-proxy, and node caches that run as the first process of a container.

import assert from 'node:assert/strict'
import { type ChildProcess, execFile, execFileSync, spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { CorefileServer, WAIT_MS } from '../corefile/corefile-server.ts'
import { missing } from '../server/namespace.ts'

const RUN_MS = 20_000
const POD_CLIENT = resolve(import.meta.dirname, 'pod-client.ts')
const folder = mkdtempSync(join(tmpdir(), 'peregrine-node-'))
const children: ChildProcess[] = []
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

/** Runs a program to its end. @returns what it printed @throws Error if it fails */
export function output(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', timeout: RUN_MS, stdio: ['ignore', 'pipe', 'pipe'] })
}

/**
 * The search path for node caches. A kernel without dummy devices gets an `ip` that makes an ifb device in place of one: it
 * too carries addresses and nothing else. @param say  told of that
 */
export function searchPath(say: (text: string) => void): string {
  const { PATH = '' } = process.env
  if (spawnSync('ip', ['link', 'add', 'probe0', 'type', 'dummy']).status === 0) {
    output('ip', 'link', 'delete', 'probe0')
    return PATH
  }
  say('this kernel has no dummy devices: an ifb device stands in for one')
  const real = output('sh', '-c', 'command -v ip').trim()
  const script = `#!/bin/sh\nfor word; do shift; [ "$word" = dummy ] && word=ifb; set -- "$@" "$word"; done\nexec ${real} "$@"\n`
  writeFileSync(join(folder, 'ip'), script)
  chmodSync(join(folder, 'ip'), 0o755)
  return `${folder}:${PATH}`
}

/** Why there can be no rules here; false if there can. */
export function filterLacking(programs: Readonly<Record<string, string>>): string | false {
  const lacks = missing(programs)
  if (lacks !== false) return lacks
  const match = ['-d', '192.0.2.1', '-p', 'udp', '--dport', '53', '-m', 'socket', '-m', 'comment', '--comment', 'x']
  try {
    for (const operation of ['-I', '-D'])
      output('iptables', '-t', 'raw', operation, 'PREROUTING', ...match, '-j', 'NOTRACK')
    output('iptables', '-t', 'nat', '-L')
    return false
  } catch (error) {
    return `needs the packet filter: ${(error as Error).message.split('\n').at(-2)}`
  }
}

/** Rules of one of our comments, without their table, in the words of iptables-save. */
export function ourRules(program: 'iptables' | 'ip6tables' = 'iptables'): string[] {
  return output(`${program}-save`)
    .split('\n')
    .filter((line) => line.startsWith('-A ') && line.includes('NodeLocal DNS Cache'))
}

/** Addresses of an interface; null if it is not there. */
export function addressesOf(name: string): string[] | null {
  const { status, stdout } = spawnSync('ip', ['-oneline', 'address', 'show', 'dev', name], { encoding: 'utf8' })
  return status === 0 ? [...stdout.matchAll(/\binet6? (\S+).* scope global/g)].map(([, address]) => address) : null
}

/** Waits until something holds. @throws Error with what it is that does not */
export async function until(what: string, holds: () => boolean): Promise<void> {
  for (const deadline = performance.now() + WAIT_MS; performance.now() < deadline; await sleep(20)) if (holds()) return
  throw new Error(`never: ${what}`)
}

export interface NodeCacheOptions {
  readonly flags: readonly string[]
  /** Text of the template. */
  readonly template: string
  /** More files, by path from the working directory. */
  readonly files?: Readonly<Record<string, string>>
  /** Where it is asked. */
  readonly address: string
  readonly env: Record<string, string>
  /** As the first process of a PID namespace, as in a container. Default true: nothing of it outlives the test. */
  readonly contained?: boolean
}

/** A node cache. The template is `Corefile.base`, and the file it writes `Corefile`, in its working directory. */
export class NodeCache {
  readonly server: CorefileServer
  readonly #contained: boolean

  /** Starts it and waits for nothing. */
  constructor({ flags, template, files = {}, address, env, contained = true }: NodeCacheOptions) {
    this.#contained = contained
    this.server = new CorefileServer({
      text: '',
      files: { 'Corefile.base': template, ...files },
      manifests: [],
      port: 53,
      address,
      name: 'node-cache',
      conf: ['-conf', 'Corefile', '-basecorefile', 'Corefile.base'],
      flags,
      before: contained ? ['unshare', '--pid', '--fork', '--kill-child'] : [],
      env,
    })
  }

  /** Starts it and waits until it serves, and, if it makes any, until its rules are there. */
  static async start(options: NodeCacheOptions): Promise<NodeCache> {
    const cache = new NodeCache(options)
    await cache.server.serving()
    const makesRules = !options.flags.includes('-setupiptables=false')
    if (makesRules) await cache.server.line(/node-cache: \d+ rules added/)
    return cache
  }

  /** The process that was started first: the guard, if there is one. */
  get first(): number {
    const { pid } = this.server.child
    return this.#contained ? only(childrenOf(pid!)) : pid!
  }

  /** The process that answers. */
  get answering(): number {
    const below = childrenOf(this.first)
    return below.length === 0 ? this.first : only(below)
  }

  /** Ends it by a signal to its first process. @returns the exit code; null or 1 for one that was killed */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    process.kill(this.first, signal)
    return await this.ended()
  }

  /** Waits for the end. */
  async ended(): Promise<number | null> {
    return (await this.server.exit()).code
  }
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)
}

function only(pids: readonly number[]): number {
  assert.equal(pids.length, 1, `one process, not ${pids.length}`)
  return pids[0]
}

function namespaceOf(pid: string): string {
  return readlinkSync(`/proc/${pid}/ns/net`)
}

/** A pod: a network namespace behind a pair of devices, whose default route is the node. */
export class Pod {
  readonly #holder: ChildProcess

  /** @param address  the pod's; the node's end gets the one before it */
  constructor(name: string, address: string) {
    const gateway = address.replace(/\d+$/, (last) => String(Number(last) - 1))
    this.#holder = spawn('unshare', ['-n', 'sleep', '300'], { stdio: 'ignore' })
    this.#holder.unref()
    children.push(this.#holder)
    const pid = String(this.#holder.pid)
    // The namespace is made by the process that is started, a moment later.
    for (let tries = 0; tries < 500 && namespaceOf(pid) === namespaceOf('self'); tries++) output('sleep', '0.01')
    output('ip', 'link', 'add', name, 'type', 'veth', 'peer', 'name', `${name}-in`)
    output('ip', 'address', 'add', `${gateway}/30`, 'dev', name)
    output('ip', 'link', 'set', name, 'up')
    output('ip', 'link', 'set', `${name}-in`, 'netns', pid)
    this.#run('ip', 'address', 'add', `${address}/30`, 'dev', `${name}-in`)
    this.#run('ip', 'link', 'set', `${name}-in`, 'up')
    this.#run('ip', 'route', 'add', 'default', 'via', gateway)
  }

  /** Asks for the TXT record of a name. @returns its text, an RCODE, or `silence` */
  async ask(server: string, name: string, tcp = false): Promise<string> {
    const [program, ...args] = this.#inside(process.execPath, POD_CLIENT, server, name, tcp ? 'tcp' : 'udp')
    // Not waiting in place: who answers may live in this process.
    const { stdout } = await promisify(execFile)(program, args, { timeout: RUN_MS })
    return stdout.trim()
  }

  #run(...command: string[]): void {
    const [program, ...args] = this.#inside(...command)
    output(program, ...args)
  }

  #inside(...command: string[]): string[] {
    return ['nsenter', `--net=/proc/${this.#holder.pid}/ns/net`, ...command]
  }
}
