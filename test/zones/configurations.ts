// Configurations of static zones, without a Corefile.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { AutoConfig, Configuration, FileConfig, HostsConfig, Plugins } from '../../src/config/configuration.ts'
import type { StaticLog } from '../../src/zones/static-part.ts'

/** One block for each set of plugins. */
export function configurationOf(...blocks: Plugins[]): Configuration {
  return {
    path: 'Corefile',
    files: [],
    fingerprint: '',
    blocks: blocks.map((plugins, i) => ({ file: 'Corefile', line: i + 1, zones: ['.'], plugins })),
    listeners: [],
    warnings: [],
    withoutEffect: [],
  }
}

export function hosts(config: Partial<HostsConfig> = {}): HostsConfig {
  return {
    path: '/nonexistent/hosts',
    zones: ['.'],
    inline: [],
    ttl: 3600,
    reverse: true,
    reloadMs: 0,
    fallthrough: null,
    fallthroughUnsupported: false,
    ...config,
  }
}

export function file(config: Partial<FileConfig>): FileConfig {
  return { path: '', zones: [], reloadMs: 0, reloadByMtime: false, fallthrough: null, ...config }
}

export function auto(config: Partial<AutoConfig>): AutoConfig {
  return { zones: ['.'], directory: '', pattern: 'db\\.(.*)', origin: '{1}', reloadMs: 3_600_000, ...config }
}

/** A folder for this test, gone after it. */
export function folderOf(context: TestContext): (name: string) => string {
  const folder = mkdtempSync(join(tmpdir(), 'zones-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  return (name) => join(folder, name)
}

/** A log that keeps its lines: `level: line`. */
export function keptLog(): { readonly log: StaticLog; readonly lines: string[] } {
  const lines: string[] = []
  return { log: (level, line) => lines.push(`${level}: ${line}`), lines }
}
