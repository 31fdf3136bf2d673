// A shell that stands above the server and removes interface and rules when the server ends without having done so: killed for its memory,
// aborted, or asked to leave at once. The smallest program that does it: a child could not, since in a container the server would be the
// first process, and nothing outlives that one.
//
// It passes signals on, and ends with the server's exit code (128 + signal, as shells have it).

import { removalOf } from './local-interface.ts'
import { allRules, argumentsOf, COPIES_MAX, filterProgram } from './packet-filter.ts'
import type { NodeLocalSettings } from './settings.ts'

const SHELL = '/bin/sh'
const MARK = 'PEREGRINE_NODE_GUARD'
const ROUNDS_MAX = 3

/**
 * Puts the guard in the place of this process, and this process below it: does not return where that can be done and is needed.
 * @returns '' if there is a guard, or none is needed; else why there can be none
 */
export function standBelowGuard(settings: NodeLocalSettings): string {
  const isNeeded = !settings.stays && (settings.filters || settings.interfaceName !== '')
  if (!isNeeded || process.env[MARK] !== undefined) return ''
  const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  try {
    process.execve!(SHELL, [SHELL, '-c', guardScript(settings), 'node-cache', ...command], {
      ...process.env,
      [MARK]: '1',
    })
    return ''
  } catch (error) {
    return `nobody cleans up after a crash: ${(error as Error).message}`
  }
}

/** What the guard runs. Its arguments are the command of the server. */
export function guardScript(settings: NodeLocalSettings): string {
  const lines = [
    'server= early=',
    'pass() { if [ -n "$server" ]; then kill -s "$1" "$server" 2>/dev/null; else early="$early $1"; fi; }',
    'for signal in TERM HUP USR1 USR2; do trap "pass $signal" "$signal"; done',
    // At a terminal these reach the server as they are.
    'for signal in INT QUIT; do if [ -t 0 ]; then trap : "$signal"; else trap "pass $signal" "$signal"; fi; done',
    '"$@" &',
    'server=$!',
    'for signal in $early; do pass "$signal"; done',
    'while :; do wait "$server"; code=$?; kill -0 "$server" 2>/dev/null || break; done',
    "trap '' TERM HUP USR1 USR2 INT QUIT PIPE",
    'removed=0',
    `away() { left=${COPIES_MAX}; while [ "$left" -gt 0 ] && "$@" >/dev/null 2>&1; do left=$((left - 1)) removed=$((removed + 1)); done; }`,
    // Again until nothing is found: a program that the server had started may have outlived it, and made one more rule.
    `for round in ${Array.from({ length: ROUNDS_MAX }, (_, index) => index + 1).join(' ')}; do`,
    '  before=$removed',
    ...removals(settings).map((removal) => `  away ${removal}`),
    '  [ "$removed" -eq "$before" ] && break',
    'done',
    'if [ "$removed" -gt 0 ]; then',
    '  echo "[WARNING] node-cache: the server ended with code $code and left interface or rules behind; they are removed"',
    'fi',
    'exit "$code"',
  ]
  return `${lines.join('\n')}\n`
}

/** Commands, rules first: what they lead to the interface must not end there. */
function removals({ addresses, filters, healthPort, interfaceName }: NodeLocalSettings): string[] {
  const program = filterProgram(addresses)
  const rules = filters ? allRules(addresses, healthPort).map((rule) => [program, ...argumentsOf('-D', rule)]) : []
  const links = interfaceName === '' ? [] : [['ip', ...removalOf(interfaceName)]]
  return [...rules, ...links].map((words) => words.map(quoted).join(' '))
}

function quoted(word: string): string {
  return /^[\w./:-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
