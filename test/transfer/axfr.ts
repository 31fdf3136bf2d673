// A client that takes zones over TCP: AXFR and IXFR, message by message, as slowly as a test wants.

import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { encodeName, encodeQuery, type Query, type Response, readResponse, recordText, words } from '../server/wire.ts'

const WAIT_MS = 30_000

/** Where a server listens. */
export interface Endpoint {
  readonly port: number
  readonly address?: string
  /** Address to connect from. */
  readonly from?: string
}

/** A zone as it came. */
export interface Taken {
  readonly rcode: string
  readonly messages: readonly Response[]
  /** Of all messages, as zone-file text. */
  readonly records: readonly string[]
}

/** One connection. */
export class TransferClient {
  readonly socket: Socket
  #received: Buffer = Buffer.alloc(0)
  #isOver = false
  #wake: (() => void) | null = null

  constructor({ address = '127.0.0.1', port, from }: Endpoint) {
    this.socket = connect({ host: address, port, localAddress: from, noDelay: true })
    this.socket.unref()
    this.socket.on('data', (octets: Buffer) => {
      this.#received = this.#received.length === 0 ? octets : Buffer.concat([this.#received, octets])
      this.#wake?.()
    })
    this.socket.on('error', () => {})
    this.socket.on('close', () => {
      this.#isOver = true
      this.#wake?.()
    })
    this.socket.on('end', () => {
      this.#isOver = true
      this.#wake?.()
    })
  }

  /** Sends one message. */
  send(message: Uint8Array): void {
    this.socket.write(Buffer.concat([words(message.length), message]))
  }

  /** The next message; null if the connection is over. @throws Error after 30 s */
  async next(): Promise<Buffer | null> {
    const deadline = performance.now() + WAIT_MS
    for (;;) {
      const received = this.#received
      const end = received.length < 2 ? Number.POSITIVE_INFINITY : 2 + received.readUInt16BE(0)
      if (received.length >= end) {
        this.#received = received.subarray(end)
        return received.subarray(2, end)
      }
      if (this.#isOver) return null
      const left = deadline - performance.now()
      if (left <= 0) throw new Error('no message came')
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  /** All messages of an answer, up to the second SOA; a single SOA is an answer of IXFR. @throws AssertionError if it breaks off */
  async take(isIxfr = false): Promise<Taken> {
    const messages: Response[] = []
    const records: string[] = []
    let soas = 0
    while (soas < 2) {
      const octets = await this.next()
      assert(octets !== null, `the transfer broke off after ${messages.length} messages`)
      const message = readResponse(octets)
      messages.push(message)
      if (message.rcode !== 'NOERROR') return { rcode: message.rcode, messages, records }
      for (const record of message.answer) {
        records.push(recordText(record))
        if (record.type === 'SOA') soas++
      }
      if (isIxfr && messages.length === 1 && records.length === 1) break
    }
    return { rcode: 'NOERROR', messages, records }
  }

  close(): void {
    this.socket.destroy()
  }
}

/** Takes a zone over a connection of its own. @param more  of the query   @param serial  for IXFR: what the client has */
export async function takeZone(
  endpoint: Endpoint,
  name: string,
  more: Partial<Query> = {},
  serial?: number,
): Promise<Taken> {
  const client = new TransferClient(endpoint)
  try {
    client.send(serial === undefined ? encodeQuery({ name, type: 'AXFR', ...more }) : ixfrQuery(name, serial))
    return await client.take(serial !== undefined)
  } finally {
    client.close()
  }
}

/** RFC 1995 §3: the SOA that the client has stands in the authority section. @param soas  how many of them */
export function ixfrQuery(name: string, serial: number, soas = 1): Uint8Array {
  const query = Buffer.from(encodeQuery({ name, type: 'IXFR' }))
  query.writeUInt16BE(soas, 8)
  const numbers = Buffer.alloc(20)
  numbers.writeUInt32BE(serial)
  const soa = Buffer.concat([encodeName(name), words(6, 1, 0, 0, 22), Buffer.of(0, 0), numbers])
  return Buffer.concat([query, ...Array.from({ length: soas }, () => soa)])
}
