// Plugin header: sets and clears flags of the query on its way in, and of the reply on its way out. The last rule on a flag wins.

import type { HeaderRule } from '../config/configuration.ts'
import type { Plugin, Reply, Request, Walk } from './plugin.ts'

/** The plugin `header`. Of a query only RD means anything to the plugins behind. */
export function createHeader(rules: readonly HeaderRule[]): Plugin {
  const queryRules = rules.filter(({ selector }) => selector === 'query')
  const responseRules = rules.filter(({ selector }) => selector === 'response')
  return {
    name: 'header',
    *serve(request, next): Walk {
      for (const { flags, action } of queryRules) changeQuery(request, flags, action === 'set')
      const outcome = yield* next(request)
      if (outcome.kind === 'reply') {
        for (const { flags, action } of responseRules) changeReply(outcome, flags, action === 'set')
      }
      return outcome
    },
  }
}

function changeQuery(request: Request, flags: HeaderRule['flags'], isSet: boolean): void {
  if (flags.includes('rd')) request.recursionDesired = isSet
}

function changeReply(reply: Reply, flags: HeaderRule['flags'], isSet: boolean): void {
  if (flags.includes('aa')) reply.authoritative = isSet
  if (flags.includes('ra')) reply.recursionAvailable = isSet
  if (flags.includes('rd')) reply.recursionDesired = isSet
}
