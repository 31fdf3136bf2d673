// Addresses of peers as plugins and log lines have them. Cold.

import type { Peer } from '../plugins/plugin.ts'

/** @param length  4 or 16 octets of `octets`, in network order */
export function peerOf(octets: Uint8Array, length: number, port: number): Peer {
  if (length === 4) return { family: 4, address: octets.subarray(0, 4).join('.'), port }
  const groups: string[] = []
  for (let i = 0; i < 16; i += 2) groups.push(((octets[i] << 8) | octets[i + 1]).toString(16))
  return { family: 6, address: new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1), port }
}
