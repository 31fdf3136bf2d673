// The portable transport, as the main thread sees it: it checks the addresses, the workers open the sockets.

import { createServer, type Server as TcpServer } from 'node:net'
import { parseAddress } from '../io/addresses.ts'
import { isDispensable, ListenError } from '../io/listening.ts'
import type { AnswerSource } from './answer.ts'
import { type DatagramAddress, type DatagramAssignment, type DatagramTask, openDatagramSocket } from './datagram.ts'
import type { StreamAssignment, StreamTask } from './stream.ts'
import type { Bind, Listener, ServeOptions, Transport, TransportKind, TransportTask } from './transport.ts'

const PORT_ATTEMPTS = 20

/** An address that the workers have open. */
interface Open extends DatagramAddress {
  readonly bind: Bind
}

// Finds out what can be listened on; with one worker where the system cannot share a port. Throws ListenError.
const open: TransportKind['open'] = async (options, control) => {
  const shared = await canShare()
  const transport = new PortableTransport(options, control, shared)
  await transport.change(options.binds, options.answerSource)
  if (transport.listeners.some(({ address }) => parseAddress(address)?.wildcard)) {
    options.log('the portable transport answers from the address the system chooses: with several addresses, list them')
  }
  return transport
}

/** node:dgram and node:net, on any platform. */
export const portable: TransportKind = {
  events: null,
  queryModule: new URL('./datagram.ts', import.meta.url).href,
  open,
}

class PortableTransport implements Transport {
  readonly name = 'dgram'
  readonly queryTasks: readonly TransportTask[]
  readonly streamTask: TransportTask
  readonly #options: ServeOptions
  readonly #shared: boolean
  #open: readonly Open[] = []
  #source: AnswerSource
  #lastId = 0

  constructor(options: Parameters<TransportKind['open']>[0], control: SharedArrayBuffer, shared: boolean) {
    this.#options = options
    this.#shared = shared
    this.#source = options.answerSource
    const { answererModule } = options
    const workers = shared ? options.workers : 1
    this.queryTasks = Array.from({ length: workers }, (_, worker): TransportTask => {
      const task: DatagramTask = { worker, control, answererModule }
      return { task, assign: () => this.#assignQueries() }
    })
    const streamTask: StreamTask = { worker: options.workers, control, answererModule }
    this.streamTask = { task: streamTask, assign: () => this.#assignStreams() }
  }

  get listeners(): readonly Listener[] {
    return this.#open.map(({ address, port, listener }) => ({ address, port, listener, receiveBufferBytes: 0 }))
  }

  resolverPlace(): null {
    return null
  }

  receiveQueueDrops(): number {
    return 0
  }

  async change(binds: readonly Bind[], source: AnswerSource): Promise<() => void> {
    const { receiveBufferBytes, log } = this.#options
    const addresses = binds.map(({ address }) => address)
    const all: Open[] = []
    let chosen = 0
    for (const bind of binds) {
      const { address, port, listener } = bind
      const old = this.#open.find((each) => each.bind.address === address && each.bind.port === port)
      if (old !== undefined) {
        all.push({ ...old, bind, listener })
        continue
      }
      try {
        const found = await probe(address, port === 0 ? chosen : port, this.#shared, receiveBufferBytes)
        if (port === 0) chosen = found.port
        all.push({ ...found, id: ++this.#lastId, bind, listener })
      } catch (error) {
        if (!(error instanceof ListenError && isDispensable(address, error.code, addresses))) throw error
        log(`${error.message}; going on without it`)
      }
    }
    this.#open = all
    this.#source = source
    return () => {}
  }

  quiesce(): void {}

  close(): void {}

  #assignQueries(): DatagramAssignment {
    return { source: this.#source, listen: this.#open }
  }

  #assignStreams(): StreamAssignment {
    const listeners = this.#open.map(({ id, listener, family, address, port, shared }) => ({
      id,
      listener,
      ipv6: family === 6 ? 1 : 0,
      address: parseAddress(address)!.octets,
      port,
      listen: { host: address, port, ipv6Only: true, reusePort: shared },
    }))
    return { source: this.#source, listeners }
  }
}

async function canShare(): Promise<boolean> {
  try {
    const socket = await openDatagramSocket({
      address: '127.0.0.1',
      family: 4,
      port: 0,
      shared: true,
      receiveBufferBytes: 65536,
    })
    socket.close()
    return true
  } catch {
    return false
  }
}

// Binds once and lets go: so that what is wrong with an address is said here, in one line.
async function probe(
  text: string,
  port: number,
  shared: boolean,
  receiveBufferBytes: number,
): Promise<Omit<DatagramAddress, 'id' | 'listener'>> {
  const parsed = parseAddress(text)
  if (parsed === undefined) throw new ListenError(text, port, 'EINVAL')
  for (let attempt = 1; ; attempt++) {
    try {
      // Of a port that is shared the system may give us one that others have.
      const free = port === 0 && shared ? await freePort(text, parsed.family, receiveBufferBytes) : port
      const where = { address: text, family: parsed.family, port: free, shared, receiveBufferBytes }
      const socket = await openDatagramSocket(where)
      const chosen = socket.address().port
      try {
        await tryListening(text, chosen, shared)
        return { ...where, port: chosen }
      } finally {
        socket.close()
      }
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'EIO'
      if (port !== 0 || code !== 'EADDRINUSE' || attempt >= PORT_ATTEMPTS) throw new ListenError(text, port, code)
    }
  }
}

async function freePort(address: string, family: 4 | 6, receiveBufferBytes: number): Promise<number> {
  const socket = await openDatagramSocket({ address, family, port: 0, shared: false, receiveBufferBytes })
  const { port } = socket.address()
  socket.close()
  return port
}

async function tryListening(host: string, port: number, shared: boolean): Promise<void> {
  const server: TcpServer = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port, ipv6Only: true, reusePort: shared }, resolve)
  })
  await new Promise((resolve) => server.close(resolve))
}
