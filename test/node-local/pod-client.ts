// A program: asks ADDRESS for the TXT record of NAME over udp or tcp, and prints its text, an RCODE, or `silence`.

import { TcpClient, UdpClient } from '../server/exchange.ts'
import { encodeQuery, readResponse } from '../server/wire.ts'

const TIMEOUT_MS = 1500

const [address, name, protocol] = process.argv.slice(2)
const endpoint = { address, port: 53 }
const client = protocol === 'tcp' ? new TcpClient(endpoint) : new UdpClient(endpoint)
const octets = await client.exchange(encodeQuery({ name, type: 'TXT' }), TIMEOUT_MS).catch(() => undefined)
client.close()
if (octets === undefined) process.stdout.write('silence\n')
else {
  const { rcode, answer } = readResponse(octets)
  process.stdout.write(`${answer[0]?.data ?? rcode}\n`)
}
