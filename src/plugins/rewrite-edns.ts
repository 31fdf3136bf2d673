// Rules `edns0` of rewrite: options that a query gets, or loses, before later plugins see it. RFC 6891 §6.1.2, RFC 5001 (NSID), RFC 7871 (client subnet).

import type { RewriteField } from '../config/configuration.ts'
import type { EdnsOption } from '../dns/message.ts'
import { parseNetwork } from './networks.ts'
import type { Request } from './plugin.ts'

/** A rule `edns0`. */
export type EdnsField = Extract<RewriteField, { kind: 'edns0' }>

const NSID = 3
const CLIENT_SUBNET = 8
const FAMILY_IPV4 = 1
const FAMILY_IPV6 = 2
/** Of an OPT that the client did not send; it is never told. */
const UDP_SIZE = 4096
const HEXADECIMAL = /^0x((?:[\da-f]{2})*)$/i
const VARIABLE = /^\{([^{}]+)\}$/

/** The option's code. */
export function optionCode(field: EdnsField): number {
  return field.option === 'nsid' ? NSID : field.option === 'subnet' ? CLIENT_SUBNET : field.code
}

/**
 * Compiles a rule.
 *
 * @returns whether the request was changed. `set` puts an option in the place of the one there is, or adds it;
 *   `append` only adds, `replace` only replaces, `unset` only removes
 */
export function ednsChange(field: EdnsField): (request: Request) => boolean {
  const code = optionCode(field)
  const { action } = field
  const dataOf = action === 'unset' ? () => null : optionData(field)
  return (request) => {
    const options = request.edns?.options ?? []
    const has = options.some((option) => option.code === code)
    if (action === 'unset') return has && setOptions(request, without(options, code))
    if ((action === 'append' && has) || (action === 'replace' && !has)) return false
    const data = dataOf(request)
    return data !== null && setOptions(request, [...without(options, code), { code, data }])
  }
}

const without = (options: readonly EdnsOption[], code: number) => options.filter((option) => option.code !== code)

function setOptions(request: Request, options: EdnsOption[]): true {
  request.edns = { version: 0, udpSize: UDP_SIZE, dnssecOk: false, ...request.edns, options }
  return true
}

/** Data for a request; null if there is none to be had. */
type OptionData = (request: Request) => Uint8Array | null

function optionData(field: EdnsField): OptionData {
  if (field.option === 'nsid') return () => new Uint8Array(0)
  if (field.option === 'subnet') return ({ client }) => subnetData(client.address, field.bitsV4, field.bitsV6)
  const variable = VARIABLE.exec(field.data)?.[1]
  if (variable !== undefined) return variableData(variable)
  const hexadecimal = HEXADECIMAL.exec(field.data)?.[1]
  const data = hexadecimal === undefined ? Buffer.from(field.data) : Buffer.from(hexadecimal, 'hex')
  return () => data
}

function variableData(name: string): OptionData {
  switch (name) {
    case 'qname':
      return ({ question }) => Buffer.from(question.name)
    case 'qtype':
      return ({ question }) => uint16(question.type)
    case 'client_ip':
      return ({ client }) => parseNetwork(client.address).octets
    case 'client_port':
      return ({ client }) => uint16(client.port)
    case 'protocol':
      return ({ protocol }) => Buffer.from(protocol)
    case 'server_ip':
      return ({ local }) => parseNetwork(local.address).octets
    case 'server_port':
      return ({ local }) => uint16(local.port)
    default:
      return ({ metadata }) => {
        const value = metadata?.get(name)
        return value === undefined ? null : Buffer.from(value())
      }
  }
}

const uint16 = (value: number) => Uint8Array.of(value >>> 8, value & 0xff)

/** RFC 7871 §6: as many octets of the address as the prefix needs, the bits behind it 0. */
function subnetData(address: string, bitsV4: number, bitsV6: number): Uint8Array {
  const octets = Uint8Array.from(parseNetwork(address).octets)
  const isV4 = octets.length === 4
  const bits = isV4 ? bitsV4 : bitsV6
  const prefix = octets.slice(0, Math.ceil(bits / 8))
  if (bits % 8 !== 0) prefix[prefix.length - 1] &= 0xff << (8 - (bits % 8))
  return Uint8Array.of(0, isV4 ? FAMILY_IPV4 : FAMILY_IPV6, bits, 0, ...prefix)
}
