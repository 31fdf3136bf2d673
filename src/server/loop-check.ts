// `loop`: does what is forwarded come back? Each block that has the directive is asked for a random name through its own listener, once a second
// until the server answers. src/plugins/loop.ts reports when that query passes; one that passes more than twice goes round.

import { randomBytes } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import type { Configuration } from '../config/configuration.ts'
import { encodeMessage } from '../dns/message.ts'
import { labelsOfText, NAME_LENGTH_MAX, wireLength } from '../dns/name.ts'
import { TYPES } from '../dns/record-types.ts'
import { addressAndPort, parseAddress } from '../io/addresses.ts'
import type { LoopPass } from '../plugins/loop.ts'

const ATTEMPT_MS = 1000
const ATTEMPTS_MAX = 30
/** After the answer: passes are reported by another thread, and may come a moment later. */
const SETTLE_MS = 1000
/** One pass of each query is our own, and a name server may ask twice. */
const FURTHER_PASSES_MAX = 1
const QUERY_LENGTH_MAX = 512
/** Of two random labels in wire form, at most. */
const RANDOM_OCTETS = 42
const TROUBLESHOOTING = 'https://coredns.io/plugins/loop#troubleshooting'

/** Where a listener can be asked. */
export interface ListeningAddress {
  readonly address: string
  readonly port: number
  /** Index in Configuration.listeners. */
  readonly listener: number
}

/** Forwarded queries come back: the process is to end, with exit code 1. */
export class LoopError extends Error {
  readonly code = 'LOOP'
}

/** For each block the name that it is asked for, absolute and lower case; null: it has no `loop`, or its zone leaves no room for one. */
export function loopNamesOf({ blocks }: Configuration): (string | null)[] {
  return blocks.map(({ zones, plugins }) => {
    if (plugins.loop === undefined) return null
    const [zone] = zones
    if (wireLength(labelsOfText(zone)) + RANDOM_OCTETS > NAME_LENGTH_MAX) return null
    return `${randomLabel()}.${randomLabel()}.${zone === '.' ? '' : zone}`
  })
}

/** Asks every block that has a name for it. Over when each has answered, or after 30 s. */
export class LoopCheck {
  readonly #checks = new Map<string, BlockCheck>()

  /**
   * Begins.
   * @param names   of loopNamesOf(), which the workers have too
   * @param onLoop  called once at most for each block; ends nothing
   */
  constructor(
    { listeners, blocks }: Configuration,
    names: readonly (string | null)[],
    listening: readonly ListeningAddress[],
    onLoop: (error: LoopError) => void,
  ) {
    for (const [block, name] of names.entries()) {
      const at = listening.find(({ listener }) => {
        const { scheme, zones } = listeners[listener]
        return scheme === 'dns' && zones.some((each) => each.block === block)
      })
      if (name === null || at === undefined) continue
      this.#checks.set(name, new BlockCheck(name, blocks[block].zones[0], at, onLoop))
    }
  }

  /** What a worker has reported. Of a name that is none of ours, or not any more: nothing. */
  passed(pass: LoopPass): void {
    this.#checks.get(pass.loop)?.passed(pass)
  }

  /** Ends all of it. */
  close(): void {
    for (const check of this.#checks.values()) check.close()
    this.#checks.clear()
  }
}

/** The check of one block. */
class BlockCheck {
  readonly #name: string
  readonly #zone: string
  readonly #onLoop: (error: LoopError) => void
  readonly #query: Uint8Array
  readonly #socket: Socket
  #timer: NodeJS.Timeout | undefined
  #attempts = 0
  #passes = 0
  #isOver = false

  constructor(name: string, zone: string, { address, port }: ListeningAddress, onLoop: (error: LoopError) => void) {
    this.#name = name
    this.#zone = zone
    this.#onLoop = onLoop
    this.#query = queryOf(name)
    const { family, wildcard } = parseAddress(address)!
    const target = wildcard ? (family === 4 ? '127.0.0.1' : '::1') : address
    this.#socket = createSocket(family === 4 ? 'udp4' : 'udp6')
    // Whatever cannot be sent is tried again: that is what the timer does.
    this.#socket.on('error', () => {})
    this.#socket.on('message', (reply) => this.#answered(reply))
    this.#socket.unref()
    this.#attempt(target, port)
    this.#timer = setInterval(() => this.#attempt(target, port), ATTEMPT_MS).unref()
  }

  #attempt(target: string, port: number): void {
    if (this.#attempts === ATTEMPTS_MAX) {
      this.close()
      return
    }
    this.#attempts++
    this.#socket.send(this.#query, port, target, () => {})
  }

  /** Any answer to the question will do: a query that went round would not have been answered before it was noticed. */
  #answered(reply: Uint8Array): void {
    const query = this.#query
    if (reply.length < query.length || reply[0] !== query[0] || reply[1] !== query[1]) return
    clearInterval(this.#timer)
    this.#timer = setTimeout(() => this.close(), SETTLE_MS).unref()
  }

  passed({ client, server }: LoopPass): void {
    if (this.#isOver) return
    this.#passes++
    if (this.#passes - this.#attempts <= FURTHER_PASSES_MAX) return
    this.close()
    const from = addressAndPort(client.address, client.port)
    const to = server.replace(/^\w+:\/\//, '')
    const question = `Query: "HINFO ${this.#name}"`
    const text = `Loop (${from} -> ${to}) detected for zone "${this.#zone}", see ${TROUBLESHOOTING}. ${question}`
    this.#onLoop(new LoopError(text))
  }

  close(): void {
    if (this.#isOver) return
    this.#isOver = true
    clearInterval(this.#timer)
    this.#socket.close()
  }
}

/** 64 bits in decimal. */
function randomLabel(): string {
  return randomBytes(8).readBigUInt64BE().toString()
}

function queryOf(name: string): Uint8Array {
  const packet = new Uint8Array(QUERY_LENGTH_MAX)
  const length = encodeMessage(
    {
      id: randomBytes(2).readUInt16BE(),
      opcode: 0,
      response: false,
      authoritative: false,
      truncated: false,
      recursionDesired: true,
      recursionAvailable: false,
      authenticData: false,
      checkingDisabled: false,
      rcode: 0,
      question: { name, type: TYPES.HINFO, class: 1 },
      answer: [],
      authority: [],
      additional: [],
      edns: null,
    },
    packet,
    0,
    packet.length,
  )
  return packet.slice(0, length)
}
