// Facts of the machine, read from files as kernels write them.

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { type MachineFacts, machineFacts } from '../../src/load/machine.ts'

const folder = mkdtempSync(join(tmpdir(), 'peregrine-machine-'))
after(() => rmSync(folder, { recursive: true, force: true }))
let roots = 0

function factsWith(files: Record<string, string>): MachineFacts {
  const root = join(folder, String(roots++))
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), `${content}\n`)
  }
  return machineFacts(root)
}

const NAMES = ['governor', 'rmemMax', 'cgroupCores', 'cgroupMemoryMiB'] as const

test('limits are found wherever a kernel says them', () => {
  const cases: [what: string, files: Record<string, string>, ...facts: (string | number | undefined)[]][] = [
    ['nothing', {}, undefined, undefined, undefined, undefined],
    [
      'a machine of its own',
      {
        'sys/devices/system/cpu/cpu0/cpufreq/scaling_governor': 'performance',
        'proc/sys/net/core/rmem_max': '212992',
        'proc/self/cgroup': '0::/user.slice',
        'sys/fs/cgroup/user.slice/cpu.max': 'max 100000',
        'sys/fs/cgroup/user.slice/memory.max': 'max',
      },
      'performance',
      212_992,
      undefined,
      undefined,
    ],
    [
      'version 2, the group above has less of one',
      {
        'proc/self/cgroup': '0::/pods/one',
        'sys/fs/cgroup/pods/one/cpu.max': '150000 100000',
        'sys/fs/cgroup/pods/one/memory.max': '268435456',
        'sys/fs/cgroup/pods/cpu.max': 'max 100000',
        'sys/fs/cgroup/pods/memory.max': '178257920',
      },
      undefined,
      undefined,
      1.5,
      170,
    ],
    [
      'a container that sees its group as the root',
      {
        'proc/self/cgroup': '0::/../host/path',
        'sys/fs/cgroup/cpu.max': '50000 100000',
        'sys/fs/cgroup/memory.max': '178257920',
      },
      undefined,
      undefined,
      0.5,
      170,
    ],
    [
      'version 1, one group each',
      {
        'proc/self/cgroup': '5:cpu,cpuacct:/a\n4:memory:/b\n1:name=systemd:/c',
        'sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us': '200000',
        'sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us': '100000',
        'sys/fs/cgroup/memory/b/memory.limit_in_bytes': '1073741824',
        'sys/fs/cgroup/name=systemd/c/memory.max': '1048576',
      },
      undefined,
      undefined,
      2,
      1024,
    ],
    [
      'version 1 without limits',
      {
        'proc/self/cgroup': '5:cpu:/\n4:memory:/',
        'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1',
        'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000',
        'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712',
      },
      undefined,
      undefined,
      undefined,
      undefined,
    ],
  ]
  for (const [what, files, ...expected] of cases) {
    const facts = factsWith(files)
    assert.deepEqual(
      NAMES.map((name) => facts[name]),
      expected,
      what,
    )
    for (const [name, value] of Object.entries(facts)) assert.notEqual(value, undefined, `${name} is left out`)
  }
})

test('this machine has what every machine has', () => {
  const facts = machineFacts()
  assert.equal(facts.node, process.version)
  assert.equal(facts.usableCores, availableParallelism())
  for (const name of ['cores', 'memoryMiB']) assert.ok(Number(facts[name]) >= 1, name)
  for (const name of ['architecture', 'system', 'kernel']) assert.match(String(facts[name]), /\w/, name)
  assert.ok(Number(facts.load1) >= 0)
})
