// A folder as a kubelet mounts a ConfigMap: files are links into a folder that is a link itself, and an update swaps that one link. The
// files keep their names, and nothing that was open sees the change.

import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export class ConfigMapFolder {
  readonly path = realpathSync(mkdtempSync(join(tmpdir(), 'peregrine-configmap-')))
  #version = 0
  #names: readonly string[] = []

  /** @param files  keys of the ConfigMap */
  constructor(files: Readonly<Record<string, string>>) {
    this.update(files)
  }

  /** Where a key is. */
  file(name: string): string {
    return join(this.path, name)
  }

  /** Everything at once: keys that are not in `files` go away. */
  update(files: Readonly<Record<string, string>>): void {
    const data = `..2026_11_22_00_00_${String(this.#version++).padStart(2, '0')}.${process.pid}`
    mkdirSync(join(this.path, data))
    for (const [name, text] of Object.entries(files)) writeFileSync(join(this.path, data, name), text)
    symlinkSync(data, join(this.path, '..data_tmp'))
    renameSync(join(this.path, '..data_tmp'), join(this.path, '..data'))
    for (const name of Object.keys(files)) {
      if (!this.#names.includes(name)) symlinkSync(join('..data', name), join(this.path, name))
    }
    for (const name of this.#names) if (!(name in files)) rmSync(join(this.path, name), { force: true })
    this.#names = Object.keys(files)
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}
