// Plugin nsid: the reply to a query that asks for it names the server (RFC 5001).

import type { Plugin, Walk } from './plugin.ts'

const OPTION_NSID = 3

/** The plugin `nsid`. @param text  the identifier */
export function createNsid(text: string): Plugin {
  const data = Buffer.from(text, 'utf8')
  return {
    name: 'nsid',
    *serve(request, next): Walk {
      // Asked now: a plugin behind may change the options.
      const isAsked = request.edns?.options.some(({ code }) => code === OPTION_NSID) === true
      const outcome = yield* next(request)
      if (isAsked && outcome.kind === 'reply') {
        // What an upstream calls itself is not who answers.
        outcome.options = [...outcome.options.filter(({ code }) => code !== OPTION_NSID), { code: OPTION_NSID, data }]
      }
      return outcome
    },
  }
}
