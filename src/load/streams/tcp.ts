// The way over TCP: RFC 1035 §4.2.2, RFC 7766.

import { connect } from 'node:net'
import type { Target } from '../run.ts'
import type { Opener } from './connection.ts'
import { FramedConnection } from './framed-connection.ts'
import type { QueryOctets } from './query-octets.ts'

export function tcpOpener({ address, port }: Target, octets: QueryOctets): Opener {
  return (owner) => new FramedConnection(connect({ host: address, port, noDelay: true }), 'connect', octets, owner)
}
