// Where captures come from: compressed files, pipes, what other programs write; and how much of them is kept.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { readCapture } from '../../../src/load/replay/capture.ts'
import { messagesOf, newPath, readOf, timesOf, written } from './capture-files.ts'
import { dnsQuery, ethernet, ipv4, pcap, queryPacket, TIME } from './capture-writer.ts'

const compressions: readonly [string, (octets: Buffer) => Buffer][] = [
  ['gzip', gzipSync],
  ['zstd', zstdCompressSync],
]
for (const [name, compress] of compressions) {
  test(`${name}: whole, in two parts, cut off, damaged`, async () => {
    const packets = Array.from({ length: 20_000 }, (_, i) => ({
      timeNs: TIME + BigInt(i) * 1_000_000n,
      octets: queryPacket(`${i}-${(i * 2_654_435_761) % 4_294_967_296}.example.`),
    }))
    const octets = pcap(packets, { isNanos: true })
    const plain = await readOf(octets)
    assert.equal(plain.table.count, packets.length)
    const messages = messagesOf(plain)
    const whole = await readOf(compress(octets))
    assert.deepEqual(messagesOf(whole), messages)
    assert.deepEqual(whole.remarks, [])
    assert.deepEqual(timesOf(whole), [...packets.keys()])
    const parts = await readOf(
      Buffer.concat([compress(octets.subarray(0, 100_001)), compress(octets.subarray(100_001))]),
    )
    assert.deepEqual(messagesOf(parts), messages)
    assert.deepEqual(parts.remarks, [])

    const compressed = compress(octets)
    const half = await readOf(compressed.subarray(0, compressed.length / 2))
    assert.ok(half.table.count > 5_000 && half.table.count < 15_000, `${half.table.count} queries`)
    assert.deepEqual(messagesOf(half), messages.slice(0, half.table.count))
    assert.deepEqual(half.remarks, [`Only the beginning is used: the ${name} data are cut off.`])

    const damaged = Buffer.from(compressed)
    damaged.fill(0xff, compressed.length / 2, compressed.length / 2 + 1000)
    const before = await readOf(damaged)
    assert.ok(before.table.count > 1_000)
    assert.equal(before.remarks.length >= 1, true)
    assert.match(before.remarks[0], /^Only the beginning is used: the (gzip data are|zstd data are|capture is) /)
    const limited = await readOf(compressed, { queriesMax: 10, octetsMax: 1e9 })
    assert.deepEqual(messagesOf(limited), messages.slice(0, 10))
  })
}

test('only so many queries are kept, and it is said', async () => {
  const packets = Array.from({ length: 10 }, (_, i) => ({ timeNs: TIME + BigInt(i), octets: queryPacket(`${i}.`) }))
  for (const at of [1, 5, 9]) packets.splice(at, 0, { timeNs: TIME, octets: ipv4(Buffer.alloc(20), { protocol: 6 }) })
  const length = dnsQuery('0.').length
  for (const limits of [
    { queriesMax: 3, octetsMax: 1_000 },
    { queriesMax: 100, octetsMax: 4 * length - 1 },
  ]) {
    const capture = await readOf(pcap(packets), limits)
    assert.equal(capture.table.count, 3)
    assert.equal(capture.packets, 4)
    assert.deepEqual(capture.remarks, ['Only the first 3 queries of the capture are used: no room for more.'])
  }
})

/** null where there are none. */
function newPipe(): string | null {
  const path = newPath()
  try {
    execFileSync('mkfifo', [path])
    return path
  } catch {
    return null
  }
}

const kinds: readonly [string, (octets: Buffer) => Buffer][] = [['plain', (octets) => octets], ...compressions]
for (const [name, compress] of kinds) {
  const octets = compress(pcap([1, 2, 3].map((i) => ({ timeNs: TIME, octets: queryPacket(`${i}.`) }))))

  test(`a capture may come through a pipe, a few octets first: ${name}`, async (context) => {
    const path = newPipe()
    if (path === null) return context.skip('no mkfifo here')
    const reading = readCapture(path)
    const pipe = createWriteStream(path)
    pipe.write(octets.subarray(0, 3))
    await setTimeout(20)
    pipe.end(octets.subarray(3))
    assert.equal((await reading).table.count, 3)
  })

  test(`a pipe without end is left when there is enough: ${name}`, async (context) => {
    const path = newPipe()
    if (path === null) return context.skip('no mkfifo here')
    const pipe = createWriteStream(path)
    const hasLeft = once(pipe, 'error')
    const feed = (): void => void pipe.write(octets, (error) => error ?? feed())
    feed()
    const capture = await readCapture(path, { queriesMax: 2, octetsMax: 1e6 })
    assert.equal(capture.table.count, 2)
    assert.equal((await hasLeft)[0].code, 'EPIPE')
  })
}

/** tcpdump would become another user, who may not write there. */
const AS_ROOT = process.getuid?.() === 0 ? ['-Z', 'root'] : []

const PROGRAMS: readonly [program: string, args: (source: string, target: string) => string[], format: string][] = [
  ['tcpdump', (source, target) => [...AS_ROOT, '-r', source, '-w', target, 'udp port 53'], 'pcap'],
  ['editcap', (source, target) => ['-F', 'pcapng', source, target], 'pcapng'],
  ['editcap', (source, target) => ['-F', 'nsecpcap', source, target], 'pcap'],
]
for (const [program, args, format] of PROGRAMS) {
  test(`what ${program} makes of a capture as ${format} has the same queries and times`, async (context) => {
    const packets = Array.from({ length: 50 }, (_, i) => ({
      timeNs: TIME + BigInt(i * i) * 1_000_000n,
      octets: ethernet(queryPacket(`${i}.example.`), 0x0800),
    }))
    const source = written(pcap(packets, { linkType: 1 }))
    const target = newPath()
    try {
      execFileSync(program, args(source, target), { stdio: 'ignore' })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      return context.skip(`${program} is not installed: its captures are not tried`)
    }
    const [expected, found] = [await readCapture(source), await readCapture(target)]
    assert.equal(found.format, format)
    assert.deepEqual(messagesOf(found), messagesOf(expected))
    assert.deepEqual(timesOf(found), timesOf(expected))
  })
}
