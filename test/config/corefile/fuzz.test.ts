// Mutated Corefiles and soups of words: each is an error with a line, or a valid configuration; nothing else, and no hang.
// PEREGRINE_FUZZ_ROUNDS (20,000) and PEREGRINE_FUZZ_SEED; a round depends on the seed and its number alone.

import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { configure } from '../../../src/config/configure.ts'
import { tryCorefile } from '../../../src/config/corefile/read.ts'
import { CorefileError } from '../../../src/config/corefile/syntax.ts'
import { DIRECTIVE_ORDER } from '../../../src/config/directives.ts'
import { effectiveText } from '../../../src/config/effective.ts'
import type { Interfaces } from '../../../src/config/listeners.ts'
import type { TextChecks } from '../../../src/config/plugins/setup.ts'
import { LabelSelector } from '../../../src/kube/label-selector.ts'
import { compileCondition, compileExpression } from '../../../src/plugins/expression.ts'
import { checkTemplate } from '../../../src/plugins/template.ts'

const ROUNDS = Number(process.env.PEREGRINE_FUZZ_ROUNDS ?? 20_000)
const SEED = Number(process.env.PEREGRINE_FUZZ_SEED ?? Date.now() % 1_000_000)
const HANG_MS = 30_000
const FIXTURES = fileURLToPath(new URL('../../fixtures/corefiles', import.meta.url))
const ENV = { ZONE: 'a.example', WORDS: 'two words', BRACE: '{', QUOTE: '"' }

const loopback = { address: '127.0.0.1', family: 'IPv4', netmask: '', mac: '', internal: true, cidr: null } as const
const INTERFACES: Interfaces = { lo: [loopback] }

/** The parsers behind the grammar, as the server has them. */
const CHECKS: TextChecks = {
  template: checkTemplate,
  expression: (text) => void compileExpression(text),
  condition: (text) => void compileCondition(text),
  labelSelector: (text) => void LabelSelector.parse(text),
}

const SEEDS = [
  `.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
       labels environment in (production, qa),application=nginx
       okd wildcard=off
    }
    prometheus :9153
    forward . 192.0.2.1 tls://192.0.2.2%dns.example {
       max_concurrent 1000
       except a.example
    }
    cache 30 {
       disable success cluster.local
       denial 9984 30
       prefetch 10 1m 10%
       serve_stale 3600s verify
    }
    loop
    reload
    loadbalance
    import *.override
}
import *.server
`,
  `(common) {
    errors {
        consolidate 5m ".* i/o timeout$" warning show_first
    }
    log . "{remote} {name} \\"{>id}\\"" {
        class error denial
    }
    bind lo 127.0.0.1 {
        except ::1
    }
}
{$ZONE}:5353, b.example,
10.0.0.0/17 {
    import common
    hosts /nowhere {
        192.0.2.1 a b # c
        fallthrough
    }
    template IN A c.example {
        match "^(?P<x>[a-z]*)\\.c\\.example\\.$"
        answer "{{ .Name }} 60 in A {{ index .Match 1 }}"
        fallthrough
    }
    rewrite stop {
        name regex (.*)\\.mine\\.example {1}.default.svc.cluster.local
        answer name (.*)\\.default\\.svc {1}.mine.example
    }
    rewrite continue ttl exact a 30-300
    rewrite edns0 local set 0xffee {client_ip} revert
    acl {
        block type AAAA net 10.0.0.0/8
    }
    dns64 64:ff9b::/96
    file db.x a.example {
        reload 0
    }
    transfer {
        to *
    }
    header {
        response set ra
    }
    nsid "a b"
    chaos CoreDNS-1 "me"
    bufsize 1232
    whoami
}
hostname.bind:5353 {
    view v {
        expr incidr(client_ip(), '10.0.0.0/8') && type() == 'A'
    }
    chaos
}
import x
`,
  '.\nerrors\nlog\nwhoami\n',
]

/** Each is seen often enough in a full run. */
const OUTCOMES: Readonly<Record<string, RegExp>> = {
  open: /Unexpected token '\{', expecting argument/,
  close: /Unexpected '\}' because no matching opening brace/,
  end: /Unexpected EOF/,
  count: /Wrong argument count or unexpected line ending after '/,
  unknown: /Unknown directive '/,
  missing: /no action found for directive '/,
  key: /error inspecting server blocks: /,
  twice: /it is already defined/,
  once: /can only be used once/,
  import: /cannot import/,
  plugin: /plugin\/\w+: /,
  property: /unknown property '/,
}

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const WORDS = [
  ...'{ } { } , # " \\ import import (s) s . .:53 a, {$ZONE} {%BRACE%} {$ {{$x}} * ? [ - 0 -1 1 65536 5s 1h 9999999h 1e9 ::1'.split(
    ' ',
  ),
  ...'10.0.0.0/8 2001:db8::/33 lo tls:// x.override self . .. a..b (.*) (?P<x>a) [ {1} 0x1 NXDOMAIN ANY IN AAAA \u00a0 \ud800 é'.split(
    ' ',
  ),
  ...DIRECTIVE_ORDER,
]

class Mutator {
  readonly #random: () => number
  readonly #seeds: readonly string[]

  constructor(random: () => number, seeds: readonly string[]) {
    this.#random = random
    this.#seeds = seeds
  }

  text(): string {
    if (this.#below(8) === 0) return this.#soup()
    let text = this.#pick(this.#seeds)
    for (let count = this.#below(4); count >= 0; count--) text = this.#mutated(text)
    return text
  }

  #below(bound: number): number {
    return Math.floor(this.#random() * bound)
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)]
  }

  #soup(): string {
    const words = Array.from(
      { length: this.#below(40) },
      () => this.#pick(WORDS) + this.#pick([' ', ' ', ' ', '\n', '\n', '']),
    )
    return words.join('')
  }

  #mutated(text: string): string {
    const lines = text.split('\n')
    const line = this.#below(lines.length)
    const at = this.#below(text.length + 1)
    switch (this.#below(10)) {
      case 0: // a line gone
        return lines.toSpliced(line, 1).join('\n')
      case 1: // a line twice
        return lines.toSpliced(line, 0, lines[this.#below(lines.length)]).join('\n')
      case 2: // two lines as one
        return lines.toSpliced(line, 2, `${lines[line]} ${lines[line + 1] ?? ''}`).join('\n')
      case 3: // a word more
        return lines.with(line, `${lines[line]} ${this.#pick(WORDS)}`).join('\n')
      case 4: // another word
        return lines.with(line, this.#otherWord(lines[line])).join('\n')
      case 5: // cut off
        return text.slice(0, at)
      case 6: // octets gone
        return text.slice(0, at) + text.slice(at + this.#below(6))
      case 7: // octets more
        return (
          text.slice(0, at) +
          this.#pick(['{', '}', '"', '\n', '#', '\\', '\0', ',', ' ', ':', '\r', '.', '9']) +
          text.slice(at)
        )
      case 8: // blocks more
        return `${text}\n${this.#pick(this.#seeds)}`
      default: // the middle of another
        return text.slice(0, at) + this.#pick(this.#seeds).slice(this.#below(600)) + text.slice(at)
    }
  }

  #otherWord(line: string): string {
    const words = line.split(' ')
    return words.with(this.#below(words.length), this.#pick(WORDS)).join(' ')
  }
}

/** @returns names of OUTCOMES, or 'valid' */
function outcomesOf(folder: string, text: string): string[] {
  const { syntax, error, fingerprint } = tryCorefile(join(folder, 'Corefile'), ENV, text)
  assert.equal(fingerprint.length, 128)
  if (syntax === null) return outcomesOfError(error, text)
  try {
    const configuration = configure(syntax, { defaultPort: 53, interfaces: INTERFACES, checks: CHECKS })
    for (const { zones } of configuration.listeners) {
      for (const { zone, block } of zones) assert.ok(configuration.blocks[block].zones.includes(zone))
    }
    assert.ok(configuration.listeners.length > 0 && Object.isFrozen(configuration))
    assert.doesNotMatch(effectiveText(configuration), /\[object/)
    return ['valid']
  } catch (error) {
    return outcomesOfError(error, text)
  }
}

function outcomesOfError(error: unknown, text: string): string[] {
  if (!(error instanceof CorefileError)) throw error
  const [, file, line] = /^(.*?):(\d+) - Error during parsing: ./s.exec(error.message) ?? []
  assert.ok(file !== undefined, error.message)
  if (file.endsWith('/Corefile')) assert.ok(Number(line) >= 1 && Number(line) <= text.split('\n').length, error.message)
  return Object.keys(OUTCOMES).filter((name) => OUTCOMES[name].test(error.message))
}

interface Work {
  readonly folder: string
  readonly seeds: readonly string[]
  /** The round that is on. */
  readonly round: Int32Array
}

function textOfRound({ seeds }: Pick<Work, 'seeds'>, round: number): string {
  return new Mutator(randomOf(Math.imul(SEED + 1, 0x9e3779b1) ^ round), seeds).text()
}

function work(data: Work): void {
  const counts: Record<string, number> = {}
  for (let round = 0; round < ROUNDS; round++) {
    Atomics.store(data.round, 0, round)
    const text = textOfRound(data, round)
    try {
      for (const name of outcomesOf(data.folder, text)) counts[name] = (counts[name] ?? 0) + 1
    } catch (error) {
      throw new Error(`seed ${SEED}, round ${round}: ${(error as Error).stack}\n${JSON.stringify(text)}`)
    }
  }
  parentPort?.postMessage(counts)
}

/** In a thread of its own: a hang is seen, and told with its round. */
function outcomesInThread(data: Work): Promise<Record<string, number>> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), {
      workerData: data,
      env: { ...process.env, PEREGRINE_FUZZ_SEED: String(SEED) },
    })
    let last = -1
    const watch = setInterval(() => {
      const round = Atomics.load(data.round, 0)
      if (round === last) {
        reject(new Error(`seed ${SEED}, round ${round} hangs:\n${JSON.stringify(textOfRound(data, round))}`))
        worker.terminate()
      }
      last = round
    }, HANG_MS)
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.once('exit', (code) => {
      clearInterval(watch)
      reject(new Error(`the worker left with ${code}`))
    })
  })
}

if (isMainThread) {
  test(`${ROUNDS} Corefiles`, { timeout: Math.max(60_000, ROUNDS * 10) }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'corefile-fuzz-'))
    t.after(() => rmSync(folder, { recursive: true }))
    writeFileSync(join(folder, 'x.override'), 'debug\nminimal\n')
    writeFileSync(join(folder, 'x.server'), '(s) {\nany\n}\nx.example {\nimport s\n}\n')
    writeFileSync(join(folder, 'x'), 'y.example:54 {\nlog\n}\n')
    writeFileSync(join(folder, 'self'), 'import self\n')
    const names = existsSync(FIXTURES)
      ? readdirSync(FIXTURES, { withFileTypes: true }).filter((entry) => entry.isFile())
      : []
    const seeds = [...SEEDS, ...names.map(({ name }) => readFileSync(join(FIXTURES, name), 'utf8'))]
    for (const seed of seeds) assert.deepEqual(outcomesOf(folder, seed), ['valid'], seed)
    const counts = await outcomesInThread({ folder, seeds, round: new Int32Array(new SharedArrayBuffer(4)) })
    t.diagnostic(`seed ${SEED}: ${JSON.stringify(counts)}`)
    // What is never made is never tested.
    if (ROUNDS >= 20_000) for (const name of ['valid', ...Object.keys(OUTCOMES)]) assert.ok(counts[name] > 0, name)
  })
} else work(workerData)
