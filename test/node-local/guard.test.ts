// The guard above the server: what it passes on, what it ends with, and what it removes. `ip` and `iptables` are scripts here that keep what there
// is in a file; with the real ones: life.test.ts.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { guardScript } from '../../src/node-local/guard.ts'
import { allRules, argumentsOf } from '../../src/node-local/packet-filter.ts'
import type { NodeLocalSettings } from '../../src/node-local/settings.ts'

const WAIT_MS = 30_000
const folder = mkdtempSync(join(tmpdir(), 'peregrine-guard-'))
after(() => rmSync(folder, { recursive: true }))
const there = join(folder, 'there')
const late = join(folder, 'late')

/** Takes away the first line that is its arguments; fails if there is none. What is in `late` appears with the first call. */
const PROGRAM = `#!/bin/sh
line="$(basename "$0") $*"
[ -e '${late}' ] && sleep 0.01 && [ "$(wc -l < '${there}')" -eq 0 ] && cat '${late}' >> '${there}' && rm '${late}'
grep -qxF -- "$line" '${there}' || exit 1
awk -v line="$line" '!gone && $0 == line { gone = 1; next } { print }' '${there}' > '${there}.new' && mv '${there}.new' '${there}'
`
for (const name of ['iptables', 'ip']) {
  writeFileSync(join(folder, name), PROGRAM)
  chmodSync(join(folder, name), 0o755)
}

const SETTINGS: NodeLocalSettings = {
  addresses: ['169.254.20.10', '10.96.0.10'],
  corefile: '',
  template: '',
  kubeDns: '',
  upstreamService: '',
  interfaceName: 'nodelocaldns',
  filters: true,
  healthPort: 8080,
  syncIntervalMs: 60_000,
  metrics: { host: '', port: 0 },
  stays: false,
  reloadsAtOnce: false,
}
const RULES = allRules(SETTINGS.addresses, 8080).map((rule) => `iptables ${argumentsOf('-D', rule).join(' ')}`)
const LINK = 'ip link delete nodelocaldns'

beforeEach(() => writeFileSync(there, ''))

function lines(...all: string[]): string {
  return all.map((line) => `${line}\n`).join('')
}

/** A guard above a shell that runs `program`. */
class Guard {
  readonly child: ChildProcess
  output = ''

  constructor(program: string, settings = SETTINGS) {
    const env = { ...process.env, PATH: `${folder}:${process.env.PATH}` }
    this.child = spawn('/bin/sh', ['-c', guardScript(settings), 'node-cache', 'sh', '-c', program], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.child.stdout!.on('data', (text) => (this.output += text))
  }

  async printed(pattern: RegExp): Promise<string> {
    for (const deadline = performance.now() + WAIT_MS; performance.now() < deadline; await sleep(5)) {
      const [found] = pattern.exec(this.output) ?? []
      if (found !== undefined) return found
    }
    this.child.kill('SIGKILL')
    throw new Error(`never ${pattern}:\n${this.output}`)
  }

  async ended(): Promise<number | null> {
    const killer = setTimeout(() => this.child.kill('SIGKILL'), WAIT_MS)
    const [code] = await once(this.child, 'close')
    clearTimeout(killer)
    return code
  }
}

test('a server that has cleaned up: its exit code, and not a word', async () => {
  for (const code of [0, 1, 2, 4]) {
    const guard = new Guard(`exit ${code}`)
    assert.equal(await guard.ended(), code)
    assert.equal(guard.output, '')
  }
})

test('a server that is killed: every rule goes with its copies, and the interface', async () => {
  writeFileSync(there, lines(...RULES, LINK, ...RULES.slice(3, 6), 'iptables -w 5 -t raw -D OUTPUT -j SOMEBODYS'))
  const guard = new Guard('kill -9 $$')
  assert.equal(await guard.ended(), 137)
  assert.match(
    guard.output,
    /^\[WARNING\] node-cache: the server ended with code 137 and left interface or rules behind; they are removed\n$/,
  )
  assert.equal(readFileSync(there, 'utf8'), lines('iptables -w 5 -t raw -D OUTPUT -j SOMEBODYS'))
})

test('a rule that appears while others are removed goes too', async () => {
  writeFileSync(there, lines(...RULES.slice(0, 4)))
  writeFileSync(late, lines(RULES[0]))
  const guard = new Guard('exit 1')
  assert.equal(await guard.ended(), 1)
  assert.ok(!existsSync(late), 'it did appear')
  assert.equal(readFileSync(there, 'utf8'), '')
})

test('what is not ours to make is not ours to remove', async () => {
  writeFileSync(there, lines(RULES[0], LINK))
  await new Guard('exit 1', { ...SETTINGS, filters: false }).ended()
  assert.equal(readFileSync(there, 'utf8'), lines(RULES[0]))
  writeFileSync(there, lines(RULES[0], LINK))
  await new Guard('exit 1', { ...SETTINGS, interfaceName: '' }).ended()
  assert.equal(readFileSync(there, 'utf8'), lines(LINK))
})

test('signals reach the server, and the guard stays until it has ended', async () => {
  const program = `for s in TERM INT QUIT HUP USR1 USR2; do trap "echo got $s" $s; done
trap 'echo got TERM; exit 7' TERM
echo up; n=0; while [ $n -lt 3000 ]; do sleep 0.01; n=$((n + 1)); done`
  const guard = new Guard(program)
  await guard.printed(/^up$/m)
  // A shell that starts in the background cannot trap INT and QUIT; the server can, and life.test.ts sends it one.
  for (const signal of ['HUP', 'USR1', 'USR2', 'TERM'] as const) {
    guard.child.kill(`SIG${signal}`)
    await guard.printed(new RegExp(`^got ${signal}$`, 'm'))
  }
  assert.equal(await guard.ended(), 7)
})

test('a server that a signal ends: 128 and its number', async () => {
  const guard = new Guard('echo up; exec sleep 30')
  await guard.printed(/^up$/m)
  guard.child.kill('SIGTERM')
  assert.equal(await guard.ended(), 143)
})
