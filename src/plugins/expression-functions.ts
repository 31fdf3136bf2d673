// The functions that an expression may call: what a query says, networks, metadata.

import { className, typeName } from '../dns/record-types.ts'
import { ExpressionError, type Run, type Term, type Type } from './expression-term.ts'
import { addressOctets, compileNetworks, type Networks } from './networks.ts'
import type { Request } from './plugin.ts'

/** One function. */
export interface ExpressionFunction {
  readonly parameters: readonly Type[]
  readonly result: Type
  /** For one call, its arguments being of the types of `parameters`. @throws ExpressionError for a constant that is no good */
  make(given: readonly Term[]): Run
}

/** Without EDNS (RFC 1035 §4.2.1), and on TCP (RFC 1035 §4.2.2). */
const UDP_SIZE = 512
const TCP_SIZE = 65_535

const FUNCTIONS: ReadonlyMap<string, ExpressionFunction> = new Map([
  ['type', property('string', ({ question }) => typeName(question.type))],
  ['name', property('string', ({ question }) => question.name)],
  ['class', property('string', ({ question }) => className(question.class))],
  ['client_ip', property('string', ({ client }) => bracketed(client.address))],
  ['server_ip', property('string', ({ local }) => bracketed(local.address))],
  ['port', property('port', ({ client }) => String(client.port))],
  ['server_port', property('port', ({ local }) => String(local.port))],
  ['proto', property('string', ({ protocol }) => protocol)],
  [
    'bufsize',
    property('number', ({ protocol, edns }) => (protocol === 'tcp' ? TCP_SIZE : (edns?.udpSize ?? UDP_SIZE))),
  ],
  ['do', property('bool', ({ edns }) => edns?.dnssecOk === true)],
  ['id', property('number', ({ id }) => id)],
  ['opcode', property('number', ({ opcode }) => opcode)],
  ['size', property('number', ({ size }) => size)],
  ['incidr', { parameters: ['string', 'string'], result: 'bool', make: inNetwork }],
  ['metadata', { parameters: ['string'], result: 'string', make: label }],
])

/** The function of that name; undefined: there is none. */
export function functionNamed(name: string): ExpressionFunction | undefined {
  return FUNCTIONS.get(name)
}

function property(result: Type, run: (request: Request) => string | number | boolean): ExpressionFunction {
  return { parameters: [], result, make: () => run }
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address
}

function inNetwork([address, network]: readonly Term[]): Run {
  const within = (networks: Networks, request: Request): boolean => {
    const octets = addressOctets(address.run(request) as string)
    return octets !== null && networks.has(octets)
  }
  if (network.isConstant) {
    const networks = networksOf(network.run(undefined as never) as string)
    return (request) => within(networks, request)
  }
  return (request) => within(networksOf(network.run(request) as string), request)
}

function networksOf(cidr: string): Networks {
  if (!cidr.includes('/')) throw new ExpressionError(`incidr(): '${cidr}' is no network`)
  try {
    return compileNetworks([cidr])
  } catch (error) {
    throw new ExpressionError(`incidr(): ${(error as Error).message}`)
  }
}

/** A label that nobody has collected is ''. */
function label([name]: readonly Term[]): Run {
  return (request) => request.metadata?.get(name.run(request) as string)?.() ?? ''
}
