// The load over streams: TCP, TLS and HTTPS.

import type { LoopParts } from './udp-loop.ts'

/** One run of one worker. */
export class StreamLoop {
  readonly idleMs = 0
  readonly received = 0
  readonly receives = 0
  readonly receiveDrops = 0

  /** @throws Error for any run */
  static async open({ spec }: LoopParts): Promise<StreamLoop> {
    throw new Error(`${spec.target.transport} is not there yet`)
  }

  async run(): Promise<number> {
    return 0
  }

  unsentBy(): number {
    return 0
  }

  close(): void {}
}
