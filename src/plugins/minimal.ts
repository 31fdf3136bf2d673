// Plugin minimal: positive answers lose authority and additional. Negative ones and referrals need theirs.

import type { Plugin, Walk } from './plugin.ts'

/** The plugin `minimal`. */
export function createMinimal(): Plugin {
  return {
    name: 'minimal',
    *serve(request, next): Walk {
      const outcome = yield* next(request)
      if (outcome.kind === 'reply' && outcome.rcode === 0 && outcome.answer.length > 0) {
        outcome.authority = []
        outcome.additional = []
      }
      return outcome
    },
  }
}
