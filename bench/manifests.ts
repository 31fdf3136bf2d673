// How long a dump of a large cluster takes to load, and what it leaves in memory. Writes a dump as kubectl prints it
// (and the same as JSON) into the temporary folder, and loads each in a process of its own.
// Run: node bench/manifests.ts [services] [endpoints]

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatProblem, loadManifests } from '../src/kube/manifests.ts'
import { writeJson, writeYaml } from './dump.ts'

if (process.argv[2] === '--load') await measure(process.argv[3]!)
else compare(Number(process.argv[2] ?? 10_000), Number(process.argv[3] ?? 100_000))

function compare(serviceCount: number, endpointCount: number): void {
  const folder = mkdtempSync(join(tmpdir(), 'peregrine-manifests-'))
  try {
    const files = [join(folder, 'dump.yaml'), join(folder, 'dump.json')]
    writeYaml(files[0]!, serviceCount, endpointCount)
    writeJson(files[1]!, serviceCount, endpointCount)
    for (const file of files) {
      console.log(`${file}: ${(statSync(file).size / 1e6).toFixed(1)} MB`)
      for (let run = 0; run < 3; run++) {
        const { stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', import.meta.filename, '--load', file])
        process.stdout.write(`  ${stdout}${stderr}`)
      }
    }
  } finally {
    if (!process.env.KEEP) rmSync(folder, { recursive: true })
  }
}

async function measure(file: string): Promise<void> {
  const before = process.memoryUsage.rss()
  const cpuBefore = process.cpuUsage()
  const startMs = performance.now()
  const loaded = await loadManifests([file])
  const elapsedMs = performance.now() - startMs
  const cpu = process.cpuUsage(cpuBefore)
  for (const problem of loaded.problems.slice(0, 5)) console.error(formatProblem(problem))
  const { services, slices, pods } = loaded.objects
  const after = process.memoryUsage.rss()
  globalThis.gc?.()
  globalThis.gc?.()
  const { rss, heapUsed } = process.memoryUsage()
  const peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? 0) * 1024
  const megabytes = (octets: number) => `${(octets / 1e6).toFixed(0)} MB`
  console.log(
    `${services.size} services, ${slices.size} slices, ${pods.size} pods: ${elapsedMs.toFixed(0)} ms,`,
    `${((cpu.user + cpu.system) / 1000).toFixed(0)} ms CPU; RSS before ${megabytes(before)}, peak ${megabytes(peak)},`,
    `after ${megabytes(after)}, collected ${megabytes(rss)} (heap ${megabytes(heapUsed)})`,
  )
}
