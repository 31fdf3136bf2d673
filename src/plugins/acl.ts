// Plugin acl: who may ask for what. The first rule that fits decides; without one a query passes.

import type { AclConfig, AclRule } from '../config/configuration.ts'
import type { EdnsOption } from '../dns/message.ts'
import { addressOctets, compileNetworks, type Networks } from './networks.ts'
import { type Outcome, type Plugin, type Request, replyOf, type Walk } from './plugin.ts'
import { isInZone } from './zone-match.ts'

const NAME = 'acl'
const REFUSED = 5
/** Extended DNS errors (RFC 8914 §2, §4.16, §4.18). */
const OPTION_EXTENDED_ERROR = 15
const BLOCKED = 15
const FILTERED = 17

interface CompiledRule {
  readonly action: AclRule['action']
  /** null = all. */
  readonly types: ReadonlySet<number> | null
  readonly networks: Networks | null
}

/** The plugin `acl`: all directives of a block, in their order. @throws NetworkError for a network that is none */
export function createAcl(configs: readonly AclConfig[]): Plugin {
  const lists = configs.map(({ zones, rules }) => ({ zones, rules: rules.map(compiledRule) }))
  return {
    name: NAME,
    *serve(request, next): Walk {
      for (const { zones, rules } of lists) {
        if (!zones.some((zone) => isInZone(request.question.name, zone))) continue
        const rule = firstFit(rules, request)
        if (rule === undefined) continue
        if (rule.action === 'allow') break
        return turnedAway(rule.action, request)
      }
      request.count('acl_allowed_requests_total')
      return yield* next(request)
    },
  }
}

function compiledRule({ action, types, nets }: AclRule): CompiledRule {
  return {
    action,
    types: types.length === 0 ? null : new Set(types),
    networks: nets.length === 0 ? null : compileNetworks(nets),
  }
}

function firstFit(rules: readonly CompiledRule[], request: Request): CompiledRule | undefined {
  const client = addressOctets(request.client.address)
  return rules.find(
    ({ types, networks }) =>
      (types === null || types.has(request.question.type)) &&
      (networks === null || (client !== null && networks.has(client))),
  )
}

function turnedAway(action: 'block' | 'filter' | 'drop', request: Request): Outcome {
  if (action === 'drop') {
    request.count('acl_dropped_requests_total')
    return { kind: 'silence', plugin: NAME }
  }
  const isBlocked = action === 'block'
  request.count(isBlocked ? 'acl_blocked_requests_total' : 'acl_filtered_requests_total')
  const reply = replyOf(NAME, isBlocked ? REFUSED : 0)
  reply.authoritative = false
  reply.options.push(extendedError(isBlocked ? BLOCKED : FILTERED))
  return reply
}

function extendedError(code: number): EdnsOption {
  return { code: OPTION_EXTENDED_ERROR, data: Uint8Array.of(code >> 8, code & 0xff) }
}
