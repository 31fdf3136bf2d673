// The end of a connection by an RST.

import type { Socket } from 'node:net'

/**
 * Resets a connection. One that is about to end with a FIN just ends: Node.js would never close its handle (uv_tcp_close_reset
 * refuses a stream that is shutting down, which TCPWrap::Reset overlooks), and the process would not end.
 *
 * @param secure  the TLS socket upon it, if there is one
 */
export function reset(socket: Socket, secure: Socket = socket): void {
  const isEnding = [socket, secure].some(({ writableEnded, destroyed }) => writableEnded || destroyed)
  if (isEnding) socket.destroy()
  else socket.resetAndDestroy()
}
