// C sources of the tests, compiled when needed.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SUPPORTED } from '../../src/io/layouts.ts'

/** Why tests that need cc and the batched transport cannot run here; false when they can. */
export function compilerMissing(): string | false {
  if (!SUPPORTED) return 'SKIPPED: not a platform of the batched transport'
  try {
    execFileSync('cc', ['--version'], { stdio: 'ignore' })
    return false
  } catch {
    return 'SKIPPED: no C compiler (cc)'
  }
}

/** The fault shim as a shared object, in a folder of its own that `dispose` removes. */
export function compileShim(): { path: string; dispose: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'fault-shim-'))
  const path = join(folder, 'fault-shim.so')
  const source = fileURLToPath(new URL('./fault-shim.c', import.meta.url))
  execFileSync('cc', ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', '-o', path, source, '-ldl'])
  return { path, dispose: () => rmSync(folder, { recursive: true }) }
}
