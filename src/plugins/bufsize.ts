// Plugin bufsize: the size that a client says it can take is lowered to a limit, for the reply to it and for what an upstream is told.

import type { Plugin } from './plugin.ts'

/** The plugin `bufsize`. It never raises a size and never adds an OPT. @param size  octets, 512..4096 */
export function createBufsize(size: number): Plugin {
  return {
    name: 'bufsize',
    serve(request, next) {
      if (request.edns !== null && request.edns.udpSize > size) request.edns.udpSize = size
      return next(request)
    },
  }
}
