// What Corefiles forward to: a second peregrine that answers as a recursive server would (AA clear, RA set), at every address that a Corefile names.
// It has a zone that is the root of all, and says in a TXT record of any name `which.…` at which of its addresses it was asked. TLS is taken off by a relay.

import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, type Server } from 'node:tls'
import type { Endpoint } from '../server/exchange.ts'
import { CorefileServer, freePort } from './corefile-server.ts'

/** The name server that resolv.conf has. */
export const NODE_RESOLVER = '198.51.100.53'

const ROOT_ZONE = `$ORIGIN .
$TTL 300
@                             3600 IN SOA ns.example.net. hostmaster.example.net. 7 3600 600 86400 60
                              3600 IN NS  ns.example.net.
ns.example.net.                    IN A     192.0.2.98
www.example.net.                   IN A     192.0.2.99
alias.example.net.                 IN CNAME www.example.net.
zero.example.net.             0    IN A     192.0.2.100
host.corp.example.                 IN A     192.0.2.101
host.lab.example.                  IN A     192.0.2.102
host.secure.example.               IN A     192.0.2.103
host.private.example.              IN A     192.0.2.104
4.3.2.1.in-addr.arpa.              IN PTR   host.example.net.
cart.shop.svc.cluster.local.  5    IN A     10.101.37.152
152.37.101.10.in-addr.arpa.   5    IN PTR   cart.shop.svc.cluster.local.
`
const ATTEMPTS = 3
const TLS_NAMES = ['dns.example.net', 'dns.secure.example']
const FORWARD = /^(\s+forward \S+)((?: (?!\{)\S+)+)/gm
const TO = /^(tls:\/\/)?(?:\[(.+)\]|([^:]+))(?::(\d+))?$/

interface Upstream extends Endpoint {
  /** As the Corefile has it. */
  readonly to: string
  readonly isTls: boolean
}

/** Those that a Corefile names, each once. */
function upstreamsOf(text: string): Upstream[] {
  const tos = [...text.matchAll(FORWARD)].flatMap(([, , list]) => list.trim().split(' '))
  return [...new Set(tos)].map((to) => {
    const [, tls, ipv6, ipv4, port] = TO.exec(to.startsWith('/') ? NODE_RESOLVER : to)!
    return { to, isTls: tls !== undefined, address: ipv6 ?? ipv4, port: Number(port ?? (tls === undefined ? 53 : 853)) }
  })
}

/** Addresses that Corefiles forward to. */
export function addressesOf(texts: readonly string[]): string[] {
  return [...new Set(texts.flatMap(upstreamsOf).map(({ address }) => address))]
}

export interface UpstreamsOptions {
  /** The addresses are this machine's: they are used as they are. Default: ports of 127.0.0.1 instead */
  readonly isHere?: boolean
  /** A command in front of the server's. */
  readonly before?: readonly string[]
}

/** Upstreams of any number of Corefiles. */
export class Upstreams {
  readonly server: CorefileServer
  /** What those who trust them need in their environment. */
  readonly env: Record<string, string>
  readonly #places: ReadonlyMap<string, Endpoint>
  readonly #folder: string
  readonly #relays: Server[] = []

  static async start(texts: readonly string[], options: UpstreamsOptions = {}): Promise<Upstreams> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await Upstreams.#begin(texts, options)
      } catch (error) {
        // So many free ports: another test may have taken one of them since.
        if (attempt === ATTEMPTS || !/in use/i.test(String(error))) throw error
      }
    }
  }

  static async #begin(texts: readonly string[], { isHere = false, before = [] }: UpstreamsOptions): Promise<Upstreams> {
    const upstreams = [...new Map(texts.flatMap(upstreamsOf).map((each) => [each.to, each])).values()]
    const folder = mkdtempSync(join(tmpdir(), 'peregrine-upstreams-'))
    const key = join(folder, 'key.pem')
    const cert = join(folder, 'cert.pem')
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert]
    const names = ['-subj', '/CN=upstream', '-addext', `subjectAltName=${TLS_NAMES.map((name) => `DNS:${name}`)}`]
    execFileSync('openssl', ['req', '-x509', '-days', '2', ...curve, ...names], { stdio: 'ignore' })
    const ports = new Set<number>()
    const newPort = async (): Promise<number> => {
      for (;;) {
        const port = await freePort()
        if (!ports.has(port)) {
          ports.add(port)
          return port
        }
      }
    }
    const places = new Map<string, Endpoint>()
    for (const { to, address, port } of upstreams) {
      places.set(to, isHere ? { address, port } : { address: '127.0.0.1', port: await newPort() })
    }
    const blocks: string[] = []
    const relays: [from: Endpoint, to: Endpoint][] = []
    for (const { to, address, isTls } of upstreams) {
      const place = places.get(to)!
      const plain = isTls ? { ...place, port: await newPort() } : place
      if (isTls) relays.push([place, plain])
      blocks.push(blockOf(plain, address))
    }
    const text = [...new Set(blocks)].join('\n')
    const server = await CorefileServer.launch({ text, files: { 'root.db': ROOT_ZONE }, manifests: [], before })
    for (const each of [server.folder, folder]) chmodSync(each, 0o755)
    const started = new Upstreams(await server.serving(), places, folder)
    for (const [from, to] of relays) await started.#relay(from, to)
    return started
  }

  private constructor(server: CorefileServer, places: ReadonlyMap<string, Endpoint>, folder: string) {
    this.server = server
    this.#places = places
    this.#folder = folder
    this.env = { SSL_CERT_FILE: join(folder, 'cert.pem') }
  }

  /** The text of one of the Corefiles, with the places where the upstreams really are. */
  replaced(text: string): string {
    return text.replace(FORWARD, (_, start, list: string) => {
      const tos = list.trim().split(' ')
      return [start, ...tos.map((to) => this.#placeOf(to))].join(' ')
    })
  }

  async stop(): Promise<void> {
    for (const relay of this.#relays) relay.close()
    this.server.kill()
    await this.server.exit()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #placeOf(to: string): string {
    const { address, port } = this.#places.get(to)!
    return `${to.startsWith('tls://') ? 'tls://' : ''}${address}:${port}`
  }

  async #relay(from: Endpoint, to: Endpoint): Promise<void> {
    const read = (name: string): string => readFileSync(join(this.#folder, `${name}.pem`), 'utf8')
    const server = createServer({ cert: read('cert'), key: read('key') }, (client) => {
      const plain: Socket = connect(to.port, to.address)
      for (const socket of [client, plain]) socket.on('error', () => {}).unref()
      client.pipe(plain).pipe(client)
    })
    server.on('connection', (socket) => socket.unref())
    server.unref()
    server.listen(from.port, from.address)
    await once(server, 'listening')
    this.#relays.push(server)
  }
}

function blockOf({ address, port }: Endpoint, name: string): string {
  const recursive = `bind ${address}
    header {
        response clear aa
        response set ra
    }`
  return `.:${port} {
    ${recursive}
    template IN TXT . {
        match ^which\\.
        answer "{{ .Name }} 300 IN TXT ${name}"
        fallthrough
    }
    template IN ANY . {
        match ^refused\\.
        rcode REFUSED
        fallthrough
    }
    template CH TXT bind {
        answer "{{ .Name }} 0 CH TXT upstream"
    }
    file root.db .
}
hostname.bind.:${port} {
    bind ${address}
    chaos
}`
}
