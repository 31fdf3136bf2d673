import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  CONTROL_SIZE,
  IP_PKTINFO,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_PKTINFO,
  namePort,
  PROBES,
  replyControl,
  writeName,
} from '../../src/io/layouts.ts'
import { compilerMissing } from './compiled.ts'

test('every size, offset and constant is what the C compiler says', { skip: compilerMissing() }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'layouts-'))
  try {
    const lines = PROBES.map(([expression]) => `  printf("%lld\\n", (long long)(${expression}));`)
    const source = `#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stddef.h>
#include <stdio.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <linux/sock_diag.h>
int main(void) {
${lines.join('\n')}
  return 0;
}
`
    writeFileSync(join(folder, 'probe.c'), source)
    execFileSync('cc', ['-o', join(folder, 'probe'), join(folder, 'probe.c')])
    const values = execFileSync(join(folder, 'probe'), { encoding: 'utf8' }).trim().split('\n').map(Number)
    const expected = PROBES.map(([expression], index) => `${expression} = ${values[index]}`)
    assert.deepEqual(
      PROBES.map(([expression, value]) => `${expression} = ${value}`),
      expected,
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a socket address is written in network order and read back', () => {
  const bytes = new Uint8Array(64).fill(0xee)
  assert.equal(writeName(bytes, 8, Uint8Array.of(127, 0, 0, 3), 5353, 0), 16)
  assert.deepEqual([...bytes.subarray(8, 24)], [2, 0, 0x14, 0xe9, 127, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0])
  assert.equal(namePort(bytes, 8), 5353)
  const ipv6 = new Uint8Array(16)
  ipv6[15] = 1
  assert.equal(writeName(bytes, 8, ipv6, 53, 7), 28)
  assert.deepEqual([...bytes.subarray(8, 16)], [10, 0, 0, 53, 0, 0, 0, 0])
  assert.deepEqual([...bytes.subarray(31, 36)], [1, 7, 0, 0, 0])
})

// One control message at word 1: its length, level, type and the data behind it.
function control(size: number, level: number, type: number, data: number[]): Uint32Array {
  const words = new Uint32Array(1 + CONTROL_SIZE / 4)
  words.set([size, 0, level, type, ...data], 1)
  return words
}

test('packet information is returned with its address and without its interface', () => {
  const ipv4 = control(28, IPPROTO_IP, IP_PKTINFO, [5, 0x0300007f, 0x0300007f])
  assert.equal(replyControl(ipv4, 1, 32), 32)
  assert.deepEqual([...ipv4.subarray(5, 8)], [0, 0x0300007f, 0x0300007f])

  const global = control(36, IPPROTO_IPV6, IPV6_PKTINFO, [0x000080fd, 0, 0, 1, 5])
  assert.equal(replyControl(global, 1, 40), 40)
  assert.equal(global[9], 0)

  const linkLocal = control(36, IPPROTO_IPV6, IPV6_PKTINFO, [0x000080fe, 0, 0, 1, 5])
  assert.equal(replyControl(linkLocal, 1, 40), 40)
  assert.equal(linkLocal[9], 5)
})

test('anything else in the control buffer is not sent back', () => {
  const cases: [why: string, words: Uint32Array, length: number][] = [
    ['nothing received', control(28, IPPROTO_IP, IP_PKTINFO, [5, 1, 1]), 0],
    ['longer than the buffer', control(28, IPPROTO_IP, IP_PKTINFO, [5, 1, 1]), 48],
    ['cut short', control(28, IPPROTO_IP, IP_PKTINFO, [5, 1, 1]), 24],
    ['IPv6 data too short', control(28, IPPROTO_IPV6, IPV6_PKTINFO, [1, 2, 3]), 32],
    ['another kind', control(28, IPPROTO_IP, 1, [5, 1, 1]), 32],
    ['impossible length', control(1 << 30, IPPROTO_IP, IP_PKTINFO, [5, 1, 1]), 32],
  ]
  for (const [why, words, length] of cases) assert.equal(replyControl(words, 1, length), 0, why)
})
