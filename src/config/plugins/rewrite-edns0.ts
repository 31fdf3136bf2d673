// `rewrite edns0 local|nsid|subnet ACTION … [revert]`.

import type { RewriteField } from '../configuration.ts'
import type { Token } from '../corefile/syntax.ts'
import { integer, oneOf, wrongCount } from './arguments.ts'
import { Refusal } from './setup.ts'

const CODE_MAX = 65_535
const NSID = 3 // RFC 5001
const CLIENT_SUBNET = 8 // RFC 7871
const VARIABLES = ['qname', 'qtype', 'client_ip', 'client_port', 'protocol', 'server_ip', 'server_port']

type Edns0 = Extract<RewriteField, { kind: 'edns0' }>

/** Reads what follows `edns0`. @see Corefile reference 6.1 */
export function edns0Field(name: Token, args: readonly Token[]): RewriteField {
  const revert = args.length > 2 && args.at(-1)!.text === 'revert'
  const [kind, verb, ...rest] = revert ? args.slice(0, -1) : args
  if (verb === undefined) throw wrongCount({ name, args })
  const option = oneOf(kind, ['local', 'nsid', 'subnet'])
  const action = oneOf(verb, ['set', 'append', 'replace', 'unset'])
  const need = argumentCount(option, action)
  if (rest.length !== need) throw wrongCount({ name, args })
  const base: Edns0 = { kind: 'edns0', option, action, code: 0, data: '', bitsV4: 0, bitsV6: 0, revert }
  if (option === 'nsid') return { ...base, code: NSID }
  if (option === 'local') return { ...base, code: codeOf(rest[0]), data: action === 'unset' ? '' : dataOf(rest[1]) }
  if (action === 'unset') return { ...base, code: CLIENT_SUBNET }
  return { ...base, code: CLIENT_SUBNET, bitsV4: integer(rest[0], 0, 32), bitsV6: integer(rest[1], 0, 128) }
}

function argumentCount(option: Edns0['option'], action: Edns0['action']): number {
  if (option === 'nsid') return 0
  if (option === 'subnet') return action === 'unset' ? 0 : 2
  return action === 'unset' ? 1 : 2
}

/** `65001` or `0xfde9`. */
function codeOf(token: Token): number {
  const hexadecimal = /^0[xX][0-9a-fA-F]{1,4}$/.test(token.text)
  return hexadecimal ? Number(token.text) : integer(token, 0, CODE_MAX)
}

/** Text, octets as `0x…`, or a variable in braces. */
function dataOf(token: Token): string {
  const { text } = token
  if (/^0[xX]/.test(text) && !/^0[xX](?:[0-9a-fA-F]{2})*$/.test(text)) {
    throw new Refusal(token, `'${text}' is no hexadecimal text of whole octets`)
  }
  const [, variable] = /^\{(.*)\}$/.exec(text) ?? []
  if (variable !== undefined && !VARIABLES.includes(variable) && !variable.includes('/')) {
    throw new Refusal(
      token,
      `'${text}' is none of ${VARIABLES.map((each) => `{${each}}`).join(' ')}, nor a {plugin/label}`,
    )
  }
  return text
}
