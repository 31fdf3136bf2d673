// Writes a file beside its place and puts it there at once: whoever opens it finds the old one or the new one, whatever is killed
// when. Not here: what is in it.

import { type FileHandle, open, readdir, rename, stat, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'

const ENDING = '.tmp'
/** What a process that was killed has left behind is removed after this time. */
const LEFT_MS = 3_600_000

/** Where a process writes what is to replace `path`. Processes of several containers may have one number, and one folder. */
export function temporaryName(path: string, pid: number = process.pid): string {
  return `${path}.${hostname()}-${pid}${ENDING}`
}

/**
 * Replaces the file at `path` by what `write` writes, once that is on the disk.
 * @throws what `write` and the file system threw; `path` is then what it was
 */
export async function replaceFile(path: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
  const temporary = temporaryName(path)
  const file = await open(temporary, 'w', 0o600)
  try {
    await write(file)
    await file.sync()
    await file.close()
    await rename(temporary, path)
    const folder = await open(dirname(path), 'r')
    await folder.sync().finally(() => folder.close())
  } catch (error) {
    await file.close().catch(() => {})
    await unlink(temporary).catch(() => {})
    throw error
  }
  // Nothing depends on it.
  await removeLeftovers(path).catch(() => {})
}

async function removeLeftovers(path: string): Promise<void> {
  const names = await readdir(dirname(path))
  for (const name of names.filter((each) => each.startsWith(`${basename(path)}.`) && each.endsWith(ENDING))) {
    const leftover = join(dirname(path), name)
    const { mtimeMs } = await stat(leftover)
    if (Date.now() - mtimeMs > LEFT_MS) await unlink(leftover)
  }
}
