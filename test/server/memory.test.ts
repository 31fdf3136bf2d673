// A cluster of 10,000 Services and 100,000 endpoints in the memory that a kubeadm cluster gives its DNS (170 MiB).

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { writeYaml } from '../../bench/dump.ts'
import { childEnvironment, PEREGRINE, startServer } from './server-process.ts'

const SERVICES = 10_000
const ENDPOINTS = 100_000
const RESIDENT_MAX = 155 * 2 ** 20
const GROUP_LIMIT = 170 * 2 ** 20
const WORKERS = 2

test('10,000 Services and 100,000 endpoints fit', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'peregrine-memory-'))
  const group = memoryGroup()
  try {
    const manifest = join(folder, 'dump.yaml')
    writeYaml(manifest, SERVICES, ENDPOINTS)
    // As an install leaves it: types stripped beforehand.
    assert.equal(spawnSync(PEREGRINE, ['compile'], { env: childEnvironment() }).status, 0)
    const began = performance.now()
    const server = await startServer({ manifests: [manifest], workers: WORKERS })
    context.diagnostic(`ready after ${Math.round(performance.now() - began)} ms`)
    const resident = server.residentOctets()
    const answer = await server.query({ name: 'kubernetes.default.svc.cluster.local', type: 'A' })
    assert.equal(answer.rcode, 'NXDOMAIN')
    await server.stop()
    context.diagnostic(`resident: ${(resident / 2 ** 20).toFixed(1)} MiB`)
    assert.ok(resident > 0 && resident <= RESIDENT_MAX, `${resident} octets are resident`)
    if (group === undefined) context.diagnostic('SKIPPED: the limit itself, no memory cgroup can be made here')
    else await serveWithin(group, manifest)
  } finally {
    rmSync(folder, { recursive: true })
    group?.remove()
  }
})

interface Group {
  readonly tasks: string
  readonly failures: string
  remove(): void
}

async function serveWithin(group: Group, manifest: string): Promise<void> {
  const server = await startServer({ manifests: [manifest], workers: WORKERS, group: group.tasks })
  const answer = await server.query({ name: 'svc.cluster.local', type: 'A' })
  assert.equal(answer.rcode, 'NOERROR')
  await server.stop()
  assert.match(await readFile(group.failures, 'latin1'), /^0\n|oom_kill 0/m)
}

/** A memory cgroup with the limit, of version 1 or 2; undefined where none can be made. */
function memoryGroup(): Group | undefined {
  const layouts = [
    ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes', 'memory.failcnt'],
    ['/sys/fs/cgroup', 'memory.max', 'memory.events'],
  ]
  for (const [root, limit, failures] of layouts) {
    const path = join(root, `peregrine-test-${process.pid}`)
    try {
      mkdirSync(path)
    } catch {
      continue
    }
    try {
      writeFileSync(join(path, limit), String(GROUP_LIMIT), { flag: 'r+' })
      return { tasks: join(path, 'cgroup.procs'), failures: join(path, failures), remove: () => rmdirSync(path) }
    } catch {
      rmdirSync(path)
    }
  }
  return undefined
}
