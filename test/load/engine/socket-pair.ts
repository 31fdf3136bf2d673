// Two datagram sockets over loopback that are connected to each other.

import assert from 'node:assert/strict'
import { NAME_SIZE, namePort, writeName } from '../../../src/io/layouts.ts'
import { closeDescriptor, connectSocket, mapMemory, socketName, unmapMemory, viewMemory } from '../../../src/io/libc.ts'
import { bindAddress, closeBound, openClient } from '../../../src/io/sockets.ts'

const BUFFER = 1 << 20
const LOCALHOST = Uint8Array.of(127, 0, 0, 1)

/** How the second one takes what the first one sends. */
export interface Manner {
  readonly coalesces?: boolean
  readonly isStamped?: boolean
}

/** Opens the two, has them used, and closes them. */
export async function withPair(
  { coalesces = false, isStamped = false }: Manner,
  use: (first: number, second: number) => void | Promise<void>,
): Promise<void> {
  const bound = bindAddress('127.0.0.1', 0, 1, BUFFER)
  const [first] = bound.datagramSockets
  const second = openClient('127.0.0.1', bound.port, BUFFER, coalesces, isStamped)
  const scratch = mapMemory(NAME_SIZE + 4)
  try {
    const memory = viewMemory(scratch, NAME_SIZE + 4)
    new Uint32Array(memory, NAME_SIZE)[0] = NAME_SIZE
    socketName(second, scratch, scratch + NAME_SIZE)
    const bytes = new Uint8Array(memory)
    const length = writeName(bytes, 0, LOCALHOST, namePort(bytes, 0), 0)
    assert.equal(connectSocket(first, scratch, length), 0)
    await use(first, second)
  } finally {
    unmapMemory(scratch, NAME_SIZE + 4)
    closeDescriptor(second)
    closeBound(bound)
  }
}
