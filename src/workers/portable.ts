// The portable transport, as the main thread sees it: it checks the addresses, the workers open the sockets.

import { createServer, type Server as TcpServer } from 'node:net'
import { parseAddress } from '../io/addresses.ts'
import { isDispensable, ListenError } from '../io/listening.ts'
import { type DatagramAddress, type DatagramTask, openDatagramSocket } from './datagram.ts'
import type { StreamTask } from './stream.ts'
import type { TransportKind, TransportTask } from './transport.ts'

const PORT_ATTEMPTS = 20

// Finds out what can be listened on; with one worker where the system cannot share a port. Throws ListenError.
const open: TransportKind['open'] = async (options, control) => {
  const shared = await canShare()
  const listen: DatagramAddress[] = []
  for (const address of options.addresses) {
    try {
      listen.push(await probe(address, listen[0]?.port ?? options.port, shared, options.receiveBufferBytes))
    } catch (error) {
      if (!(error instanceof ListenError && isDispensable(address, error.code, options.addresses))) throw error
      options.log(`${error.message}; going on without it`)
    }
  }
  if (listen.some(({ address }) => parseAddress(address)?.wildcard)) {
    options.log('the portable transport answers from the address the system chooses: with several addresses, list them')
  }
  const { answererModule, answerSource: source } = options
  const workers = shared ? options.workers : 1
  const streamTask: StreamTask = {
    worker: options.workers,
    control,
    listen: listen.map(({ address, port }) => ({ host: address, port, ipv6Only: true, reusePort: shared })),
    answererModule,
    source,
  }
  return {
    name: 'dgram',
    listeners: listen.map(({ address, port }) => ({ address, port, receiveBufferBytes: 0 })),
    queryTasks: Array.from({ length: workers }, (_, worker): TransportTask => {
      const task: DatagramTask = { worker, control, listen, answererModule, source }
      return { task }
    }),
    streamTask: { task: streamTask },
    receiveQueueDrops: () => 0,
    quiesce() {},
    close() {},
  }
}

/** node:dgram and node:net, on any platform. */
export const portable: TransportKind = { queryModule: new URL('./datagram.ts', import.meta.url).href, open }

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
): Promise<DatagramAddress> {
  const parsed = parseAddress(text)
  if (parsed === undefined) throw new ListenError(text, port, 'EINVAL')
  for (let attempt = 1; ; attempt++) {
    const where = { address: text, family: parsed.family, port, shared, receiveBufferBytes }
    try {
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

async function tryListening(host: string, port: number, shared: boolean): Promise<void> {
  const server: TcpServer = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port, ipv6Only: true, reusePort: shared }, resolve)
  })
  await new Promise((resolve) => server.close(resolve))
}
