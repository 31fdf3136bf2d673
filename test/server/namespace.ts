// A network and mount namespace of its own for one test file: the file runs itself again inside, where it may bind port 53
// and any address, has a resolv.conf like a Pod's, and reaches nothing else. Everything is gone when that process ends.

import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { platform, tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { childEnvironment } from './server-process.ts'

const INSIDE = 'PEREGRINE_TEST_NAMESPACE'
const RUN_MS = 120_000
const run = promisify(execFile)

/** What the namespace has. */
export interface NamespaceOptions {
  /** With prefix length; on a device of its own that is not the loopback device. */
  addresses: readonly string[]
  /** Text of /etc/resolv.conf. */
  resolvConf?: string
  /** Programs without which the file cannot run; the Debian package says what to install. */
  programs?: Readonly<Record<string, string>>
  /** For the whole file. Default two minutes. */
  timeoutMs?: number
}

/**
 * Call it first of all. Outside it registers one test that runs the file inside, and returns false: register nothing else.
 * Inside it returns true. Where no namespace can be made, the test is skipped and says why.
 *
 * @param file the calling test file
 */
export function insideNamespace(file: string, options: NamespaceOptions): boolean {
  if (process.env[INSIDE] === '1') return true
  const reason = missing(options.programs ?? {})
  const { timeoutMs = RUN_MS } = options
  test(`in a namespace of its own`, { skip: reason, timeout: timeoutMs }, async (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'peregrine-namespace-'))
    const node = process.execPath
    const args = [...namespaceCommand(), 'sh', '-ec', setUp(folder, options), 'sh', node, '--test-reporter=spec', file]
    try {
      const { stdout } = await run(args[0]!, args.slice(1), {
        env: childEnvironment({ [INSIDE]: '1' }),
        timeout: timeoutMs,
      })
      for (const line of stdout.split('\n')) if (/[✔﹣]|tests|skipped/.test(line)) context.diagnostic(line.trim())
    } catch (error) {
      const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
      assert.fail(`${file} failed in its namespace:\n${stdout}\n${stderr}\n${(error as Error).message.split('\n')[0]}`)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
  return false
}

/** True if a program is on the path. */
export function hasProgram(name: string): boolean {
  return (process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, name)))
}

/** A command in front of another that gives it namespaces; as a user who is not root, a user namespace too. */
export function namespaceCommand(): string[] {
  return process.getuid?.() === 0 ? ['unshare', '-n', '-m'] : ['unshare', '-r', '-n', '-m']
}

/** Why there can be no namespace; false if there can. */
export function missing(programs: Readonly<Record<string, string>> = {}): string | false {
  if (platform() !== 'linux') return 'needs Linux'
  for (const [program, debianPackage] of Object.entries({ unshare: 'util-linux', ip: 'iproute2', ...programs })) {
    if (!hasProgram(program)) return `needs ${program}: apt-get install ${debianPackage}`
  }
  const [command, ...args] = [...namespaceCommand(), 'ip', 'link', 'set', 'lo', 'up']
  const { status } = spawnSync(command!, args, { timeout: 10_000, stdio: 'ignore' })
  return status === 0 ? false : 'needs root, or user namespaces'
}

/** A shell program that sets up the namespace and becomes the command in its arguments. */
function setUp(folder: string, { addresses, resolvConf }: NamespaceOptions): string {
  const lines = [
    'ip link set lo up',
    // Without a module for pairs of devices the loopback device must do.
    'if ip link add test0 type veth peer name test1 2>/dev/null; then ip link set test0 up; ip link set test1 up; d=test0; else d=lo; fi',
    ...addresses.map((address) => `ip address add ${address} dev $d${address.includes(':') ? ' nodad' : ''}`),
  ]
  if (resolvConf !== undefined) {
    writeFileSync(join(folder, 'resolv.conf'), resolvConf)
    writeFileSync(join(folder, 'nsswitch.conf'), 'hosts: files dns\n')
    for (const name of ['resolv.conf', 'nsswitch.conf']) {
      // A link, as systemd-resolved leaves one, is followed: its target is what programs open.
      lines.push(`if [ -e /etc/${name} ]; then mount --bind '${join(folder, name)}' "$(readlink -f /etc/${name})"; fi`)
    }
  }
  return [...lines, 'exec "$@"'].join('\n')
}
